"""Copies between all types of tokens: any starts, gaps and orders, the largest tokens, a million rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.tokens.ragged import copy_rows, gather_rows

TYPES = [("uint32", "uint32"), ("uint32", "uint16"), ("uint16", "uint16")]


def copied(values: list[int], rows: list[tuple[int, int, int]], out: list[int]) -> list[int]:
    """Return ``out`` after the copies (start, length, start in ``out``), by slices of lists."""
    result = list(out)
    for start, length, target in rows:
        result[target : target + length] = values[start : start + length]
    return result


@pytest.mark.parametrize(("source", "target"), TYPES)
@given(data=st.data())
def test_rows_from_anywhere_go_anywhere(source: str, target: str, data: st.DataObject) -> None:
    largest = int(min(np.iinfo(source).max, np.iinfo(target).max))
    token = st.one_of(st.sampled_from([0, 1, largest - 1, largest]), st.integers(0, largest))
    values, out = data.draw(st.lists(token, max_size=40)), data.draw(st.lists(token, max_size=40))
    rows = []
    for _ in range(data.draw(st.integers(0, 6))):
        start, place = data.draw(st.integers(0, len(values))), data.draw(st.integers(0, len(out)))
        rows.append((start, data.draw(st.integers(0, min(len(values) - start, len(out) - place))), place))
    got = np.array(out, target)
    starts, lengths, out_starts = (np.array([row[k] for row in rows], np.int64) for k in range(3))
    copy_rows(np.array(values, source), starts, lengths, got, out_starts)
    assert got.tolist() == copied(values, rows, out)


@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_nothing_one_token_and_no_rows(dtype: str) -> None:
    largest = np.iinfo(dtype).max
    nothing, no_rows = np.zeros(0, dtype), np.zeros(0, np.int64)
    offsets, values = gather_rows(nothing, np.zeros(1, np.int64), no_rows)
    assert (offsets.tolist(), values.tolist(), values.dtype.name) == ([0], [], dtype)
    offsets, values = gather_rows(nothing, np.zeros(4, np.int64), np.array([2, 0, 2]))
    assert (offsets.tolist(), values.tolist()) == ([0, 0, 0, 0], [])
    offsets, values = gather_rows(np.array([largest], dtype), np.array([0, 1]), np.array([0, 0]))
    assert (offsets.tolist(), values.tolist()) == ([0, 1, 2], [largest, largest])


@pytest.mark.parametrize(("source", "target"), TYPES)
def test_a_million_rows_and_one_row_of_a_million(source: str, target: str) -> None:
    random = np.random.default_rng(5)
    largest = int(min(np.iinfo(source).max, np.iinfo(target).max))
    values = random.integers(0, largest, 3_000_000, dtype=source, endpoint=True)
    lengths = random.integers(0, 5, 1_000_000)
    starts = random.integers(0, len(values) - 4, len(lengths))
    out_starts = np.cumsum(lengths) - lengths
    out = np.zeros(int(lengths.sum()), target)
    copy_rows(values, starts, lengths, out, out_starts)
    within = np.arange(len(out)) - np.repeat(out_starts, lengths)
    assert (out == values[np.repeat(starts, lengths) + within]).all()
    out = np.zeros(len(values), target)
    copy_rows(values, np.zeros(1, np.int64), np.array([len(values)]), out, np.zeros(1, np.int64))
    assert (out == values).all()
