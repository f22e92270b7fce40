"""Whether the removal lists name documents that exist, and leave one copy of each alive."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from dataprep.artifacts import Artifact
from dataprep.dedup.files import read_arrow
from dataprep.dedup.removals import KINDS, REMOVAL_SCHEMA
from dataprep.verification.corpus import NO_SOURCE, CorpusRows
from dataprep.verification.report import Findings


def check_duplicates(
    artifact: Artifact, findings: Findings, *, damaged: Collection[str], corpus: CorpusRows | None
) -> None:
    """Check every removal list and mark what it removes in ``corpus``.

    Args:
        artifact: of kind ``duplicates``.
        damaged: relative paths of files that are not worth reading.
        corpus: documents of the same build; None: they are not at hand.
    """
    survivors: list[npt.NDArray[np.uint64]] = []
    totals = dict.fromkeys((*KINDS, "removed"), 0)
    for entry in artifact.manifest.files:
        if entry.path in damaged:
            continue
        path = artifact.path(entry.path)
        with findings.reading(path):
            table = read_arrow(path).combine_chunks()
            if table.schema.remove_metadata() != REMOVAL_SCHEMA:
                findings.problem(f"{path}: columns are not those of a removal list: {table.schema.names}")
                continue
            doc_id, cluster = table.column("doc_id").to_numpy(), table.column("cluster").to_numpy()
            kinds = table.column("kind").cast("string").to_pylist()
            totals["removed"] += len(doc_id)
            for kind in KINDS:
                totals[kind] += kinds.count(kind)
            findings.count(removed=len(doc_id))
            falling = np.flatnonzero(doc_id[1:] <= doc_id[:-1])
            if len(falling):
                findings.problem(f"{path}: row {falling[0] + 1}: documents do not ascend")
            if bool((cluster == doc_id).any()):
                findings.problem(f"{path}: a document is removed in favour of itself")
            if corpus is not None:
                removed = corpus.mark_removed(doc_id)
                if not removed.all():
                    unknown = doc_id[np.flatnonzero(~removed)[0]]
                    findings.problem(f"{path}: document {unknown} is not kept by its table, or removed twice")
            survivors.append(np.unique(cluster))
    for name, found in totals.items():
        if not damaged:
            findings.expect(found, artifact.manifest.counts.get(name, 0), f"{artifact.folder}: {name}")
    if corpus is None or not survivors:
        return
    wanted = np.unique(np.concatenate(survivors))
    lost = wanted[corpus.alive_source(wanted) == NO_SOURCE]
    findings.count(clusters=len(wanted))
    if len(lost):
        findings.problem(
            f"{artifact.folder}: {len(lost):,} documents survive their duplicates but are not kept or not "
            f"selected by the mixture, e.g. {lost[0]}"
        )
