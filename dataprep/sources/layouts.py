"""Looking at one raw file before any work: its format, its columns, where it can be cut.

Of a Parquet file the footer is read, of a JSON-lines file the first rows; the newlines of a
plain JSON-lines file are counted only if it is cut at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import orjson

from dataprep.errors import SourceError
from dataprep.sources import access, parquet
from dataprep.sources.compression import MAGIC_BYTES, Compression, compression_of, decompressed
from dataprep.sources.damage import EMPTY, WRONG_FORMAT, DamagedFileError
from dataprep.sources.generic import GenericAdapter
from dataprep.sources.jsonl import lines_of
from dataprep.sources.listing import RawFile

Format = Literal["parquet", "jsonl", "dataset"]

_COMPRESSED_SUFFIXES = (".zst", ".zstd", ".gz", ".xz")
_HEAD_BYTES = 4 << 20
"""How far into a JSON-lines file its rows are looked at."""
_HEAD_ROWS = 20
_HEAD_BUFFER_BYTES = 1 << 20
_SCAN_BYTES = 8 << 20


@dataclass(frozen=True)
class Piece:
    """A part of a file that can be read on its own."""

    start: int
    """First row group (parquet), first byte (jsonl), or number of the shard (dataset)."""
    stop: int
    """End of the row groups or bytes, or the number of shards."""
    first_row: int
    """Row of the file at which it begins."""


@dataclass(frozen=True)
class Layout:
    """What was found in a raw file, or why it cannot be read."""

    format: Format
    compression: Compression
    pieces: tuple[Piece, ...]
    damage: DamagedFileError | None = None


def layout_of(file: RawFile, adapter: GenericAdapter, *, max_split_bytes: int) -> Layout:
    """Look at a raw file; damage is returned, not raised.

    Raises:
        SourceError: the file has another schema than its corpus, or no format known by name.
    """
    kind = _format_of(file)
    try:
        if kind == "parquet":
            return _parquet_layout(file, adapter, max_split_bytes)
        return _jsonl_layout(file, adapter, max_split_bytes)
    except DamagedFileError as error:
        return Layout(kind, "none", (Piece(0, 0, 0),), damage=error)


def _format_of(file: RawFile) -> Literal["parquet", "jsonl"]:
    name = file.origin.lower()
    for suffix in _COMPRESSED_SUFFIXES:
        name = name.removesuffix(suffix)
    if name.endswith(".parquet"):
        return "parquet"
    if name.endswith((".jsonl", ".json", ".ndjson")):
        return "jsonl"
    raise SourceError(
        f"{file.path}: unknown format; readable are .parquet, and .jsonl, .ndjson or .json with one object "
        "a line, plain or with .zst, .gz or .xz. Correct the globs of this corpus in the catalogue"
    )


def _parquet_layout(file: RawFile, adapter: GenericAdapter, max_split_bytes: int) -> Layout:
    shape = parquet.read_shape(file.path, size_bytes=file.size_bytes)
    adapter.check_columns(shape.schema.names, place=file.path)
    adapter.check_license_column(shape.schema.names, place=file.path)
    parquet.check_text_type(shape.schema, adapter.text_column, place=file.path)
    pieces, start, first_row, row, size = [], 0, 0, 0, 0
    for group, (rows, num_bytes) in enumerate(zip(shape.rows, shape.num_bytes)):
        if size and size + num_bytes > max_split_bytes:
            pieces.append(Piece(start, group, first_row))
            start, first_row, size = group, row, 0
        row += rows
        size += num_bytes
    pieces.append(Piece(start, len(shape.rows), first_row))
    return Layout("parquet", "none", tuple(pieces))


def _jsonl_layout(file: RawFile, adapter: GenericAdapter, max_split_bytes: int) -> Layout:
    if file.size_bytes == 0:
        raise DamagedFileError(file.path, reason=EMPTY, detail="empty (0 bytes)")
    compression, rows = _head_of(file)
    keys = {key for row in rows for key in row}
    if rows:
        adapter.check_columns(keys, place=file.path)
    texts = [row[adapter.text_column] for row in rows if row.get(adapter.text_column) is not None]
    if texts and not any(isinstance(text, str) for text in texts):
        raise SourceError(
            f"{file.path}: {adapter.text_column!r} holds {type(texts[0]).__name__}, not strings, in "
            f"the first {len(texts)} rows; keys found: {', '.join(repr(key) for key in sorted(keys))}"
        )
    if compression != "none" or file.size_bytes <= max_split_bytes:
        return Layout("jsonl", compression, (Piece(0, file.size_bytes, 0),))
    return Layout("jsonl", compression, tuple(_line_pieces(file, max_split_bytes)))


def _head_of(file: RawFile) -> tuple[Compression, list[dict[str, object]]]:
    """Return how a file is compressed, and those of its first rows that are JSON objects.

    Raises:
        SourceError: the file is a JSON array.
        DamagedFileError: the first bytes are damaged, or not what the name says.
    """
    with access.opened(file.path, size_bytes=file.size_bytes, buffer_bytes=_HEAD_BUFFER_BYTES) as stream:
        magic = stream.read(MAGIC_BYTES)
        stream.seek(0)
        compression = compression_of(magic)
        named_compressed = file.origin.lower().endswith(_COMPRESSED_SUFFIXES)
        if compression == "none" and named_compressed and magic[:1] not in (b"{", b"\xef"):
            detail = f"neither compressed as its name says nor plain JSON lines (it begins with {magic!r})"
            raise DamagedFileError(file.path, reason=WRONG_FORMAT, detail=detail)
        rows: list[dict[str, object]] = []
        size = 0
        for lines in lines_of(decompressed(stream, compression, path=file.path), at_file_start=True):
            if size == 0 and lines[0].lstrip()[:1] == b"[":
                raise SourceError(f"{file.path}: is a JSON array; expected JSON lines, one object a line")
            rows += [row for line in lines[:_HEAD_ROWS] if (row := _object_or_none(line)) is not None]
            size += sum(map(len, lines))
            if len(rows) >= _HEAD_ROWS or size >= _HEAD_BYTES:
                break
    return compression, rows[:_HEAD_ROWS]


def _object_or_none(line: bytes) -> dict[str, object] | None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _line_pieces(file: RawFile, max_split_bytes: int) -> list[Piece]:
    """Cut a plain file into pieces of about equal size, each beginning at a line."""
    num_pieces = -(-file.size_bytes // max_split_bytes)
    targets = [file.size_bytes * i // num_pieces for i in range(1, num_pieces)]
    pieces: list[Piece] = []
    start = first_row = row = position = 0
    with access.opened(file.path, size_bytes=file.size_bytes) as stream:
        while block := stream.read(_SCAN_BYTES):
            counted = 0
            while targets and targets[0] < position + len(block):
                newline = block.find(b"\n", max(0, targets[0] - position))
                if newline < 0:
                    break  # the line goes on in the next block
                row += block.count(b"\n", counted, newline + 1)
                counted = newline + 1
                end = position + counted
                if end < file.size_bytes:
                    pieces.append(Piece(start, end, first_row))
                    start, first_row = end, row
                targets = [target for target in targets if target >= end]
            row += block.count(b"\n", counted)
            position += len(block)
    pieces.append(Piece(start, file.size_bytes, first_row))
    return pieces
