"""Raw files in the shapes in which the corpora are published: Parquet, jsonl, jsonl.zst."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from dataprep import storage

Row = Mapping[str, Any]

REFINEDWEB = pa.schema(
    [
        ("content", pa.string()),
        ("url", pa.string()),
        ("timestamp", pa.timestamp("ms")),
        ("dump", pa.string()),
        ("segment", pa.string()),
        ("image_urls", pa.list_(pa.list_(pa.string()))),
    ]
)
STARCODER = pa.schema(
    [
        ("max_stars_repo_path", pa.string()),
        ("max_stars_repo_name", pa.string()),
        ("max_stars_count", pa.int64()),
        ("id", pa.string()),
        ("content", pa.string()),
    ]
)
STARCODER_SCRIPTS = pa.schema([("path", pa.string()), ("repo_name", pa.string()), ("content", pa.string())])
STARCODER_COMMITS = pa.schema(
    [("commit", pa.string()), ("old_file", pa.string()), ("new_file", pa.string()), ("content", pa.string())]
)
STARCODER_ISSUES = pa.schema(
    [("repo", pa.string()), ("issue_id", pa.string()), ("issue_number", pa.int64()), ("content", pa.string())]
)
CULTURAX = pa.schema([(name, pa.string()) for name in ("text", "timestamp", "url", "source")])

_FRAME_ROWS = 200
"""Rows in one zstd frame: published dumps are often several frames after one another."""


def write_parquet(path: str, rows: Sequence[Row], schema: pa.Schema) -> None:
    """Write rows as Parquet with zstd pages and small row groups."""
    table = pa.Table.from_pylist(list(rows), schema=schema)
    with storage.atomic_output(path) as sink:
        pq.write_table(table, sink, compression="zstd", row_group_size=1000)


def write_jsonl(path: str, rows: Sequence[Row]) -> None:
    """Write rows as JSON lines; a name that ends in ``.zst`` is compressed in several frames."""
    lines = [json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows]
    with storage.atomic_output(path) as sink:
        if not path.endswith(".zst"):
            sink.writelines(lines)
            return
        compressor = zstandard.ZstdCompressor(level=3)
        for start in range(0, len(lines), _FRAME_ROWS):
            sink.write(compressor.compress(b"".join(lines[start : start + _FRAME_ROWS])))
