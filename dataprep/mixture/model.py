"""The model of a mixture file as a whole.

Two tables make a mixture. ``sources`` says which part of which corpus stands behind a name;
``stages`` says, one after the other, how much of each source the model sees. A later stage
goes on where the stage before stopped, in each source.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Literal

from pydantic import Field, model_validator

from dataprep.decontamination.config import DecontaminationConfig
from dataprep.dedup.config import DedupConfig
from dataprep.errors import ConfigError, nearest
from dataprep.mixture.counts import format_count
from dataprep.mixture.schema import (
    MAX_EPOCHS,
    VALIDATION,
    MixtureSource,
    Name,
    Stage,
    StageSource,
    Tokens,
    exact,
)
from dataprep.tokens import ALL, LONG, SHORT
from dataprep.yaml_models import Frozen


class Mixture(Frozen):
    """What a model is trained on."""

    name: Name
    description: str = ""
    tokenizer: str
    tags: Literal["keep_text", "strip"] = "keep_text"
    """What becomes of StarCoder's tags where the tokenizer has no ids for them: they stay as plain
    text, or are cut out."""
    seed: int = Field(default=0, ge=0, lt=1 << 63)
    holdout_fraction: float = Field(default=0.0, ge=0.0, le=0.5, allow_inf_nan=False)
    """Share of each source's documents, by hash, that no stage trains on."""
    max_epochs: int = Field(default=16, ge=1, le=MAX_EPOCHS)
    """Most times that the shards of all stages together may hold a token of a source. Source of
    the default: Muennighoff et al. 2023, "Scaling data-constrained language models": repeating
    has lost its value by about 16 epochs."""
    dedup: DedupConfig = DedupConfig()
    decontamination: DecontaminationConfig | None = None
    """Evaluation sets that must not be trained on; None: none is looked for."""
    priority: tuple[str, ...] = ()
    """Sources whose copy of a duplicate survives, best first; the others follow in file order."""
    sources: dict[Name, MixtureSource] = Field(min_length=1)
    stages: tuple[Stage, ...] = Field(min_length=1)
    scale_to: Tokens | None = None
    """All stages together hold so many tokens, in proportion; what ``--tokens`` sets."""

    @model_validator(mode="after")
    def _names_fit(self) -> Mixture:
        for name in self.priority:
            if name not in self.sources:
                raise ValueError(f"priority: {name!r} is no source; {nearest(name, self.sources)}")
        if len(set(self.priority)) < len(self.priority):
            raise ValueError("priority: a source stands twice")
        if self.decontamination is not None and self.decontamination.sources != "all":
            for name in self.decontamination.sources:
                if name not in self.sources:
                    raise ValueError(
                        f"decontamination.sources: {name!r} is no source; {nearest(name, self.sources)}"
                    )
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names) or VALIDATION in names:
            raise ValueError(f"stages: names must differ and not be {VALIDATION!r}; found {names}")
        for stage in self.stages:
            for name in stage.sources:
                if name not in self.sources:
                    raise ValueError(
                        f"stages.{stage.name}.sources.{name}: no source of that name; "
                        f"{nearest(name, self.sources)}"
                    )
        used = {name for stage in self.stages for name in stage.sources}
        for name in self.sources:
            if name not in used:
                raise ValueError(f"sources.{name}: no stage uses it; give it to a stage or remove it")
        return self

    @model_validator(mode="after")
    def _selections_are_disjoint(self) -> Mixture:
        owner: dict[tuple[str, str], str] = {}
        for name, source in self.sources.items():
            chosen = (ALL,) if isinstance(source.subsets, str) else source.subsets
            for subset in chosen:
                rivals = [
                    other
                    for (corpus, taken), other in owner.items()
                    if corpus == source.corpus
                    and other != name
                    and (ALL in (taken, subset) or taken == subset)
                ]
                if rivals:
                    raise ValueError(
                        f"sources.{name}: {source.corpus}/{subset} belongs to source {rivals[0]!r} as well, "
                        "but a document belongs to one source"
                    )
                owner[source.corpus, subset] = name
        return self

    @model_validator(mode="after")
    def _one_length_boundary(self) -> Mixture:
        for name in self.sources:
            found = {
                stage.upsample_long.min_tokens
                for stage in self.stages
                if stage.upsample_long is not None
                and name in stage.sources
                and name in (stage.upsample_long.sources or stage.sources)
            }
            if len(found) > 1:
                raise ValueError(
                    f"upsample_long: source {name!r} has the boundaries {sorted(found)} in different stages, "
                    "but its token store is split at one: use the same min_tokens"
                )
        return self

    @property
    def source_ids(self) -> dict[str, int]:
        """The number by which shards call each source: its position in ``sources``."""
        return {name: position for position, name in enumerate(self.sources)}

    @property
    def survivor_order(self) -> tuple[str, ...]:
        """All sources, the one whose copy of a duplicate survives first."""
        return self.priority + tuple(name for name in self.sources if name not in self.priority)

    @property
    def stated_tokens(self) -> int | None:
        """Tokens of all stages as the file states them; None where a stage has no weights."""
        stated = [stage.tokens for stage in self.stages]
        return None if None in stated else sum(tokens for tokens in stated if tokens is not None)

    def stage(self, name: str) -> Stage:
        """Return a stage by its name.

        Raises:
            ConfigError: there is none of that name.
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        known = [stage.name for stage in self.stages]
        raise ConfigError(f"mixture {self.name}: no stage {name!r}; {nearest(name, known)}")

    def long_boundary(self, source: str) -> int | None:
        """Return from how many tokens a document of ``source`` is long; None: it is one stream."""
        for stage in self.stages:
            rule = stage.upsample_long
            if rule is not None and source in stage.sources and source in (rule.sources or stage.sources):
                return rule.min_tokens
        return None

    def classes(self, source: str) -> tuple[str, ...]:
        """Return the length classes of ``source`` that training draws from."""
        return (ALL,) if self.long_boundary(source) is None else (SHORT, LONG)

    def source_of(self, corpus: str, subset: str | None) -> str | None:
        """Return the source that the documents of a subset belong to; None: no source wants them."""
        for name, source in self.sources.items():
            if source.corpus == corpus and (
                source.subsets == ALL or (subset is not None and source.selects(subset))
            ):
                return name
        return None

    def scaled(self, tokens: int) -> Mixture:
        """Return the mixture with all stages together cut (or stretched) to ``tokens``, in proportion."""
        return self.model_copy(update={"scale_to": tokens})

    def without(self, missing: Iterable[str]) -> tuple[Mixture, str]:
        """Return the mixture without some sources, and a sentence that says what that changed.

        The stages keep their tokens: what remains shares them in the old proportions.

        Raises:
            ConfigError: a name is no source, or a stage would have no source left.
        """
        gone = tuple(dict.fromkeys(missing))
        for name in gone:
            if name not in self.sources:
                raise ConfigError(f"mixture {self.name}: no source {name!r}; {nearest(name, self.sources)}")
        if not gone:
            return self, ""
        stages, sentences = [], []
        for stage in self.stages:
            left = {name: source for name, source in stage.sources.items() if name not in gone}
            if not left:
                raise ConfigError(
                    f"mixture {self.name}, stage {stage.name}: none of its sources is there "
                    f"({', '.join(stage.sources)}): point --data-root at their corpora"
                )
            before, after = _weight_shares(stage.sources), _weight_shares(left)
            changes = [f"{name} {before[name]:.4f} -> {share:.4f}" for name, share in after.items()]
            if len(left) < len(stage.sources) and changes:
                sentences.append(f"stage {stage.name}: weights become " + ", ".join(changes))
            rule = stage.upsample_long
            if rule is not None and rule.sources is not None:
                kept = tuple(name for name in rule.sources if name not in gone)
                rule = rule.model_copy(update={"sources": kept}) if kept else None
            tokens = stage.tokens if after else None
            update = {"sources": left, "upsample_long": rule, "tokens": tokens}
            stages.append(stage.model_copy(update=update))
        values: dict[str, object] = {
            "sources": {name: source for name, source in self.sources.items() if name not in gone},
            "priority": tuple(name for name in self.priority if name not in gone),
            "stages": tuple(stages),
        }
        checks = self.decontamination
        if checks is not None and checks.sources != "all":
            kept = tuple(name for name in checks.sources if name not in gone)
            values["decontamination"] = checks.model_copy(update={"sources": kept})
        notice = (
            f"mixture {self.name}: left out {', '.join(gone)} ({len(gone)} of {len(self.sources)} sources)"
        )
        return self.model_copy(update=values), "; ".join([notice, *sentences])

    def summary(self) -> str:
        """Return one line: name, tokens, sources and tokenizer."""
        stated = self.scale_to or self.stated_tokens
        amount = "" if stated is None else f"{format_count(stated)} tokens, "
        return (
            f"{self.name}: {amount}{len(self.sources)} sources, {len(self.stages)} stage(s), {self.tokenizer}"
        )


def _weight_shares(sources: dict[str, StageSource]) -> dict[str, float]:
    """Return each weighted source's share of what the weights divide."""
    weights = {name: exact(source.weight) for name, source in sources.items() if source.weight is not None}
    total = sum(weights.values(), Fraction(0))
    return {name: float(weight / total) for name, weight in weights.items()}
