"""Evaluation items: read from JSON lines, Parquet or the hub, as one table."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.decontamination.config import EvaluationSet
from dataprep.errors import DataprepError, MissingExtraError, SourceError, nearest
from dataprep.text.normalize import normalize

ITEM_SCHEMA = pa.schema(
    [
        pa.field("set", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)
"""One row for each item; ``text`` is normalised like the documents' is."""

_FORMATS = (".jsonl", ".jsonl.gz", ".json", ".parquet")


def read_items(evaluation: EvaluationSet) -> pa.Table:
    """Return the items of a set as ``ITEM_SCHEMA``, in the set's order.

    Raises:
        SourceError: the set is not there, cannot be read, is empty, or lacks a field.
        MissingExtraError: the package that reads it is not installed.
    """
    names: list[str] = []
    texts: list[str] = []
    for place, row in _rows(evaluation):
        number = len(names)
        for field in (*evaluation.fields, *((evaluation.id_field,) if evaluation.id_field else ())):
            if field not in row:
                raise SourceError(
                    f"evaluation set {evaluation.name!r}: {place}: item {number} has no field {field!r}; "
                    f"{nearest(field, row)}"
                )
        names.append(str(row[evaluation.id_field]) if evaluation.id_field else str(number))
        texts.append("\n".join(part for field in evaluation.fields for part in _strings(row[field])))
    if not names:
        raise SourceError(f"evaluation set {evaluation.name!r}: {_where(evaluation)} holds no item")
    text = normalize(pa.array(texts, pa.large_string()), code=False)
    return pa.table([[evaluation.name] * len(names), names, text], schema=ITEM_SCHEMA)


def set_identity(items: pa.Table) -> str:
    """Return a hex SHA-256 over the names and texts of a set's items."""
    digest = hashlib.sha256()
    for name in ("item", "text"):
        for value in items.column(name).to_pylist():
            data = value.encode("utf-8")
            digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def _strings(value: object) -> Iterator[str]:
    """Yield the text in a field: strings and numbers, in lists and objects too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, Iterable) and not isinstance(value, bytes):
        for inner in value:
            yield from _strings(inner)


def _where(evaluation: EvaluationSet) -> str:
    return str(evaluation.path or evaluation.hub)


def _rows(evaluation: EvaluationSet) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (place, item) of a set."""
    if evaluation.path is None:
        yield from _hub_rows(evaluation)
        return
    files = storage.glob(evaluation.path)
    if not files:
        raise SourceError(
            f"evaluation set {evaluation.name!r}: {evaluation.path}: no such file; a path is taken from the "
            "folder in which dataprep runs"
        )
    for file in files:
        if not file.path.endswith(_FORMATS):
            raise SourceError(
                f"evaluation set {evaluation.name!r}: {file.path}: not one of {', '.join(_FORMATS)}"
            )
        if file.path.endswith(".parquet"):
            yield from _parquet_rows(file.path)
        else:
            yield from _json_rows(evaluation, file.path)


def _parquet_rows(path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        with storage.open_input(path) as stream, pq.ParquetFile(stream) as file:
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    yield path, row
    except pa.ArrowInvalid as error:
        raise SourceError(f"{path}: no Parquet file ({error})") from error


def _json_rows(evaluation: EvaluationSet, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    data = storage.read_bytes(path)
    if path.endswith(".gz"):
        data = gzip.decompress(data)
    # Split at line feeds only: a text may hold other separators of lines.
    for number, line in enumerate(data.decode("utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise SourceError(f"{path}: line {number} is no JSON ({error})") from error
        if not isinstance(row, dict):
            raise SourceError(
                f"{path}: line {number} of evaluation set {evaluation.name!r} is a {type(row).__name__}, "
                "not an object: write one JSON object on each line"
            )
        yield f"{path}: line {number}", row


def _hub_rows(evaluation: EvaluationSet) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            module="datasets", extra="pipeline", purpose=f"evaluation set {evaluation.name}"
        ) from error
    try:
        rows = datasets.load_dataset(
            evaluation.hub,
            evaluation.config,
            split=evaluation.split,
            revision=evaluation.revision,
            streaming=True,
        )
        for row in rows:
            yield str(evaluation.hub), row
    except DataprepError:
        raise
    except Exception as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SourceError(
            f"evaluation set {evaluation.name!r}: {evaluation.hub} cannot be read ({type(error).__name__}: "
            f"{first_line}). Check name, config, split and the network; a gated set needs 'hf auth login', "
            "and path takes a file of your own"
        ) from error
