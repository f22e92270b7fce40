"""MinHash signatures and exact sets of word shingles.

The signature of a document equals, bit for bit,

    datasketch.MinHash(num_perm, seed, scheme="affine32", hashfunc=shingle_hash)

updated with the document's shingles: every run of ``ngram`` consecutive words, joined by
single spaces, as UTF-8 bytes; words as ``dataprep.dedup.words`` defines them.
``shingle_hash`` is the hash in plain Python; the kernels compute the same from the hashes of
the words and never build a shingle.

A document of fewer than ``ngram`` words has no shingle: its signature is all ones, its
number of shingles 0, and it takes no part in the search for near-duplicates.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.dedup import shingle_kernels, word_kernels
from dataprep.dedup.buffers import filled_buffers
from dataprep.dedup.shingle_kernels import FINAL_MULTIPLIER, SHINGLE_MULTIPLIER
from dataprep.dedup.word_kernels import WORD_MULTIPLIER, WORD_START
from dataprep.dedup.words import word_table

UInt32Array = npt.NDArray[np.uint32]

_MASK = 0xFFFFFFFFFFFFFFFF


def word_hash(word: bytes) -> int:
    """Return the 64-bit hash of a folded word: blocks of eight bytes, little-endian, zero-padded."""
    state = WORD_START
    for start in range(0, len(word), 8):
        block = int.from_bytes(word[start : start + 8], "little")
        state = ((state ^ block) * WORD_MULTIPLIER) & _MASK
        state ^= state >> 32
    return state


def shingle_hash64(shingle: bytes) -> int:
    """Return the 64-bit hash of a shingle: words joined by single spaces, as UTF-8."""
    state = 0
    for word in shingle.split(b" "):
        state = (state * SHINGLE_MULTIPLIER + word_hash(word)) & _MASK
    state ^= state >> 32
    state = (state * FINAL_MULTIPLIER) & _MASK
    return state ^ (state >> 29)


def shingle_hash(shingle: bytes) -> int:
    """Return the 32-bit hash of a shingle that MinHash permutes: the upper half of the 64-bit one."""
    return shingle_hash64(shingle) >> 32


@functools.cache
def permutations(num_perm: int, seed: int) -> tuple[UInt32Array, UInt32Array]:
    """Return the factors and shifts of ``h -> a * h + b mod 2**32``: two uint32[num_perm].

    Source: datasketch 2.0.0, ``MinHash._init_permutations``. Factors are odd, so each map is a
    bijection.
    """
    generator = np.random.RandomState(seed)
    factors = generator.randint(0, 1 << 31, num_perm, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    shifts = generator.randint(0, 1 << 32, num_perm, dtype=np.uint32)
    return factors, shifts


@dataclass(frozen=True)
class Signatures:
    """The signatures of n documents."""

    values: UInt32Array
    """uint32[n, num_perm]"""
    num_shingles: UInt32Array
    """uint32[n]; a shingle that comes twice counts twice"""


def minhash(text: pa.LargeStringArray, *, num_perm: int, ngram: int, seed: int) -> Signatures:
    """Return the MinHash signatures of texts; a null counts as an empty text."""
    buffers = filled_buffers(text)
    factors, shifts = permutations(num_perm, seed)
    values = np.empty((len(text), num_perm), dtype=np.uint32)
    num_shingles = np.empty(len(text), dtype=np.uint32)
    shingle_kernels.sign_texts(
        buffers.offsets,
        buffers.data,
        word_table(),
        factors,
        shifts,
        np.empty(word_kernels.folded_bytes(buffers.longest), dtype=np.uint8),
        np.empty(ngram, dtype=np.uint64),
        np.empty(shingle_kernels.NUM_PENDING, dtype=np.uint32),
        values,
        num_shingles,
    )
    return Signatures(values, num_shingles)


@dataclass(frozen=True)
class ShingleSets:
    """The exact shingle sets of n documents, as 64-bit hashes.

    Two different shingles share a hash with probability 2**-64: comparing hashes is comparing
    shingles, for all purposes.
    """

    offsets: npt.NDArray[np.int64]
    """int64[n + 1]; the set of document i is ``hashes[offsets[i]:offsets[i + 1]]``"""
    hashes: npt.NDArray[np.uint64]
    """uint64[offsets[n]]; ascending and without repeats inside a document"""


def shingle_sets(text: pa.LargeStringArray, *, ngram: int) -> ShingleSets:
    """Return the set of shingles of each text; a null counts as an empty text."""
    buffers, table = filled_buffers(text), word_table()
    folded = np.empty(word_kernels.folded_bytes(buffers.longest), dtype=np.uint8)
    num_words = np.empty(len(text), dtype=np.int64)
    word_kernels.count_words(buffers.offsets, buffers.data, table, folded, num_words)
    num_shingles = np.maximum(num_words - ngram + 1, 0)
    hashes = np.empty(int(num_shingles.sum()), dtype=np.uint64)
    set_offsets = np.empty(len(text) + 1, dtype=np.int64)
    shingle_kernels.hash_shingles(
        buffers.offsets,
        buffers.data,
        table,
        folded,
        np.empty(ngram, dtype=np.uint64),
        np.empty(int(num_shingles.max(initial=0)), dtype=np.uint64),
        np.empty(shingle_kernels.NUM_DIGITS, dtype=np.int64),
        hashes,
        set_offsets,
    )
    return ShingleSets(set_offsets, hashes[: set_offsets[-1]])
