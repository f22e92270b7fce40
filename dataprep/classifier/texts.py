"""The texts that a classifier learns from: plain lines, JSON lines and Parquet, local or remote."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.errors import SourceError, nearest
from dataprep.sources.compression import MAGIC_BYTES, compression_of, decompressed
from dataprep.sources.damage import DamagedFileError
from dataprep.sources.jsonl import lines_of
from dataprep.sources.parquet import check_text_type

_COMPRESSED = ("", ".gz", ".zst", ".xz")
_LINES = tuple(f".txt{end}" for end in _COMPRESSED)
_JSON_LINES = tuple(f"{name}{end}" for name in (".jsonl", ".json", ".ndjson") for end in _COMPRESSED)
_PARQUET = (".parquet",)
_BATCH_ROWS = 1024


@dataclass(frozen=True)
class InputFile:
    """A file of texts."""

    path: str
    size_bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """The file's name without its folder: where a file lies changes nothing."""
        return self.path.rsplit("/", 1)[-1]


def list_inputs(patterns: Sequence[str], *, option: str) -> tuple[InputFile, ...]:
    """Return the files that the patterns match, each of them once, sorted by content.

    Args:
        patterns: paths or globs, local or remote.
        option: what gave them, for messages.

    Raises:
        SourceError: a pattern matches nothing, or a file whose format is not known.
    """
    found: dict[str, InputFile] = {}
    for pattern in patterns:
        files = storage.glob(pattern)
        if not files:
            raise SourceError(
                f"{option} {pattern}: no such file; a path is taken from the folder in which dataprep runs"
            )
        for file in files:
            if not file.path.endswith((*_LINES, *_JSON_LINES, *_PARQUET)):
                raise SourceError(
                    f"{option}: {file.path}: not one of .txt (one text a line), .jsonl, .parquet; the first "
                    "two may be .gz, .zst or .xz"
                )
            if file.path not in found:
                digest = storage.sha256_of(file.path)
                found[file.path] = InputFile(file.path, file.size_bytes, digest)
    return tuple(sorted(found.values(), key=lambda file: (file.sha256, file.path)))


def read_texts(file: InputFile, *, columns: Sequence[str]) -> Iterator[str | None]:
    """Yield the texts of a file in order; None where a row has none.

    A ``.txt`` file has one text a line, as fastText's own files; the others a column or key, the
    first of ``columns`` that is there.

    Raises:
        SourceError: no column is there, it holds no strings, or a line is no JSON object in UTF-8.
    """
    if file.path.endswith(_PARQUET):
        return _parquet_texts(file.path, columns)
    if file.path.endswith(_LINES):
        return _plain_texts(file.path)
    return _json_texts(file.path, columns)


def _parquet_texts(path: str, columns: Sequence[str]) -> Iterator[str | None]:
    try:
        with storage.open_input(path) as stream, pq.ParquetFile(stream) as file:
            column = _first_of(columns, file.schema_arrow.names, place=path)
            check_text_type(file.schema_arrow, column, place=path)
            for batch in file.iter_batches(_BATCH_ROWS, columns=[column], use_threads=False):
                yield from batch.column(column).to_pylist()
    except pa.ArrowInvalid as error:
        raise SourceError(f"{path}: no Parquet file ({error})") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: holds text that is not UTF-8 ({error})") from error


def _plain_texts(path: str) -> Iterator[str | None]:
    for number, line in _lines(path):
        yield _decoded(line, path, number)


def _json_texts(path: str, columns: Sequence[str]) -> Iterator[str | None]:
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise SourceError(f"{path}: line {number:,} is no JSON ({error})") from error
        if not isinstance(row, dict):
            raise SourceError(
                f"{path}: line {number:,} is a {type(row).__name__}, not an object: write one object a line"
            )
        column = _first_of(columns, row, place=f"{path}: line {number:,}")
        text = row[column]
        if text is not None and not isinstance(text, str):
            raise SourceError(f"{path}: line {number:,}: {column!r} is a {type(text).__name__}, not a string")
        yield text


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    with storage.open_input(path) as stream:
        compression = compression_of(stream.read(MAGIC_BYTES))
        stream.seek(0)
        number = 0
        try:
            for lines in lines_of(decompressed(stream, compression, path=path), at_file_start=True):
                for line in lines:
                    number += 1
                    yield number, line
        except DamagedFileError as error:
            raise SourceError(f"{path}: {error.detail}: fetch the file again") from error


def _decoded(line: bytes, path: str, number: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: line {number:,} is not UTF-8 ({error})") from error


def _first_of(columns: Sequence[str], names: Collection[str], *, place: str) -> str:
    for column in columns:
        if column in names:
            return column
    wanted = " or ".join(repr(column) for column in columns)
    raise SourceError(
        f"{place}: no text column {wanted}; {nearest(columns[0], names)} (--text-column names another)"
    )
