"""Tokenization: document tables to the hash-ordered token store of every mixture source.

One task reads one part of a document table and encodes it; an exchange brings the documents
of a key range together; a bin is sorted and written. This is the only place where documents
move between workers, and they move as ids.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact
from dataprep.decontamination import cuts_path, pieces_by_document
from dataprep.dedup.files import read_arrow
from dataprep.dedup.removals import removals_path
from dataprep.tokenizers import TagPolicy, Tokenizer, load_recorded_tokenizer, record_tokenizer
from dataprep.tokens import (
    DOCUMENT_COLUMNS,
    DocumentEncoder,
    Layout,
    Routes,
    bin_path,
    write_bin,
)
from pipelines.engine import Engine, Task
from pipelines.exchange import exchange, remove_work_folder
from pipelines.token_manifests import publish_tokens
from pipelines.token_sources import SourcePlan, TokenSource, count, plan_sources

_BATCH_BYTES = 4 << 20
"""Text that is encoded at a time, about: small enough for a worker's memory when documents are books."""

_MAX_BATCH_ROWS = 4096


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
    contamination: Artifact | None = None,
) -> dict[str, Artifact]:
    """Tokenize every source that is not published yet; return all token artifacts by source name.

    A document is tokenized when its verdict is ``keep``, it is no duplicate and not contaminated, and
    a source selects its subset. All sources share one exchange, and a part that feeds several
    sources is read once.

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
        contamination: documents that hold evaluation items, left out or cut too; None: none is.

    Raises:
        ConfigError: two sources select the same subset, or a number is out of range.
        ParityError: the fast tokenizer and its reference disagree on a document.
    """
    plans = plan_sources(
        sources,
        documents=sorted(documents, key=lambda artifact: artifact.manifest.name),
        duplicates=duplicates,
        contamination=contamination,
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
            _tasks(plans, pending, (duplicates, contamination), work_folder),
            _EncodePart(job),
            _WriteBin(job),
            num_buckets=len(job.buckets),
            work_folder=work_folder,
            engine=engine,
        )
        for number in pending:
            publish_tokens(plans[number], [results[i] for i in job.buckets_of(number)], job.tokenizer)
        remove_work_folder(work_folder)
    return {plan.source.name: artifacts.open_artifact(plan.folder, kind="tokens") for plan in plans}


@dataclass(frozen=True)
class _Bucket:
    """A bin of a class of a source: what one reduction writes."""

    source: int
    class_name: str
    bin: int


@functools.lru_cache(maxsize=2)
def _buckets(layouts: tuple[Layout, ...]) -> tuple[_Bucket, ...]:
    return tuple(
        _Bucket(number, class_name, bin_number)
        for number, layout in enumerate(layouts)
        for class_name, bin_number in layout.buckets
    )


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
    def buckets(self) -> tuple[_Bucket, ...]:
        """All buckets, in the order of their numbers."""
        return _buckets(self.layouts)

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
    removals_paths: tuple[str, ...]
    cuts_paths: tuple[str, ...]
    collection: str
    corpus: str
    source_of: Mapping[str, int]
    batch_rows: int


def _tasks(
    plans: Sequence[SourcePlan],
    pending: Sequence[int],
    lists: Sequence[Artifact | None],
    work_folder: str,
) -> list[Task]:
    """Return one task for each part that holds documents of a source that is not published."""
    feeding = {artifact.manifest.name: artifact for number in pending for artifact in plans[number].documents}
    given = [artifact for artifact in lists if artifact is not None]
    there = {one.folder: {entry.path for entry in one.manifest.files} for one in given}
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
            removed, cut = removals_path(collection, entry.path), cuts_path(collection, entry.path)
            name = f"{len(tasks):05d}-{collection}-{entry.path.removesuffix('.parquet')}".replace("/", "-")
            part = _Part(
                path=artifact.path(entry.path),
                removals_paths=tuple(one.path(removed) for one in given if removed in there[one.folder]),
                cuts_paths=tuple(one.path(cut) for one in given if cut in there[one.folder]),
                collection=collection,
                corpus=corpus,
                source_of=source_of,
                batch_rows=_batch_rows(entry.counts),
            )
            done_path = storage.join(work_folder, "mapped", f"{name}.json")
            tasks.append(Task(name, done_path, part, size_bytes=entry.counts["text_bytes"]))
    return tasks


def _batch_rows(counts: Mapping[str, int]) -> int:
    """Return how many documents of a part are about ``_BATCH_BYTES``."""
    mean_bytes = counts["text_bytes"] / max(1, counts["rows"])
    return max(1, min(_MAX_BATCH_ROWS, int(_BATCH_BYTES / max(1.0, mean_bytes))))


@dataclass(frozen=True)
class _EncodePart:
    """Encode the documents of one part: the map side of the exchange."""

    job: _Job

    def __call__(self, part: _Part) -> Iterator[tuple[int, pa.RecordBatch]]:
        lists = [read_arrow(path, columns=["doc_id"])["doc_id"].to_numpy() for path in part.removals_paths]
        removed = np.unique(np.concatenate([np.zeros(0, dtype=np.uint64), *lists]))
        encoder = DocumentEncoder(
            self.job.load_tokenizer(),
            Routes(part.collection, part.corpus, part.source_of, self.job.layouts),
            seed=self.job.seed,
            tags=self.job.tags,
            removed=removed,
            pieces={
                doc_id: own
                for path in part.cuts_paths
                for doc_id, own in pieces_by_document(read_arrow(path)).items()
            },
        )
        with storage.open_input(part.path) as stream, pq.ParquetFile(stream) as table:
            for batch in table.iter_batches(
                part.batch_rows, columns=list(DOCUMENT_COLUMNS), use_threads=False
            ):
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
