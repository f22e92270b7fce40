"""Closing clusters over the edges of all passes, and writing what each part loses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep import storage
from dataprep.artifacts import describe_file
from dataprep.dedup.clusters import bucket_of, close_clusters, cluster_sizes, large_star, small_star
from dataprep.dedup.config import DedupConfig
from dataprep.dedup.edges import Edges, concatenate_edges, num_bytes_of, rank_of
from dataprep.dedup.files import read_arrow, write_arrow
from dataprep.dedup.removals import KINDS, removal_batch, removals_path
from dataprep.errors import BuildError
from pipelines.dedup_keys import Drops, file_tasks, is_listed
from pipelines.dedup_spans import Sizing, Span, SpanIndex, num_buckets, read_span, scatter
from pipelines.engine import Engine, Task, run_tasks
from pipelines.exchange import exchange

UInt64Array = npt.NDArray[np.uint64]

MAX_ROUNDS = 64
"""The rounds grow with the logarithm of the longest chain: 64 would take a chain of 2**60."""


@dataclass(frozen=True)
class Stars:
    """Closed clusters: files of edges from each cluster's best document to its others."""

    files: tuple[str, ...]
    cluster_sizes: Mapping[int, int]
    num_rounds: int
    """Rounds of large-star and small-star; 0 for a union-find."""


def close_all(
    edge_files: Sequence[str],
    num_edges: int,
    *,
    config: DedupConfig,
    sizing: Sizing,
    work_folder: str,
    engine: Engine,
) -> Stars:
    """Close the clusters of all edges, in one task or in rounds, as the configuration says."""
    in_rounds = config.clusters == "star" or (
        config.clusters == "auto" and num_edges > config.max_edges_one_task
    )
    if in_rounds:
        return _close_in_rounds(edge_files, num_edges, sizing=sizing, work_folder=work_folder, engine=engine)
    path = storage.join(work_folder, "stars.arrow")
    task = Task("clusters", storage.join(work_folder, "clusters.json"), (tuple(edge_files), path))
    result = run_tasks("dedup: clusters", [task], close_in_memory, engine=engine)["clusters"]
    return Stars((path,), _sizes_from_json(result["sizes"]), 0)


def close_in_memory(payload: tuple[tuple[str, ...], str]) -> dict[str, Any]:
    """Close the clusters of all edge files and write the stars to one file."""
    edge_files, path = payload
    stars = close_clusters(concatenate_edges([read_edges(file) for file in edge_files]))
    write_arrow(path, stars.to_batch())
    return {"rows": len(stars), "sizes": _sizes_to_json(cluster_sizes(stars))}


def read_edges(path: str) -> Edges:
    """Return the edges of a file."""
    return Edges.from_batches(read_arrow(path).to_batches())


def _sizes_to_json(sizes: Mapping[int, int]) -> dict[str, int]:
    return {str(size): count for size, count in sizes.items()}


def _sizes_from_json(sizes: Mapping[str, int]) -> dict[int, int]:
    return {int(size): count for size, count in sizes.items()}


def _close_in_rounds(
    edge_files: Sequence[str], num_edges: int, *, sizing: Sizing, work_folder: str, engine: Engine
) -> Stars:
    buckets = num_buckets(2 * num_edges, sizing.edges_per_bucket)
    files = tuple(edge_files)
    for number in range(MAX_ROUNDS):
        folder = storage.join(work_folder, f"round-{number:02d}-large")
        results = exchange(
            f"dedup: clusters, round {number + 1}, large stars",
            file_tasks(files, folder),
            EmitEdges(buckets, both_ends=True),
            LargeStarStep(buckets, storage.join(folder, "edges")),
            num_buckets=buckets,
            work_folder=folder,
            engine=engine,
        )
        files = tuple(r["path"] for r in results.values() if r["edges"])
        if not any(r["unfinished"] for r in results.values()):
            sizes: dict[int, int] = {}
            for result in results.values():
                for size, count in _sizes_from_json(result["sizes"]).items():
                    sizes[size] = sizes.get(size, 0) + count
            return Stars(files, dict(sorted(sizes.items())), number + 1)
        folder = storage.join(work_folder, f"round-{number:02d}-small")
        results = exchange(
            f"dedup: clusters, round {number + 1}, small stars",
            file_tasks(files, folder),
            EmitEdges(buckets, both_ends=False),
            SmallStarStep(buckets, storage.join(folder, "edges")),
            num_buckets=buckets,
            work_folder=folder,
            engine=engine,
        )
        files = tuple(r["path"] for r in results.values() if r["edges"])
    raise BuildError(f"{work_folder}: clusters were not closed after {MAX_ROUNDS} rounds; please report this")


@dataclass(frozen=True)
class EmitEdges:
    """Map an edge file to (bucket of the worse document, edge), and that of the better one if asked."""

    buckets: int
    both_ends: bool

    def __call__(self, path: str) -> Iterator[tuple[int, pa.RecordBatch]]:
        edges = read_edges(path)
        bucket = bucket_of(edges.worse, self.buckets)
        yield from scatter(edges.to_batch(), bucket)
        if self.both_ends:
            other_bucket = bucket_of(edges.better, self.buckets)
            elsewhere = other_bucket != bucket
            yield from scatter(edges.take(elsewhere).to_batch(), other_bucket[elsewhere])


@dataclass(frozen=True)
class LargeStarStep:
    """Reduce a bucket by a large-star step."""

    buckets: int
    folder: str

    def __call__(self, bucket: int, batches: Iterator[pa.RecordBatch]) -> dict[str, Any]:
        step = large_star(Edges.from_batches(batches), bucket=bucket, num_buckets=self.buckets)
        return {
            **_write_edges(self.folder, bucket, step.edges),
            "unfinished": step.num_unfinished,
            "sizes": _sizes_to_json(cluster_sizes(step.edges)) if step.num_unfinished == 0 else {},
        }


@dataclass(frozen=True)
class SmallStarStep:
    """Reduce a bucket by a small-star step."""

    buckets: int
    folder: str

    def __call__(self, bucket: int, batches: Iterator[pa.RecordBatch]) -> dict[str, Any]:
        edges = small_star(Edges.from_batches(batches), bucket=bucket, num_buckets=self.buckets)
        return _write_edges(self.folder, bucket, edges)


def _write_edges(folder: str, bucket: int, edges: Edges) -> dict[str, Any]:
    path = storage.join(folder, f"bucket-{bucket:05d}.arrow")
    if len(edges):
        write_arrow(path, edges.to_batch())
    return {"rows": len(edges), "edges": len(edges), "path": path}


def write_removals(
    stars: Stars,
    spans: Sequence[Span],
    *,
    spans_folder: str,
    exact_drops: Drops,
    url_drops: Drops,
    folder: str,
    work_folder: str,
    engine: Engine,
) -> list[dict[str, Any]]:
    """Write the removal list of every part that loses documents; return the results by span."""
    results = exchange(
        "dedup: removals",
        file_tasks(stars.files, work_folder),
        EmitRemovals(SpanIndex.of(spans)),
        WriteRemovals(spans_folder, exact_drops, url_drops, folder),
        num_buckets=len(spans),
        work_folder=work_folder,
        engine=engine,
    )
    return list(results.values())


@dataclass(frozen=True)
class EmitRemovals:
    """Map a file of stars to (span of the worse document, edge)."""

    span_of: SpanIndex

    def __call__(self, path: str) -> Iterator[tuple[int, pa.RecordBatch]]:
        for batch in read_arrow(path).to_batches():
            yield from scatter(batch, self.span_of(batch.column("worse").to_numpy()))


@dataclass(frozen=True)
class WriteRemovals:
    """Write the removal lists of a span's parts and count what they remove."""

    spans_folder: str
    exact_drops: Drops
    url_drops: Drops
    folder: str

    def __call__(self, bucket: int, batches: Iterator[pa.RecordBatch]) -> dict[str, Any]:
        span = read_span(Span(bucket, ()).path(self.spans_folder))
        edges = Edges.from_batches(batches)
        edges = edges.take(np.argsort(edges.worse, kind="stable"))
        kind = np.full(len(edges), KINDS.index("near"), dtype=np.int8)
        kind[is_listed(edges.worse, self.url_drops.of(span))] = KINDS.index("url")
        kind[is_listed(edges.worse, self.exact_drops.of(span))] = KINDS.index("exact")
        part_starts = np.array([part.first_doc_id for part in span.parts], dtype=np.uint64)
        bounds = np.append(np.searchsorted(edges.worse, part_starts), len(edges))
        files = []
        for part, start, stop in zip(span.parts, bounds[:-1], bounds[1:], strict=True):
            if start == stop:
                continue
            relative = removals_path(part.collection, part.name)
            batch = removal_batch(
                doc_id=edges.worse[start:stop], kind=kind[start:stop], cluster=edges.better[start:stop]
            )
            write_arrow(storage.join(self.folder, relative), batch)
            by_kind = np.bincount(kind[start:stop], minlength=len(KINDS))
            counts = {name: int(n) for name, n in zip(KINDS, by_kind, strict=True)}
            entry = describe_file(self.folder, relative, rows=int(stop - start), **counts)
            files.append(asdict(entry))
        return {"rows": len(edges), "files": files, "removed": _count_removed(edges, kind)}


def _count_removed(edges: Edges, kind: npt.NDArray[np.int8]) -> list[list[int]]:
    """Return [kind, rank of the removed, rank of the survivor, documents, bytes] for what occurs."""
    if len(edges) == 0:
        return []
    rows = np.stack(
        [kind.astype(np.int64), rank_of(edges.worse_preference), rank_of(edges.better_preference)]
    )
    distinct, place, documents = np.unique(rows, axis=1, return_inverse=True, return_counts=True)
    num_bytes = np.bincount(place.reshape(-1), weights=num_bytes_of(edges.worse_preference))
    return [
        [*(int(x) for x in distinct[:, i]), int(documents[i]), int(num_bytes[i])]
        for i in range(len(documents))
    ]
