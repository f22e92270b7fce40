"""Spans: the pieces in which deduplication reads document tables, and how rows find back to them.

A span is a run of consecutive parts in the order of document ids. Whatever is found out about
a document is sent to its span by its id alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep import storage
from dataprep.artifacts import Artifact
from dataprep.dedup.config import DedupConfig
from dataprep.dedup.edges import preferences
from dataprep.dedup.signatures import check_identity, read_identity, read_signatures
from dataprep.documents import FILE_BITS, ROW_BITS

UInt64Array = npt.NDArray[np.uint64]

Ranks = Mapping[tuple[str, str], int]
"""(collection, subset) to the rank of the mixture source that selects it; others take no part."""

_PART_SUFFIX = ".parquet"
_SCATTERED_BYTES = 8 << 20
"""Size of a batch that crosses between workers; runners want elements of megabytes."""


@dataclass(frozen=True)
class Sizing:
    """How much a task handles at once; changes no result."""

    documents_per_span: int = 1 << 18
    """Documents whose keys are in memory together: 60 MB with 14 bands, and as much again twice
    while they are sorted into buckets."""
    keys_per_bucket: int = 1 << 22
    """Content, URL or band keys that meet in one task: 64 MB, and twice that for sorting them."""
    verify_bucket_bytes: int = 1 << 27
    """Signatures, and shingles where verification is exact, that meet in one task."""
    edges_per_bucket: int = 1 << 21
    """Edges in one task of a large-star or small-star round."""


def num_buckets(num_rows: int, rows_per_bucket: int) -> int:
    """Return how many buckets hold ``num_rows`` rows; one bucket at least."""
    return max(1, -(-num_rows // rows_per_bucket))


@dataclass(frozen=True)
class Part:
    """One part of a document table."""

    collection: str
    name: str
    """File name in the table's folder, e.g. ``part-00003-0000.parquet``."""
    documents_path: str
    signatures_path: str
    first_doc_id: int
    """Id of the part's first row; the ids of a part ascend."""
    num_kept: int
    """Rows of its signature file."""
    text_bytes: int
    """Size of their texts."""
    ranks: Mapping[str, int]
    """Subset to rank, for the subsets that take part."""


@dataclass(frozen=True)
class Span:
    """Consecutive parts that one task handles."""

    number: int
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """A legal file name."""
        return f"span-{self.number:05d}"

    @property
    def num_kept(self) -> int:
        """Documents of the span, upper bound: some may take no part."""
        return sum(part.num_kept for part in self.parts)

    def path(self, folder: str) -> str:
        """Return where the span's description stands in ``folder``."""
        return storage.join(folder, f"{self.name}.json")


def write_spans(spans: Sequence[Span], folder: str) -> None:
    """Write a description of each span, so that tasks carry its path and not the names of all its parts."""
    for span in spans:
        storage.write_json(span.path(folder), asdict(span))


def read_span(path: str) -> Span:
    """Return a span that ``write_spans`` wrote."""
    value = storage.read_json(path)
    return Span(value["number"], tuple(Part(**part) for part in value["parts"]))


def plan_spans(documents: Sequence[Artifact], ranks: Ranks, *, sizing: Sizing) -> tuple[Span, ...]:
    """Return the spans of the parts that hold documents of a mixture source, ascending by id."""
    parts = sorted(
        (part for artifact in documents for part in _parts_of(artifact, ranks)), key=lambda p: p.first_doc_id
    )
    spans: list[Span] = []
    current: list[Part] = []
    num_kept = 0
    for part in parts:
        if current and num_kept + part.num_kept > sizing.documents_per_span:
            spans.append(Span(len(spans), tuple(current)))
            current, num_kept = [], 0
        current.append(part)
        num_kept += part.num_kept
    if current:
        spans.append(Span(len(spans), tuple(current)))
    return tuple(spans)


def _parts_of(artifact: Artifact, ranks: Ranks) -> Iterator[Part]:
    details = artifact.manifest.details
    collection = str(details["collection"])
    own_ranks = {subset: rank for (name, subset), rank in ranks.items() if name == collection}
    for entry in artifact.manifest.files:
        if not entry.path.endswith(_PART_SUFFIX) or entry.counts["kept"] == 0:
            continue
        part_ranks = {s: own_ranks[s] for s in sorted(entry.details["subsets"]) if s in own_ranks}
        if not part_ranks:
            continue
        stem = entry.path.removesuffix(_PART_SUFFIX)
        first_doc_id = (
            (int(details["number"]) << (FILE_BITS + ROW_BITS))
            | (int(entry.details["file"]) << ROW_BITS)
            | int(entry.details["first_row"])
        )
        yield Part(
            collection=collection,
            name=entry.path,
            documents_path=artifact.path(entry.path),
            signatures_path=artifact.path(f"signatures/{stem}.arrow"),
            first_doc_id=first_doc_id,
            num_kept=int(entry.counts["kept"]),
            text_bytes=int(entry.counts["text_bytes"]),
            ranks=part_ranks,
        )


def check_signatures(spans: Sequence[Span], *, config: DedupConfig) -> None:
    """Raise unless every collection was signed in a way that ``config`` can compare.

    Raises:
        ConfigError: a collection was signed otherwise; named by its first part.
    """
    first_parts = {part.collection: part for span in reversed(spans) for part in reversed(span.parts)}
    for part in sorted(first_parts.values(), key=lambda p: p.first_doc_id):
        check_identity(read_identity(part.signatures_path), config=config, where=part.collection)


@dataclass(frozen=True)
class SpanIndex:
    """Finds the span of a document."""

    first_doc_ids: tuple[int, ...]

    @classmethod
    def of(cls, spans: Sequence[Span]) -> SpanIndex:
        """Return the index of all spans of a run."""
        return cls(tuple(span.parts[0].first_doc_id for span in spans))

    def __call__(self, doc_id: UInt64Array) -> npt.NDArray[np.int64]:
        """Return the number of each document's span: int64[n]."""
        starts = np.array(self.first_doc_ids, dtype=np.uint64)
        return np.searchsorted(starts, doc_id, side="right").astype(np.int64) - 1


def read_members(part: Part, columns: Sequence[str], *, config: DedupConfig) -> tuple[pa.Table, UInt64Array]:
    """Return the documents of a part that take part: columns with ``doc_id``, and preferences uint64[n]."""
    wanted = [*dict.fromkeys(["doc_id", "subset", "num_bytes", *columns])]
    table = read_signatures(part.signatures_path, wanted, config=config)
    # A document without a subset counts under "", as in the manifest of its table.
    subset = table.column("subset").combine_chunks().fill_null("").dictionary_encode()
    rank_of_code = np.array([part.ranks.get(s, -1) for s in subset.dictionary.to_pylist()], dtype=np.int64)
    rank = rank_of_code[np.asarray(subset.indices)]
    takes_part = rank >= 0
    table = table.filter(pa.array(takes_part))
    preference = preferences(rank=rank[takes_part], num_bytes=table.column("num_bytes").to_numpy())
    return table, preference


def scatter(batch: pa.RecordBatch, bucket: npt.NDArray[np.int64]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the rows of each bucket in row order, in batches of a few megabytes; buckets ascending."""
    if batch.num_rows == 0:
        return
    if bucket.min() != bucket.max():
        # Numpy sorts 16-bit numbers by radix, ten times faster than wider ones.
        narrow = bucket.astype(np.uint16) if bucket.max() < 1 << 16 else bucket
        order = np.argsort(narrow, kind="stable")
        batch, bucket = batch.take(pa.array(order)), bucket[order]
    rows_per_batch = max(1, _SCATTERED_BYTES * batch.num_rows // batch.nbytes)
    buckets, starts = np.unique(bucket, return_index=True)
    for number, start, stop in zip(buckets, starts, [*starts[1:], batch.num_rows], strict=True):
        for first in range(start, stop, rows_per_batch):
            yield int(number), batch.slice(first, min(rows_per_batch, stop - first))


def bucket_of_key(key: UInt64Array, count: int) -> npt.NDArray[np.int64]:
    """Return the bucket of each 64-bit hash, by its upper half: int64[n]."""
    return (((key >> np.uint64(32)) * np.uint64(count)) >> np.uint64(32)).astype(np.int64)
