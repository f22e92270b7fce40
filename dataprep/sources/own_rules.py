"""What a user's own lists and models say of a corpus, and how strictly documents are judged by them."""

from __future__ import annotations

from pydantic import Field, model_validator

from dataprep.model_files import PerplexityModel, QualityModel
from dataprep.url_lists import UrlLists

_REASON = r"^[a-z][a-z0-9_]*$"
"""What a verdict may look like."""


class UrlRules(UrlLists):
    """The lists by which a corpus's URLs are judged, and how strictly."""

    max_soft_words: int = Field(default=1, ge=0)
    """Different soft words that a URL may have."""

    @model_validator(mode="after")
    def _names_a_list(self) -> UrlRules:
        if not (
            self.folders or self.domains or self.urls or self.hard_words or self.soft_words or self.subwords
        ):
            raise ValueError("names no list: give folders, domains, urls, hard_words, soft_words or subwords")
        return self


class QualityRules(QualityModel):
    """The classifier that a corpus or subset is judged by, and how strictly."""

    model: str = Field(min_length=1, exclude=True)
    label: str = Field(min_length=1)
    threshold: float = Field(ge=0, le=1)
    """Least probability of the label that a text must have."""
    reason: str = Field(default="low_quality", pattern=_REASON)
    """The verdict of a document below it."""


class PerplexityRules(PerplexityModel):
    """The language model that a corpus or subset is judged by, and how strictly."""

    model: str = Field(min_length=1, exclude=True)
    minimum: float | None = Field(default=None, ge=1)
    """Least perplexity that a text may have."""
    maximum: float | None = Field(default=None, ge=1)
    """Largest perplexity that a text may have."""
    reason_below: str = Field(default="low_perplexity", pattern=_REASON)
    reason_above: str = Field(default="high_perplexity", pattern=_REASON)

    @model_validator(mode="after")
    def _has_a_limit(self) -> PerplexityRules:
        if self.minimum is None and self.maximum is None:
            raise ValueError("no limit: give minimum, maximum or both")
        return self
