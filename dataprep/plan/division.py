"""Divide the stages of a mixture into whole rows for each stream.

All amounts are whole numbers or fractions until they are divided into rows, so that 2 T tokens
are planned as exactly as 20 M. Amounts given in epochs or tokens come first; the weights share
what they leave, by largest remainder, and so do the length classes of a source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from dataprep.errors import PlanError
from dataprep.mixture import LONG, Mixture, Stage, StageSource, format_count
from dataprep.mixture.schema import exact
from dataprep.plan.apportion import largest_remainder, rounded
from dataprep.plan.stage_plan import StagePlan, StreamPlan, StreamSize

Stream = tuple[str, str]
"""A source and one of its length classes."""
Available = Mapping[Stream, StreamSize]


@dataclass(frozen=True)
class _Request:
    """What a source is asked for in a stage, before rows."""

    tokens: Fraction
    """In all classes; for a weighted source what its weight comes to."""
    classes: dict[str, Fraction]
    """Relative shares of the source's classes."""


def divide(mixture: Mixture, available: Available, *, rows_per_shard: int) -> list[StagePlan]:
    """Divide all stages into rows (best_fit: tokens) for each stream.

    The plans have no shard table yet, and how often a source is repeated is not checked.

    Raises:
        PlanError: a source has no token, or a stage no row.
    """
    scale = scale_of(mixture, available)
    plans: list[StagePlan] = []
    position: dict[Stream, int] = {}
    for stage in mixture.stages:
        plans.append(divide_stage(mixture, stage, available, position, scale, rows_per_shard))
        position |= plans[-1].end_positions
    return plans


def scale_of(mixture: Mixture, available: Available) -> Fraction:
    """Return by what all amounts of a mixture are multiplied to come to the tokens asked for."""
    if mixture.scale_to is None:
        return Fraction(1)
    nominal = sum((_nominal_tokens(mixture, stage, available) for stage in mixture.stages), Fraction(0))
    return mixture.scale_to / nominal


def divide_stage(
    mixture: Mixture,
    stage: Stage,
    available: Available,
    start: Mapping[Stream, int],
    scale: Fraction,
    rows_per_shard: int,
) -> StagePlan:
    """Divide one stage; see ``divide``."""
    place = f"mixture {mixture.name}, stage {stage.name}"
    unit, overlap = (stage.sequence_length, 1) if stage.packing == "concat" else (1, 0)
    requests = _requests(mixture, stage, available)
    requests = {name: replace(r, tokens=r.tokens * scale) for name, r in requests.items()}
    units = _units(place, stage, requests, available, scale, unit, overlap)
    total_request = sum((request.tokens for request in requests.values()), Fraction(0))
    streams = []
    for name in mixture.sources:
        if name not in stage.sources:
            continue
        entry, request = stage.sources[name], requests[name]
        for length_class, share in request.classes.items():
            size = available.get((name, length_class), StreamSize(0))
            requested = request.tokens * share / sum(request.classes.values())
            num_units = units[name, length_class]
            streams.append(
                StreamPlan(
                    source=name,
                    length_class=length_class,
                    weight=float(requested / total_request),
                    requested_tokens=rounded(requested),
                    tokens_available=size.tokens,
                    documents_available=size.documents,
                    start_token=start.get((name, length_class), 0),
                    num_rows=num_units if overlap else -(-num_units // (stage.sequence_length + 1)),
                    num_tokens=num_units * unit,
                    asked=_asked(entry),
                    published=entry.published.model_dump(exclude_none=True) if entry.published else {},
                    provenance=entry.provenance or mixture.sources[name].provenance,
                )
            )
    num_rows = sum(stream.num_rows for stream in streams)
    num_tokens = sum(stream.num_tokens for stream in streams)
    if num_rows == 0:
        raise PlanError(
            f"{place}: {format_count(rounded(total_request))} tokens make no row of "
            f"{stage.sequence_length} tokens: ask for more (--tokens)"
        )
    in_a_shard = rows_per_shard * (1 if overlap else stage.sequence_length + 1)
    return StagePlan(
        mixture=mixture.name,
        name=stage.name,
        index=[one.name for one in mixture.stages].index(stage.name),
        sequence_length=stage.sequence_length,
        packing=stage.packing,
        passes=stage.passes,
        boundaries=stage.boundaries,
        seed=mixture.seed,
        rows_per_shard=rows_per_shard,
        num_rows=num_rows,
        num_tokens=num_tokens,
        num_shards=-(-(num_rows if overlap else num_tokens) // in_a_shard),
        streams=tuple(streams),
        notices=tuple(_notices(stage, streams)),
    )


def _requests(mixture: Mixture, stage: Stage, available: Available) -> dict[str, _Request]:
    """Return what each source of the stage is asked for, unscaled: fixed amounts first, then weights."""
    place = f"mixture {mixture.name}, stage {stage.name}"
    classes, fixed = {}, {}
    empty = []
    for name, entry in stage.sources.items():
        sizes = {c: Fraction(available.get((name, c), StreamSize(0)).tokens) for c in mixture.classes(name)}
        size = sum(sizes.values(), Fraction(0))
        if size == 0:
            empty.append(name)
            continue
        factor = stage.long_factor(name)
        classes[name] = {c: tokens * factor if c == LONG else tokens for c, tokens in sizes.items()}
        if entry.tokens is not None:
            fixed[name] = Fraction(entry.tokens)
        elif entry.epochs is not None:
            fixed[name] = exact(entry.epochs) * size
    if empty:
        raise PlanError(
            f"{place}: no token is there of {', '.join(empty)}: either all of its documents were refused "
            "(`dataprep stats` shows why), or take it out of the mixture"
        )
    weights = {n: exact(e.weight) for n, e in stage.sources.items() if e.weight is not None}
    if weights:
        assert stage.tokens is not None, "the mixture was checked"
        rest = stage.tokens - sum(fixed.values(), Fraction(0))
        if rest <= 0:
            taken = ", ".join(f"{n} {format_count(rounded(t))}" for n, t in fixed.items())
            raise PlanError(
                f"{place}: of its {format_count(stage.tokens)} tokens the sources given in epochs and tokens "
                f"take all ({taken}) and nothing is left for the weights of {', '.join(weights)}: raise the "
                "stage's tokens or lower these amounts"
            )
        whole = sum(weights.values(), Fraction(0))
        fixed |= {name: rest * weight / whole for name, weight in weights.items()}
    return {name: _Request(fixed[name], classes[name]) for name in stage.sources}


def _nominal_tokens(mixture: Mixture, stage: Stage, available: Available) -> Fraction:
    """Return the tokens of a stage before scaling."""
    if stage.tokens is not None:
        return Fraction(stage.tokens)
    return sum((r.tokens for r in _requests(mixture, stage, available).values()), Fraction(0))


def _units(
    place: str,
    stage: Stage,
    requests: Mapping[str, _Request],
    available: Available,
    scale: Fraction,
    unit: int,
    overlap: int,
) -> dict[Stream, int]:
    """Divide a stage into units of ``unit`` tokens (rows, or single tokens) per stream."""
    by_source: dict[str, int] = {}
    by_stream: dict[Stream, int] = {}
    for name, entry in stage.sources.items():
        request = requests[name]
        if entry.epochs is not None:
            whole = sum(request.classes.values(), Fraction(0))
            for length_class, share in request.classes.items():
                tokens = request.tokens * share / whole
                by_stream[name, length_class] = max(0, int((tokens - overlap) // unit))
            by_source[name] = sum(by_stream[name, c] for c in request.classes)
        elif entry.tokens is not None:
            by_source[name] = rounded(request.tokens / unit)
    weights = {name: requests[name].tokens for name, e in stage.sources.items() if e.weight is not None}
    if weights:
        assert stage.tokens is not None, "the mixture was checked"
        rest = rounded(stage.tokens * scale / unit) - sum(by_source.values())
        if rest < 0:
            raise PlanError(f"{place}: too few tokens to divide into rows: ask for more (--tokens)")
        by_source |= largest_remainder(rest, weights)
    for name, request in requests.items():
        if stage.sources[name].epochs is None:
            shares = largest_remainder(by_source[name], request.classes)
            by_stream |= {(name, length_class): part for length_class, part in shares.items()}
    return by_stream


def _asked(entry: StageSource) -> dict[str, float | int]:
    """Return the one amount that an entry of the mixture gives."""
    return {k: v for k in ("weight", "epochs", "tokens") if (v := getattr(entry, k)) is not None}


def _notices(stage: Stage, streams: list[StreamPlan]) -> list[str]:
    """Return what a user should know: sources that come to less than one row."""
    rows: dict[str, int] = {}
    for stream in streams:
        rows[stream.source] = rows.get(stream.source, 0) + stream.num_rows
    return [
        f"source {name} gets no row: its share is less than half a row of {stage.sequence_length} tokens"
        for name, count in rows.items()
        if count == 0
    ]
