"""Numbers of tokens as people write them: ``20M``, ``1.5B``, ``2T``, ``15_852_446_656``."""

from __future__ import annotations

import re
from fractions import Fraction

from dataprep.errors import ConfigError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}
_PATTERN = re.compile(r"(\d[\d_,]*)(\.\d+)?\s*([kmbgt]?)", re.IGNORECASE | re.ASCII)


def parse_count(text: str | int) -> int:
    """Return a whole number written with an optional unit; exact, without floating point.

    Units: k, M, B (also G) and T, in either case, are powers of 1,000. Digits may be grouped
    with ``_`` or ``,``.

    Raises:
        ConfigError: the text is no such number, or not a whole one.

    >>> parse_count("1.5B"), parse_count("20M"), parse_count("15,852,446,656"), parse_count(7)
    (1500000000, 20000000, 15852446656, 7)
    """
    match = _PATTERN.fullmatch(str(text).strip())
    if match is None or isinstance(text, bool):
        raise ConfigError(f"{text!r} is no count: write a number such as 2T, 1.5B, 20M, 500k or 123456")
    whole, fraction, unit = match.groups()
    exact = Fraction(re.sub("[_,]", "", whole) + (fraction or "")) * _UNITS[unit.lower()]
    if exact.denominator != 1:
        raise ConfigError(f"{text!r} is {float(exact)}, which is no whole number")
    return int(exact)


def format_count(count: int) -> str:
    """Return a count for people to read: three significant digits and a unit.

    >>> format_count(2_009_831_803_929), format_count(999_950), format_count(1_500_000), format_count(12)
    ('2.01T', '1M', '1.5M', '12')
    """
    value = float(count)
    for unit in ("", "k", "M", "B"):
        if abs(value) < 999.5:
            return f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:.3g}T" if abs(value) < 999.5 else f"{value:,.0f}T"


def floor_count(count: int, *, digits: int = 3) -> str:
    """Return the largest count of so many significant digits that is not above ``count``.

    ``parse_count`` of the result is at most ``count``: fit to be typed as ``--tokens``.

    >>> floor_count(17_389_123), floor_count(999_999), floor_count(1_234_567_890), floor_count(42)
    ('17.3M', '999k', '1.23B', '42')
    """
    text = str(count)
    kept = int(text[:digits] + "0" * (len(text) - digits)) if len(text) > digits else count
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if kept >= size:
            exact = Fraction(kept, size)
            shown = f"{exact.numerator}" if exact.denominator == 1 else _decimal(kept, size)
            return shown + unit
    return str(kept)


def _decimal(count: int, size: int) -> str:
    """Return ``count / size`` exactly; ``size`` is a power of ten."""
    whole, rest = divmod(count, size)
    return f"{whole}." + str(rest).rjust(len(str(size)) - 1, "0").rstrip("0")
