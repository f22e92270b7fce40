"""Splitting: raw files into work items, after every file was looked at.

A file with another schema than declared stops the build before any work; a damaged one does
too, or becomes an item that reads as nothing and is counted, when bad files are to be skipped.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dataprep.errors import BadInputError
from dataprep.sources import hub, parquet
from dataprep.sources.adapters import adapter_of
from dataprep.sources.compression import Compression
from dataprep.sources.entries import CorpusEntry, HubDataset
from dataprep.sources.layouts import Format, Layout, Piece, layout_of
from dataprep.sources.listing import Collection

DEFAULT_SPLIT_BYTES = 256 << 20
_THREADS = 8
_MAX_NAMED = 4
"""Further damaged files that a message names."""


@dataclass(frozen=True)
class Damage:
    """What is wrong with a raw file; the same wherever the file lies."""

    reason: str
    """One of ``damage.FILE_REASONS``."""
    detail: str


@dataclass(frozen=True)
class WorkItem:
    """One piece of one raw file: what a worker reads. Small and picklable."""

    corpus: str
    collection: str
    collection_number: int
    subset: str | None
    """The folder of the corpus, ``None`` for a corpus that is read whole."""
    file_number: int
    split_number: int
    path: str
    origin: str
    size_bytes: int
    """Of the whole file when it was listed."""
    held_out: bool
    format: Format
    compression: Compression
    start: int
    """First row group (parquet), first byte (jsonl), or number of the shard (dataset)."""
    stop: int
    """End of the row groups or bytes, or the number of shards."""
    first_row: int
    """Row of the file at which this piece begins."""
    damage: Damage | None = None
    """Why the file is skipped; ``None`` for a file that is read."""


def split_collection(
    collection: Collection,
    entry: CorpusEntry,
    *,
    max_split_bytes: int = DEFAULT_SPLIT_BYTES,
    skip_bad_files: bool = False,
) -> list[WorkItem]:
    """Look at every raw file and cut it into work items, in order of file and row.

    Parquet is cut between row groups, plain JSON lines between lines; a compressed file is one
    item.

    Args:
        max_split_bytes: Uncompressed bytes of an item, exceeded only by a single row group or
            by a compressed file.

    Raises:
        SourceError: a file has no text column, or not of strings; or no format known by name.
        BadInputError: files are empty, cut or damaged, and ``skip_bad_files`` is off; names them.
    """
    adapter = adapter_of(entry, collection.subset)
    if collection.streamed:
        assert isinstance(entry.hub, HubDataset)
        schema = hub.dataset_schema(entry.hub)
        if schema is not None:
            adapter.check_columns(schema.names, place=entry.hub.path)
            adapter.check_license_column(schema.names, place=entry.hub.path)
            parquet.check_text_type(schema, adapter.text_column, place=entry.hub.path)
        num_shards = len(collection.files)
        layouts = [Layout("dataset", "none", (Piece(i, num_shards, 0),)) for i in range(num_shards)]
    else:
        with ThreadPoolExecutor(_THREADS) as pool:
            layouts = list(
                pool.map(
                    lambda file: layout_of(file, adapter, max_split_bytes=max_split_bytes), collection.files
                )
            )
    damaged = [layout.damage for layout in layouts if layout.damage is not None]
    if len(damaged) > 1 and not skip_bad_files:
        others = [f"{error.path}: {error.detail}" for error in damaged[1 : _MAX_NAMED + 1]]
        unnamed = len(damaged) - 1 - len(others)
        more = f"\nand {unnamed:,} more damaged files" if unnamed else ""
        raise BadInputError("\n".join([str(damaged[0]), *others]) + more)
    if damaged and not skip_bad_files:
        raise damaged[0]
    return [
        WorkItem(
            corpus=collection.corpus,
            collection=collection.name,
            collection_number=collection.number,
            subset=collection.subset,
            file_number=file.number,
            split_number=number,
            path=file.path,
            origin=file.origin,
            size_bytes=file.size_bytes,
            held_out=file.held_out,
            format=layout.format,
            compression=layout.compression,
            start=piece.start,
            stop=piece.stop,
            first_row=piece.first_row,
            damage=None if layout.damage is None else Damage(layout.damage.reason, layout.damage.detail),
        )
        for file, layout in zip(collection.files, layouts)
        for number, piece in enumerate(layout.pieces)
    ]
