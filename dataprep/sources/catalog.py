"""The catalogue: which corpora there are, where they lie, and on what terms.

``mixtures/catalog.yaml`` declares every corpus. A corpus has subsets; a COLLECTION is what is
read as one unit: each folder of a corpus whose subsets are folders (``redpajama/arxiv``), the
whole corpus where they are a column or there is only one (``pile``, ``refinedweb``).

Collection numbers are part of every document id and must never change: a corpus owns the
numbers ``number .. number + reserved - 1``, a folder subset has the number at its position in
the corpus's ``subsets``, so new subsets are appended and never inserted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from dataprep.documents import MAX_COLLECTION
from dataprep.errors import ConfigError, SourceError, nearest
from dataprep.yaml_models import Frozen, read_yaml, validated
from mixtures import packaged_path

FIRST_OWN_NUMBER = 2048
"""Collection numbers from here on are never used by the packaged catalogue: they are the user's."""


class HubFiles(Frozen):
    """The raw files lie under one URL that fsspec can list."""

    kind: Literal["files"]
    root: str
    """e.g. ``hf://datasets/uonlp/CulturaX`` or ``s3://bucket/culturax``; globs are below it."""
    revision: str | None = None
    """Branch, tag or commit of a hub repository."""

    @property
    def url(self) -> str:
        """The root with its revision."""
        return self.root if self.revision is None else f"{self.root}@{self.revision}"


class HubUrlList(Frozen):
    """The raw files are named by text files with one URL a line."""

    kind: Literal["url_list"]
    lists: str
    """Where the list of a subset lies; ``{subset}`` is replaced."""
    base: str
    """What every URL begins with; the rest of a URL is the raw file's origin."""


class HubDataset(Frozen):
    """The rows are streamed by the ``datasets`` library, one raw file for each of its shards."""

    kind: Literal["datasets"]
    path: str
    """Dataset on the hub, or the name of a packaged builder (``csv``, ``json``, ``parquet``...)."""
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    data_files: tuple[str, ...] = ()
    """URLs or paths for a packaged builder, or files inside the hub repository."""


Hub = Annotated[HubFiles | HubUrlList | HubDataset, Field(discriminator="kind")]


class Columns(Frozen):
    """Which raw columns become which document columns; what is not named goes to ``meta``."""

    text: str = "text"
    url: str | None = None
    timestamp: str | None = None
    language: str | None = None
    license: str | None = None
    ignored: tuple[str, ...] = ()
    """Columns that are not even read."""


class SubsetEntry(Frozen):
    """What differs for one subset; an absent value is the corpus's."""

    globs: tuple[str, ...] = ()
    filters: str | None = None
    language: str | None = None
    license: str | None = None
    web: bool | None = None
    code: bool | None = None
    columns: Columns | None = None
    excluded: str | None = None
    """The exclusion reason of all rows of this subset, e.g. ``excluded_books3``."""
    aliases: tuple[str, ...] = ()
    """Other spellings found in raw rows."""
    notes: str = ""


@dataclass(frozen=True)
class SubsetSettings:
    """Everything that holds for the rows of one subset."""

    name: str
    filters: str
    language: str | None
    license: str
    web: bool
    code: bool
    columns: Columns
    excluded: str | None


class CorpusEntry(Frozen):
    """One corpus of the catalogue."""

    name: str
    number: int = Field(ge=1, le=MAX_COLLECTION)
    reserved: int = Field(default=1, ge=1)
    """How many collection numbers this corpus owns."""
    title: str
    homepage: str
    adapter: Literal["refinedweb", "redpajama", "pile", "starcoder", "culturax", "generic"]
    layout: Literal["whole", "folders"]
    """``folders``: one collection for each subset. ``whole``: one for the corpus."""
    local_name: str
    """The folder under ``--data-root``."""
    hub: Hub | None = None
    no_hub: str = ""
    """Why there is no hub location, and where to get the corpus."""
    globs: tuple[str, ...] = ()
    """Raw files below the root; ``{subset}`` is replaced by the subset's name."""
    held_out: tuple[str, ...] = ()
    """Globs of raw files that are counted and never trained on."""
    columns: Columns = Columns()
    filters: str
    """Filter preset, see ``dataprep.filters.PRESETS``."""
    language: str | None = None
    license: str
    license_url: str = ""
    gating: str = ""
    """What must be accepted before a download works; empty when nothing."""
    web: bool = False
    """URL deduplication applies."""
    code: bool = False
    """The text is program code: normalisation touches only newlines and NUL."""
    allow_tags: bool = False
    """Tags like ``<reponame>`` in the text are StarCoder's own and become special tokens."""
    max_bad_ratio: float = Field(default=0.001, ge=0, le=1)
    """Largest share of unreadable rows over the whole corpus."""
    exclusions: dict[str, str] = Field(default_factory=dict)
    """Exclusion reason to what is excluded and why."""
    subsets: dict[str, SubsetEntry] = Field(min_length=1)
    notes: str = ""

    @field_validator("local_name")
    @classmethod
    def _one_folder(cls, value: str) -> str:
        if not value or "/" in value or value.startswith("."):
            raise ValueError("must be the name of one folder")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> CorpusEntry:
        if self.layout == "folders" and len(self.subsets) > self.reserved:
            raise ValueError(
                f"{len(self.subsets)} subsets but only {self.reserved} collection numbers are reserved"
            )
        if self.number + self.reserved - 1 > MAX_COLLECTION:
            raise ValueError(f"collection numbers end at {MAX_COLLECTION}")
        if self.hub is None and not self.no_hub:
            raise ValueError("give hub, or say in no_hub where to get the corpus")
        streamed = isinstance(self.hub, HubDataset)
        for name, subset in self.subsets.items():
            if self.layout == "whole" and subset.globs:
                raise ValueError(f"subsets.{name}.globs: only the corpus has globs with layout 'whole'")
            if self.layout == "folders" and not streamed and not (subset.globs or self.globs):
                raise ValueError(f"subsets.{name}: no globs here nor at the corpus")
            if subset.excluded is not None and subset.excluded not in self.exclusions:
                raise ValueError(f"subsets.{name}.excluded: {subset.excluded!r} is not in exclusions")
        if self.layout == "whole" and not streamed and not self.globs:
            raise ValueError("no globs")
        if self.layout == "folders" and streamed and len(self.subsets) > 1:
            raise ValueError("a corpus that is streamed by datasets has one subset; use layout 'whole'")
        return self

    @property
    def selectable(self) -> tuple[str, ...]:
        """The subsets that a mixture may name: all but the excluded ones."""
        return tuple(name for name, subset in self.subsets.items() if subset.excluded is None)

    def settings(self, subset: str) -> SubsetSettings:
        """Return what holds for a subset, its own values before the corpus's.

        Raises:
            SourceError: unknown subset; names the nearest.
        """
        if subset not in self.subsets:
            raise SourceError(
                f"corpus {self.name!r} has no subset {subset!r}: {nearest(subset, self.subsets)}"
            )
        own = self.subsets[subset]
        return SubsetSettings(
            name=subset,
            filters=own.filters or self.filters,
            language=own.language or self.language,
            license=own.license or self.license,
            web=self.web if own.web is None else own.web,
            code=self.code if own.code is None else own.code,
            columns=own.columns or self.columns,
            excluded=own.excluded,
        )

    def globs_of(self, subset: str | None) -> tuple[str, ...]:
        """Return the globs of a collection, below the corpus's root."""
        if subset is None:
            return self.globs
        globs = self.subsets[subset].globs or self.globs
        return tuple(one.replace("{subset}", subset) for one in globs)

    def collections_of(self, subsets: Sequence[str] | None = None) -> tuple[str | None, ...]:
        """Return the collections that hold these subsets (default: all that may be selected).

        Returns: subset names for a corpus of folders, ``(None,)`` for one that is read whole.

        Raises:
            SourceError: an unknown or an excluded subset.
        """
        wanted = self.selectable if subsets is None else tuple(subsets)
        for subset in wanted:
            excluded = self.settings(subset).excluded
            if excluded is not None:
                raise SourceError(
                    f"subset {subset!r} of {self.name!r} is never used ({excluded}): "
                    f"{self.exclusions[excluded]}"
                )
        return tuple(name for name in self.subsets if name in wanted) if self.layout == "folders" else (None,)

    def collection_name(self, subset: str | None) -> str:
        """Return the name of a collection: ``redpajama/arxiv`` or ``pile``."""
        return self.name if subset is None else f"{self.name}/{subset}"

    def collection_number(self, subset: str | None) -> int:
        """Return the number that a collection's document ids begin with."""
        return self.number if subset is None else self.number + list(self.subsets).index(subset)


class Catalog(Frozen):
    """All corpora, by name."""

    corpora: dict[str, CorpusEntry]

    @model_validator(mode="after")
    def _numbers_do_not_overlap(self) -> Catalog:
        entries = sorted(self.corpora.values(), key=lambda entry: entry.number)
        for before, after in pairwise(entries):
            if before.number + before.reserved > after.number:
                raise ValueError(
                    f"corpora.{after.name}.number: {after.number} is reserved for {before.name!r} "
                    f"({before.number} to {before.number + before.reserved - 1})"
                )
        folders: dict[str, str] = {}
        for entry in entries:
            if entry.local_name in folders:
                raise ValueError(
                    f"corpora.{entry.name}.local_name: {entry.local_name!r} is the folder of "
                    f"{folders[entry.local_name]!r}"
                )
            folders[entry.local_name] = entry.name
        return self

    def corpus(self, name: str) -> CorpusEntry:
        """Return a corpus by name.

        Raises:
            SourceError: unknown corpus; names the nearest.
        """
        if name not in self.corpora:
            raise SourceError(f"the catalogue has no corpus {name!r}: {nearest(name, self.corpora)}")
        return self.corpora[name]

    def collection(self, name: str) -> tuple[CorpusEntry, str | None]:
        """Return the corpus and subset of a collection's name, e.g. ``redpajama/arxiv``.

        Raises:
            SourceError: unknown corpus or subset, or a corpus name where a subset is needed.
        """
        corpus, _, subset = name.partition("/")
        entry = self.corpus(corpus)
        if entry.layout == "whole" and subset:
            raise SourceError(f"corpus {corpus!r} is read whole: its only collection is {corpus!r}")
        if entry.layout == "folders":
            entry.settings(subset)
            return entry, subset
        return entry, None

    def by_number(self, number: int) -> tuple[CorpusEntry, str | None]:
        """Return the corpus and subset of a collection number (the top 12 bits of a document id).

        Raises:
            SourceError: no collection has this number.
        """
        for entry in self.corpora.values():
            position = number - entry.number
            if entry.layout == "whole" and position == 0:
                return entry, None
            if entry.layout == "folders" and 0 <= position < len(entry.subsets):
                return entry, list(entry.subsets)[position]
        raise SourceError(f"no collection of the catalogue has the number {number}")


def load_catalog(path: str | None = None) -> Catalog:
    """Return the packaged catalogue, with the corpora of ``path`` added where one is given.

    A catalogue of one's own adds corpora (numbers from 2048 on) or replaces packaged ones of the
    same name, e.g. to point ``hub`` at a mirror.

    Raises:
        ConfigError: names file, YAML path, what is wrong, and the nearest known key.
    """
    packaged = packaged_path("catalog.yaml")
    corpora = _corpora_of(packaged)
    place = packaged
    if path is not None:
        own = _corpora_of(path)
        for name, corpus in own.items():
            number = corpus.get("number") if isinstance(corpus, dict) else None
            if name not in corpora and isinstance(number, int) and number < FIRST_OWN_NUMBER:
                raise ConfigError(
                    f"{path}: corpora.{name}.number: {number} is kept for the packaged catalogue; "
                    f"your own corpora have numbers from {FIRST_OWN_NUMBER} to {MAX_COLLECTION}"
                )
        corpora = {**corpora, **own}
        place = path
    return validated(Catalog, {"corpora": corpora}, place=place)


def _corpora_of(path: str) -> dict[str, object]:
    """Return the corpora of one YAML file, each with its name filled in."""
    value = read_yaml(path)
    unknown = set(value) - {"corpora"}
    if unknown or not isinstance(value.get("corpora"), dict):
        raise ConfigError(
            f"{path}: expected one key 'corpora' with a mapping, found {', '.join(value) or 'nothing'}"
        )
    return {
        name: {"name": name, **corpus} if isinstance(corpus, dict) else corpus
        for name, corpus in value["corpora"].items()
    }
