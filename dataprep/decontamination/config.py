"""What a mixture says about its evaluation sets.

::

    decontamination:
      sets:
        - {name: mine, path: eval/benchmark.jsonl, fields: [question, choices], id_field: id}
        - {name: arc, hub: allenai/ai2_arc, config: ARC-Challenge, split: test, fields: [question]}
      ngram: 13
      overlap: {ngram: 8, min_share: 0.7}
      action: remove
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from dataprep.yaml_models import Frozen

MAX_NGRAM = 50

SetName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=80)]
NgramSize = Annotated[int, Field(ge=1, le=MAX_NGRAM)]


class EvaluationSet(Frozen):
    """A benchmark: where its items lie and which of their fields are text to look for."""

    name: SetName
    path: str | None = None
    """JSON lines (``.jsonl``, ``.jsonl.gz``) or Parquet: a file or a pattern, local or remote."""
    hub: str | None = None
    """Name of a data set on the Hugging Face hub, or the folder of one, for ``datasets``."""
    config: str | None = None
    """Which configuration of the hub's data set."""
    split: str = "test"
    """Which split of the hub's data set."""
    revision: str | None = None
    """Which commit of the hub's data set; without it a build depends on the day."""
    fields: tuple[str, ...] = Field(min_length=1)
    """Fields that together are an item's text, in this order. Lists and objects are read as the
    strings in them."""
    id_field: str | None = None
    """Field that names an item; None: its place in the set, from 0."""

    @model_validator(mode="after")
    def _has_one_place(self) -> EvaluationSet:
        if (self.path is None) == (self.hub is None):
            raise ValueError(f"evaluation set {self.name!r}: give either path or hub")
        if self.hub is None and (self.config is not None or self.revision is not None):
            raise ValueError(f"evaluation set {self.name!r}: config and revision are for sets on the hub")
        return self


class OverlapRule(Frozen):
    """A document holds an item when it holds this share of the item's n-grams."""

    ngram: NgramSize = 8
    """Chowdhery et al. 2022, "PaLM", section 8."""
    min_share: float = Field(default=0.7, gt=0.0, le=1.0)
    """Of the item's different n-grams. Chowdhery et al. 2022, "PaLM", section 8."""


class CutConfig(Frozen):
    """How much goes with an item that is cut out. Brown et al. 2020, "Language models are few-shot
    learners", appendix C, for all three.
    """

    window_chars: int = Field(default=200, ge=0)
    """Characters on each side of an item that go with it; grows to the next white space."""
    min_piece_chars: int = Field(default=200, ge=1)
    """Shorter pieces go too; a document of which nothing is left is removed."""
    max_pieces: int = Field(default=10, ge=1)
    """A document that falls into more pieces is removed as a whole."""


class DecontaminationConfig(Frozen):
    """Which evaluation items must not be trained on, and what happens to documents that hold one."""

    sets: tuple[EvaluationSet, ...] = Field(min_length=1)
    ngram: NgramSize | None = 13
    """A document holds an item when they share one run of so many words (Brown et al. 2020, "Language
    models are few-shot learners", appendix C). An item with fewer words is looked for as a whole.
    None: only ``overlap`` decides."""
    overlap: OverlapRule | None = None
    """A second rule, beside ``ngram`` or in its place."""
    min_words: int = Field(default=8, ge=1)
    """Items with fewer words are not looked for, since any text may hold them by chance; they are
    counted. 8 is the shortest run of Brown et al. 2020, appendix C."""
    action: Literal["remove", "cut", "report"] = "remove"
    """Whether contaminated documents are taken out of training, items are cut out of them, or they are
    only listed."""
    cut: CutConfig | None = None
    """How much is cut out; only with ``action: cut``."""
    sources: tuple[str, ...] | Literal["all"] = "all"
    """Mixture sources whose documents are searched."""

    @model_validator(mode="after")
    def _says_something(self) -> DecontaminationConfig:
        if self.ngram is None and self.overlap is None:
            raise ValueError("no rule is left: give ngram, overlap, or both")
        if self.cut is not None and self.action != "cut":
            raise ValueError(f"cut: is for action: cut, and the action is {self.action!r}")
        names = [one.name for one in self.sets]
        if len(set(names)) < len(names):
            raise ValueError(f"sets: names must differ, found {names}")
        return self

    def searches(self, source: str) -> bool:
        """Tell whether the documents of a mixture source are searched."""
        return self.sources == "all" or source in self.sources
