"""Splitting: raw files into work items, after every file was looked at.

Before any work starts each file's layout is checked: a Parquet footer, the first lines of a
JSON-lines file. A file with another schema than declared stops the build; a damaged one does
too, or becomes an item that reads as nothing and is counted, when bad files are to be skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import orjson

from dataprep import storage
from dataprep.errors import BadInputError, SourceError
from dataprep.sources import parquet
from dataprep.sources.adapters import adapter_of
from dataprep.sources.catalog import CorpusEntry, HubDataset
from dataprep.sources.compression import MAGIC_BYTES, WAY_OUT, Compression, compression_of, decompressed
from dataprep.sources.generic import GenericAdapter
from dataprep.sources.jsonl import lines_of
from dataprep.sources.listing import Collection, RawFile

Format = Literal["parquet", "jsonl", "dataset"]

DEFAULT_SPLIT_BYTES = 256 << 20
_HEAD_BYTES = 4 << 20
"""How far into a JSON-lines file the check of its keys looks at most."""
_HEAD_ROWS = 20
_SCAN_BYTES = 8 << 20
_THREADS = 8


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
    damage: str = ""
    """Why the file is to be skipped; empty for a file that is read."""


@dataclass(frozen=True)
class _Piece:
    start: int
    stop: int
    first_row: int


@dataclass(frozen=True)
class _Layout:
    """What was found in a raw file, or why it cannot be read."""

    format: Format
    compression: Compression
    pieces: tuple[_Piece, ...]
    damage: str = ""


def split_collection(
    collection: Collection,
    entry: CorpusEntry,
    *,
    max_split_bytes: int = DEFAULT_SPLIT_BYTES,
    skip_bad_files: bool = False,
) -> list[WorkItem]:
    """Look at every raw file and cut it into work items, in order of file and row.

    Parquet is cut between row groups, plain JSON lines between lines (its newlines are counted,
    only if the file is cut at all); a compressed file is one item.

    Args:
        max_split_bytes: Uncompressed bytes of an item, exceeded only by a single row group or
            by a compressed file.

    Raises:
        SourceError: a file has no text column, or not of strings; or no format known by name.
        BadInputError: a file is empty, cut or damaged, and ``skip_bad_files`` is off.
    """
    adapter = adapter_of(entry, collection.subset)
    streamed = isinstance(entry.hub, HubDataset) and all(
        file.identity.startswith("dataset:") for file in collection.files
    )
    if streamed:
        num_shards = len(collection.files)
        layouts = [
            _Layout("dataset", "none", (_Piece(file.number, num_shards, 0),)) for file in collection.files
        ]
    else:
        with ThreadPoolExecutor(_THREADS) as pool:
            layouts = list(
                pool.map(lambda file: _layout_of(file, adapter, max_split_bytes), collection.files)
            )
    damaged = [layout.damage for layout in layouts if layout.damage]
    if damaged and not skip_bad_files:
        more = (
            f"\n(and {len(damaged) - 1} more damaged files of {collection.name})" if len(damaged) > 1 else ""
        )
        raise BadInputError(damaged[0] + more)
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
            damage=layout.damage,
        )
        for file, layout in zip(collection.files, layouts)
        for number, piece in enumerate(layout.pieces)
    ]


def _layout_of(file: RawFile, adapter: GenericAdapter, max_split_bytes: int) -> _Layout:
    kind = _format_of(file)
    try:
        if kind == "parquet":
            return _parquet_layout(file, adapter, max_split_bytes)
        return _jsonl_layout(file, adapter, max_split_bytes)
    except BadInputError as error:
        return _Layout(kind, "none", (_Piece(0, 0, 0),), damage=str(error))


def _format_of(file: RawFile) -> Literal["parquet", "jsonl"]:
    name = file.origin.lower()
    for suffix in (".zst", ".zstd", ".gz", ".xz"):
        name = name.removesuffix(suffix)
    if name.endswith(".parquet"):
        return "parquet"
    if name.endswith((".jsonl", ".json", ".ndjson")):
        return "jsonl"
    raise SourceError(
        f"{file.path}: unknown format; readable are .parquet, and .jsonl, .ndjson or .json with one object "
        "a line, plain or with .zst, .gz or .xz. Correct the globs of this corpus in the catalogue"
    )


def _parquet_layout(file: RawFile, adapter: GenericAdapter, max_split_bytes: int) -> _Layout:
    shape = parquet.read_shape(file.path, size_bytes=file.size_bytes)
    adapter.check_columns(shape.column_names, place=file.path)
    parquet.check_text_type(shape, adapter.text_column, place=file.path)
    pieces, start, first_row, row, size = [], 0, 0, 0, 0
    for group, (rows, num_bytes) in enumerate(zip(shape.rows, shape.num_bytes)):
        if size and size + num_bytes > max_split_bytes:
            pieces.append(_Piece(start, group, first_row))
            start, first_row, size = group, row, 0
        row += rows
        size += num_bytes
    pieces.append(_Piece(start, len(shape.rows), first_row))
    return _Layout("parquet", "none", tuple(pieces))


def _jsonl_layout(file: RawFile, adapter: GenericAdapter, max_split_bytes: int) -> _Layout:
    if file.size_bytes == 0:
        raise BadInputError(f"{file.path}: empty (0 bytes): {WAY_OUT}")
    compression, keys = _jsonl_head(file, adapter)
    if keys:
        adapter.check_columns(keys, place=file.path)
    if compression != "none" or file.size_bytes <= max_split_bytes:
        return _Layout("jsonl", compression, (_Piece(0, file.size_bytes, 0),))
    return _Layout("jsonl", compression, tuple(_line_pieces(file, max_split_bytes)))


def _jsonl_head(file: RawFile, adapter: GenericAdapter) -> tuple[Compression, set[str]]:
    """Return how a file is compressed and the keys of its first rows; no key if none is readable.

    Raises:
        SourceError: a JSON array, or a text that is no string in any of the rows.
        BadInputError: the first bytes are damaged.
    """
    with storage.open_input(file.path, block_size_bytes=1 << 20) as stream:
        magic = stream.read(MAGIC_BYTES)
        compression = compression_of(magic)
        stream.seek(0)
        if (
            compression == "none"
            and file.origin.endswith((".zst", ".gz", ".xz"))
            and magic[:1] not in (b"{", b"\xef")
        ):
            raise BadInputError(
                f"{file.path}: neither compressed as its name says nor plain JSON lines (it begins with "
                f"{magic!r}): {WAY_OUT}"
            )
        keys: set[str] = set()
        texts: list[object] = []
        size = 0
        for lines in lines_of(decompressed(stream, compression, place=file.path), at_file_start=True):
            for line in lines:
                if line.lstrip()[:1] == b"[" and not keys and not texts:
                    raise SourceError(
                        f"{file.path}: begins with a JSON array; expected JSON lines, one object a line"
                    )
                row = _object_or_none(line)
                if row is not None:
                    keys |= row.keys()
                    texts.append(row.get(adapter.text_column))
            size += sum(map(len, lines))
            if len(texts) >= _HEAD_ROWS or size >= _HEAD_BYTES:
                break
    present = [text for text in texts if text is not None]
    if present and not any(isinstance(text, str) for text in present):
        raise SourceError(
            f"{file.path}: {adapter.text_column!r} holds {type(present[0]).__name__}, not strings, in each of "
            f"the first {len(present)} rows; keys found: {', '.join(sorted(keys))}"
        )
    return compression, keys


def _object_or_none(line: bytes) -> dict[str, object] | None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _line_pieces(file: RawFile, max_split_bytes: int) -> Sequence[_Piece]:
    """Cut a plain file into pieces of about equal size, each beginning at a line."""
    num_pieces = -(-file.size_bytes // max_split_bytes)
    targets = [file.size_bytes * i // num_pieces for i in range(1, num_pieces)]
    pieces: list[_Piece] = []
    start = first_row = row = position = 0
    with storage.open_input(file.path, block_size_bytes=_SCAN_BYTES) as stream:
        while block := stream.read(_SCAN_BYTES):
            counted = 0
            while targets and targets[0] < position + len(block):
                newline = block.find(b"\n", max(0, targets[0] - position))
                if newline < 0:
                    break
                row += block.count(b"\n", counted, newline + 1)
                counted = newline + 1
                end = position + counted
                if end < file.size_bytes:
                    pieces.append(_Piece(start, end, first_row))
                    start, first_row = end, row
                targets = [target for target in targets if target >= end]
            row += block.count(b"\n", counted)
            position += len(block)
    pieces.append(_Piece(start, file.size_bytes, first_row))
    return pieces
