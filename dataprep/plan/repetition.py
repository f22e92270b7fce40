"""The guard against repetition: how often a source comes, and what would be few enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from dataprep.errors import PlanError
from dataprep.mixture import Mixture, format_count, parse_count
from dataprep.mixture.counts import floor_count
from dataprep.mixture.schema import MAX_EPOCHS
from dataprep.plan.stage_plan import StagePlan

Divide = Callable[[int], Sequence[StagePlan]]
"""Plans the same mixture scaled to so many tokens, without the guard."""


@dataclass(frozen=True)
class Repetition:
    """How much of a stream all stages together read, against what there is."""

    source: str
    length_class: str
    tokens_needed: int
    """From the stream's first token to the last one that is read."""
    tokens_available: int

    @property
    def epochs(self) -> Fraction:
        """How often the stream is read, the last time perhaps in part."""
        return Fraction(self.tokens_needed, self.tokens_available)


def repetitions(plans: Sequence[StagePlan]) -> list[Repetition]:
    """Return each stream's repetition over all stages, the most repeated first."""
    last: dict[tuple[str, str], Repetition] = {}
    for plan in plans:
        for stream in plan.streams:
            if stream.num_tokens > 0:
                needed = stream.end_token + plan.overlap
                place = (stream.source, stream.length_class)
                last[place] = Repetition(*place, needed, stream.tokens_available)
    return sorted(last.values(), key=lambda r: (-r.epochs, r.source, r.length_class))


def check_repetition(mixture: Mixture, plans: Sequence[StagePlan], divide: Divide) -> None:
    """Refuse a plan that repeats a source more often than the mixture allows.

    Raises:
        PlanError: names the limiting source, what it needs, what there is, and both ways out.
    """
    over = [r for r in repetitions(plans) if r.epochs > mixture.max_epochs]
    if not over:
        return
    worst = over[0]
    where = f"source {worst.source}" + ("" if worst.length_class == "all" else f" ({worst.length_class})")
    message = (
        f"mixture {mixture.name}: {where} would be repeated {float(worst.epochs):.1f} times, but max_epochs "
        f"is {mixture.max_epochs}: all stages together need {format_count(worst.tokens_needed)} tokens of it "
        f"and there are {format_count(worst.tokens_available)}."
    )
    if len(over) > 1:
        others = ", ".join(f"{r.source} {float(r.epochs):.1f}" for r in over[1:])
        message += f" Over the limit as well: {others}."
    raise PlanError(f"{message} Ways out: " + "; or ".join(_ways_out(mixture, plans, worst, divide)))


def largest_that_fits(mixture: Mixture, plans: Sequence[StagePlan], divide: Divide) -> int | None:
    """Return the largest number of tokens, to three digits, whose plan keeps to ``max_epochs``.

    None: there is none, since a source is smaller than what one row of it takes.
    """
    worst = repetitions(plans)[0]
    total = sum(plan.num_tokens for plan in plans)
    tokens = int(total * mixture.max_epochs / worst.epochs)
    for _ in range(40):
        # Rows are whole, so the proportion is a hair off for small numbers: try, and step down.
        tokens = parse_count(floor_count(tokens))
        try:
            fits = repetitions(divide(tokens))[0].epochs <= mixture.max_epochs
        except PlanError:
            return None
        if fits:
            return tokens
        tokens = tokens * 99 // 100
    return None


def _ways_out(mixture: Mixture, plans: Sequence[StagePlan], worst: Repetition, divide: Divide) -> list[str]:
    ways = []
    tokens = largest_that_fits(mixture, plans, divide)
    if tokens is not None:
        ways.append(
            f"ask for fewer tokens in all (--tokens {floor_count(tokens)} is about the most that fits)"
        )
    needed = -(-worst.tokens_needed // worst.tokens_available)
    if needed <= MAX_EPOCHS:
        ways.append(f"set max_epochs: {needed} in the mixture, if so much repetition is meant")
    else:
        ways.append(
            f"lower the source's share (max_epochs can be {MAX_EPOCHS} at most, and {needed:,} are needed)"
        )
    return ways
