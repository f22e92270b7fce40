"""128-bit content hashes: two texts with the same hash are the same document.

The hash is XXH64 of the text's UTF-8 bytes under two seeds. Texts come here normalised, so
that line ends, composed characters and byte-order marks make no difference.

A collision would mean that one of two different documents of the same length is dropped as
an exact copy of the other. Among 10**10 documents that happens with probability 10**-19 (the
hash is not cryptographic: the number holds for text that nobody made in order to collide).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.dedup.buffers import filled_buffers
from dataprep.kernels import KernelFunction, at, borrowed, inlined, kernel, load_8_bytes, read, write

UInt64Array = npt.NDArray[np.uint64]

CONTENT_SEEDS = (0, 0x9E3779B97F4A7C15)
"""Seeds of the upper and the lower half of a content hash."""

# The primes of XXH64. Source: the xxHash fast digest algorithm, specification 0.1.1.
_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_NOTHING = np.uint64(0)


def content_hashes(text: pa.LargeStringArray) -> tuple[UInt64Array, UInt64Array]:
    """Return the upper and the lower halves of the texts' 128-bit hashes: two uint64[n]."""
    upper_seed, lower_seed = CONTENT_SEEDS
    return text_hashes(text, seed=upper_seed), text_hashes(text, seed=lower_seed)


def text_hashes(text: pa.LargeStringArray, *, seed: int) -> UInt64Array:
    """Return XXH64 of each text's UTF-8 bytes: uint64[n]; a null counts as an empty text."""
    buffers = filled_buffers(text)
    hashes = np.empty(len(text), dtype=np.uint64)
    _hash_texts(buffers.offsets, buffers.data, np.uint64(seed), hashes)
    return hashes


@inlined
def _rotate(x: Any, bits: int) -> Any:
    return x << np.uint64(bits) | x >> np.uint64(64 - bits)


@inlined
def _round(lane: Any, block: Any) -> Any:
    return _rotate(lane + block * _P2, 31) * _P1


@inlined
def _merge(state: Any, lane: Any) -> Any:
    return (state ^ _round(_NOTHING, lane)) * _P1 + _P4


@inlined
def _xxh64(data: Any, i: int, stop: int, seed: Any) -> Any:
    """Return XXH64 of ``data[i:stop]``. Eight bytes are little-endian on every platform of Numba's."""
    num_bytes = stop - i
    if num_bytes >= 32:
        lane1, lane2, lane3, lane4 = seed + _P1 + _P2, seed + _P2, seed, seed - _P1
        while i + 32 <= stop:
            lane1 = _round(lane1, load_8_bytes(data, i))
            lane2 = _round(lane2, load_8_bytes(data, i + 8))
            lane3 = _round(lane3, load_8_bytes(data, i + 16))
            lane4 = _round(lane4, load_8_bytes(data, i + 24))
            i += 32
        state = _rotate(lane1, 1) + _rotate(lane2, 7) + _rotate(lane3, 12) + _rotate(lane4, 18)
        state = _merge(_merge(_merge(_merge(state, lane1), lane2), lane3), lane4)
    else:
        state = seed + _P5
    state += np.uint64(num_bytes)
    while i + 8 <= stop:
        state ^= _round(_NOTHING, load_8_bytes(data, i))
        state = _rotate(state, 27) * _P1 + _P4
        i += 8
    if i + 4 <= stop:
        block = _NOTHING
        for k in range(4):
            block |= np.uint64(data[at(i + k)]) << np.uint64(8 * k)
        state = _rotate(state ^ block * _P1, 23) * _P2 + _P3
        i += 4
    while i < stop:
        state = _rotate(state ^ np.uint64(data[at(i)]) * _P5, 11) * _P1
        i += 1
    state = (state ^ state >> np.uint64(33)) * _P2
    state = (state ^ state >> np.uint64(29)) * _P3
    return state ^ state >> np.uint64(32)


@kernel("none", read("int64"), read("uint8"), "uint64", write("uint64"))
def _hash_texts(offsets: Any, data: Any, seed: Any, hashes: Any) -> None:
    view = borrowed(data)
    for row in range(len(hashes)):
        hashes[row] = _xxh64(view, offsets[row], offsets[row + 1], seed)


CONTENT_KERNELS: tuple[KernelFunction, ...] = (_hash_texts,)
"""What :func:`text_hashes` calls."""
