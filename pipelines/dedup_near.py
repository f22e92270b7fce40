"""The pass over near-duplicates: candidates by band keys, then verification by signatures.

Three exchanges. Band keys meet in buckets, and the documents that share one become candidate
groups; the groups return to the spans of their members; only those bring their signatures, or
their exact shingles, to the bucket of the group, where they are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.dedup.candidates import candidate_groups
from dataprep.dedup.clusters import spanning_forest
from dataprep.dedup.config import DedupConfig
from dataprep.dedup.files import read_arrow, write_arrow
from dataprep.dedup.minhash import ShingleSets, shingle_sets
from dataprep.dedup.signatures import fixed_lists
from dataprep.dedup.verify import verified_edges
from pipelines.dedup_keys import Drops, PassResult, file_tasks, is_listed, span_tasks
from pipelines.dedup_spans import (
    Part,
    Sizing,
    Span,
    SpanIndex,
    bucket_of_key,
    num_buckets,
    read_members,
    read_span,
    scatter,
)
from pipelines.engine import Engine
from pipelines.exchange import exchange

UInt64Array = npt.NDArray[np.uint64]

_CANDIDATE_SCHEMA = pa.schema(
    [pa.field("group", pa.uint64(), nullable=False), pa.field("doc_id", pa.uint64(), nullable=False)]
)
_SIGNATURE_ROWS = 1 << 16
"""Candidates whose signatures are emitted at once: 32 MB with 128 permutations."""
_TEXT_ROWS = 1024
"""Rows of a document table that are in memory while their shingles are hashed."""


def find_near_duplicates(
    spans: Sequence[Span],
    *,
    drops: Drops,
    config: DedupConfig,
    sizing: Sizing,
    spans_folder: str,
    work_folder: str,
    engine: Engine,
) -> PassResult:
    """Run the pass among the documents that are not in ``drops``; it lists no drops itself."""
    bands_folder = storage.join(work_folder, "bands")
    num_keys = sum(span.num_kept for span in spans) * config.num_bands
    buckets = num_buckets(num_keys, sizing.keys_per_bucket)
    grouped = exchange(
        "dedup: bands",
        span_tasks(spans, spans_folder, bands_folder),
        EmitBandKeys(config, drops, buckets),
        GroupCandidates(storage.join(bands_folder, "candidates"), config.max_group_members),
        num_buckets=buckets,
        work_folder=bands_folder,
        engine=engine,
    )
    candidate_files = tuple(r["path"] for r in grouped.values() if r["candidates"])
    if not candidate_files:
        return PassResult((), 0, None, tuple(grouped.values()))
    members_folder = storage.join(work_folder, "members")
    listed = exchange(
        "dedup: candidates",
        file_tasks(candidate_files, members_folder),
        EmitCandidates(SpanIndex.of(spans)),
        ListCandidates(storage.join(members_folder, "candidates")),
        num_buckets=len(spans),
        work_folder=members_folder,
        engine=engine,
    )
    verify_folder = storage.join(work_folder, "verified")
    exchanged_bytes = sum(int(r["rows"]) for r in listed.values()) * _bytes_per_row(spans, config)
    buckets = num_buckets(exchanged_bytes, sizing.verify_bucket_bytes)
    verified = exchange(
        "dedup: verify",
        span_tasks(spans, spans_folder, verify_folder),
        EmitSignatures(config, storage.join(members_folder, "candidates"), buckets),
        VerifyGroups(storage.join(verify_folder, "edges"), config),
        num_buckets=buckets,
        work_folder=verify_folder,
        engine=engine,
    )
    return PassResult(
        tuple(r["edges_path"] for r in verified.values() if r["edges"]),
        sum(int(r["edges"]) for r in verified.values()),
        None,
        tuple(verified.values()),
    )


@dataclass(frozen=True)
class EmitBandKeys:
    """Map a span's path to (bucket of the key, band key, doc_id); texts without a shingle have no keys."""

    config: DedupConfig
    drops: Drops
    buckets: int

    def __call__(self, span_path: str) -> Iterator[tuple[int, pa.RecordBatch]]:
        span = read_span(span_path)
        dropped = self.drops.of(span)
        keys, ids = [], []
        for part in span.parts:
            table, _ = read_members(part, ["bands", "num_shingles"], config=self.config)
            doc_id = table.column("doc_id").to_numpy()
            stays = ~is_listed(doc_id, dropped) & (table.column("num_shingles").to_numpy() > 0)
            keys.append(fixed_lists(table.column("bands"))[stays].reshape(-1))
            ids.append(np.repeat(doc_id[stays], self.config.num_bands))
        key = np.concatenate(keys)
        batch = pa.record_batch([pa.array(key), pa.array(np.concatenate(ids))], names=["key", "doc_id"])
        yield from scatter(batch, bucket_of_key(key, self.buckets))


@dataclass(frozen=True)
class GroupCandidates:
    """Reduce a bucket of band keys to candidate groups."""

    folder: str
    max_members: int

    def __call__(self, bucket: int, batches: Iterator[pa.RecordBatch]) -> dict[str, Any]:
        schema = pa.schema([("key", pa.uint64()), ("doc_id", pa.uint64())])
        table = pa.Table.from_batches(list(batches), schema=schema)
        group, member = candidate_groups(
            table.column("key").to_numpy(), table.column("doc_id").to_numpy(), max_members=self.max_members
        )
        path = storage.join(self.folder, f"bucket-{bucket:05d}.arrow")
        if len(group):
            write_arrow(path, pa.record_batch([pa.array(group), pa.array(member)], schema=_CANDIDATE_SCHEMA))
        return {"rows": table.num_rows, "candidates": len(group), "path": path}


@dataclass(frozen=True)
class EmitCandidates:
    """Map a file of candidate groups to (span of the member, group, member)."""

    span_of: SpanIndex

    def __call__(self, path: str) -> Iterator[tuple[int, pa.RecordBatch]]:
        for batch in read_arrow(path).to_batches():
            yield from scatter(batch, self.span_of(batch.column("doc_id").to_numpy()))


@dataclass(frozen=True)
class ListCandidates:
    """Write the groups of a span's documents: ascending by document and group, each once."""

    folder: str

    def __call__(self, bucket: int, batches: Iterator[pa.RecordBatch]) -> dict[str, Any]:
        table = pa.Table.from_batches(list(batches), schema=_CANDIDATE_SCHEMA)
        group, doc_id = table.column("group").to_numpy(), table.column("doc_id").to_numpy()
        order = np.lexsort((group, doc_id))
        group, doc_id = group[order], doc_id[order]
        is_first = np.ones(len(group), dtype=bool)
        is_first[1:] = (group[1:] != group[:-1]) | (doc_id[1:] != doc_id[:-1])
        arrays = [pa.array(group[is_first]), pa.array(doc_id[is_first])]
        path = storage.join(self.folder, f"span-{bucket:05d}.arrow")
        write_arrow(path, pa.record_batch(arrays, schema=_CANDIDATE_SCHEMA))
        return {"rows": len(arrays[0])}


@dataclass(frozen=True)
class EmitSignatures:
    """Map a span's path to (bucket of the group, group, preference, doc_id, signature, shingles).

    A document has a row for each of its groups. ``shingles``, its exact set, is there only where
    verification is exact.
    """

    config: DedupConfig
    candidates_folder: str
    buckets: int

    def __call__(self, span_path: str) -> Iterator[tuple[int, pa.RecordBatch]]:
        span = read_span(span_path)
        candidates = read_arrow(storage.join(self.candidates_folder, f"{span.name}.arrow"))
        group, member = candidates.column("group").to_numpy(), candidates.column("doc_id").to_numpy()
        for part in span.parts:
            # The candidates of a part follow one another: they ascend by id, as the parts do.
            table, preference = read_members(part, ["signature"], config=self.config)
            doc_id = table.column("doc_id").to_numpy()
            own = _range_of(member, doc_id)
            signature = table.column("signature").combine_chunks()
            for piece, shingles in self._pieces(part, member[own]):
                pair = slice(own.start + piece.start, own.start + piece.stop)
                rows = np.searchsorted(doc_id, member[pair])
                columns = {
                    "group": pa.array(group[pair]),
                    "preference": pa.array(preference[rows]),
                    "doc_id": pa.array(member[pair]),
                    "signature": signature.take(pa.array(rows)),
                }
                if shingles is not None:
                    columns["shingles"] = shingles
                yield from scatter(pa.record_batch(columns), bucket_of_key(group[pair], self.buckets))

    def _pieces(self, part: Part, member: UInt64Array) -> Iterator[tuple[slice, pa.LargeListArray | None]]:
        """Yield pieces of a part's candidates, with their exact shingles where these are wanted."""
        if self.config.verify == "exact":
            yield from _exact_shingles(part, member, ngram=self.config.ngram)
            return
        for start in range(0, len(member), _SIGNATURE_ROWS):
            yield slice(start, min(start + _SIGNATURE_ROWS, len(member))), None


def _range_of(ascending: UInt64Array, doc_id: UInt64Array) -> slice:
    """Return where in ``ascending`` the ids from the first to the last of ``doc_id`` stand."""
    if len(doc_id) == 0:
        return slice(0, 0)
    start = int(np.searchsorted(ascending, doc_id[0], side="left"))
    return slice(start, int(np.searchsorted(ascending, doc_id[-1], side="right")))


def _exact_shingles(
    part: Part, member: UInt64Array, *, ngram: int
) -> Iterator[tuple[slice, pa.LargeListArray]]:
    """Read the texts of a part's candidates, a few rows at a time, and yield their shingle sets."""
    if len(member) == 0:
        return
    with storage.open_input(part.documents_path) as source:
        reader = pq.ParquetFile(source)
        for batch in reader.iter_batches(batch_size=_TEXT_ROWS, columns=["doc_id", "text"]):
            doc_id = batch.column("doc_id").to_numpy()
            piece = _range_of(member, doc_id)
            if piece.start == piece.stop:
                continue
            distinct, place = np.unique(member[piece], return_inverse=True)
            text = batch.column("text").take(pa.array(np.searchsorted(doc_id, distinct)))
            sets = shingle_sets(text.cast(pa.large_string()), ngram=ngram)
            lists = pa.LargeListArray.from_arrays(pa.array(sets.offsets), pa.array(sets.hashes))
            yield piece, lists.take(pa.array(place))


@dataclass(frozen=True)
class VerifyGroups:
    """Reduce a bucket of groups to verified edges, no more than connect its documents."""

    folder: str
    config: DedupConfig

    def __call__(self, bucket: int, batches: Iterator[pa.RecordBatch]) -> dict[str, Any]:
        path = storage.join(self.folder, f"bucket-{bucket:05d}.arrow")
        chunks = list(batches)
        if not chunks:
            return {"rows": 0, "edges": 0, "edges_path": path}
        rows = pa.concat_batches(chunks)
        shingles = None
        if self.config.verify == "exact":
            lists = rows.column("shingles")
            offsets = lists.offsets.to_numpy()
            shingles = ShingleSets(offsets - offsets[0], lists.flatten().to_numpy())
        edges = spanning_forest(
            verified_edges(
                group=rows.column("group").to_numpy(),
                preference=rows.column("preference").to_numpy(),
                doc_id=rows.column("doc_id").to_numpy(),
                signatures=fixed_lists(rows.column("signature")),
                threshold=self.config.threshold,
                shingles=shingles,
            )
        )
        if len(edges):
            write_arrow(path, edges.to_batch())
        return {"rows": rows.num_rows, "edges": len(edges), "edges_path": path}


def _bytes_per_row(spans: Sequence[Span], config: DedupConfig) -> int:
    """Return the mean size of a row that is exchanged for verification."""
    size_bytes = 24 + 4 * config.num_perm
    if config.verify == "exact":
        # A word of six bytes, on average, begins one shingle of eight.
        documents = sum(span.num_kept for span in spans)
        size_bytes += 8 * sum(part.text_bytes for span in spans for part in span.parts) // (6 * documents)
    return size_bytes
