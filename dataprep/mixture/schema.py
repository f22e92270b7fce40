"""The parts of a mixture file: a source, a stage, and how much of a source a stage takes."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator

from dataprep.errors import nearest
from dataprep.mixture.counts import parse_count
from dataprep.tokens import ALL
from dataprep.yaml_models import Frozen

VALIDATION = "validation"
"""Name of the stage that is planned from what is held out; no stage of a file may have it."""
MAX_EPOCHS = 255
"""Shards record a row's epoch in eight bits."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=80)]
"""A name that is also a folder's: letters, digits and ``. _ + -``."""
Tokens = Annotated[int, BeforeValidator(parse_count), Field(gt=0)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Provenance = Literal["published", "reconstruction"]


def exact(number: float) -> Fraction:
    """Return the decimal that was written, without the error of its binary form.

    >>> exact(0.1) + exact(0.2) == exact(0.3)
    True
    """
    return Fraction(repr(number))


class Published(Frozen):
    """What the model's authors published of a source; shown beside the plan, never used by it."""

    weight: Positive | None = None
    tokens: Tokens | None = None
    epochs: Positive | None = None
    source: str = ""
    """Where it was published."""


class MixtureSource(Frozen):
    """Which documents stand behind a name: some subsets of one corpus of the catalogue."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    corpus: str = Field(alias="from")
    subsets: tuple[str, ...] | Literal["all"]
    provenance: Provenance | None = None
    """Whether this choice of subsets is published or ours."""
    note: str = ""

    @field_validator("subsets")
    @classmethod
    def _some_and_once(cls, subsets: tuple[str, ...] | str) -> tuple[str, ...] | str:
        if isinstance(subsets, str):
            return subsets
        repeated = sorted({name for name in subsets if subsets.count(name) > 1})
        if not subsets or repeated:
            raise ValueError(
                f"the subset {repeated[0]!r} stands twice" if repeated else "no subset; write `all`?"
            )
        return subsets

    def selects(self, subset: str) -> bool:
        """Tell whether the documents of ``subset`` of the corpus belong to this source."""
        return self.subsets == ALL or subset in self.subsets


class StageSource(Frozen):
    """How much of a source a stage takes: exactly one of weight, epochs and tokens."""

    weight: Positive | None = None
    """Share of what epochs and tokens entries leave of the stage's tokens, relative to the
    other weights: they may add up to 1, to 100 or to anything."""
    epochs: Positive | None = None
    """So many times every token of the source that there is; never more, so it rounds down."""
    tokens: Tokens | None = None
    published: Published | None = None
    provenance: Provenance | None = None
    """Whether the number above is published or our reconstruction."""
    note: str = ""

    @model_validator(mode="after")
    def _exactly_one(self) -> StageSource:
        given = [name for name in ("weight", "epochs", "tokens") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"a source takes exactly one of weight, epochs and tokens; found {found}")
        return self


class Boundaries(Frozen):
    """What a trainer does where one document of a row ends and the next begins."""

    reset_attention: bool = False
    """Attention does not reach back into the document before."""
    reset_positions: bool = False
    """Position ids start again at 0."""
    cross_document_loss: bool = True
    """Whether the first token of a document is a target, predicted from the end of another."""


class UpsampleLong(Frozen):
    """Sample documents of ``min_tokens`` or more ``factor`` times as often as they occur."""

    min_tokens: int = Field(ge=2)
    """Length from which a document is long, in tokens with its end-of-text token. A source has
    one such boundary in all stages, since its token store is split there."""
    factor: float = Field(ge=1.0, allow_inf_nan=False)
    sources: tuple[str, ...] | None = None
    """Sources that it holds for; all of the stage by default."""


class Stage(Frozen):
    """One stage of training: its length, its rows' form and its sources."""

    name: Name
    tokens: Tokens | None = None
    """Needed where a source has a weight, and only there: epochs and tokens entries add up by themselves."""
    sequence_length: int = Field(ge=8, le=1 << 20)
    packing: Literal["concat", "best_fit"] = "concat"
    boundaries: Boundaries = Boundaries()
    passes: int = Field(default=1, ge=1)
    """How often the model was trained on the stage's rows; recorded for the trainer, who
    repeats the shards. Neither tokens nor max_epochs count it."""
    upsample_long: UpsampleLong | None = None
    sources: dict[Name, StageSource] = Field(min_length=1)

    @model_validator(mode="after")
    def _tokens_and_weights(self) -> Stage:
        weighted = [name for name, source in self.sources.items() if source.weight is not None]
        if weighted and self.tokens is None:
            raise ValueError(
                f"source {weighted[0]!r} has a weight, so the stage needs `tokens` to take it from"
            )
        if not weighted and self.tokens is not None:
            raise ValueError(
                "no source has a weight, so `tokens` follows from the sources: remove it, "
                "or give a source a weight"
            )
        if self.upsample_long is not None:
            for name in self.upsample_long.sources or ():
                if name not in self.sources:
                    raise ValueError(
                        f"upsample_long.sources: {name!r} is no source of the stage; "
                        f"{nearest(name, self.sources)}"
                    )
        return self

    def long_factor(self, source: str) -> Fraction:
        """Return how much oftener long documents of ``source`` are sampled than they occur."""
        rule = self.upsample_long
        applies = rule is not None and (rule.sources is None or source in rule.sources)
        return exact(rule.factor) if rule is not None and applies else Fraction(1)
