"""Copies of rows of different lengths, against slices of lists."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.tokens.ragged import copy_rows, gather_rows, offsets_of

rows_of_tokens = st.lists(st.lists(st.integers(0, 0xFFFF), max_size=9), max_size=12)


def ragged(rows: list[list[int]], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    values = np.array([token for row in rows for token in row], dtype)
    return offsets_of(np.array([len(row) for row in rows], np.int64)), values


@given(rows_of_tokens, st.data(), st.sampled_from(["uint16", "uint32"]))
def test_rows_are_gathered_in_any_order_and_number(
    rows: list[list[int]], data: st.DataObject, dtype: str
) -> None:
    offsets_in, values_in = ragged(rows, dtype)
    order = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=20) if rows else st.just([]))
    offsets, values = gather_rows(values_in, offsets_in, np.array(order, np.int64))
    chosen = [rows[k] for k in order]
    assert values.dtype == dtype
    assert [values[a:b].tolist() for a, b in itertools.pairwise(offsets)] == chosen


@given(rows_of_tokens, st.integers(0, 5))
def test_rows_become_narrower_and_leave_the_gaps_between_them_alone(rows: list[list[int]], gap: int) -> None:
    offsets, values = ragged(rows, "uint32")
    lengths = np.diff(offsets)
    out_starts = offsets_of(lengths + gap)
    out = np.full(int(out_starts[-1]), 7, np.uint16)
    copy_rows(values, np.ascontiguousarray(offsets[:-1]), lengths, out, out_starts)
    assert out.tolist() == [token for row in rows for token in [*row, *[7] * gap]]


def test_a_row_outside_the_values_is_refused() -> None:
    values, out, one = np.arange(4, dtype=np.uint16), np.zeros(4, np.uint16), np.ones(1, np.int64)
    for start, length in ((-1, 1), (3, 2), (0, 5)):
        with pytest.raises(AssertionError):
            copy_rows(values, one * start, one * length, out, one * 0)
