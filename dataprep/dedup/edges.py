"""Edges: pairs of duplicates, of which the first is the one to keep.

Every document has a preference, smaller is better: the rank of its mixture source, then its
length, longest first. Equal preferences are decided by the lower document id. A document of a
pair that is removed is always the worse one, so the best document of a cluster survives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

UInt64Array = npt.NDArray[np.uint64]

EDGE_SCHEMA = pa.schema(
    [
        pa.field("better_preference", pa.uint64(), nullable=False),
        pa.field("better", pa.uint64(), nullable=False),
        pa.field("worse_preference", pa.uint64(), nullable=False),
        pa.field("worse", pa.uint64(), nullable=False),
    ]
)

_LENGTH_BITS = np.uint64(32)
_MAX_LENGTH = np.uint64(0xFFFFFFFF)


def preferences(*, rank: npt.NDArray[np.integer], num_bytes: npt.NDArray[np.integer]) -> UInt64Array:
    """Return uint64[n]: rank in the upper 32 bits, then how much a text is shorter than 4 GiB."""
    return (rank.astype(np.uint64) << _LENGTH_BITS) | (_MAX_LENGTH - num_bytes.astype(np.uint64))


def rank_of(preference: UInt64Array) -> npt.NDArray[np.int64]:
    """Return the rank of the mixture source of each preference: int64[n]."""
    return (preference >> _LENGTH_BITS).astype(np.int64)


def num_bytes_of(preference: UInt64Array) -> npt.NDArray[np.int64]:
    """Return the length of the text of each preference: int64[n]."""
    return (_MAX_LENGTH - (preference & _MAX_LENGTH)).astype(np.int64)


@dataclass(frozen=True)
class Edges:
    """Pairs of documents, the better one first; four uint64[n]."""

    better_preference: UInt64Array
    better: UInt64Array
    worse_preference: UInt64Array
    worse: UInt64Array

    def __len__(self) -> int:
        return len(self.better)

    @classmethod
    def empty(cls) -> Edges:
        """Return no edges."""
        none = np.zeros(0, dtype=np.uint64)
        return cls(none, none, none, none)

    @classmethod
    def from_batches(cls, batches: Iterable[pa.RecordBatch]) -> Edges:
        """Return the edges of record batches with ``EDGE_SCHEMA``, in order."""
        table = pa.Table.from_batches(list(batches), schema=EDGE_SCHEMA)
        return cls(*(table.column(name).to_numpy() for name in EDGE_SCHEMA.names))

    def to_batch(self) -> pa.RecordBatch:
        """Return the edges as one record batch with ``EDGE_SCHEMA``."""
        columns = [self.better_preference, self.better, self.worse_preference, self.worse]
        return pa.record_batch([pa.array(c, pa.uint64()) for c in columns], schema=EDGE_SCHEMA)

    def take(self, rows: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> Edges:
        """Return the edges at ``rows``, given by position or by a mask."""
        return Edges(
            self.better_preference[rows], self.better[rows], self.worse_preference[rows], self.worse[rows]
        )


def concatenate_edges(parts: Sequence[Edges]) -> Edges:
    """Return the edges of all parts, in order."""
    if not parts:
        return Edges.empty()
    return Edges(
        np.concatenate([part.better_preference for part in parts]),
        np.concatenate([part.better for part in parts]),
        np.concatenate([part.worse_preference for part in parts]),
        np.concatenate([part.worse for part in parts]),
    )


def distinct_edges(edges: Edges) -> Edges:
    """Return each edge once, ascending by better and worse document."""
    order = np.lexsort((edges.worse, edges.better))
    edges = edges.take(order)
    is_first = np.ones(len(edges), dtype=bool)
    is_first[1:] = (edges.better[1:] != edges.better[:-1]) | (edges.worse[1:] != edges.worse[:-1])
    return edges.take(is_first)
