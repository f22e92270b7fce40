"""What the document tables of a build hold, one byte or two a row: the ground of later checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dataprep.documents import FILE_BITS, ROW_BITS

UInt64Array = npt.NDArray[np.uint64]
_ROW_MASK = np.uint64((1 << ROW_BITS) - 1)

NO_SOURCE = -1


@dataclass(frozen=True)
class PartRows:
    """The rows of one part of a document table."""

    collection: str
    number: int
    """Of the collection."""
    file: int
    origin: str
    rows: npt.NDArray[np.int64]
    """int64[n] row in the raw file."""
    kept: npt.NDArray[np.bool_]
    """bool[n] verdict ``keep``."""
    subset: npt.NDArray[np.int16]
    """int16[n] position in ``subsets``; -1 where unknown."""
    subsets: tuple[str, ...]


@dataclass
class RawFile:
    """Rows of one raw file, by their number; what no part has is not kept."""

    collection: str
    origin: str
    kept: npt.NDArray[np.bool_]
    source: npt.NDArray[np.int16]
    """Position of the mixture source that selects the row, ``NO_SOURCE`` where none does."""
    removed: npt.NDArray[np.bool_]
    """Dropped as a duplicate."""
    tokenized: npt.NDArray[np.bool_]
    """Found in a token store."""


class CorpusRows:
    """All rows of all document tables of one build.

    Args:
        parts: of all collections of the build.
        sources: name of each mixture source to its corpus and subsets (None: all of them).
    """

    def __init__(
        self, parts: Iterable[PartRows], sources: Mapping[str, tuple[str, frozenset[str] | None]]
    ) -> None:
        self.sources = tuple(sources)
        self._files: dict[int, RawFile] = {}
        by_file: dict[int, list[PartRows]] = {}
        for part in parts:
            by_file.setdefault((part.number << FILE_BITS) | part.file, []).append(part)
        for key, own in by_file.items():
            num_rows = max((int(part.rows[-1]) + 1 for part in own if len(part.rows)), default=0)
            file = RawFile(
                own[0].collection,
                own[0].origin,
                kept=np.zeros(num_rows, dtype=np.bool_),
                source=np.full(num_rows, NO_SOURCE, dtype=np.int16),
                removed=np.zeros(num_rows, dtype=np.bool_),
                tokenized=np.zeros(num_rows, dtype=np.bool_),
            )
            for part in own:
                selected = [_source_of(part.collection, subset, sources) for subset in part.subsets]
                file.kept[part.rows] = part.kept
                file.source[part.rows] = np.array([*selected, NO_SOURCE], dtype=np.int16)[part.subset]
            self._files[key] = file

    def by_file(self, doc_id: UInt64Array) -> Iterator[tuple[RawFile | None, Any, npt.NDArray[np.int64]]]:
        """Yield (raw file or None, which of the documents are of it, their rows), file by file.

        A row that its file does not have is yielded with None.
        """
        keys, inverse = np.unique(doc_id >> np.uint64(ROW_BITS), return_inverse=True)
        rows = (doc_id & _ROW_MASK).astype(np.int64)
        for index, key in enumerate(keys.tolist()):
            chosen = np.flatnonzero(inverse == index)
            file = self._files.get(key)
            own = rows[chosen]
            if file is None:
                yield None, chosen, own
                continue
            inside = own < len(file.kept)
            if not inside.all():
                yield None, chosen[~inside], own[~inside]
            yield file, chosen[inside], own[inside]

    def alive_source(self, doc_id: UInt64Array) -> npt.NDArray[np.int16]:
        """Return the source of each document that is kept, selected and no duplicate, else -1: int16[n]."""
        source = np.full(len(doc_id), NO_SOURCE, dtype=np.int16)
        for file, chosen, rows in self.by_file(doc_id):
            if file is not None:
                alive = file.kept[rows] & ~file.removed[rows]
                source[chosen] = np.where(alive, file.source[rows], NO_SOURCE)
        return source

    def mark_removed(self, doc_id: UInt64Array) -> npt.NDArray[np.bool_]:
        """Mark duplicates; return which of the ids name a kept document that is marked the first time."""
        good = np.zeros(len(doc_id), dtype=np.bool_)
        for file, chosen, rows in self.by_file(doc_id):
            if file is not None:
                good[chosen] = file.kept[rows] & ~file.removed[rows]
                file.removed[rows] = True
        return good

    def mark_tokenized(self, doc_id: UInt64Array) -> npt.NDArray[np.bool_]:
        """Mark documents as tokenized; return which of them exist and were not marked before."""
        fresh = np.zeros(len(doc_id), dtype=np.bool_)
        for file, chosen, rows in self.by_file(doc_id):
            if file is not None:
                first = np.zeros(len(rows), dtype=np.bool_)
                first[np.unique(rows, return_index=True)[1]] = True
                fresh[chosen] = first & ~file.tokenized[rows]
                file.tokenized[rows] = True
        return fresh

    def untokenized(self, source: int) -> list[tuple[str, int]]:
        """Return (raw file, row) of the first documents of a source that no token store has."""
        missing = []
        for file in self._files.values():
            wanted = file.kept & ~file.removed & (file.source == source) & ~file.tokenized
            missing += [(f"{file.collection}: {file.origin}", int(row)) for row in np.flatnonzero(wanted)[:5]]
        return missing


def _source_of(collection: str, subset: str, sources: Mapping[str, tuple[str, frozenset[str] | None]]) -> int:
    corpus = collection.partition("/")[0]
    for position, (wanted, subsets) in enumerate(sources.values()):
        if wanted == corpus and (subsets is None or subset in subsets):
            return position
    return NO_SOURCE
