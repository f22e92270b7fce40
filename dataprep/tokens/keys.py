"""Where a document stands in its source: its key, its class, its bin.

The key is a 64-bit hash of what names the document and of nothing else: not of where the
file lies, how it was split or who read it. Documents in the order of their keys are in a
random order, so every contiguous range of keys is a uniform sample of the source.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.errors import ConfigError
from dataprep.hashing import hash64, mix64

ALL, SHORT, LONG, HOLDOUT = "all", "short", "long", "holdout"

_KEY_SPACE = 1 << 64


def document_keys(
    origin: pa.DictionaryArray, origin_row: npt.NDArray[np.uint32], *, seed: int, collection: str
) -> npt.NDArray[np.uint64]:
    """Return the keys of documents of one collection: uint64[n].

    Args:
        origin: the raw file of each document, relative to its collection's root.
        origin_row: uint32[n], the row in that file.
        seed: the mixture's seed; another one gives another order.
        collection: name of the collection.
    """
    indices = origin.indices.to_numpy(zero_copy_only=False)
    names = origin.dictionary.to_pylist()
    keys = np.empty(len(indices), dtype=np.uint64)
    for index in np.unique(indices):
        of_file = indices == index
        file_key = hash64("document", seed, collection, names[index])
        keys[of_file] = mix64(origin_row[of_file].astype(np.uint64), key=file_key)
    return keys


@dataclass(frozen=True)
class Layout:
    """How the documents of one source fall into classes and bins.

    A document whose key is below ``holdout_fraction`` of the key space is held out, whatever its
    length. The others are one class, or two when ``min_long_tokens`` is given. Each class is cut
    into bins of equal key ranges.
    """

    holdout_fraction: float
    min_long_tokens: int | None
    """Documents of at least so many tokens (end-of-text included) are long."""
    num_bins: int
    num_holdout_bins: int

    def __post_init__(self) -> None:
        if not 0 <= self.holdout_fraction < 1:
            raise ConfigError(f"holdout_fraction must be at least 0 and below 1, got {self.holdout_fraction}")
        if self.min_long_tokens is not None and self.min_long_tokens < 1:
            raise ConfigError(f"min_tokens of long documents must be 1 or more, got {self.min_long_tokens}")
        assert min(self.num_bins, self.num_holdout_bins) >= 1

    @property
    def holdout_limit(self) -> int:
        """Keys below it are held out."""
        return int(self.holdout_fraction * _KEY_SPACE)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, training first."""
        training = (ALL,) if self.min_long_tokens is None else (SHORT, LONG)
        return (*training, HOLDOUT) if self.holdout_limit else training

    @property
    def num_buckets(self) -> int:
        """Number of buckets: the bins of all classes."""
        training = 1 if self.min_long_tokens is None else 2
        return training * self.num_bins + (self.num_holdout_bins if self.holdout_limit else 0)

    @property
    def buckets(self) -> tuple[tuple[str, int], ...]:
        """Class and bin of every bucket, in the order of the numbers that ``assign`` returns."""
        return tuple(
            (name, number)
            for name in self.classes
            for number in range(self.num_holdout_bins if name == HOLDOUT else self.num_bins)
        )

    def assign(
        self, keys: npt.NDArray[np.uint64], num_tokens: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Return the bucket of each document: int64[n].

        Args:
            keys: uint64[n].
            num_tokens: int64[n], end-of-text included.
        """
        limit = self.holdout_limit
        buckets = _range_number(keys, low=limit, high=_KEY_SPACE, count=self.num_bins)
        if self.min_long_tokens is not None:
            buckets[num_tokens >= self.min_long_tokens] += self.num_bins
        if limit:
            held_out = keys < np.uint64(limit)
            first = self.num_bins * (1 if self.min_long_tokens is None else 2)
            buckets[held_out] = first + _range_number(
                keys[held_out], low=0, high=limit, count=self.num_holdout_bins
            )
        return buckets


def _range_number(keys: npt.NDArray[np.uint64], *, low: int, high: int, count: int) -> npt.NDArray[np.int64]:
    """Return in which of ``count`` equal ranges of [low, high) each key is; any number for keys below low."""
    if count == 1:
        return np.zeros(len(keys), dtype=np.int64)
    width = -(-(high - low) // count)
    numbers = (keys - np.uint64(low)) // np.uint64(width)
    return np.asarray(np.minimum(numbers, np.uint64(count - 1)), dtype=np.int64)
