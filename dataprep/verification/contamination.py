"""Whether the search for evaluation items adds up, and what it removes are documents that were there."""

from __future__ import annotations

import itertools
from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.artifacts import Artifact
from dataprep.decontamination import (
    CONTAMINATED,
    CUT_SCHEMA,
    CUTS_FOLDER,
    HIT_SCHEMA,
    ITEMS_FILE,
    pieces_by_document,
)
from dataprep.dedup.files import read_arrow
from dataprep.dedup.removals import REMOVAL_SCHEMA
from dataprep.text.pieces import Pieces
from dataprep.verification.corpus import CorpusRows
from dataprep.verification.report import Findings


def check_contamination(
    artifact: Artifact, findings: Findings, *, damaged: Collection[str], corpus: CorpusRows | None
) -> None:
    """Check every list of removed or cut documents against its hits; mark what is removed in ``corpus``.

    Args:
        artifact: of kind ``contamination``.
        damaged: relative paths of files that are not worth reading.
        corpus: documents of the same build, duplicates marked; None: they are not at hand.
    """
    action = artifact.manifest.details.get("action")
    lists = {entry.path for entry in artifact.manifest.files if entry.path.endswith(".arrow")}
    totals = {"hits": 0, "contaminated": 0, "removed": 0, "cut": 0}
    for entry in artifact.manifest.files:
        if entry.path in damaged or not entry.path.startswith("hits/"):
            continue
        path = artifact.path(entry.path)
        with findings.reading(path):
            with storage.open_input(path) as stream:
                hits = pq.read_table(stream)
            if hits.schema.remove_metadata() != HIT_SCHEMA:
                findings.problem(f"{path}: columns are not those of a list of hits: {hits.schema.names}")
                continue
            doc_id = np.unique(hits.column("doc_id").to_numpy())
            totals["hits"] += hits.num_rows
            totals["contaminated"] += len(doc_id)
            findings.count(hits=hits.num_rows)
            relative = entry.path.removeprefix("hits/").removesuffix(".parquet") + ".arrow"
            cuts = f"{CUTS_FOLDER}/{relative}"
            if {relative, cuts} & set(damaged):
                continue
            if cuts in lists and action == "cut":
                pieces = _check_cuts(artifact, cuts, hits, findings)
                totals["cut"] += len(pieces)
                doc_id = doc_id[~np.isin(doc_id, np.array(list(pieces), np.uint64))]
            elif cuts in lists:
                findings.problem(f"{artifact.path(cuts)}: cuts documents, but the action is {action}")
            if (relative in lists) != (action != "report" and len(doc_id) > 0):
                findings.problem(f"{path}: has hits, but its removal list is {_presence(relative in lists)}")
            elif relative in lists:
                totals["removed"] += _check_removals(artifact, relative, doc_id, findings, corpus)
    if damaged:
        return
    for name, found in totals.items():
        findings.expect(found, artifact.manifest.counts.get(name, 0), f"{artifact.folder}: {name}")
    path = artifact.path(ITEMS_FILE)
    with findings.reading(path), storage.open_input(path) as stream:
        items = pq.read_table(stream)
        listed = sum(one["items"] for one in artifact.manifest.details["sets"].values())
        findings.expect(items.num_rows, listed, f"{path}: items")
        findings.count(items=items.num_rows)


def read_pieces(artifact: Artifact, wanted: Collection[int]) -> dict[int, Pieces]:
    """Return what stays of those of the wanted documents that are cut, by id."""
    found: dict[int, Pieces] = {}
    for entry in artifact.manifest.files:
        if entry.path.startswith(f"{CUTS_FOLDER}/"):
            own = pieces_by_document(read_arrow(artifact.path(entry.path)))
            found.update((doc_id, pieces) for doc_id, pieces in own.items() if doc_id in wanted)
    return found


def _check_cuts(artifact: Artifact, relative: str, hits: pa.Table, findings: Findings) -> dict[int, Pieces]:
    """Check that what stays of each cut document is in order and holds none of its hits; return it."""
    path = artifact.path(relative)
    with findings.reading(path):
        table = read_arrow(path)
        if table.schema.remove_metadata() != CUT_SCHEMA:
            findings.problem(
                f"{path}: columns are not those of a list of cut documents: {table.schema.names}"
            )
            return {}
        pieces = pieces_by_document(table)
        findings.count(cut=len(pieces))
        spans: dict[int, list[tuple[int, int]]] = {doc_id: [] for doc_id in pieces}
        for hit in hits.select(["doc_id", "starts", "stops"]).to_pylist():
            if hit["doc_id"] in spans:
                spans[hit["doc_id"]] += zip(hit["starts"], hit["stops"], strict=True)
        for doc_id, own in pieces.items():
            edges = [edge for piece in own for edge in piece]
            if not edges or any(a >= b for a, b in itertools.pairwise(edges)):
                findings.problem(f"{path}: the pieces of document {doc_id} are not ascending and apart")
            if not spans[doc_id]:
                findings.problem(f"{path}: document {doc_id} is cut, but has no hit")
            if any(a < stop and start < b for a, b in own for start, stop in spans[doc_id]):
                findings.problem(f"{path}: a piece of document {doc_id} holds what should be cut out of it")
        return pieces
    return {}


def _check_removals(
    artifact: Artifact,
    relative: str,
    expected: np.ndarray[tuple[int], np.dtype[np.uint64]],
    findings: Findings,
    corpus: CorpusRows | None,
) -> int:
    """Check one removal list; return how many documents it removes."""
    path = artifact.path(relative)
    with findings.reading(path):
        table = read_arrow(path).combine_chunks()
        if table.schema.remove_metadata() != REMOVAL_SCHEMA:
            findings.problem(f"{path}: columns are not those of a removal list: {table.schema.names}")
            return 0
        doc_id = table.column("doc_id").to_numpy()
        findings.count(removed=len(doc_id))
        if not np.array_equal(doc_id, expected):
            findings.problem(f"{path}: does not remove the documents of its hits, in ascending order")
        if set(table.column("kind").cast(pa.string()).to_pylist()) - {CONTAMINATED}:
            findings.problem(f"{path}: a document is removed for another reason than {CONTAMINATED!r}")
        if corpus is not None:
            removed = corpus.mark_removed(doc_id)
            if not removed.all():
                unknown = doc_id[np.flatnonzero(~removed)[0]]
                findings.problem(f"{path}: document {unknown} is not kept, or was removed before")
        return len(doc_id)
    return 0


def _presence(there: bool) -> str:  # noqa: FBT001
    return "there" if there else "missing"
