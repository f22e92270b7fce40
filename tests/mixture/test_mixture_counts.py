"""How numbers of tokens are written and read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.errors import ConfigError
from dataprep.mixture import format_count, parse_count
from dataprep.mixture.counts import floor_count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("2T", 2 * 10**12),
        ("1.5B", 1_500_000_000),
        ("20M", 20_000_000),
        ("20m", 20_000_000),
        ("500k", 500_000),
        ("3 G", 3 * 10**9),
        ("15_852_446_656", 15_852_446_656),
        ("15,852,446,656", 15_852_446_656),
        ("0.000000000001T", 1),
        (4096, 4096),
        ("0.1T", 100_000_000_000),
    ],
)
def test_counts_are_read_exactly(text: str | int, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "M", "2X", "-5M", "1e6", "1.5", "0.0000001M", "two", "2 T T", "２M"])
def test_what_is_no_whole_count_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_count(text)


@given(st.integers(0, 10**18))
def test_a_shown_count_is_near_and_a_floored_one_never_above(count: int) -> None:
    shown = parse_count(format_count(count).replace(",", ""))
    assert abs(shown - count) * 199 <= count
    floored = parse_count(floor_count(count))
    assert floored <= count < floored + max(1, 10 ** (len(str(count)) - 3))
