"""What a user's own lists and models say of a corpus, and how strictly documents are judged by them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, field_validator, model_validator

from dataprep.errors import ConfigError
from dataprep.licenses import allowed_license, spdx_index
from dataprep.model_files import PerplexityModel, QualityModel
from dataprep.url_lists import UrlLists
from dataprep.yaml_models import Frozen

_REASON = r"^[a-z][a-z0-9_]*$"
"""What a verdict may look like."""


class LicenseRules(Frozen):
    """The licences that documents of a corpus or subset may have; every other is refused."""

    allowed: tuple[Annotated[str, AfterValidator(allowed_license)], ...]
    """SPDX identifiers, each alone or ``WITH`` an exception, in any case."""
    index_sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    """Digest of the index of identifiers that judges; another one is refused. Empty: any."""

    @field_validator("allowed")
    @classmethod
    def _names_some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("the list is empty, so that no document could pass: name the licences")
        return tuple(sorted(set(value)))  # neither order nor spelling shapes a result

    def pinned(self) -> LicenseRules:
        """Return these rules with the digest of the installed index: they will not judge by another.

        Raises:
            ConfigError: the installed index is not that of ``index_sha256``.
        """
        found = spdx_index().sha256
        if self.index_sha256 not in ("", found):
            raise ConfigError(
                f"licenses: the installed license-expression has the index {found}, and not "
                f"{self.index_sha256} as stated: install the version that has it, or state the new digest"
            )
        return self.model_copy(update={"index_sha256": found})


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
