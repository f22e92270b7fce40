"""The order in which a stage's rows reach a trainer: a pure function of (seed, epoch, position).

Epoch 0 is the order that the bake wrote. Later epochs permute record batches, and the rows
inside each record batch, under a key of the epoch; a record batch is the unit within which the
mixture's weights are exact, so they survive. Nothing is stored: any position is found by
arithmetic, and a cursor is enough to resume.

The permutation of record batches is one of shards, cut into windows of ``window_shards`` shards,
and one of record batches inside each window. So a trainer that reads from an object store needs
a window of shards at a time and not all of them; a stage of one window or less has its record
batches permuted freely. A last record batch with fewer rows than the others stays last.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dataprep.hashing import hash64, keyed_permutation, mix64

Int64Array = npt.NDArray[np.int64]

FEISTEL_ROUNDS = 8
"""grain's index_shuffle.h recommends 8; with 4, permutations of small domains are visibly biased."""
WINDOW_SHARDS = 16
"""Shards that an epoch after the first mixes with each other: 131,072 rows, 0.5 G tokens at 4,096."""
_STRETCH = 512
"""Places of record batches whose order is worked out together."""


class BatchRows(NamedTuple):
    """Rows of one record batch, in the order in which they are wanted."""

    shard: int
    batch: int
    """Record batch in the shard."""
    rows: slice | Int64Array
    """Rows in the record batch: a slice (step 1) in epoch 0, numbers in later epochs."""
    num_rows: int


class Permutation:
    """A keyed permutation of ``range(size)`` with random access and no memory.

    A Feistel network over the next even power of two; what falls outside is enciphered again
    until it falls inside (cycle walking: fewer than four rounds on average).

    >>> sorted(Permutation(5, key=7)(np.arange(5)).tolist())
    [0, 1, 2, 3, 4]
    """

    def __init__(self, size: int, *, key: int) -> None:
        assert size >= 1, size
        self.size = size
        self._half_bits = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
        self._half_mask = np.uint64((1 << int(self._half_bits)) - 1)
        self._round_keys = [hash64("dataprep feistel", key, i) for i in range(FEISTEL_ROUNDS)]

    def __call__(self, places: Int64Array) -> Int64Array:
        """Return the elements that stand at ``places``: int64 of the same shape."""
        if len(places) and not 0 <= int(places.min()) <= int(places.max()) < self.size:
            raise IndexError(f"a place outside of 0..{self.size - 1}")
        values = self._encipher(places.astype(np.uint64))
        outside = np.flatnonzero(values >= np.uint64(self.size))
        while len(outside):
            values[outside] = self._encipher(values[outside])
            outside = outside[values[outside] >= np.uint64(self.size)]
        return values.astype(np.int64)

    def _encipher(self, values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        left, right = values >> self._half_bits, values & self._half_mask
        for key in self._round_keys:
            left, right = right, left ^ (mix64(right, key=key) & self._half_mask)
        return (left << self._half_bits) | right


@dataclass(frozen=True)
class RowOrder:
    """Which row stands at which position of which epoch of a stage.

    Positions run from 0 to ``num_rows`` in every epoch.
    """

    num_rows: int
    rows_per_batch: int
    rows_per_shard: int
    key: int
    """What makes the stage's permutations its own: a hash of the seed and the stage's name."""
    window_shards: int = WINDOW_SHARDS

    @property
    def batches_per_shard(self) -> int:
        """Record batches in a shard that is full."""
        return self.rows_per_shard // self.rows_per_batch

    @property
    def num_shards(self) -> int:
        """Shards, a last one with fewer rows included."""
        return -(-self.num_rows // self.rows_per_shard)

    def locate(self, epoch: int, start: int, stop: int) -> list[BatchRows]:
        """Return where the rows of positions ``start`` to ``stop`` of an epoch lie, in order."""
        assert 0 <= start <= stop <= self.num_rows, (start, stop, self.num_rows)
        size = self.rows_per_batch
        places: Iterable[int] = range(start // size, -(-stop // size))
        numbers = places
        if epoch > 0:
            numbers = [int(_stretch(self, epoch, place // _STRETCH)[place % _STRETCH]) for place in places]
        found: list[BatchRows] = []
        for place, number in zip(places, numbers):
            first, last = max(start - place * size, 0), min(stop - place * size, size)
            rows: slice | Int64Array = slice(first, last)
            if epoch > 0:
                filled = min(size, self.num_rows - number * size)
                rows = _rows_in_batch(self, epoch, number, filled)[first:last]
            shard, batch = divmod(number, self.batches_per_shard)
            found.append(BatchRows(shard, batch, rows, last - first))
        return found

    def row_numbers(self, epoch: int, start: int, stop: int) -> Int64Array:
        """Return the numbers in the stage of the rows at positions ``start`` to ``stop``: int64."""
        return self.numbers_of(self.locate(epoch, start, stop))

    def numbers_of(self, places: Sequence[BatchRows]) -> Int64Array:
        """Return the numbers in the stage of rows that were located: int64."""
        parts = [np.empty(0, dtype=np.int64)]
        for place in places:
            first = (place.shard * self.batches_per_shard + place.batch) * self.rows_per_batch
            rows = place.rows
            inside = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
            parts.append(first + inside)
        return np.concatenate(parts)

    def shards_from(self, epoch: int, position: int) -> Iterator[int]:
        """Yield the shards that the rest of an epoch reads, in the order of their first use.

        The shards of one window of a later epoch are needed at about the same time.
        """
        if position >= self.num_rows:
            return
        first = position // self.rows_per_shard
        if epoch > 0:
            first -= first % self.window_shards
        for start in range(first, self.num_shards, self.window_shards):
            slots = np.arange(start, min(start + self.window_shards, self.num_shards), dtype=np.int64)
            yield from self._shards(epoch, slots).tolist()

    def shards_at_once(self, epoch: int) -> int:
        """Return how many shards a short stretch of an epoch may read."""
        return min(self.num_shards, 1 if epoch == 0 else self.window_shards)

    def batch_numbers(self, epoch: int, places: Int64Array) -> Int64Array:
        """Return the numbers in the stage of the record batches at ``places`` of a later epoch."""
        full_batches = self.num_rows // self.rows_per_batch
        per_window = self.window_shards * self.batches_per_shard
        numbers = places.copy()
        for window in np.unique(places // per_window).tolist():
            chosen = (places // per_window == window) & (places < full_batches)
            size = min(per_window, full_batches - window * per_window)
            if size <= 0 or not chosen.any():
                continue
            permutation = Permutation(size, key=self.key_of("batches", epoch, window))
            slots, inside = np.divmod(
                permutation(places[chosen] - window * per_window), self.batches_per_shard
            )
            shards = self._shards(epoch, slots + window * self.window_shards)
            numbers[chosen] = shards * self.batches_per_shard + inside
        return numbers

    def _shards(self, epoch: int, slots: Int64Array) -> Int64Array:
        """Return which shards stand at ``slots`` of an epoch; a last shard that is not full, last."""
        full_shards = self.num_rows // self.rows_per_shard
        if epoch == 0 or full_shards < 2:
            return slots
        shards = slots.copy()
        full = slots < full_shards
        shards[full] = Permutation(full_shards, key=self.key_of("shards", epoch, 0))(slots[full])
        return shards

    def key_of(self, what: str, epoch: int, number: int) -> int:
        """Return the key of one permutation of an epoch."""
        return hash64("dataprep epoch", self.key, what, epoch, number)


# What neighbouring steps and the threads of a reader ask for again and again, a few kilobytes each.


@functools.lru_cache(maxsize=16)
def _stretch(order: RowOrder, epoch: int, number: int) -> Int64Array:
    """Return the record batches at ``_STRETCH`` places of an epoch, fewer at its end."""
    end = -(-order.num_rows // order.rows_per_batch)
    first = number * _STRETCH
    return order.batch_numbers(epoch, np.arange(first, min(first + _STRETCH, end), dtype=np.int64))


@functools.lru_cache(maxsize=256)
def _rows_in_batch(order: RowOrder, epoch: int, number: int, num_rows: int) -> Int64Array:
    """Return the order of the rows of a record batch in an epoch: int64[num_rows]."""
    return keyed_permutation(num_rows, key=order.key_of("rows", epoch, number))
