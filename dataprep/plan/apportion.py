"""Apportionment: divide a whole number in given proportions, exactly and without a remainder."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction


def largest_remainder(total: int, weights: Mapping[str, Fraction]) -> dict[str, int]:
    """Divide ``total`` in proportion to ``weights`` (Hamilton's method).

    Every name gets the floor of its share; what is left goes, one each, to the largest
    fractional parts, and between equal ones to the name that sorts first.

    Returns: the parts, in the order of ``weights``; they add up to ``total`` exactly.

    >>> largest_remainder(10, {"b": Fraction(1), "a": Fraction(1), "c": Fraction(1)})
    {'b': 3, 'a': 4, 'c': 3}
    """
    whole = sum(weights.values(), Fraction(0))
    assert total >= 0, total
    assert whole > 0, weights
    shares = {name: total * weight / whole for name, weight in weights.items()}
    parts = {name: int(share) for name, share in shares.items()}
    left = total - sum(parts.values())
    order = sorted(shares, key=lambda name: (parts[name] - shares[name], name))
    for name in order[:left]:
        parts[name] += 1
    return parts


def rounded(value: Fraction) -> int:
    """Return the nearest whole number; halves go up.

    >>> rounded(Fraction(5, 2)), rounded(Fraction(7, 3))
    (3, 2)
    """
    return int((2 * value + 1) // 2)
