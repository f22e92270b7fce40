"""The kernels of best-fit packing alone: any lengths, the extremes, and hundreds of thousands of pieces."""

from __future__ import annotations

from bisect import bisect_left, insort

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.packing import _best_fit_decreasing, _copy_pieces

LARGEST = 2**32 - 1


def rows_of(lengths: list[int] | np.ndarray, capacity: int) -> tuple[int, list[int]]:
    """Return the number of rows and the row of each piece, by the kernel."""
    row_of = np.full(len(lengths), -1, np.int64)
    num_rows = _best_fit_decreasing(np.array(lengths, np.int64), capacity, row_of)
    return num_rows, row_of.tolist()


def searched_rows(lengths: list[int], capacity: int) -> tuple[int, list[int]]:
    """Return the same by looking at every open row: the fullest that has room, of these the one used last."""
    rooms: list[int] = []
    used: list[int] = []
    row_of = []
    for now, length in enumerate(lengths):
        fitting = [row for row in range(len(rooms)) if rooms[row] >= length]
        if fitting:
            row = min(fitting, key=lambda row: (rooms[row], -used[row]))
        else:
            row = len(rooms)
            rooms.append(capacity)
            used.append(now)
        rooms[row] -= length
        used[row] = now
        row_of.append(row)
    return len(rooms), row_of


def sorted_rows(lengths: list[int], capacity: int) -> tuple[int, list[int]]:
    """Return the same with the open rows in a sorted list: by room, and the one used last first."""
    rows: list[tuple[int, int, int]] = []
    row_of = []
    for now, length in enumerate(lengths):
        place = bisect_left(rows, (length, -now, 0))
        room, _, row = rows.pop(place) if place < len(rows) else (capacity, 0, len(rows))
        insort(rows, (room - length, -now, row))
        row_of.append(row)
    return len(rows), row_of


@given(st.integers(1, 70), st.data())
def test_each_piece_goes_where_a_search_of_all_rows_puts_it(capacity: int, data: st.DataObject) -> None:
    lengths = sorted(data.draw(st.lists(st.integers(0, capacity), max_size=60)), reverse=True)
    expected = searched_rows(lengths, capacity)
    assert rows_of(lengths, capacity) == expected
    assert sorted_rows(lengths, capacity) == expected


@pytest.mark.parametrize(
    ("lengths", "capacity", "expected"),
    [
        ([], 1, (0, [])),
        ([1], 1, (1, [0])),
        ([0], 1, (1, [0])),
        ([1, 1, 1], 1, (3, [0, 1, 2])),
        ([1, 1, 0, 0], 1, (2, [0, 1, 1, 1])),
        ([4, 4], 4, (2, [0, 1])),
        ([2, 2, 2], 4, (2, [0, 0, 1])),
        ([1 << 20, 1], 1 << 20, (2, [0, 1])),
        ([(1 << 20) - 1, 1], 1 << 20, (1, [0, 0])),
    ],
)
def test_the_smallest_and_the_largest(
    lengths: list[int], capacity: int, expected: tuple[int, list[int]]
) -> None:
    assert rows_of(lengths, capacity) == expected


@pytest.mark.parametrize("capacity", [2, 1000, 4097])
def test_many_pieces_of_all_lengths_equal_the_sorted_list(capacity: int) -> None:
    lengths = np.random.default_rng(capacity).integers(1, capacity + 1, 150_000)
    lengths = np.minimum(lengths, np.random.default_rng(7).geometric(min(1.0, 4 / capacity), len(lengths)))
    falling = np.sort(lengths)[::-1]
    assert rows_of(falling, capacity) == sorted_rows(falling.tolist(), capacity)


@pytest.mark.parametrize(("length", "capacity"), [(1, 1), (1, 8), (3, 10), (2049, 4097), (2048, 4097)])
def test_a_million_equal_pieces_fill_row_after_row(length: int, capacity: int) -> None:
    num_rows, row_of = rows_of(np.full(1_000_000, length), capacity)
    expected = np.arange(1_000_000) // (capacity // length)
    assert num_rows == expected[-1] + 1
    assert row_of == expected.tolist()


@given(st.lists(st.lists(st.lists(st.integers(0, LARGEST), max_size=5), max_size=4), max_size=5), st.data())
def test_pieces_are_copied_one_behind_the_other(rows: list[list[list[int]]], data: st.DataObject) -> None:
    pieces = [piece for row in rows for piece in row]
    order = data.draw(st.permutations(range(len(pieces))))
    starts, tokens = [0] * len(pieces), [LARGEST, 0]
    for k in order:  # where a piece lies has nothing to do with where it goes
        starts[k] = len(tokens)
        tokens += [*pieces[k], 7]
    width = max((sum(map(len, row)) for row in rows), default=0) + 2
    out = np.full((len(rows), width), 9, np.uint32)
    _copy_pieces(
        np.array(tokens, np.uint32),
        np.array(starts, np.int64),
        np.array([len(piece) for piece in pieces], np.int64),
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        out,
    )
    joined = [[token for piece in row for token in piece] for row in rows]
    assert out.tolist() == [row + [9] * (width - len(row)) for row in joined]


def test_a_million_tokens_are_copied() -> None:
    random = np.random.default_rng(3)
    tokens = random.integers(0, LARGEST, 1_200_000, dtype=np.uint32, endpoint=True)
    lengths = np.array([1, 0, 511, 512, 1023, 1] * 488, np.int64)  # 2,048 tokens in six pieces: a row
    starts = random.integers(0, len(tokens) - 1024, len(lengths))
    out = np.zeros((488, 2048), np.uint32)
    _copy_pieces(tokens, starts, lengths, np.arange(0, len(lengths) + 1, 6), out)
    pieces = [tokens[start : start + length] for start, length in zip(starts, lengths, strict=True)]
    assert (out.reshape(-1) == np.concatenate(pieces)).all()
