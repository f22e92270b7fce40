"""Whether a document table adds up, and keeps nothing that it must not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Executor
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.artifacts import Artifact, FileEntry, sum_counts
from dataprep.documents import BAD_ROW_REASONS, FILE_BITS, KEEP, MAX_ROW, ROW_BITS
from dataprep.text.edits import EDITED, EDITED_BYTES, PIECE_PREFIX
from dataprep.text.pii import Pii
from dataprep.verification.corpus import PartRows
from dataprep.verification.provenance import (
    PROVENANCE_COLUMNS,
    allowed_licenses,
    forbidden_rows,
    unlicensed_rows,
)
from dataprep.verification.report import Findings

_COLUMNS = ("doc_id", "text", *PROVENANCE_COLUMNS, "origin", "origin_row", "num_bytes", "verdict")
(_REDACTIONS,) = Pii.SIGNALS
_TEXTLESS = (*BAD_ROW_REASONS, "held_out_split")
"""Verdicts whose rows never have a text, with all that begin with ``excluded_``."""


def check_document_table(
    artifact: Artifact,
    findings: Findings,
    *,
    damaged: Collection[str],
    wanted_texts: npt.NDArray[np.uint64],
    texts: dict[int, tuple[str, str]],
    executor: Executor,
) -> list[PartRows]:
    """Check every part of a document table; return what later checks need of its rows.

    Args:
        artifact: of kind ``documents``.
        damaged: relative paths of files that are not worth reading.
        wanted_texts: ids, ascending, of the documents whose text is wanted.
        texts: gets (corpus, text) of these documents.
    """
    entries = [entry for entry in artifact.manifest.files if entry.path.endswith(".parquet")]
    readable = [entry for entry in entries if entry.path not in damaged]
    rows = executor.map(lambda e: _check_part(artifact, e, findings, damaged, wanted_texts, texts), readable)
    parts = [part for part in rows if part is not None]
    totals = sum_counts(entry.counts for entry in entries)
    for name, value in totals.items():
        expected = artifact.manifest.counts.get(name, 0)
        findings.expect(value, expected, f"{artifact.folder}: sum of {name} over its parts")
    return sorted(parts, key=lambda part: (part.file, int(part.rows[0]) if len(part.rows) else 0))


def _check_part(
    artifact: Artifact,
    entry: FileEntry,
    findings: Findings,
    damaged: Collection[str],
    wanted_texts: npt.NDArray[np.uint64],
    texts: dict[int, tuple[str, str]],
) -> PartRows | None:
    path, details = artifact.path(entry.path), artifact.manifest.details
    corpus = details["corpus"]
    columns: dict[str, list[Any]] = {"doc_id": [], "kept": [], "subset": [], "counts": []}
    with findings.reading(path):
        with storage.open_input(path) as stream, pq.ParquetFile(stream) as table:
            redacted = _REDACTIONS in table.schema_arrow.names
            names = [*_COLUMNS, _REDACTIONS] if redacted else list(_COLUMNS)
            for batch in table.iter_batches(4096, columns=names, use_threads=False):
                _check_batch(artifact, entry, batch, findings)
                doc_id = batch.column("doc_id").to_numpy()
                verdict = batch.column("verdict").cast(pa.string())
                columns["doc_id"].append(doc_id)
                columns["kept"].append(_numpy(pc.equal(verdict, KEEP)))
                columns["subset"].append(batch.column("subset").cast(pa.string()))
                columns["counts"].append(_counts(batch, verdict))
                for row in np.flatnonzero(np.isin(doc_id, wanted_texts)).tolist():
                    texts[int(doc_id[row])] = (corpus, batch.column("text")[row].as_py() or "")
        doc_id = np.concatenate([np.zeros(0, np.uint64), *columns["doc_id"]])
        kept = np.concatenate([np.zeros(0, np.bool_), *columns["kept"]])
        _check_ids(artifact, entry, doc_id, findings)
        found = sum_counts(columns["counts"])
        told = _recountable(entry.counts)
        for name in sorted(found.keys() | told.keys()):
            findings.expect(found.get(name, 0), told.get(name, 0), f"{path}: {name}")
        findings.count(documents=len(doc_id), kept=int(kept.sum()))
        _check_signatures(artifact, entry, doc_id[kept], findings, damaged)
        subset = pa.chunked_array(columns["subset"], pa.string()).combine_chunks().dictionary_encode()
        return PartRows(
            collection=details["collection"],
            number=details["number"],
            file=entry.details["file"],
            origin=entry.details["origin"],
            rows=(doc_id & np.uint64(MAX_ROW)).astype(np.int64),
            kept=kept,
            subset=subset.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int16),
            subsets=tuple(subset.dictionary.to_pylist()),
        )
    return None


def _check_batch(artifact: Artifact, entry: FileEntry, batch: pa.RecordBatch, findings: Findings) -> None:
    """Check what concerns single rows."""
    path = artifact.path(entry.path)
    verdict = batch.column("verdict").cast(pa.string())
    kept = _numpy(pc.equal(verdict, KEEP))
    has_text = _numpy(pc.is_valid(batch.column("text")))
    adapter = artifact.manifest.config.get("adapter", "")
    forbidden = forbidden_rows(adapter, batch.column("subset"), batch.column("meta"))
    _expect_none(findings, path, batch, kept & forbidden, "kept although its corpus may not contribute it")
    allowed = allowed_licenses(artifact.manifest.config)
    if allowed:
        unlicensed = unlicensed_rows(allowed, batch.column("subset"), batch.column("license"))
        _expect_none(findings, path, batch, kept & unlicensed, "kept although its licence is not allowed")
    _expect_none(findings, path, batch, kept & ~has_text, "kept without a text")
    textless = pc.or_(pc.is_in(verdict, pa.array(_TEXTLESS)), pc.starts_with(verdict, "excluded_"))
    _expect_none(findings, path, batch, _numpy(textless) & has_text, "excluded, but its text is stored")
    length = _numpy(pc.fill_null(pc.binary_length(batch.column("text")), 0))
    wrong = has_text & (length != batch.column("num_bytes").to_numpy())
    _expect_none(findings, path, batch, wrong, "num_bytes is not the size of the text")
    origin_row = batch.column("origin_row").to_numpy()
    doc_id = batch.column("doc_id").to_numpy()
    wrong = (doc_id & np.uint64(MAX_ROW)) != origin_row
    _expect_none(findings, path, batch, wrong, "doc_id and origin_row do not fit")
    origins = pc.unique(batch.column("origin").cast(pa.string())).to_pylist()
    findings.expect(origins, [entry.details["origin"]] if batch.num_rows else [], f"{path}: origin")


def _check_ids(
    artifact: Artifact, entry: FileEntry, doc_id: npt.NDArray[np.uint64], findings: Findings
) -> None:
    path = artifact.path(entry.path)
    expected = (artifact.manifest.details["number"] << FILE_BITS) | entry.details["file"]
    others = np.flatnonzero(doc_id >> np.uint64(ROW_BITS) != expected)
    if len(others):
        findings.problem(
            f"{path}: row {others[0]}: doc_id {doc_id[others[0]]} is of another file or collection"
        )
    falling = np.flatnonzero(doc_id[1:] <= doc_id[:-1])
    if len(falling):
        findings.problem(f"{path}: row {falling[0] + 1}: doc_id {doc_id[falling[0] + 1]} does not ascend")
    if len(doc_id) and int(doc_id[0] & np.uint64(MAX_ROW)) < entry.details["first_row"]:
        findings.problem(f"{path}: begins before row {entry.details['first_row']} of its raw file")


def _check_signatures(
    artifact: Artifact,
    entry: FileEntry,
    kept_id: npt.NDArray[np.uint64],
    findings: Findings,
    damaged: Collection[str],
) -> None:
    """Check that the signature file beside a part has exactly the part's kept documents."""
    relative = f"signatures/{entry.path.removesuffix('.parquet')}.arrow"
    path = artifact.path(relative)
    if relative in damaged:
        return
    with findings.reading(path), storage.open_input(path) as stream:
        reader = pa.ipc.open_file(stream)
        ids = [reader.get_batch(i).column("doc_id").to_numpy() for i in range(reader.num_record_batches)]
        found = np.concatenate([np.zeros(0, np.uint64), *ids])
        if not np.array_equal(found, kept_id):
            findings.problem(f"{path}: its {len(found):,} documents are not the {len(kept_id):,} kept ones")


def _counts(batch: pa.RecordBatch, verdict: pa.Array) -> Mapping[str, int]:
    counted = {row["values"]: row["counts"] for row in pc.value_counts(verdict).to_pylist()}
    kept = counted.pop(KEEP, 0)
    size = pc.sum(pc.if_else(pc.equal(verdict, KEEP), batch.column("num_bytes"), 0)).as_py() or 0
    reasons = {f"reason:{reason}": count for reason, count in counted.items()}
    counts = {"rows": batch.num_rows, "kept": kept, "text_bytes": size, **reasons}
    if _REDACTIONS in batch.schema.names:
        redactions = pc.if_else(pc.equal(verdict, KEEP), batch.column(_REDACTIONS), 0)
        counts[_REDACTIONS] = int(pc.sum(pc.fill_null(redactions, 0)).as_py() or 0)
    return counts


def _recountable(counts: Mapping[str, int]) -> Mapping[str, int]:
    """Return the counts of a part that its table can confirm: of removed pieces, only redactions together."""
    pieces = {name: number for name, number in counts.items() if name.startswith(PIECE_PREFIX)}
    others = counts.keys() - pieces.keys() - {EDITED, EDITED_BYTES}
    redactions = sum(pieces.get(PIECE_PREFIX + kind, 0) for kind in Pii.KINDS)
    return {name: counts[name] for name in others} | {_REDACTIONS: redactions}


def _expect_none(
    findings: Findings, path: str, batch: pa.RecordBatch, wrong: npt.NDArray[np.bool_], what: str
) -> None:
    places = np.flatnonzero(wrong)
    if len(places):
        doc_id = batch.column("doc_id")[int(places[0])].as_py()
        findings.problem(f"{path}: document {doc_id}: {what} ({len(places):,} rows of a batch)")


def _numpy(values: pa.Array) -> npt.NDArray[Any]:
    return np.asarray(values.to_numpy(zero_copy_only=False))
