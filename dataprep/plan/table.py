"""Plans as people read them: one line for each stream, and the same as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dataprep.mixture import ALL, HOLDOUT, VALIDATION, Mixture, format_count
from dataprep.plan.repetition import repetitions
from dataprep.plan.stage_plan import StagePlan
from dataprep.text_table import aligned


@dataclass(frozen=True)
class PlanRow:
    """One stream of one stage."""

    stage: str
    source: str
    length_class: str
    corpus: str
    subsets: tuple[str, ...] | str
    weight: float
    """Share of the stage's tokens that was requested."""
    requested_tokens: int
    planned_tokens: int
    available_tokens: int
    available_documents: int
    rows: int
    epochs: float
    """How often the stage reads the stream."""
    epoch_end: float
    """How often this stage and those before it have read it."""
    published_weight: float | None
    published_tokens: int | None
    published_epochs: float | None
    provenance: str | None
    limiting: bool
    """The stream that reaches ``max_epochs`` first when the mixture grows."""


def plan_table(plans: Sequence[StagePlan], mixture: Mixture) -> list[PlanRow]:
    """Return one row for each stream of each stage, in order."""
    training = [plan for plan in plans if plan.name != VALIDATION]
    worst = repetitions(training)
    limiting = (worst[0].source, worst[0].length_class) if worst else None
    rows = []
    for plan in plans:
        for stream in plan.streams:
            source = mixture.sources[stream.source]
            entry = mixture.stages[plan.index].sources[stream.source] if plan in training else None
            published = entry.published if entry is not None else None
            rows.append(
                PlanRow(
                    stage=plan.name,
                    source=stream.source,
                    length_class=stream.length_class,
                    corpus=source.corpus,
                    subsets=source.subsets,
                    weight=stream.weight,
                    requested_tokens=stream.requested_tokens,
                    planned_tokens=stream.num_tokens,
                    available_tokens=stream.tokens_available,
                    available_documents=stream.documents_available,
                    rows=stream.num_rows,
                    epochs=stream.epochs,
                    epoch_end=stream.epoch_end,
                    published_weight=published.weight if published else None,
                    published_tokens=published.tokens if published else None,
                    published_epochs=published.epochs if published else None,
                    provenance=stream.provenance,
                    limiting=(stream.source, stream.length_class) == limiting and plan in training,
                )
            )
    return rows


def plan_json(plans: Sequence[StagePlan], mixture: Mixture) -> dict[str, Any]:
    """Return what ``plan --json`` prints: totals and streams of each stage."""
    rows = plan_table(plans, mixture)
    stages = [
        {
            "stage": plan.name,
            "sequence_length": plan.sequence_length,
            "packing": plan.packing,
            "passes": plan.passes,
            "boundaries": plan.boundaries.model_dump(),
            "rows": plan.num_rows,
            "tokens": plan.num_tokens,
            "shards": plan.num_shards,
            "notices": list(plan.notices),
            "streams": [asdict(row) for row in rows if row.stage == plan.name],
        }
        for plan in plans
    ]
    return {
        "mixture": mixture.name,
        "tokenizer": mixture.tokenizer,
        "max_epochs": mixture.max_epochs,
        "stages": stages,
    }


_HEADINGS = ("source", "from", "weight", "wanted", "available", "epochs", "published", "so far", "rows")


def plan_text(plans: Sequence[StagePlan], mixture: Mixture) -> str:
    """Return the table that ``dataprep plan`` prints."""
    rows = plan_table(plans, mixture)
    parts = [mixture.summary()]
    for plan in plans:
        passes = f", to be trained on {plan.passes} times" if plan.passes > 1 else ""
        since = f", from row {plan.fork_row:,} on" if plan.fork_row else ""
        shards = "1 shard" if plan.num_shards == 1 else f"{plan.num_shards:,} shards"
        parts.append(
            f"\nstage {plan.name}: {format_count(plan.num_tokens)} tokens = {plan.num_rows:,} rows of "
            f"{plan.sequence_length} ({plan.packing}) in {shards}{since}{passes}"
        )
        shown = [row for row in rows if row.stage == plan.name and (row.rows or plan.name != VALIDATION)]
        parts.append(aligned([_HEADINGS, *(_cells(row) for row in shown)], left_columns=2))
        parts += [f"note: {notice}" for notice in plan.notices]
    if any(row.limiting for row in rows):
        parts.append(f"\n* reaches max_epochs ({mixture.max_epochs}) first when the mixture grows")
    if any(row.provenance == "reconstruction" for row in rows):
        parts.append("~ our reconstruction: the model's authors did not publish this weight")
    return "\n".join(parts) + "\n"


def _cells(row: PlanRow) -> tuple[str, ...]:
    source = row.source if row.length_class in (ALL, HOLDOUT) else f"{row.source} ({row.length_class})"
    chosen = row.subsets if isinstance(row.subsets, str) else ", ".join(row.subsets)
    origin = row.corpus if chosen in (ALL, row.corpus) else f"{row.corpus}: {chosen}"
    return (
        source + (" *" if row.limiting else ""),
        origin if len(origin) <= 40 else origin[:37] + "...",
        f"{row.weight:.4f}" + ("~" if row.provenance == "reconstruction" else " "),
        format_count(row.requested_tokens),
        format_count(row.available_tokens),
        f"{row.epochs:.2f}",
        "" if row.published_epochs is None else f"{row.published_epochs:g}",
        f"{row.epoch_end:.2f}",
        f"{row.rows:,}",
    )
