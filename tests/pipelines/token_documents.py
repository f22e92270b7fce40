"""Publish small document tables for tests of what comes after ingest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import artifacts, documents, storage
from dataprep.artifacts import Artifact, Manifest


@dataclass(frozen=True)
class Row:
    """One document; its raw row is its position in its part."""

    text: str | None
    subset: str | None = "web"
    verdict: str = "keep"


def publish_documents(
    root: str,
    parts: Sequence[Sequence[Row]],
    *,
    collection: str = "refinedweb",
    corpus: str | None = None,
    number: int = 1,
) -> Artifact:
    """Publish a documents artifact with one raw file and one part for each sequence of rows."""
    fingerprint = artifacts.fingerprint_of("documents", config={"n": number}, inputs={"rows": repr(parts)})
    folder = artifacts.folder_of(root, "documents", collection, fingerprint)
    files, subsets = [], {}
    for file_number, rows in enumerate(parts):
        relative = f"part-{file_number:05d}-0000.parquet"
        table = _table(rows, corpus=corpus or collection, number=number, file_number=file_number)
        storage.make_folder(folder)
        pq.write_table(table, storage.join(folder, relative), compression="zstd")
        own = _count_subsets(rows)
        for subset, counts in own.items():
            subsets[subset] = artifacts.sum_counts([subsets.get(subset, {}), counts])
        entry = artifacts.describe_file(folder, relative, **artifacts.sum_counts(own.values()))
        files.append(
            artifacts.FileEntry(
                entry.path,
                entry.size_bytes,
                entry.sha256,
                entry.counts,
                {"file": file_number, "origin": _origin(file_number), "first_row": 0, "subsets": own},
            )
        )
    manifest = Manifest(
        kind="documents",
        name=collection,
        fingerprint=fingerprint,
        inputs={},
        config={},
        seed=None,
        counts=artifacts.sum_counts(entry.counts for entry in files),
        files=tuple(files),
        details={
            "corpus": corpus or collection,
            "collection": collection,
            "number": number,
            "license": "ODC-By-1.0",
            "subsets": subsets,
        },
    )
    return artifacts.publish(folder, manifest)


def doc_id_of(file: int, row: int, *, number: int = 1) -> int:
    """Return the id of a row that ``publish_documents`` wrote."""
    return int(documents.document_ids(collection=number, file=file, first_row=row, num_rows=1)[0])


def _origin(file_number: int) -> str:
    return f"data/{file_number:05d}.jsonl"


def _table(rows: Sequence[Row], *, corpus: str, number: int, file_number: int) -> pa.Table:
    count = len(rows)
    columns = {
        "doc_id": documents.document_ids(collection=number, file=file_number, first_row=0, num_rows=count),
        "text": [row.text for row in rows],
        "source": [corpus] * count,
        "subset": [row.subset for row in rows],
        "origin": [_origin(file_number)] * count,
        "origin_row": range(count),
        "num_bytes": [_size(row) for row in rows],
        "verdict": [row.verdict for row in rows],
    }
    schema = documents.document_schema([])
    arrays = []
    for field in schema:
        values = columns.get(field.name, [None] * count)
        if pa.types.is_dictionary(field.type):
            arrays.append(pa.array(values, pa.string()).dictionary_encode().cast(field.type))
        else:
            arrays.append(pa.array(values, field.type))
    return pa.table(arrays, schema=schema)


def _size(row: Row) -> int:
    return len((row.text or "").encode())


def _count_subsets(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        one = counts.setdefault(row.subset or "", {"rows": 0, "kept": 0, "text_bytes": 0})
        one["rows"] += 1
        if row.verdict == "keep":
            one["kept"] += 1
            one["text_bytes"] += _size(row)
    return counts
