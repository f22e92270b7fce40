"""Epoch 0 is the bake's order; later epochs permute record batches and rows, and lose nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.loader.order import Permutation, RowOrder


def order_of(num_rows: int, *, window_shards: int = 2, key: int = 1) -> RowOrder:
    return RowOrder(num_rows, rows_per_batch=4, rows_per_shard=12, key=key, window_shards=window_shards)


def test_epoch_zero_reads_the_rows_as_they_lie() -> None:
    places = order_of(40).locate(0, 6, 14)
    assert [(p.shard, p.batch, p.rows) for p in places] == [
        (0, 1, slice(2, 4)),
        (0, 2, slice(0, 4)),
        (1, 0, slice(0, 2)),
    ]
    assert order_of(40).row_numbers(0, 6, 14).tolist() == list(range(6, 14))


@given(num_rows=st.integers(1, 200), epoch=st.integers(0, 3), window=st.integers(1, 5), key=st.integers(0, 9))
def test_every_epoch_has_every_row_once(num_rows: int, epoch: int, window: int, key: int) -> None:
    order = order_of(num_rows, window_shards=window, key=key)
    rows = order.row_numbers(epoch, 0, num_rows)
    assert sorted(rows.tolist()) == list(range(num_rows))


@given(data=st.data(), num_rows=st.integers(1, 200), epoch=st.integers(0, 2))
def test_a_part_of_an_epoch_is_that_part_of_the_whole(data: st.DataObject, num_rows: int, epoch: int) -> None:
    order = order_of(num_rows)
    start = data.draw(st.integers(0, num_rows))
    stop = data.draw(st.integers(start, num_rows))
    whole = order.row_numbers(epoch, 0, num_rows)
    assert order.row_numbers(epoch, start, stop).tolist() == whole[start:stop].tolist()
    assert sum(p.num_rows for p in order.locate(epoch, start, stop)) == stop - start


@given(num_rows=st.integers(1, 200), epoch=st.integers(1, 3))
def test_aligned_blocks_of_a_later_epoch_are_whole_record_batches(num_rows: int, epoch: int) -> None:
    """The mixture is exact in a record batch, so it is exact in every aligned block of an epoch."""
    rows = order_of(num_rows).row_numbers(epoch, 0, num_rows)
    for start in range(0, num_rows, 4):
        assert len(set((rows[start : start + 4] // 4).tolist())) == 1
    if num_rows % 4:
        assert (rows[num_rows - num_rows % 4 :] // 4 == num_rows // 4).all()


@given(num_rows=st.integers(1, 400), epoch=st.integers(0, 2), window=st.integers(1, 4))
def test_shards_come_in_the_order_of_their_use(num_rows: int, epoch: int, window: int) -> None:
    order = order_of(num_rows, window_shards=window)
    used = [p.shard for p in order.locate(epoch, 0, num_rows)]
    listed = list(order.shards_from(epoch, 0))
    assert sorted(listed) == sorted(set(used))
    rank = {shard: i for i, shard in enumerate(listed)}
    at_once = 1 if epoch == 0 else window
    highest = 0
    for shard in used:
        highest = max(highest, rank[shard])
        assert rank[shard] > highest - max(at_once, 1), "a shard was needed long after its turn"
    for position in range(0, num_rows, 37):
        rest = list(order.shards_from(epoch, position))
        assert set(used[position // 4 :]) <= set(rest)
        assert rest == listed[len(listed) - len(rest) :]


def test_epochs_stages_and_windows_are_ordered_independently() -> None:
    orders = [order_of(1200, key=key).row_numbers(epoch, 0, 1200) for key in (1, 2) for epoch in (0, 1, 2)]
    baked, *others = orders[:3] + orders[4:]
    assert baked.tolist() == list(range(1200))
    for i, one in enumerate(others):
        assert (one == baked).mean() < 0.02
        for other in others[:i]:
            assert (one == other).mean() < 0.02


def test_the_permutation_is_one_and_looks_uniform() -> None:
    for size in (1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000):
        assert sorted(Permutation(size, key=3)(np.arange(size)).tolist()) == list(range(size))
    # Where element 0 of 10 goes under 4,000 keys: chi-square with 9 degrees of freedom.
    counts = np.bincount(
        [int(Permutation(10, key=k)(np.zeros(1, np.int64))[0]) for k in range(4000)], minlength=10
    )
    assert float(((counts - 400) ** 2 / 400).sum()) < 27.9, counts  # 99.9 % quantile
    with pytest.raises(IndexError):
        Permutation(10, key=1)(np.array([10]))


def test_a_huge_stage_costs_nothing_to_enter() -> None:
    order = RowOrder(30_000 * 8192, 64, 8192, key=5)
    rows = order.row_numbers(3, 123_456_789, 123_456_789 + 512)
    assert len(set(rows.tolist())) == 512
    assert len(set((rows // 8192).tolist())) <= order.shards_at_once(3)
