"""Parquet files: what they hold, and their rows as text and other columns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataprep.errors import SourceError
from dataprep.sources import access
from dataprep.sources.damage import DAMAGED, EMPTY, TRUNCATED, WRONG_FORMAT, DamagedFileError
from dataprep.sources.fields import CODE_OF, Codes

_MAX_BATCH_ROWS = 65_536
_MAGIC = b"PAR1"
_FOOTER_END_BYTES = 8
"""A file ends with the footer's length in 4 bytes and the magic."""
_FOOTER_BUFFER_BYTES = 128 << 10
"""Footers are tens of kilobytes; fetching more for thousands of remote files would take long."""


@dataclass(frozen=True)
class ParquetShape:
    """What the footer of a Parquet file says."""

    schema: pa.Schema
    rows: tuple[int, ...]
    """Rows of each row group."""
    num_bytes: tuple[int, ...]
    """Uncompressed bytes of each row group."""


@dataclass(frozen=True)
class ColumnBatch:
    """Consecutive rows of a Parquet file."""

    text: pa.LargeStringArray
    rest: pa.RecordBatch
    """All other columns that are read."""
    bad: Codes
    """Codes of bad-row reasons, 0 where the row is readable."""


def read_shape(path: str, *, size_bytes: int) -> ParquetShape:
    """Read the footer of a Parquet file.

    Raises:
        DamagedFileError: empty, cut, or no Parquet file.
    """
    with access.opened(path, size_bytes=size_bytes, buffer_bytes=_FOOTER_BUFFER_BYTES) as stream:
        _check_ends(path, stream, size_bytes=size_bytes)
    with (
        _opened(path, size_bytes=size_bytes, buffer_bytes=_FOOTER_BUFFER_BYTES) as file,
        _damage_explained(path),
    ):
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        return ParquetShape(
            schema=file.schema_arrow,
            rows=tuple(group.num_rows for group in groups),
            num_bytes=tuple(group.total_byte_size for group in groups),
        )


def check_text_type(schema: pa.Schema, column: str, *, place: str) -> None:
    """Check that the text column holds strings.

    Raises:
        SourceError: names the type that was found.
    """
    kind = schema.field(column).type
    if not is_text(kind):
        strings = [field.name for field in schema if is_text(field.type)]
        raise SourceError(
            f"{place}: text column {column!r} holds {kind}, not strings; columns with strings: "
            f"{', '.join(repr(name) for name in strings) or 'none'}"
        )


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column type holds strings, plain or dictionary-encoded."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def read_row_groups(
    path: str,
    groups: range,
    *,
    size_bytes: int,
    text_column: str,
    ignored: Sequence[str],
    batch_bytes: int,
) -> Iterator[ColumnBatch]:
    """Yield the rows of some row groups in order, about ``batch_bytes`` of text at a time.

    Raises:
        DamagedFileError: the data of a page is damaged.
    """
    with _opened(path, size_bytes=size_bytes) as file:
        names = [name for name in file.schema_arrow.names if name not in ignored]
        batch_rows = _batch_rows(file.metadata, groups, text_column, batch_bytes)
        batches = file.iter_batches(
            batch_size=batch_rows, row_groups=groups, columns=names, use_threads=False
        )
        while True:
            with _damage_explained(path):
                batch = next(batches, None)
            if batch is None:
                return
            yield from column_batches(batch, text_column=text_column, batch_bytes=batch_bytes)


def column_batches(batch: pa.RecordBatch, *, text_column: str, batch_bytes: int) -> Iterator[ColumnBatch]:
    """Take the text out of raw columns, find the rows that cannot be read, and cut to size.

    A row is unreadable when its text is null or any of its strings is not UTF-8.
    """
    bad = np.zeros(batch.num_rows, np.int8)
    columns = []
    for column in batch.columns:
        if is_text(column.type):
            column, broken = _valid_strings(column)
            bad[broken] = CODE_OF["invalid_utf8"]
        columns.append(column)
    position = batch.schema.names.index(text_column)
    text = columns[position].cast(pa.large_string())
    if text.null_count:
        bad[(bad == 0) & pc.is_null(text).to_numpy(zero_copy_only=False)] = CODE_OF["null_text"]
    rest = pa.RecordBatch.from_arrays(columns, names=batch.schema.names).remove_column(position)
    for start, stop in _cuts(text, batch_bytes):
        yield ColumnBatch(text[start:stop], rest.slice(start, stop - start), bad[start:stop])


def _valid_strings(column: pa.Array) -> tuple[pa.Array, list[int]]:
    """Return a string column as plain strings, with nulls where it is not UTF-8, and those rows."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        column = column.cast(pa.large_string())
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        pass
    else:
        return column, []
    broken, values = [], column.cast(pa.large_binary()).to_pylist()
    for row, value in enumerate(values):
        try:
            _ = value is None or value.decode("utf-8")
        except UnicodeDecodeError:
            broken.append(row)
            values[row] = None
    return pa.array(values, pa.large_binary()).cast(column.type), broken


def _batch_rows(metadata: pq.FileMetaData, groups: range, text_column: str, batch_bytes: int) -> int:
    """Return how many rows hold about ``batch_bytes`` of text, by the footer's sizes."""
    rows = num_bytes = 0
    for i in groups:
        group = metadata.row_group(i)
        rows += group.num_rows
        chunks = (group.column(j) for j in range(group.num_columns))
        num_bytes += sum(c.total_uncompressed_size for c in chunks if c.path_in_schema == text_column)
    return max(1, min(_MAX_BATCH_ROWS, batch_bytes * rows // max(1, num_bytes)))


def _cuts(text: pa.LargeStringArray, batch_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield row ranges of at most ``batch_bytes`` of text each, or of one longer row."""
    offsets = np.frombuffer(text.buffers()[1], np.int64)[text.offset : text.offset + len(text) + 1]
    start = 0
    while start < len(text):
        stop = int(np.searchsorted(offsets, offsets[start] + batch_bytes, side="right")) - 1
        stop = min(max(stop, start + 1), len(text))
        yield start, stop
        start = stop


@contextlib.contextmanager
def _opened(
    path: str, *, size_bytes: int, buffer_bytes: int = access.BUFFER_BYTES
) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file, local or remote."""
    with access.opened(path, size_bytes=size_bytes, buffer_bytes=buffer_bytes) as stream:
        with _damage_explained(path):
            file = pq.ParquetFile(stream, page_checksum_verification=True)
        with file:
            yield file


@contextlib.contextmanager
def _damage_explained(path: str) -> Iterator[None]:
    """Turn Arrow's errors into one that names the file.

    Raises:
        DamagedFileError: the bytes are not what they should be.
    """
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        # Arrow reports damaged pages as OSError too; only the system's own errors carry a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        detail = f"damaged Parquet data ({(str(error).strip() or type(error).__name__).splitlines()[0]})"
        raise DamagedFileError(path, reason=DAMAGED, detail=detail) from error


def _check_ends(path: str, stream: IO[bytes], *, size_bytes: int) -> None:
    """Check that a file begins and ends as a Parquet file does.

    Raises:
        DamagedFileError: it is empty, cut, or no Parquet file.
    """
    if size_bytes == 0:
        raise DamagedFileError(path, reason=EMPTY, detail="empty (0 bytes), no Parquet file")
    head = stream.read(len(_MAGIC))
    if head != _MAGIC:
        raise DamagedFileError(path, reason=WRONG_FORMAT, detail=f"no Parquet file (it begins with {head!r})")
    stream.seek(max(0, size_bytes - _FOOTER_END_BYTES))
    end = stream.read(_FOOTER_END_BYTES)
    footer_bytes = int.from_bytes(end[:4], "little")
    if end[4:] != _MAGIC:
        raise DamagedFileError(path, reason=TRUNCATED, detail="cut off, the Parquet footer is missing")
    if footer_bytes + _FOOTER_END_BYTES + len(_MAGIC) > size_bytes:
        raise DamagedFileError(
            path,
            reason=WRONG_FORMAT,
            detail=f"no Parquet file ({size_bytes} bytes, too few for its own footer)",
        )
