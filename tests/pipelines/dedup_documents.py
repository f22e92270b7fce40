"""Document tables for the tests of deduplication: made from texts, signed and published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import artifacts, documents, storage
from dataprep.artifacts import Artifact, Manifest
from dataprep.dedup import SignatureConfig, sign, signature_schema


@dataclass(frozen=True)
class Row:
    """One raw row: its text (None for a dropped row), subset and URL."""

    text: str | None
    subset: str = "web"
    url: str | None = None


def publish_documents(
    root: Path,
    collection: str,
    files: Sequence[Sequence[Row]],
    *,
    number: int,
    web: bool = False,
    rows_per_part: int = 100_000,
    config: SignatureConfig | None = None,
) -> Artifact:
    """Publish a document table as ingest does: a part for each split, signatures beside it."""
    config = config or SignatureConfig()
    folder = str(root / "documents" / collection / "fingerprint00")
    entries = []
    for file_number, rows in enumerate(files):
        for split, first_row in enumerate(range(0, max(len(rows), 1), rows_per_part)):
            doc_id = documents.document_ids(
                collection=number, file=file_number, first_row=first_row, num_rows=rows_per_part
            )
            part_rows = rows[first_row : first_row + rows_per_part]
            stem = f"part-{file_number:05d}-{split:04d}"
            part = _write_part(folder, stem, part_rows, doc_id[: len(part_rows)], web=web, config=config)
            entries += [replace(part[0], details=_details(part_rows, file_number, first_row)), part[1]]
    manifest = Manifest(
        kind="documents",
        name=collection,
        fingerprint=artifacts.fingerprint_of("documents", config={"number": number}, inputs={}),
        inputs={},
        config={},
        seed=None,
        counts={},
        files=tuple(entries),
        details={"collection": collection, "corpus": collection.split("/")[0], "number": number},
    )
    return artifacts.publish(folder, manifest)


def _details(rows, file_number, first_row):
    subsets = {name: {} for name in sorted({row.subset for row in rows})}
    return {"file": file_number, "first_row": first_row, "subsets": subsets}


def _write_part(folder, stem, rows, doc_id, *, web, config):
    text = pa.array([row.text for row in rows], pa.large_string())
    subset = pa.array([row.subset for row in rows], pa.string())
    table = pa.table({"doc_id": doc_id, "text": text, "subset": subset})
    storage.make_folder(folder)
    pq.write_table(table, storage.join(folder, f"{stem}.parquet"), row_group_size=7)

    kept = np.flatnonzero(np.array([row.text is not None for row in rows], dtype=bool))
    batch = sign(
        text.take(pa.array(kept)),
        url=pa.array([row.url for row in rows], pa.string()).take(pa.array(kept)),
        doc_id=doc_id[kept],
        subset=subset.take(pa.array(kept)),
        config=config,
        web=web,
    )
    relative = f"signatures/{stem}.arrow"
    with (
        storage.atomic_output(storage.join(folder, relative)) as sink,
        pa.ipc.new_file(sink, signature_schema(config)) as writer,
    ):
        # Two batches, as a writer of a stream makes them.
        writer.write_batch(batch.slice(0, len(kept) // 2))
        writer.write_batch(batch.slice(len(kept) // 2))

    text_bytes = sum(len((row.text or "").encode()) for row in rows)
    counts = {"rows": len(rows), "kept": len(kept), "text_bytes": text_bytes}
    return [
        artifacts.describe_file(folder, f"{stem}.parquet", **counts),
        artifacts.describe_file(folder, relative),
    ]


def removals(duplicates: Artifact) -> Mapping[int, tuple[str, int]]:
    """Return all removed documents: id to (kind, id of the survivor)."""
    found = {}
    for entry in duplicates.manifest.files:
        table = pa.ipc.open_file(duplicates.path(entry.path)).read_all()
        for doc_id, kind, cluster in zip(*(table.column(i).to_pylist() for i in range(3)), strict=True):
            found[doc_id] = (kind, cluster)
    return found
