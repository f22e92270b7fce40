"""Tokenization: document tables to the hash-ordered token store of every mixture source.

One task reads one part of a document table and encodes it; an exchange brings the documents
of a key range together; a bin is sorted and written. This is the only place where documents
move between workers, and they move as ids.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact, FileEntry, Manifest
from dataprep.dedup.files import read_arrow
from dataprep.dedup.removals import removals_path
from dataprep.tokenizers import TagPolicy, Tokenizer, load_recorded_tokenizer, record_tokenizer
from dataprep.tokens import (
    DOCUMENT_COLUMNS,
    INDEX_NAME,
    BinSummary,
    DocumentEncoder,
    Layout,
    Routes,
    bin_path,
    write_bin,
    write_index,
)
from pipelines.engine import Engine, Task
from pipelines.exchange import exchange, remove_work_folder
from pipelines.token_sources import SourcePlan, TokenSource, count, plan_sources

_READ_ROWS = 512
"""Documents that are encoded at a time."""

_PACKAGES = ("gigatoken", "numpy", "pyarrow")


def tokenize(
    *,
    documents: Sequence[Artifact],
    duplicates: Artifact | None,
    sources: Sequence[TokenSource],
    tokenizer: Tokenizer,
    seed: int,
    holdout_fraction: float,
    output_root: str,
    engine: Engine,
    tags: TagPolicy = "keep_text",
) -> dict[str, Artifact]:
    """Tokenize every source that is not published yet; return all token artifacts by source name.

    A document is tokenized when its verdict is ``keep``, it is no duplicate, and a source selects
    its subset. All sources share one exchange, and a part that feeds several sources is read once.

    Args:
        documents: document tables; those that no source selects from are not read.
        duplicates: what to leave out; None leaves nothing out.
        sources: mixture sources; no subset may belong to two.
        tokenizer: its vocabulary is copied to ``output_root``, where workers and readers find it.
        seed: decides the order of every stream.
        holdout_fraction: share of each source that no training stream holds.
        output_root: where artifacts are published.
        engine: where the work runs.
        tags: what becomes of StarCoder's tags when the vocabulary lacks them.

    Raises:
        ConfigError: two sources select the same subset, or a number is out of range.
        ParityError: the fast tokenizer and its reference disagree on a document.
    """
    plans = plan_sources(
        sources,
        documents=sorted(documents, key=lambda artifact: artifact.manifest.name),
        duplicates=duplicates,
        spec=tokenizer.spec,
        seed=seed,
        holdout_fraction=holdout_fraction,
        tags=tags,
        output_root=output_root,
    )
    pending = [number for number, plan in enumerate(plans) if not plan.is_published]
    if pending:
        job = _Job(
            tokenizer=record_tokenizer(tokenizer, output_root=output_root),
            output_root=output_root,
            seed=seed,
            tags=tags,
            layouts=tuple(plan.layout for plan in plans),
            folders=tuple(plan.folder for plan in plans),
        )
        # Buckets and folder are those of all sources: a build that was stopped while it published
        # finds the bins of the sources that are still to be published.
        identity = artifacts.fingerprint_of(
            "tokenization", config={}, inputs={plan.source.name: plan.fingerprint for plan in plans}
        )
        work_folder = storage.join(output_root, "tokens", tokenizer.spec.name, f"_work-{identity[:12]}")
        results = exchange(
            "tokenize",
            _tasks(plans, pending, duplicates, work_folder),
            _EncodePart(job),
            _WriteBin(job),
            num_buckets=len(job.buckets),
            work_folder=work_folder,
            engine=engine,
        )
        for number in pending:
            _publish(plans[number], [results[i] for i in job.buckets_of(number)], job.tokenizer)
        remove_work_folder(work_folder)
    return {plan.source.name: artifacts.open_artifact(plan.folder, kind="tokens") for plan in plans}


@dataclass(frozen=True)
class _Bucket:
    """A bin of a class of a source: what one reduction writes."""

    source: int
    class_name: str
    bin: int


@dataclass(frozen=True)
class _Job:
    """What all tasks of a tokenization share."""

    tokenizer: Mapping[str, Any]
    output_root: str
    seed: int
    tags: TagPolicy
    layouts: tuple[Layout, ...]
    folders: tuple[str, ...]

    @property
    def buckets(self) -> list[_Bucket]:
        """All buckets, in the order of their numbers."""
        return [
            _Bucket(number, class_name, bin_number)
            for number, layout in enumerate(self.layouts)
            for class_name, bin_number in layout.buckets
        ]

    def buckets_of(self, source: int) -> list[int]:
        """Return the numbers of a source's buckets."""
        return [number for number, bucket in enumerate(self.buckets) if bucket.source == source]

    def load_tokenizer(self) -> Tokenizer:
        """Return this process's tokenizer."""
        return load_recorded_tokenizer(self.tokenizer, output_root=self.output_root)


@dataclass(frozen=True)
class _Part:
    """One part of a document table, and which sources select from it."""

    path: str
    removals_path: str | None
    collection: str
    corpus: str
    source_of: Mapping[str, int]


def _tasks(
    plans: Sequence[SourcePlan], pending: Sequence[int], duplicates: Artifact | None, work_folder: str
) -> list[Task]:
    """Return one task for each part that holds documents of a source that is not published."""
    feeding = {artifact.manifest.name: artifact for number in pending for artifact in plans[number].documents}
    removals = {entry.path for entry in duplicates.manifest.files} if duplicates is not None else set()
    tasks: list[Task] = []
    for collection, artifact in sorted(feeding.items()):
        corpus = artifact.manifest.details["corpus"]
        takers = [number for number in pending if plans[number].source.corpus == corpus]
        source_of = {s: number for number in takers for s in plans[number].source.routed_subsets()}
        for entry in artifact.manifest.files:
            if not entry.path.endswith(".parquet"):
                continue
            if not any(count(entry.details, plans[number].source, "kept") for number in takers):
                continue
            removed = removals_path(collection, entry.path)
            name = f"{len(tasks):05d}-{collection}-{entry.path.removesuffix('.parquet')}".replace("/", "-")
            part = _Part(
                path=artifact.path(entry.path),
                removals_path=duplicates.path(removed) if duplicates and removed in removals else None,
                collection=collection,
                corpus=corpus,
                source_of=source_of,
            )
            done_path = storage.join(work_folder, "mapped", f"{name}.json")
            tasks.append(Task(name, done_path, part, size_bytes=entry.counts.get("text_bytes", 0)))
    return tasks


@dataclass(frozen=True)
class _EncodePart:
    """Encode the documents of one part: the map side of the exchange."""

    job: _Job

    def __call__(self, part: _Part) -> Iterator[tuple[int, pa.RecordBatch]]:
        removed = np.zeros(0, dtype=np.uint64)
        if part.removals_path is not None:
            removed = read_arrow(part.removals_path, columns=["doc_id"]).column("doc_id").to_numpy()
        encoder = DocumentEncoder(
            self.job.load_tokenizer(),
            Routes(part.collection, part.corpus, part.source_of, self.job.layouts),
            seed=self.job.seed,
            tags=self.job.tags,
            removed=removed,
        )
        with storage.open_input(part.path) as stream, pq.ParquetFile(stream) as table:
            for batch in table.iter_batches(_READ_ROWS, columns=list(DOCUMENT_COLUMNS), use_threads=False):
                yield from encoder.add(batch)
        yield from encoder.flush()


@dataclass(frozen=True)
class _WriteBin:
    """Write one bin: the reduce side of the exchange."""

    job: _Job

    def __call__(self, number: int, batches: Iterator[pa.RecordBatch]) -> Mapping[str, Any]:
        bucket = self.job.buckets[number]
        folder, relative = self.job.folders[bucket.source], bin_path(bucket.class_name, bucket.bin)
        summary = write_bin(storage.join(folder, relative), batches, dtype=self.job.tokenizer["dtype"])
        file = None
        if summary.num_docs:
            counts = {"documents": sum(summary.num_docs), "tokens": sum(summary.num_tokens)}
            file = asdict(artifacts.describe_file(folder, relative, **counts))
        return {"class": bucket.class_name, "summary": summary.to_json(), "file": file}


def _publish(plan: SourcePlan, results: Sequence[Mapping[str, Any]], tokenizer: Mapping[str, Any]) -> None:
    """Write the index and the manifest of one source."""
    summaries: dict[str, list[BinSummary]] = {class_name: [] for class_name in plan.layout.classes}
    for result in results:
        summaries[result["class"]].append(BinSummary(**result["summary"]))
    write_index(storage.join(plan.folder, INDEX_NAME), summaries)
    files = [FileEntry(**result["file"]) for result in results if result["file"] is not None]
    classes = {name: _class_details(bins) for name, bins in summaries.items()}
    every_bin = [one for bins in summaries.values() for one in bins]
    manifest = Manifest(
        kind="tokens",
        name=f"{tokenizer['name']}/{plan.source.name}",
        fingerprint=plan.fingerprint,
        inputs=plan.inputs,
        config=plan.config,
        seed=plan.config["seed"],
        counts=artifacts.sum_counts(
            {name: details[name] for name in ("documents", "tokens", "text_bytes")}
            for details in classes.values()
        ),
        files=(*files, artifacts.describe_file(plan.folder, INDEX_NAME)),
        details={
            "source": plan.source.name,
            "license": "; ".join(
                sorted(
                    {
                        str(a.manifest.details["license"])
                        for a in plan.documents
                        if a.manifest.details.get("license")
                    }
                )
            ),
            "classes": classes,
            "collections": _by_collection(plan.documents, every_bin),
            "tokenizer": dict(tokenizer),
        },
        packages={name: importlib.metadata.version(name) for name in _PACKAGES},
    )
    artifacts.publish(plan.folder, manifest)


def _class_details(bins: Sequence[BinSummary]) -> dict[str, Any]:
    histogram = np.zeros(64, dtype=np.int64)
    for one in bins:
        histogram[: len(one.length_histogram)] += np.array(one.length_histogram, dtype=np.int64)
    return {
        "documents": sum(sum(one.num_docs) for one in bins),
        "tokens": sum(sum(one.num_tokens) for one in bins),
        "text_bytes": sum(one.text_bytes for one in bins),
        "blocks": sum(len(one.num_docs) for one in bins),
        "bins": sum(1 for one in bins if one.num_docs),
        # Element k: documents of 2**k to 2**(k + 1) - 1 tokens.
        "length_histogram": np.trim_zeros(histogram, "b").tolist(),
    }


def _by_collection(documents: Sequence[Artifact], bins: Sequence[BinSummary]) -> dict[str, dict[str, int]]:
    names = {str(a.manifest.details["number"]): a.manifest.name for a in documents}
    totals: dict[str, dict[str, int]] = {}
    for one in bins:
        for number, (num_docs, num_tokens) in one.collections.items():
            total = totals.setdefault(names[number], {"documents": 0, "tokens": 0})
            total["documents"] += num_docs
            total["tokens"] += num_tokens
    return dict(sorted(totals.items()))
