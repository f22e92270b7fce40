"""Any world size and any micro-batch cut the same global batches, in the same order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.errors import UsageError
from dataprep.loader.state import Cursor
from dataprep.loader.steps import Extent, RankShare, Step, check_share, steps_from


def spans(cursor: Cursor, extents: list[Extent], size: int, last: str = "short") -> list[tuple[int, ...]]:
    steps = steps_from(cursor, extents, global_batch_rows=size, last_batch=last)  # type: ignore[arg-type]
    return [(s.stage, s.epoch, s.start, s.stop) for s in steps]


def test_batches_stop_at_the_end_of_epochs_and_stages() -> None:
    extents = [Extent(5, epochs=2), Extent(4, epochs=1)]
    assert spans(Cursor(), extents, 2) == [
        *[(0, 0, 0, 2), (0, 0, 2, 4), (0, 0, 4, 5)],
        *[(0, 1, 0, 2), (0, 1, 2, 4), (0, 1, 4, 5)],
        *[(1, 0, 0, 2), (1, 0, 2, 4)],
    ]
    assert spans(Cursor(), extents, 2, "drop") == [
        *[(0, 0, 0, 2), (0, 0, 2, 4), (0, 1, 0, 2), (0, 1, 2, 4), (1, 0, 0, 2), (1, 0, 2, 4)]
    ]
    assert spans(Cursor(1, 0, 4), extents, 2) == []
    assert spans(Cursor(0, 1, 5), extents, 3) == [(1, 0, 0, 3), (1, 0, 3, 4)]


@given(
    rows=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 3)), min_size=1, max_size=3),
    size=st.integers(1, 9),
    last=st.sampled_from(["short", "drop"]),
)
def test_resuming_after_every_step_gives_the_rest(rows: list[tuple[int, int]], size: int, last: str) -> None:
    extents = [Extent(n, epochs) for n, epochs in rows]
    steps = list(steps_from(Cursor(), extents, global_batch_rows=size, last_batch=last))  # type: ignore[arg-type]
    for i, step in enumerate(steps):
        rest = [(s.stage, s.epoch, s.start, s.stop) for s in steps[i + 1 :]]
        assert step.number == i
        assert spans(Cursor(step.stage, step.epoch, step.stop), extents, size, last) == rest


@pytest.mark.parametrize(
    ("size", "worlds"), [(48, (1, 2, 3, 8, 16, 48)), (512, (1, 2, 8, 64, 256)), (480, (1, 3, 96))]
)
def test_all_ranks_together_take_the_global_batch_in_order(size: int, worlds: tuple[int, ...]) -> None:
    for num_rows in (size, size - 1, 5):
        step = Step(0, 0, 1000, 1000 + num_rows, 0)
        for world in worlds:
            for micro in (None, *(m for m in (1, 2, 3, 4) if size // world % m == 0)):
                parts = [RankShare(rank, world, micro).parts(step) for rank in range(world)]
                taken = [row for part in itertools.chain(*parts) for row in range(*part)]
                assert taken == list(range(1000, 1000 + num_rows))
                assert all(part for part in parts)
                if num_rows == size:
                    assert len({len(part) for part in parts}) == 1
                    if micro:
                        assert {stop - start for part in parts for start, stop in part} == {micro}


def test_batches_that_cannot_be_cut_are_refused_with_the_nearest_that_can() -> None:
    with pytest.raises(UsageError, match="no multiple of world_size = 3; nearest: 1023 or 1026"):
        check_share(RankShare(0, 3), global_batch_rows=1024)
    with pytest.raises(UsageError, match=r"world_size \* micro_batch_rows = 12; nearest: 12$"):
        check_share(RankShare(0, 3, 4), global_batch_rows=8)
    with pytest.raises(UsageError, match=r"rank=3 is outside of 0\.\.2"):
        check_share(RankShare(3, 3), global_batch_rows=9)
    with pytest.raises(UsageError, match="micro_batch_rows=0"):
        check_share(RankShare(0, 3, 0), global_batch_rows=9)
    with pytest.raises(UsageError, match="at least 1"):
        check_share(RankShare(), global_batch_rows=0)
    check_share(RankShare(95, 96, 5), global_batch_rows=480)
