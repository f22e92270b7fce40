"""Parquet files: what they hold, and their rows as text and other columns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.errors import BadInputError, BuildError, SourceError
from dataprep.sources.compression import WAY_OUT
from dataprep.sources.fields import CODE_OF, Codes

_MAX_BATCH_ROWS = 65_536
_READ_BLOCK_BYTES = 8 << 20


@dataclass(frozen=True)
class ParquetShape:
    """What the footer of a Parquet file says."""

    schema: pa.Schema
    rows: tuple[int, ...]
    """Rows of each row group."""
    num_bytes: tuple[int, ...]
    """Uncompressed bytes of each row group."""

    @property
    def column_names(self) -> set[str]:
        """Names of the top-level columns."""
        return set(self.schema.names)


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
        BadInputError: empty, cut, or no Parquet file.
    """
    if size_bytes == 0:
        raise BadInputError(f"{path}: empty (0 bytes), not a Parquet file: {WAY_OUT}")
    with _opened(path) as file, damage_explained(path):
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        return ParquetShape(
            schema=file.schema_arrow,
            rows=tuple(group.num_rows for group in groups),
            num_bytes=tuple(group.total_byte_size for group in groups),
        )


def check_text_type(shape: ParquetShape, column: str, *, place: str) -> None:
    """Check that the text column holds strings.

    Raises:
        SourceError: names the type that was found.
    """
    kind = shape.schema.field(column).type
    if not is_text(kind):
        strings = [field.name for field in shape.schema if is_text(field.type)]
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
    text_column: str,
    ignored: Sequence[str],
    batch_bytes: int,
) -> Iterator[ColumnBatch]:
    """Yield the rows of some row groups in order, about ``batch_bytes`` of text at a time.

    Raises:
        BadInputError: the data of a page is damaged.
    """
    with _opened(path) as file:
        names = [name for name in file.schema_arrow.names if name not in ignored]
        batch_rows = _batch_rows(file.metadata, groups, text_column, batch_bytes)
        batches = file.iter_batches(
            batch_size=batch_rows, row_groups=groups, columns=names, use_threads=False
        )
        while True:
            with damage_explained(path):
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
def _opened(path: str) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file, local or remote."""
    if storage.is_local(path):
        source = storage.local_path(path)
        with damage_explained(path):
            file = pq.ParquetFile(source, page_checksum_verification=True)
        with file:
            yield file
        return
    with storage.open_input(path, block_size_bytes=_READ_BLOCK_BYTES) as stream:
        with damage_explained(path):
            file = pq.ParquetFile(stream, page_checksum_verification=True)
        with file:
            yield file


@contextlib.contextmanager
def damage_explained(path: str) -> Iterator[None]:
    """Turn Arrow's errors into one that names the file and tells damage from an unreachable disk.

    Raises:
        BadInputError: the bytes are not what they should be.
        BuildError: the bytes cannot be had: a disk, network or permission error.
    """
    try:
        yield
    except pa.ArrowException as error:
        raise BadInputError(f"{path}: no readable Parquet file ({_first_line(error)}): {WAY_OUT}") from error
    except OSError as error:
        # Arrow reports damaged pages as OSError too; only the system's own errors carry a number.
        if error.errno is None and storage.is_local(path):
            raise BadInputError(f"{path}: damaged Parquet data ({_first_line(error)}): {WAY_OUT}") from error
        raise BuildError(f"{path}: cannot be read ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
