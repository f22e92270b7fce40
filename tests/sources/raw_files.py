"""Small raw files in the corpora's native layouts, for the tests of the readers."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from dataprep.sources import (
    ReadReport,
    load_catalog,
    read_batches,
    resolve_collection,
    split_collection,
)

CATALOG = load_catalog()

COMPRESS = {
    "": lambda data: data,
    ".zst": zstandard.ZstdCompressor().compress,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
}


def json_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as JSON lines."""
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def write(path: Path, data: bytes) -> Path:
    """Write a file and the folders above it, compressed as its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix if path.suffix in COMPRESS else ""
    path.write_bytes(COMPRESS[suffix](data))
    return path


def write_parquet(path: Path, columns: Mapping[str, Sequence[Any] | pa.Array], **options: Any) -> Path:
    """Write a Parquet file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path, **options)
    return path


def read_all(
    corpus: str,
    subset: str | None,
    data_root: Path | str,
    *,
    catalog: Any = CATALOG,
    report: ReadReport | None = None,
    skip_bad_files: bool = False,
    max_split_bytes: int = 256 << 20,
    batch_bytes: int = 8 << 20,
) -> list[dict[str, Any]]:
    """Return every row of a collection, as dictionaries."""
    entry = catalog.corpus(corpus)
    collection = resolve_collection(entry, subset, data_root=str(data_root))
    items = split_collection(
        collection, entry, max_split_bytes=max_split_bytes, skip_bad_files=skip_bad_files
    )
    rows: list[dict[str, Any]] = []
    for item in items:
        for batch in read_batches(
            item, entry, batch_bytes=batch_bytes, skip_bad_files=skip_bad_files, report=report
        ):
            batch.validate(full=True)
            rows += batch.to_pylist()
    return rows


def column(rows: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    """Return one column of rows."""
    return [row[name] for row in rows]
