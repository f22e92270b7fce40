"""Deduplication of signed documents: the passes, verification and clusters, without the texts.

The documents are those of the corpora, again and again, with some of their signature values
changed: one in three is a near-duplicate, one in ten an exact copy.
"""

from __future__ import annotations

import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.measuring import Amount, Case, Run
from benchmarks.texts import Texts
from dataprep import artifacts, storage
from dataprep.artifacts import Artifact, FileEntry, Manifest
from dataprep.dedup import DedupConfig, SignatureConfig, sign, signature_schema
from dataprep.dedup.bands import band_keys
from dataprep.dedup.files import write_arrow
from dataprep.dedup.signatures import fixed_lists
from dataprep.documents import document_ids
from pipelines.deduplicate import deduplicate
from pipelines.engine import Engine

NUM_DOCUMENTS = 200_000
DOCUMENTS_PER_PART = 20_000
MEAN_CHANGED_VALUES = 0.1
"""Share of signature values in which a near-duplicate differs from its original."""


def deduplication(texts: Texts) -> Run:
    """Exact copies, near-duplicates and clusters of 200,000 documents, in one process."""
    return _deduplication(texts, new=0.57, near=0.33)


def one_cluster(texts: Texts) -> Run:
    """As many documents that are all near-duplicates of the same text, such as a notice of a licence."""
    return _deduplication(Texts(texts.column[:1], texts.text_bytes // len(texts)), new=0.0, near=1.0)


def _deduplication(texts: Texts, *, new: float, near: float) -> Run:
    folder = tempfile.mkdtemp(prefix="dataprep-benchmark-")
    table = _publish_signatures(texts, folder, new=new, near=near)

    def run() -> Amount:
        result = deduplicate(
            "benchmark",
            documents=[table],
            ranks={("web", "web"): 0},
            sources=["web"],
            config=DedupConfig(),
            output=folder,
            engine=Engine(),
        )
        assert result.manifest.counts["removed"] > NUM_DOCUMENTS // 4
        storage.remove_tree(folder)
        size_bytes = texts.text_bytes * NUM_DOCUMENTS // len(texts)
        return Amount(size_bytes, result.manifest.counts["documents"])

    return run


def _publish_signatures(texts: Texts, folder: str, *, new: float, near: float) -> Artifact:
    config = SignatureConfig()
    originals = sign(
        texts.column,
        url=None,
        doc_id=np.arange(len(texts), dtype=np.uint64),
        subset=pa.array(["web"] * len(texts)),
        config=config,
        web=False,
    )
    table_folder = storage.join(folder, "documents", "web", "benchmark")
    rng = np.random.default_rng(1)
    entries = []
    for number in range(NUM_DOCUMENTS // DOCUMENTS_PER_PART):
        part = _changed(originals, rng, config, number, new=new, near=near)
        stem = f"part-{number:05d}-0000"
        write_arrow(storage.join(table_folder, f"signatures/{stem}.arrow"), part)
        storage.write_bytes(storage.join(table_folder, f"{stem}.parquet"), b"")
        counts = {
            "rows": part.num_rows,
            "kept": part.num_rows,
            "text_bytes": pc.sum(part.column("num_bytes")).as_py(),
        }
        described = artifacts.describe_file(table_folder, f"{stem}.parquet")
        details = {"file": number, "first_row": 0, "subsets": {"web": {}}}
        entries.append(FileEntry(described.path, described.size_bytes, described.sha256, counts, details))
    details = {"collection": "web", "number": 1}
    manifest = Manifest("documents", "web", "0" * 64, {}, {}, None, {}, tuple(entries), details)
    return artifacts.publish(table_folder, manifest)


def _changed(
    originals: pa.RecordBatch,
    rng: np.random.Generator,
    config: SignatureConfig,
    number: int,
    *,
    new: float,
    near: float,
) -> pa.RecordBatch:
    rows = rng.integers(0, originals.num_rows, DOCUMENTS_PER_PART)
    batch = originals.take(pa.array(rows))
    kind = rng.random(DOCUMENTS_PER_PART)
    is_new, is_near = kind < new, (kind >= new) & (kind < new + near)
    changes = np.where(is_new, 1.0, np.where(is_near, MEAN_CHANGED_VALUES, 0.0))
    signatures = fixed_lists(batch.column("signature"))
    noise = rng.integers(0, 1 << 32, signatures.shape, dtype=np.uint32)
    signatures = np.where(rng.random(signatures.shape) < changes[:, None], noise, signatures)
    num_bands, rows_per_band = config.stored_bands
    bands = band_keys(signatures, num_bands=num_bands, rows_per_band=rows_per_band)
    fresh = rng.integers(0, 1 << 63, DOCUMENTS_PER_PART).astype(np.uint64)
    content = np.where(is_new | is_near, fresh, np.asarray(batch.column("content_hi")))
    schema = signature_schema(config)
    columns = {name: batch.column(name) for name in schema.names} | {
        "doc_id": pa.array(document_ids(collection=1, file=number, first_row=0, num_rows=DOCUMENTS_PER_PART)),
        "content_hi": pa.array(content),
        "bands": pa.FixedSizeListArray.from_arrays(
            pa.array(bands.reshape(-1)), type=schema.field("bands").type
        ),
        "signature": pa.FixedSizeListArray.from_arrays(
            pa.array(signatures.reshape(-1)), type=schema.field("signature").type
        ),
    }
    return pa.record_batch([columns[name] for name in schema.names], schema=schema)


CASES = (
    Case("deduplicate 200,000 documents", deduplication, max_bytes=8_000_000),
    Case("the same number in one cluster", one_cluster, max_bytes=8_000_000),
)
