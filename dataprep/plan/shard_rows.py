"""The rows of one shard of a concat stage, in the order in which they are written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataprep.hashing import hash64, keyed_permutation
from dataprep.interleave import ROWS_PER_BLOCK, Int64Array, block_counts, class_counts, permuted_blocks
from dataprep.plan.stage_plan import StagePlan


@dataclass(frozen=True)
class ShardRows:
    """For each row of a shard the stream it comes from and which row of that stream it is."""

    stream: Int64Array
    """int64[rows], position in ``StagePlan.streams``."""
    row: Int64Array
    """int64[rows], row of the stream in this stage, counted from 0."""


def shard_rows(plan: StagePlan, shard: int) -> ShardRows:
    """Return the rows of a shard of a concat stage, in order.

    Every aligned block of 64 rows holds its sources' shares (see dataprep.interleave), permuted
    by (seed, stage, block). Which of the shard's rows of a stream stands at which of the stream's
    places is permuted as well, by (seed, stage, shard, stream): the rows of one long document do
    not stand one after the other.
    """
    assert plan.packing == "concat", "with best_fit the rows of a shard are known once they are packed"
    content = plan.shard(shard)
    assert content.num_rows is not None
    first_block = shard * plan.rows_per_shard // ROWS_PER_BLOCK
    num_blocks = -(-content.num_rows // ROWS_PER_BLOCK)
    had = plan.source_starts[shard]
    per_source = block_counts(
        list(plan.source_rows.values()), first_block=first_block, num_blocks=num_blocks, had=had
    )
    stream = permuted_blocks(
        _by_stream(plan, had, per_source), first_block=first_block, key=(plan.seed, plan.name)
    )
    row = np.empty(stream.size, np.int64)
    for number, part in enumerate(content.streams):
        places = np.flatnonzero(stream == number)
        assert places.size == part.row_stop - part.row_start, "schedule and shard table disagree"
        key = hash64("rows", plan.seed, plan.name, shard, number)
        row[places] = part.row_start + keyed_permutation(places.size, key=key)
    return ShardRows(stream, row)


def _by_stream(plan: StagePlan, had: Int64Array, per_source: Int64Array) -> Int64Array:
    """Return int64[blocks, streams]: the rows of each block, divided among the sources' classes."""
    cumulative = np.cumsum(np.concatenate([had[None, :], per_source]), axis=0)
    columns = []
    for number, source in enumerate(plan.source_rows):
        classes = [plan.streams[i].num_rows for i in plan.classes_of(source)]
        columns.append(class_counts(cumulative[:, number], classes=classes))
    per_stream: Int64Array = np.concatenate(columns, axis=1)
    return per_stream[1:] - per_stream[:-1]
