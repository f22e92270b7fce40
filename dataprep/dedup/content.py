"""128-bit content hashes: two texts with the same hash are the same document.

The hash is XXH64 of the text's UTF-8 bytes under two seeds. Texts come here normalised, so
that line ends, composed characters and byte-order marks make no difference.

A collision would mean that one of two different documents of the same length is dropped as
an exact copy of the other. Among 10**10 documents that happens with probability 10**-19 (the
hash is not cryptographic: the number holds for text that nobody made in order to collide).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.dedup.buffers import utf8_buffers
from dataprep.dedup.compiled import kernel

UInt8Array = npt.NDArray[np.uint8]
UInt64Array = npt.NDArray[np.uint64]
Int64Array = npt.NDArray[np.int64]

CONTENT_SEEDS = (0, 0x9E3779B97F4A7C15)
"""Seeds of the upper and the lower half of a content hash."""

# The primes of XXH64. Source: the xxHash fast digest algorithm, specification 0.1.1.
_P1 = 0x9E3779B185EBCA87
_P2 = 0xC2B2AE3D27D4EB4F
_P3 = 0x165667B19E3779F9
_P4 = 0x85EBCA77C2B2AE63
_P5 = 0x27D4EB2F165667C5


def content_hashes(text: pa.LargeStringArray) -> tuple[UInt64Array, UInt64Array]:
    """Return the upper and the lower halves of the texts' 128-bit hashes: two uint64[n]."""
    upper_seed, lower_seed = CONTENT_SEEDS
    return text_hashes(text, seed=upper_seed), text_hashes(text, seed=lower_seed)


def text_hashes(text: pa.LargeStringArray, *, seed: int) -> UInt64Array:
    """Return XXH64 of each text's UTF-8 bytes: uint64[n]; a null counts as an empty text."""
    offsets, data = utf8_buffers(text)
    hashes = np.empty(len(text), dtype=np.uint64)
    _hash_texts(offsets, data, np.uint64(seed), hashes)
    return hashes


@kernel
def _load(data: UInt8Array, at: np.uint64, num_bytes: int) -> np.uint64:
    """Return ``num_bytes`` bytes, little-endian; a constant number becomes one load."""
    value = np.uint64(0)
    for k in range(num_bytes):
        value |= np.uint64(data[at + np.uint64(k)]) << np.uint64(8 * k)
    return value


@kernel
def _rotate(x: np.uint64, bits: int) -> np.uint64:
    return np.uint64((x << np.uint64(bits)) | (x >> np.uint64(64 - bits)))


@kernel
def _round(lane: np.uint64, block: np.uint64) -> np.uint64:
    return np.uint64(_rotate(lane + block * np.uint64(_P2), 31) * np.uint64(_P1))


@kernel
def _merge(state: np.uint64, lane: np.uint64) -> np.uint64:
    return np.uint64((state ^ _round(np.uint64(0), lane)) * np.uint64(_P1) + np.uint64(_P4))


@kernel
def _xxh64(data: UInt8Array, at: np.uint64, end: np.uint64, seed: np.uint64) -> np.uint64:
    num_bytes = end - at
    if num_bytes >= 32:
        lane1 = seed + np.uint64(_P1) + np.uint64(_P2)
        lane2 = seed + np.uint64(_P2)
        lane3 = seed
        lane4 = seed - np.uint64(_P1)
        while at + np.uint64(32) <= end:
            lane1 = _round(lane1, _load(data, at, 8))
            lane2 = _round(lane2, _load(data, at + np.uint64(8), 8))
            lane3 = _round(lane3, _load(data, at + np.uint64(16), 8))
            lane4 = _round(lane4, _load(data, at + np.uint64(24), 8))
            at += np.uint64(32)
        state = _rotate(lane1, 1) + _rotate(lane2, 7) + _rotate(lane3, 12) + _rotate(lane4, 18)
        state = _merge(_merge(_merge(_merge(state, lane1), lane2), lane3), lane4)
    else:
        state = seed + np.uint64(_P5)
    state += num_bytes
    while at + np.uint64(8) <= end:
        state ^= _round(np.uint64(0), _load(data, at, 8))
        state = _rotate(state, 27) * np.uint64(_P1) + np.uint64(_P4)
        at += np.uint64(8)
    if at + np.uint64(4) <= end:
        state ^= _load(data, at, 4) * np.uint64(_P1)
        state = _rotate(state, 23) * np.uint64(_P2) + np.uint64(_P3)
        at += np.uint64(4)
    while at < end:
        state ^= np.uint64(data[at]) * np.uint64(_P5)
        state = _rotate(state, 11) * np.uint64(_P1)
        at += np.uint64(1)
    state = (state ^ (state >> np.uint64(33))) * np.uint64(_P2)
    state = (state ^ (state >> np.uint64(29))) * np.uint64(_P3)
    return np.uint64(state ^ (state >> np.uint64(32)))


@kernel
def _hash_texts(offsets: Int64Array, data: UInt8Array, seed: np.uint64, hashes: UInt64Array) -> None:
    for row in range(hashes.shape[0]):
        hashes[row] = _xxh64(data, np.uint64(offsets[row]), np.uint64(offsets[row + 1]), seed)
