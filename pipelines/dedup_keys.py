"""The passes over equal keys: exact copies by content, then web pages by URL.

Each pass brings the documents of a key together, keeps the best one, writes an edge for every
other one, and tells each span which of its documents are dropped from here on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep import storage
from dataprep.dedup.config import DedupConfig
from dataprep.dedup.edges import num_bytes_of, rank_of
from dataprep.dedup.files import read_arrow, write_arrow
from dataprep.dedup.survivors import duplicates_by_key
from dataprep.dedup.urls import NO_URL
from pipelines.dedup_spans import (
    Sizing,
    Span,
    SpanIndex,
    bucket_of_key,
    num_buckets,
    read_members,
    read_span,
    scatter,
)
from pipelines.engine import Engine, Task
from pipelines.exchange import exchange

UInt64Array = npt.NDArray[np.uint64]

KeyPass = Literal["exact", "url"]

_KEY_COLUMNS: Mapping[KeyPass, tuple[str, ...]] = {
    # Equal lengths are demanded beside equal hashes: it costs nothing.
    "exact": ("content_hi", "content_lo", "num_bytes"),
    "url": ("url_hash",),
}
_DROP_SCHEMA = pa.schema([pa.field("doc_id", pa.uint64(), nullable=False)])


@dataclass(frozen=True)
class Drops:
    """Where the documents that earlier passes dropped are listed: one file for each span."""

    folders: tuple[str, ...] = ()

    def of(self, span: Span) -> UInt64Array:
        """Return the dropped documents of a span: uint64[n], ascending."""
        lists = [self.listed(folder, span) for folder in self.folders]
        return np.sort(np.concatenate(lists)) if lists else np.zeros(0, dtype=np.uint64)

    @staticmethod
    def listed(folder: str, span: Span) -> UInt64Array:
        """Return the documents of a span that one pass dropped: uint64[n], ascending."""
        ids: UInt64Array = read_arrow(storage.join(folder, f"{span.name}.arrow")).column("doc_id").to_numpy()
        return ids


def is_listed(doc_id: UInt64Array, listed: UInt64Array) -> npt.NDArray[np.bool_]:
    """Tell for each document whether it is in an ascending list: bool[n]."""
    if len(listed) == 0:
        return np.zeros(len(doc_id), dtype=bool)
    place = np.minimum(np.searchsorted(listed, doc_id), len(listed) - 1)
    return np.asarray(listed[place] == doc_id)


@dataclass(frozen=True)
class PassResult:
    """What a pass found."""

    edge_files: tuple[str, ...]
    num_edges: int
    drops_folder: str | None
    """Folder of the drop lists by span; None where nothing was dropped."""
    counts: tuple[Mapping[str, Any], ...]
    """Results of the buckets."""


def find_equal_keys(
    key_pass: KeyPass,
    spans: Sequence[Span],
    *,
    drops: Drops,
    config: DedupConfig,
    sizing: Sizing,
    spans_folder: str,
    work_folder: str,
    engine: Engine,
) -> PassResult:
    """Run one pass over equal keys among the documents that are not in ``drops``."""
    buckets = num_buckets(sum(span.num_kept for span in spans), sizing.keys_per_bucket)
    edge_folder = storage.join(work_folder, "edges")
    results = exchange(
        f"dedup: {key_pass}",
        span_tasks(spans, spans_folder, work_folder),
        EmitKeys(key_pass, config, drops, buckets),
        KeepBest(key_pass, edge_folder),
        num_buckets=buckets,
        work_folder=work_folder,
        engine=engine,
    )
    edge_files = tuple(r["edges_path"] for r in results.values() if r["edges"])
    num_edges = sum(int(r["edges"]) for r in results.values())
    drops_folder = storage.join(work_folder, "drops")
    if num_edges:
        exchange(
            f"dedup: drop {key_pass}",
            file_tasks(edge_files, storage.join(work_folder, "drop")),
            EmitWorse(SpanIndex.of(spans)),
            ListDrops(drops_folder),
            num_buckets=len(spans),
            work_folder=storage.join(work_folder, "drop"),
            engine=engine,
        )
    return PassResult(edge_files, num_edges, drops_folder if num_edges else None, tuple(results.values()))


def span_tasks(spans: Sequence[Span], spans_folder: str, work_folder: str) -> list[Task]:
    """Return one map task for each span; its payload is the path of the span's description."""
    return [
        Task(
            name=span.name,
            done_path=storage.join(work_folder, "mapped", f"{span.name}.json"),
            payload=span.path(spans_folder),
        )
        for span in spans
    ]


def file_tasks(paths: Sequence[str], work_folder: str) -> list[Task]:
    """Return one map task for each file of an earlier exchange."""
    names = [f"file-{number:05d}" for number in range(len(paths))]
    return [
        Task(name, storage.join(work_folder, "mapped", f"{name}.json"), path)
        for name, path in zip(names, paths, strict=True)
    ]


@dataclass(frozen=True)
class EmitKeys:
    """Map a span's path to (bucket of the key, keys, preference, doc_id)."""

    key_pass: KeyPass
    config: DedupConfig
    drops: Drops
    buckets: int

    def __call__(self, span_path: str) -> Iterator[tuple[int, pa.RecordBatch]]:
        span = read_span(span_path)
        dropped = self.drops.of(span)
        columns = _KEY_COLUMNS[self.key_pass]
        batches = []
        for part in span.parts:
            table, preference = read_members(part, columns, config=self.config)
            doc_id = table.column("doc_id").to_numpy()
            keys = [table.column(name).to_numpy().astype(np.uint64) for name in columns]
            stays = ~is_listed(doc_id, dropped)
            if self.key_pass == "url":
                stays &= keys[0] != NO_URL
            arrays = [pa.array(values[stays]) for values in (*keys, preference, doc_id)]
            batches.append(pa.record_batch(arrays, names=[*columns, "preference", "doc_id"]))
        rows = pa.concat_batches(batches)
        yield from scatter(rows, bucket_of_key(rows.column(0).to_numpy(), self.buckets))


@dataclass(frozen=True)
class KeepBest:
    """Reduce a bucket to edges from the best document of each key; count documents by rank."""

    key_pass: KeyPass
    edge_folder: str

    def __call__(self, bucket: int, batches: Iterator[pa.RecordBatch]) -> dict[str, Any]:
        names = [*_KEY_COLUMNS[self.key_pass], "preference", "doc_id"]
        table = pa.Table.from_batches(
            list(batches), schema=pa.schema([(name, pa.uint64()) for name in names])
        )
        preference = table.column("preference").to_numpy()
        edges = duplicates_by_key(
            [table.column(name).to_numpy() for name in _KEY_COLUMNS[self.key_pass]],
            preference=preference,
            doc_id=table.column("doc_id").to_numpy(),
        )
        path = storage.join(self.edge_folder, f"bucket-{bucket:05d}.arrow")
        if len(edges):
            write_arrow(path, edges.to_batch())
        ranks, documents = np.unique(rank_of(preference), return_counts=True)
        num_bytes = num_bytes_of(preference)
        return {
            "rows": table.num_rows,
            "edges": len(edges),
            "edges_path": path,
            "documents_by_rank": {str(r): int(n) for r, n in zip(ranks, documents, strict=True)},
            "bytes_by_rank": {str(r): int(num_bytes[rank_of(preference) == r].sum()) for r in ranks},
        }


@dataclass(frozen=True)
class EmitWorse:
    """Map an edge file to (span of the worse document, its id)."""

    span_of: SpanIndex

    def __call__(self, path: str) -> Iterator[tuple[int, pa.RecordBatch]]:
        worse = read_arrow(path, columns=["worse"]).column("worse").to_numpy()
        batch = pa.record_batch([pa.array(worse)], schema=_DROP_SCHEMA)
        yield from scatter(batch, self.span_of(worse))


@dataclass(frozen=True)
class ListDrops:
    """Write the dropped documents of a span, ascending."""

    folder: str

    def __call__(self, bucket: int, batches: Iterator[pa.RecordBatch]) -> dict[str, Any]:
        table = pa.Table.from_batches(list(batches), schema=_DROP_SCHEMA)
        ids = np.sort(table.column("doc_id").to_numpy())
        path = storage.join(self.folder, f"span-{bucket:05d}.arrow")
        write_arrow(path, pa.record_batch([pa.array(ids)], schema=_DROP_SCHEMA))
        return {"rows": len(ids)}
