"""Decontaminate: document tables to the documents that hold evaluation items, and the report of them.

One task searches one part of a document table, the documents that are kept, selected and no
duplicates; nothing is shuffled. What a match is stands in ``dataprep.decontamination``.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataprep import artifacts, documents, storage
from dataprep.artifacts import Artifact, FileEntry, Manifest
from dataprep.decontamination import (
    HIT_SCHEMA,
    ITEMS_FILE,
    CutConfig,
    DecontaminationConfig,
    ItemIndex,
    cut_batch,
    cut_out,
    cuts_path,
    hit_batch,
    hits_path,
    item_report,
    read_items,
    removal_of,
    set_identity,
)
from dataprep.dedup.files import read_arrow, write_arrow
from dataprep.dedup.removals import removals_path
from dataprep.text.buffers import large_strings
from dataprep.text.pieces import Pieces
from pipelines.engine import Engine, Task, run_tasks

Ranks = Mapping[tuple[str, str], int]

_WORK_FOLDER = "_work"
_COLUMNS = ("doc_id", "text", "subset", "origin", "origin_row", "num_bytes", "verdict")
_BATCH_BYTES = 8 << 20
"""Text that is searched at a time, about."""
_MAX_BATCH_ROWS = 16384


def decontaminate(
    name: str,
    *,
    documents: Sequence[Artifact],
    duplicates: Artifact | None,
    ranks: Ranks,
    sources: Sequence[str],
    config: DecontaminationConfig,
    output: str,
    engine: Engine,
) -> Artifact:
    """Search the documents that a mixture selects for evaluation items; publish ``contamination/<name>``.

    Args:
        name: name of the mixture.
        documents: document tables.
        duplicates: what is not searched because it is left out anyway; None: nothing is.
        ranks: for each (collection, subset) that takes part the index in ``sources`` of the mixture
            source that selects it.
        sources: names of the mixture sources; those that ``config`` does not name are not searched.
        config: evaluation sets and rules.
        output: root of all artifacts.
        engine: where the work runs.

    Raises:
        SourceError: an evaluation set is not there, or lacks a field.
    """
    if config.action == "cut" and config.cut is None:
        config = config.model_copy(update={"cut": CutConfig()})
    searched = {place: rank for place, rank in ranks.items() if config.searches(sources[rank])}
    tables = [read_items(one) for one in config.sets]
    items = pa.concat_tables(tables)
    identity = {
        # Where a set lies is no matter: its items are among the inputs.
        "decontamination": config.model_dump(mode="json", exclude={"sets"} | _unused(config)),
        "sets": [one.name for one in config.sets],
        "sources": list(sources),
        "ranks": [[collection, subset, rank] for (collection, subset), rank in sorted(searched.items())],
    }
    inputs = {f"documents/{artifact.manifest.name}": artifact.manifest.fingerprint for artifact in documents}
    inputs |= {
        f"evaluation/{one.name}": set_identity(table) for one, table in zip(config.sets, tables, strict=True)
    }
    if duplicates is not None:
        inputs["duplicates"] = duplicates.manifest.fingerprint
    fingerprint = artifacts.fingerprint_of("contamination", config=identity, inputs=inputs)
    folder = artifacts.folder_of(output, "contamination", name, fingerprint)
    work_folder = storage.join(folder, _WORK_FOLDER)
    if artifacts.is_published(folder):
        storage.remove_tree(work_folder)
        return artifacts.open_artifact(folder, kind="contamination")

    items_path = storage.join(work_folder, ITEMS_FILE)
    with storage.atomic_output(items_path) as sink:
        pq.write_table(items, sink)
    job = _Job(folder, items_path, config, tuple(sources))
    tasks = list(_tasks(job, documents, duplicates, searched))
    results = list(run_tasks("decontaminate", tasks, search_part, engine=engine).values())

    index = ItemIndex(items, config)
    per_item = Counter[int]()
    for result in results:
        per_item.update({int(row): number for row, number in result["items"].items()})
    report = item_report(items, index, per_item)
    with storage.atomic_output(storage.join(folder, ITEMS_FILE)) as sink:
        pq.write_table(report, sink, compression="zstd")
    files = [FileEntry(**entry) for result in results for entry in result["files"]]
    files.append(artifacts.describe_file(folder, ITEMS_FILE, rows=report.num_rows))
    manifest = Manifest(
        kind="contamination",
        name=name,
        fingerprint=fingerprint,
        inputs=inputs,
        config=identity,
        seed=None,
        counts=artifacts.sum_counts(result["counts"] for result in results),
        files=tuple(sorted(files, key=lambda entry: entry.path)),
        details={
            "action": config.action,
            "sources": [source for source in sources if config.searches(source)],
            "per_source": _per_source(sources, config, results),
            "sets": {one.name: _set_details(one.name, report, results) for one in config.sets},
        },
        packages=artifacts.package_versions("numba", "numpy", "pyarrow"),
    )
    published = artifacts.publish(folder, manifest)
    storage.remove_tree(work_folder)
    return published


@dataclass(frozen=True)
class _Job:
    """What all tasks share."""

    folder: str
    items_path: str
    config: DecontaminationConfig
    sources: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """One part of a document table, and which source selects each of its subsets."""

    job: _Job
    collection: str
    name: str
    path: str
    removals_path: str | None
    source_of: Mapping[str, str]
    batch_rows: int


def _tasks(
    job: _Job, tables: Sequence[Artifact], duplicates: Artifact | None, ranks: Ranks
) -> Iterator[Task]:
    removals = {entry.path for entry in duplicates.manifest.files} if duplicates is not None else set()
    for table in sorted(tables, key=lambda table: table.manifest.name):
        collection = table.manifest.name
        source_of = {subset: job.sources[rank] for (own, subset), rank in ranks.items() if own == collection}
        for entry in table.manifest.files:
            subsets = entry.details.get("subsets", {})
            chosen = [subsets[subset] for subset in source_of if subset in subsets]
            if not any(counts["kept"] for counts in chosen):
                continue
            removed = removals_path(collection, entry.path)
            stem = entry.path.removesuffix(".parquet")
            name = f"{collection}-{stem}".replace("/", "-")
            mean_bytes = entry.counts["text_bytes"] / max(1, entry.counts["rows"])
            part = _Part(
                job,
                collection,
                entry.path,
                table.path(entry.path),
                duplicates.path(removed) if duplicates and removed in removals else None,
                source_of,
                max(1, min(_MAX_BATCH_ROWS, int(_BATCH_BYTES / max(1.0, mean_bytes)))),
            )
            marker = storage.join(job.folder, artifacts.DONE_FOLDER, f"{name}.json")
            yield Task(name, marker, part, sum(counts["text_bytes"] for counts in chosen))


def search_part(part: _Part) -> dict[str, Any]:
    """Search one part; write its hits and its removal list; return counts and manifest entries."""
    items, index = _items_and_index(part.job.items_path, part.job.config)
    found = _Found()
    hits: list[pa.RecordBatch] = []
    for batch, sources in _selected(part):
        text = large_strings(batch.column("text"))
        matches = index.find(text)
        found.count_documents(batch, sources)
        if matches:
            hits.append(hit_batch(batch, sources, items, matches))
            found.count_hits(batch, sources, [(match.text, match.item) for match in matches])
            if part.job.config.cut is not None:
                found.count_cuts(batch, sources, cut_out(text, matches, index, part.job.config.cut))
    files = []
    if hits:
        table = pa.Table.from_batches(hits, schema=HIT_SCHEMA)
        relative = hits_path(part.collection, part.name)
        with storage.atomic_output(storage.join(part.job.folder, relative)) as sink:
            pq.write_table(table, sink, compression="zstd")
        files.append(asdict(artifacts.describe_file(part.job.folder, relative, hits=table.num_rows)))
        doc_id = np.unique(table.column("doc_id").to_numpy())
        doc_id = doc_id[~np.isin(doc_id, np.array(list(found.pieces), np.uint64))]
        if part.job.config.action != "report" and len(doc_id):
            relative = removals_path(part.collection, part.name)
            write_arrow(storage.join(part.job.folder, relative), removal_of(doc_id))
            files.append(asdict(artifacts.describe_file(part.job.folder, relative, removed=len(doc_id))))
        if found.pieces:
            relative = cuts_path(part.collection, part.name)
            batch = cut_batch(sorted(found.pieces), [found.pieces[one] for one in sorted(found.pieces)])
            write_arrow(storage.join(part.job.folder, relative), batch)
            files.append(asdict(artifacts.describe_file(part.job.folder, relative, cut=batch.num_rows)))
    return {
        "counts": found.totals(part.job.config) | {"hits": sum(batch.num_rows for batch in hits)},
        "per_source": found.per_source,
        "items": {str(item): number for item, number in sorted(found.items.items())},
        "sets": _documents_per_set(items, found.pairs),
        "files": files,
    }


class _Found:
    """Counts of one part."""

    def __init__(self) -> None:
        self.per_source: dict[str, dict[str, int]] = {}
        self.items = Counter[int]()
        self.pairs: set[tuple[int, int]] = set()
        """(document, item)"""
        self.pieces: dict[int, Pieces] = {}
        """What stays of the documents that are cut, by id."""

    def count_documents(self, batch: pa.RecordBatch, sources: Sequence[str]) -> None:
        """Count what was searched."""
        for source, size in zip(sources, batch.column("num_bytes").to_pylist(), strict=True):
            own = self._of(source)
            own["documents"] += 1
            own["bytes"] += size

    def count_hits(
        self, batch: pa.RecordBatch, sources: Sequence[str], hits: Sequence[tuple[int, int]]
    ) -> None:
        """Count what was found; a document that several rules or items hit is counted once."""
        doc_id, num_bytes = batch.column("doc_id").to_pylist(), batch.column("num_bytes").to_pylist()
        for row in {row for row, _ in hits}:
            own = self._of(sources[row])
            own["contaminated"] += 1
            own["contaminated_bytes"] += num_bytes[row]
        for row, item in set(hits):
            self.items[item] += 1
            self.pairs.add((doc_id[row], item))

    def count_cuts(self, batch: pa.RecordBatch, sources: Sequence[str], pieces: Mapping[int, Pieces]) -> None:
        """Count what stays and what goes of the contaminated documents, where items are cut out."""
        doc_id, num_bytes = batch.column("doc_id").to_pylist(), batch.column("num_bytes").to_pylist()
        for row, own in pieces.items():
            counts = self._of(sources[row])
            size = num_bytes[row] - sum(stop - start for start, stop in own)
            if own:
                self.pieces[doc_id[row]] = own
            for name, number in (
                (("cut", 1), ("cut_bytes", size)) if own else (("removed", 1), ("removed_bytes", size))
            ):
                counts[name] = counts.get(name, 0) + number

    def _of(self, source: str) -> dict[str, int]:
        names = ("documents", "bytes", "contaminated", "contaminated_bytes")
        return self.per_source.setdefault(source, dict.fromkeys(names, 0))

    def totals(self, config: DecontaminationConfig) -> dict[str, int]:
        """Return the counts of all sources, and what of it leaves the training data."""
        totals = {"documents": 0, "bytes": 0, "contaminated": 0, "contaminated_bytes": 0}
        totals |= artifacts.sum_counts(self.per_source.values())
        if config.action == "cut":
            return dict.fromkeys(("removed", "removed_bytes", "cut", "cut_bytes"), 0) | totals
        removes = config.action == "remove"
        return totals | {
            "removed": totals["contaminated"] if removes else 0,
            "removed_bytes": totals["contaminated_bytes"] if removes else 0,
        }


@functools.lru_cache(maxsize=1)
def _items_and_index(path: str, config: DecontaminationConfig) -> tuple[pa.Table, ItemIndex]:
    """Return the items and their index, once for each worker."""
    with storage.open_input(path) as stream:
        items = pq.read_table(stream)
    return items, ItemIndex(items, config)


def _selected(part: _Part) -> Iterator[tuple[pa.RecordBatch, list[str]]]:
    """Yield the documents to search, and the source of each."""
    removed: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)
    if part.removals_path is not None:
        removed = read_arrow(part.removals_path, columns=["doc_id"]).column("doc_id").to_numpy()
    with storage.open_input(part.path) as stream, pq.ParquetFile(stream) as file:
        for batch in file.iter_batches(part.batch_rows, columns=list(_COLUMNS), use_threads=False):
            kept = pc.equal(batch.column("verdict").cast(pa.string()), documents.KEEP)
            subsets = pa.array(sorted(part.source_of), pa.string())
            selected = pc.is_in(batch.column("subset").cast(pa.string()), value_set=subsets)
            unique = pa.array(~np.isin(batch.column("doc_id").to_numpy(), removed))
            chosen = batch.filter(pc.and_(pc.and_(kept, selected), unique))
            if chosen.num_rows:
                names = chosen.column("subset").cast(pa.string()).to_pylist()
                yield chosen, [part.source_of[subset] for subset in names]


def _unused(config: DecontaminationConfig) -> set[str]:
    """Return the fields that mean nothing for the action."""
    return set() if config.action == "cut" else {"cut"}


def _documents_per_set(items: pa.Table, pairs: set[tuple[int, int]]) -> dict[str, int]:
    names = items.column("set").to_pylist()
    return dict(sorted(Counter(name for _, name in {(doc, names[item]) for doc, item in pairs}).items()))


def _per_source(
    sources: Sequence[str], config: DecontaminationConfig, results: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, int]]:
    return {
        source: artifacts.sum_counts(
            result["per_source"][source] for result in results if source in result["per_source"]
        )
        for source in sources
        if config.searches(source)
    }


def _set_details(name: str, report: pa.Table, results: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    own = report.filter(pc.equal(report.column("set"), name))
    return {
        "items": own.num_rows,
        "too_short": int(pc.sum(pc.invert(own.column("searched"))).as_py()),
        "items_found": int(pc.sum(pc.greater(own.column("documents"), 0)).as_py()),
        "documents": sum(result["sets"].get(name, 0) for result in results),
    }
