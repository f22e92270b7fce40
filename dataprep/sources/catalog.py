"""The catalogue: which corpora there are.

``mixtures/catalog.yaml`` declares every corpus. A corpus has subsets; a COLLECTION is what is
read as one unit: each folder of a corpus whose subsets are folders (``redpajama/arxiv``), the
whole corpus where they are a column or there is only one (``pile``, ``refinedweb``).

Collection numbers are part of every document id and must never change: a corpus owns the
numbers ``number .. number + reserved - 1``, a folder subset has the number at its position in
the corpus's ``subsets``, so new subsets are appended and never inserted.
"""

from __future__ import annotations

from itertools import pairwise

from pydantic import model_validator

from dataprep.documents import MAX_COLLECTION
from dataprep.errors import ConfigError, SourceError, nearest
from dataprep.sources.entries import CorpusEntry
from dataprep.yaml_models import Frozen, read_yaml, validated
from mixtures import packaged_path

FIRST_OWN_NUMBER = 2048
"""Collection numbers from here on are never used by the packaged catalogue: they are the user's."""


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
