"""Any number of ranks and threads reads the same rows in the same order, from real shards.

768 rows make a global batch, so that 1, 2, 3, 8, 96 and 256 ranks all divide it. The stream is a stage of
2,000 rows read twice (the second time permuted), then one of 1,000 longer, padded rows; no epoch is a whole
number of global batches or of record batches.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from dataprep.loader import Batch, TokenStream, open_stream
from dataprep.shards import Rows

GLOBAL_BATCH_ROWS = 768
WORLD_SIZES = (1, 2, 3, 8, 96, 256)
THREADS = (0, 1, 2, 4, 8)
WriteStage = Callable[..., tuple[str, Rows]]
EPOCHS = ((0, 0), (0, 1), (1, 0))
"""(stage, epoch) in the order of reading."""


@dataclass(frozen=True)
class Expected:
    """What is delivered in one global batch, whoever reads it."""

    stage: int
    epoch: int
    rows: list[int]


@pytest.fixture(scope="module")
def written(
    write_stage_in: WriteStage, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TokenStream, list[Rows]]:
    root = str(tmp_path_factory.mktemp("world-sizes"))
    form = {"rows_per_shard": 512, "rows_per_batch": 64}
    stages = [
        write_stage_in(root, num_rows=2000, length=8, **form),
        write_stage_in(root, stage="stage2", num_rows=1000, length=16, seed=2, padding=True, **form),
    ]
    stream = open_stream([folder for folder, _ in stages], epochs=[2, 1], window_shards=2)
    return stream, [rows for _, rows in stages]


@pytest.fixture(scope="module")
def expected(written: tuple[TokenStream, list[Rows]]) -> list[Expected]:
    """The order by arithmetic: as written, permuted in the second epoch, cut where an epoch ends."""
    stream, all_rows = written
    found = []
    for stage, epoch in EPOCHS:
        order = stream.stages[stage].order.row_numbers(epoch, 0, len(all_rows[stage])).tolist()
        assert (order == sorted(order)) == (epoch == 0)
        assert sorted(order) == list(range(len(all_rows[stage])))
        for start in range(0, len(order), GLOBAL_BATCH_ROWS):
            found.append(Expected(stage, epoch, order[start : start + GLOBAL_BATCH_ROWS]))
    return found


def read_rank(stream: TokenStream, rank: int, world_size: int, **options: Any) -> tuple[list[Batch], Any]:
    """One rank's batches, and its state behind the last."""
    options = {"dtype": "int32", **options}
    with stream.batches(GLOBAL_BATCH_ROWS, rank=rank, world_size=world_size, **options) as batches:
        return list(batches), batches.state()


def assert_delivered(
    ranks: list[list[Batch]], expected: list[Expected], all_rows: list[Rows], *, first_step: int = 0
) -> None:
    """Compare every row of all ranks, in the order of the ranks, with what was written."""
    by_step: dict[int, list[Batch]] = {}
    for batches in ranks:
        for batch in batches:
            by_step.setdefault(batch.step, []).append(batch)
        assert [batch.step for batch in batches if batch.ends_step] == list(
            range(first_step, first_step + len(expected))
        )
    for step, wanted in enumerate(expected, first_step):
        parts = by_step[step]
        assert {(part.stage_index, part.epoch) for part in parts} == {(wanted.stage, wanted.epoch)}
        rows = all_rows[wanted.stage]
        assert np.concatenate([part.row_numbers for part in parts]).tolist() == wanted.rows
        assert (np.concatenate([part.tokens for part in parts]) == rows.tokens[wanted.rows]).all()
        assert (np.concatenate([part.source_ids for part in parts]) == rows.source[wanted.rows]).all()
        documents = [rows.seg_doc[rows.seg_starts[row] : rows.seg_starts[row + 1]] for row in wanted.rows]
        delivered = np.concatenate([part.rows.seg_doc for part in parts if len(part)])
        assert (delivered == np.concatenate(documents)).all()


@pytest.mark.parametrize("world_size", WORLD_SIZES)
def test_all_ranks_together_read_every_row_in_one_order(
    written: tuple[TokenStream, list[Rows]], expected: list[Expected], world_size: int
) -> None:
    """Ranks of one run even differ in their number of threads."""
    stream, all_rows = written
    threads = itertools.cycle(THREADS)
    read = [
        read_rank(stream, rank, world_size, read_ahead_threads=next(threads)) for rank in range(world_size)
    ]
    assert_delivered([batches for batches, _ in read], expected, all_rows)
    sizes = {len(batch) for batches, _ in read for batch in batches if batch.step in (0, 1)}
    assert sizes == {GLOBAL_BATCH_ROWS // world_size}
    states = [state for _, state in read]
    assert all(state == states[0] for state in states), "the state is the same on every rank"
    assert states[0]["rows"] == 5000
    assert states[0]["tokens"] == sum(
        int(np.minimum(rows.n_tok, rows.sequence_length).sum()) * times
        for rows, times in zip(all_rows, (2, 1))
    )


@pytest.mark.parametrize("threads", THREADS)
def test_any_number_of_threads_and_any_micro_batch_read_the_same(
    written: tuple[TokenStream, list[Rows]], expected: list[Expected], threads: int
) -> None:
    stream, all_rows = written
    for world_size, micro_batch_rows in ((1, None), (1, 6), (3, 64), (8, 12)):
        options = {"read_ahead_threads": threads, "micro_batch_rows": micro_batch_rows}
        read = [read_rank(stream, rank, world_size, **options)[0] for rank in range(world_size)]
        assert_delivered(read, expected, all_rows)


@pytest.mark.parametrize("world_size", [1, 2, 3, 8])
def test_the_state_counts_exactly_what_was_delivered_behind_every_step(
    written: tuple[TokenStream, list[Rows]], expected: list[Expected], world_size: int
) -> None:
    """Steps of 24 rows end inside of record batches, also where these are permuted."""
    stream, all_rows = written
    steps = []
    for stage, epoch in EPOCHS:
        order = [row for one in expected if (one.stage, one.epoch) == (stage, epoch) for row in one.rows]
        steps += [(stage, order[start : start + 24]) for start in range(0, len(order), 24)]
    counts = {name: {"rows": 0, "tokens": 0, "targets": 0} for name in stream.sources}
    with stream.batches(24, rank=world_size - 1, world_size=world_size) as batches:
        for (stage, delivered), _ in zip(steps, batches, strict=True):
            rows = all_rows[stage].take(np.array(delivered))
            for number, count in enumerate(counts.values()):
                own = rows.source == number
                count["rows"] += int(own.sum())
                count["tokens"] += int(np.minimum(rows.n_tok, rows.sequence_length)[own].sum())
                count["targets"] += int(rows.n_loss[own].sum())
            assert batches.state()["sources"] == counts


def test_a_run_that_changes_its_size_at_every_step_reads_the_same(
    written: tuple[TokenStream, list[Rows]], expected: list[Expected]
) -> None:
    """Each step is read by another number of ranks and threads, resumed from the state of the one before."""
    stream, all_rows = written
    state = None
    sizes = (*WORLD_SIZES, *reversed(WORLD_SIZES))
    for step, wanted in enumerate(expected):
        world_size, threads = sizes[step % len(sizes)], THREADS[step % len(THREADS)]
        ranks, states = [], []
        for rank in range(world_size):
            with stream.batches(
                GLOBAL_BATCH_ROWS, rank=rank, world_size=world_size, start=state, read_ahead_threads=threads
            ) as batches:
                ranks.append([next(batches)])
                states.append(batches.state())
        assert_delivered(ranks, [wanted], all_rows, first_step=step)
        assert all(one == states[0] for one in states)
        state = states[0]
    with stream.batches(GLOBAL_BATCH_ROWS, start=state) as batches:
        assert next(batches, None) is None
