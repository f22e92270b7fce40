"""Filters for what a user's own models say of a text."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from dataprep.filters.rules import Rule, limits
from dataprep.yaml_models import Frozen


class Quality(Frozen):
    """A score below the threshold drops a document; equality keeps it, as in datatrove's fastText filter."""

    kind: Literal["quality"] = "quality"
    threshold: float
    """Least ``quality_score``."""
    reason: str = "low_quality"
    """The verdict of a document below it."""

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of this filter, in order."""
        return (Rule(signal="quality_score", reason=self.reason, minimum=self.threshold),)


class Perplexity(Frozen):
    """A perplexity outside the limits drops a document; equality keeps it."""

    kind: Literal["perplexity"] = "perplexity"
    minimum: float | None = None
    """Least perplexity: what lies below is one phrase again and again."""
    maximum: float | None = None
    """Largest perplexity: what lies above is not the model's kind of text."""
    reason_below: str = "low_perplexity"
    reason_above: str = "high_perplexity"

    @model_validator(mode="after")
    def _has_a_limit(self) -> Perplexity:
        if self.minimum is None and self.maximum is None:
            raise ValueError("no limit: give minimum, maximum or both")
        return self

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of this filter, in order."""
        return limits(
            ("perplexity", self.reason_below, self.minimum, None),
            ("perplexity", self.reason_above, None, self.maximum),
        )
