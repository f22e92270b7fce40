"""From a mixture and the sizes of its token stores to exact plans: arithmetic, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from dataprep.interleave import ROWS_PER_BLOCK, counts_at_marks
from dataprep.mixture import HOLDOUT, VALIDATION, Mixture, Stage
from dataprep.plan.division import Available, Stream, divide, divide_stage
from dataprep.plan.repetition import check_repetition, largest_that_fits
from dataprep.plan.stage_plan import ROWS_PER_SHARD, StagePlan, StreamPlan, StreamSize


def plan_mixture(
    mixture: Mixture, available: Available, *, rows_per_shard: int = ROWS_PER_SHARD
) -> list[StagePlan]:
    """Plan all stages of a mixture, and a validation stage where something is held out.

    Args:
        available: What the token store of each (source, class) holds: the classes of
            ``mixture.classes(source)``, and ``holdout`` where the mixture holds out.

    Raises:
        PlanError: a source has no token, a stage no row, or a source would be repeated more
            often than ``max_epochs``.
    """
    plans = divide(mixture, available, rows_per_shard=rows_per_shard)
    check_repetition(
        mixture,
        plans,
        lambda tokens: divide(mixture.scaled(tokens), available, rows_per_shard=rows_per_shard),
    )
    plans = [with_shards(plan) for plan in plans]
    if mixture.holdout_fraction > 0:
        validation = plan_validation(mixture, available, rows_per_shard=rows_per_shard)
        plans += [] if validation is None else [validation]
    return plans


def plan_stage(
    mixture: Mixture,
    stage: Stage,
    available: Available,
    *,
    start: Mapping[Stream, int],
    scale: Fraction = Fraction(1),
    rows_per_shard: int = ROWS_PER_SHARD,
) -> StagePlan:
    """Plan one stage, with its shards; repetition over several stages is ``plan_mixture``'s to check.

    Args:
        start: Virtual position where each stream goes on; a stream that is not there starts at 0.
        scale: Multiplies all of the stage's amounts.

    Raises:
        PlanError: a source has no token, or the stage no row.
    """
    return with_shards(divide_stage(mixture, stage, available, start, scale, rows_per_shard))


def plan_validation(
    mixture: Mixture, available: Available, *, rows_per_shard: int = ROWS_PER_SHARD
) -> StagePlan | None:
    """Plan the stage ``validation``: all whole rows of what is held out of each source, once.

    It has the sequence length and boundaries of the last stage. None: not one row is held out.
    """
    last = mixture.stages[-1]
    streams, empty = [], []
    sizes = {source: available.get((source, HOLDOUT), StreamSize(0)) for source in mixture.sources}
    rows = {source: max(0, (size.tokens - 1) // last.sequence_length) for source, size in sizes.items()}
    num_rows = sum(rows.values())
    if num_rows == 0:
        return None
    for source, size in sizes.items():
        tokens = rows[source] * last.sequence_length
        share = rows[source] / num_rows
        streams.append(
            StreamPlan(
                source, HOLDOUT, share, size.tokens, size.tokens, size.documents, 0, rows[source], tokens
            )
        )
        if not rows[source]:
            empty.append(source)
    notices = (f"too little is held out for one row: {', '.join(empty)}",) if empty else ()
    plan = StagePlan(
        mixture=mixture.name,
        name=VALIDATION,
        index=len(mixture.stages),
        sequence_length=last.sequence_length,
        packing="concat",
        passes=1,
        boundaries=last.boundaries,
        seed=mixture.seed,
        rows_per_shard=rows_per_shard,
        num_rows=num_rows,
        num_tokens=num_rows * last.sequence_length,
        num_shards=-(-num_rows // rows_per_shard),
        streams=tuple(streams),
        notices=notices,
    )
    return with_shards(plan)


def largest_tokens(mixture: Mixture, available: Available) -> int | None:
    """Return the largest ``--tokens`` that ``max_epochs`` allows; None: not even the smallest."""
    plans = divide(mixture, available, rows_per_shard=ROWS_PER_SHARD)
    return largest_that_fits(
        mixture,
        plans,
        lambda tokens: divide(mixture.scaled(tokens), available, rows_per_shard=ROWS_PER_SHARD),
    )


def with_realised_rows(plan: StagePlan, num_rows: Sequence[int]) -> StagePlan:
    """Return the plan of the rows that best-fit packing made, to be scheduled like those of concat.

    Its streams' rows are counted in the order of the ranges that were packed; its token ranges
    mean nothing.

    Args:
        num_rows: Rows of each stream in the whole stage.
    """
    streams = tuple(
        replace(stream, num_rows=rows) for stream, rows in zip(plan.streams, num_rows, strict=True)
    )
    total = sum(num_rows)
    shards = -(-total // plan.rows_per_shard)
    return with_shards(replace(plan, packing="concat", streams=streams, num_rows=total, num_shards=shards))


def with_shards(plan: StagePlan) -> StagePlan:
    """Return the plan with its table of shards."""
    assert plan.rows_per_shard % ROWS_PER_BLOCK == 0, plan.rows_per_shard
    if plan.packing != "concat":
        return plan
    counts = list(plan.source_rows.values())
    starts = counts_at_marks(counts, rows_per_mark=plan.rows_per_shard)[:-1]
    digits = {}
    for number, (source, count) in enumerate(plan.source_rows.items()):
        floors = [shard * plan.rows_per_shard * count // plan.num_rows for shard in range(plan.num_shards)]
        digits[source] = "".join(str(start - low) for start, low in zip(starts[:, number].tolist(), floors))
    return replace(plan, rounded_up=digits)
