"""Plan the rest of a stage anew: other weights from some row on, and no row twice.

The rows of a stream are permuted inside a shard, so what a stage has read of a stream when it is
stopped inside a shard is no prefix of the stream: it is all rows of the shards before, and some
of the rows of that shard. The others are left over. They come first in the new plan, before the
stream goes on behind that shard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from dataprep.errors import PlanError
from dataprep.interleave import ROWS_PER_BLOCK, Int64Array
from dataprep.mixture import Mixture
from dataprep.plan.division import Available, Stream, divide_stage, scale_of
from dataprep.plan.planning import with_shards
from dataprep.plan.repetition import check_repetition
from dataprep.plan.shard_rows import shard_rows
from dataprep.plan.stage_plan import StagePlan, StreamPlan


@dataclass(frozen=True)
class _Reached:
    """What a plan has read of one stream."""

    num_rows: int
    left_over: tuple[int, ...]
    """Virtual positions where rows begin that were not read, all before ``next_token``."""
    next_token: int


def check_fork_row(plan: StagePlan, row: int) -> None:
    """Check that a stage can be planned anew from ``row`` on.

    Raises:
        PlanError: it cannot; names the nearest rows that are possible.
    """
    place = f"stage {plan.name}, row {row:,}"
    if plan.packing != "concat":
        raise PlanError(
            f"{place}: a stage with {plan.packing} packing cannot be changed in the middle, since its rows "
            "are known only once all of it is packed; end it there with a stage of its own instead"
        )
    last = plan.fork_row + plan.num_rows // ROWS_PER_BLOCK * ROWS_PER_BLOCK
    first = plan.fork_row + (0 if plan.fork_row else ROWS_PER_BLOCK)
    if row % ROWS_PER_BLOCK == 0 and first <= row <= last:
        return
    below = row // ROWS_PER_BLOCK * ROWS_PER_BLOCK
    possible = sorted({min(max(one, first), last) for one in (below, below + ROWS_PER_BLOCK)})
    if last < first:
        raise PlanError(f"{place}: the stage has only {plan.num_rows:,} rows, less than a block")
    raise PlanError(
        f"{place}: the weights can change at a multiple of {ROWS_PER_BLOCK} rows from {first:,} to {last:,}; "
        f"nearest: {' or '.join(f'{one:,}' for one in possible)}. Up to there the rows stay as they are, so "
        "a run that has stopped earlier can go on there as well"
    )


def plan_rest(
    mixture: Mixture, *, before: Sequence[StagePlan], parent: StagePlan, row: int, available: Available
) -> list[StagePlan]:
    """Plan a stage from ``row`` on as the mixture says now, and the stages after it.

    The stage as a whole gets what the mixture asks for; of each amount the rest of the stage takes
    the same share, so that its rows have the mixture's weights.

    Args:
        mixture: has the parent's stage, with the same sequence length, packing and boundaries.
        before: plans of the stages before.
        parent: the plan whose first rows are kept.
        row: of the stage; see ``check_fork_row``.
        available: see ``plan_mixture``.

    Returns: one plan for the rest of the stage, and one for each stage after it.

    Raises:
        PlanError: the weights cannot change there, nothing is left of the stage, or a source would
            be repeated more often than ``max_epochs``.
    """
    check_fork_row(parent, row)
    plans = _divide_rest(mixture, before, parent, row, available)
    check_repetition(
        mixture,
        [*before, *plans],
        lambda tokens: [*before, *_divide_rest(mixture.scaled(tokens), before, parent, row, available)],
    )
    return [with_shards(plan) for plan in plans]


def _divide_rest(
    mixture: Mixture, before: Sequence[StagePlan], parent: StagePlan, row: int, available: Available
) -> list[StagePlan]:
    """Divide the rest of the stage and the stages after it into rows; see ``division.divide``."""
    scale = scale_of(mixture, available)
    stage = mixture.stage(parent.name)
    position: dict[Stream, int] = {}
    for plan in before:
        position |= plan.end_positions
    whole = divide_stage(mixture, stage, available, position, scale, parent.rows_per_shard)
    if whole.num_rows <= row:
        raise PlanError(
            f"mixture {mixture.name}, stage {stage.name}: has {whole.num_rows:,} rows with these tokens, so "
            f"nothing is left from row {row:,} on: ask for as many tokens as the build did (--tokens) or more"
        )
    reached = {
        (stream.source, stream.length_class): one
        for stream, one in zip(parent.streams, _reached(parent, row - parent.fork_row), strict=True)
    }
    position |= {stream: one.next_token for stream, one in reached.items()}
    share = Fraction(whole.num_rows - row, whole.num_rows)
    rest = divide_stage(mixture, stage, available, position, scale * share, parent.rows_per_shard)
    streams = []
    for stream in rest.streams:
        place = (stream.source, stream.length_class)
        streams.append(replace(stream, left_over=reached[place].left_over if place in reached else ()))
    rows_before = dict(parent.rows_before)
    for (source, _), one in reached.items():
        rows_before[source] = rows_before.get(source, 0) + one.num_rows
    rest = replace(
        rest,
        streams=tuple(streams),
        fork_row=row,
        rows_before=rows_before,
        notices=(*rest.notices, *_unread(reached, streams)),
    )
    plans = [rest]
    for later in mixture.stages[mixture.stages.index(stage) + 1 :]:
        position |= plans[-1].end_positions
        plans.append(divide_stage(mixture, later, available, position, scale, parent.rows_per_shard))
    return plans


def _reached(plan: StagePlan, num_rows: int) -> list[_Reached]:
    """Return what the first ``num_rows`` rows of a plan have read of each of its streams."""
    shard, inside = divmod(num_rows, plan.rows_per_shard)
    had = plan.stream_starts(shard).tolist()
    if not inside:
        return [
            _at(plan, stream, rows, np.zeros(0, np.int64), rows) for stream, rows in zip(plan.streams, had)
        ]
    order = shard_rows(plan, shard)
    edges = plan.stream_starts(shard + 1).tolist()
    reached = []
    for number, stream in enumerate(plan.streams):
        read = order.row[:inside][order.stream[:inside] == number]
        unread = np.setdiff1d(np.arange(had[number], edges[number]), read)
        reached.append(_at(plan, stream, had[number] + read.size, unread, edges[number]))
    return reached


def _at(
    plan: StagePlan,
    stream: StreamPlan,
    num_rows: int,
    unread: Int64Array,
    edge: int,
) -> _Reached:
    """Return where a stream stands: rows ``unread`` and all from ``edge`` on are not read."""
    earlier = len(stream.left_over)

    def position(row: int) -> int:
        if row < earlier:
            return stream.left_over[row]
        return stream.start_token + (row - earlier) * plan.sequence_length

    rows = [*unread.tolist(), *range(edge, earlier)]
    return _Reached(num_rows, tuple(position(row) for row in rows), position(max(edge, earlier)))


def _unread(reached: Mapping[Stream, _Reached], streams: Sequence[StreamPlan]) -> list[str]:
    """Return what a user should know: rows left over that the new plan has no room for."""
    planned = {(stream.source, stream.length_class): stream.num_rows for stream in streams}
    sentences = []
    for (source, length_class), one in reached.items():
        missing = len(one.left_over) - planned.get((source, length_class), 0)
        if missing > 0:
            sentences.append(
                f"source {source} ({length_class}): {missing:,} rows of the shard in which the weights change"
                " are not read: the rest of the stage takes too little of it"
            )
    return sentences
