"""Compiled loops from UTF-8 bytes to words, shingles and signatures.

A text is first folded: lower-cased word characters stay, every other character becomes one
zero byte. What remains to be done for words is the same for all scripts and runs on eight
bytes at a time. The plain-Python meaning of every step stands in ``words`` and ``minhash``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dataprep.dedup.compiled import kernel

UInt8Array = npt.NDArray[np.uint8]
UInt32Array = npt.NDArray[np.uint32]
UInt64Array = npt.NDArray[np.uint64]
Int64Array = npt.NDArray[np.int64]

# Odd numbers with random-looking bits, from SHA-512's initial state. The lowest byte of
# WORD_START is 0xFF, which no UTF-8 text has, so a first block never makes the state 0.
WORD_START = 0x6A09E667F3BCC9FF
WORD_MULTIPLIER = 0xBB67AE8584CAA73B
# 3 modulo 4: M - 1 has one factor of two only, so words that change places change the hash.
SHINGLE_MULTIPLIER = 0x3C6EF372FE94F82B
FINAL_MULTIPLIER = 0xA54FF53A5F1D36F1

WORD_ENDS = 1 << 31
"""Flag in the word table: a word ends behind this character."""

_LOW_BITS = 0x0101010101010101
_HIGH_BITS = 0x8080808080808080
_PADDING_BYTES = 16
"""Zero bytes behind a folded text: they end its last word and keep reads of eight bytes inside."""
_BLOCK = 8
"""Shingles that enter a signature together, so that it is loaded once for all of them."""


@kernel
def _load8(data: UInt8Array, at: np.uint64) -> np.uint64:
    """Return eight bytes, little-endian; the compiler makes one load of it."""
    return np.uint64(
        np.uint64(data[at])
        | np.uint64(data[at + np.uint64(1)]) << np.uint64(8)
        | np.uint64(data[at + np.uint64(2)]) << np.uint64(16)
        | np.uint64(data[at + np.uint64(3)]) << np.uint64(24)
        | np.uint64(data[at + np.uint64(4)]) << np.uint64(32)
        | np.uint64(data[at + np.uint64(5)]) << np.uint64(40)
        | np.uint64(data[at + np.uint64(6)]) << np.uint64(48)
        | np.uint64(data[at + np.uint64(7)]) << np.uint64(56)
    )


@kernel
def _count_trailing_zeros(x: np.uint64) -> np.uint64:
    """Return the number of zero bits below the lowest set bit of ``x``, which is not 0."""
    below = np.uint64((x & (~x + np.uint64(1))) - np.uint64(1))
    below -= (below >> np.uint64(1)) & np.uint64(0x5555555555555555)
    below = (below & np.uint64(0x3333333333333333)) + (
        (below >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    below = (below + (below >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.uint64((below * np.uint64(_LOW_BITS)) >> np.uint64(56))


@kernel
def _decode(data: UInt8Array, at: np.uint64) -> tuple[np.uint32, np.uint64]:
    """Return the code point that starts with a byte of 0x80 or more, and its number of bytes."""
    first = np.uint32(data[at])
    second = np.uint32(data[at + np.uint64(1)]) & np.uint32(0x3F)
    if first < 0xE0:
        return np.uint32((first & np.uint32(0x1F)) << np.uint32(6) | second), np.uint64(2)
    third = np.uint32(data[at + np.uint64(2)]) & np.uint32(0x3F)
    upper = np.uint32(second << np.uint32(6) | third)
    if first < 0xF0:
        return np.uint32((first & np.uint32(0x0F)) << np.uint32(12) | upper), np.uint64(3)
    fourth = np.uint32(data[at + np.uint64(3)]) & np.uint32(0x3F)
    return np.uint32((first & np.uint32(0x07)) << np.uint32(18) | upper << np.uint32(6) | fourth), np.uint64(
        4
    )


@kernel
def _fold(data: UInt8Array, start: int, stop: int, table: UInt32Array, folded: UInt8Array) -> np.uint64:
    """Fold ``data[start:stop]`` into ``folded``, add the padding, return the folded length.

    Lower-casing lengthens no character by more than half (two bytes to three), so ``folded``
    needs 3/2 of the text and the padding.
    """
    at, end = np.uint64(start), np.uint64(stop)
    out = np.uint64(0)
    while at < end:
        if at + np.uint64(8) <= end and _load8(data, at) & np.uint64(_HIGH_BITS) == 0:
            for k in range(8):
                folded[out + np.uint64(k)] = table[data[at + np.uint64(k)]]
            at += np.uint64(8)
            out += np.uint64(8)
            continue
        if data[at] < 0x80:
            folded[out] = table[data[at]]
            at += np.uint64(1)
            out += np.uint64(1)
            continue
        code_point, size = _decode(data, at)
        at += size
        entry = table[code_point]
        lowered = entry & np.uint32(WORD_ENDS - 1)
        if lowered < 0x80:
            folded[out] = lowered
            out += np.uint64(1)
        elif lowered < 0x800:
            folded[out] = 0xC0 | (lowered >> 6)
            folded[out + np.uint64(1)] = 0x80 | (lowered & 0x3F)
            out += np.uint64(2)
        elif lowered < 0x10000:
            folded[out] = 0xE0 | (lowered >> 12)
            folded[out + np.uint64(1)] = 0x80 | ((lowered >> 6) & 0x3F)
            folded[out + np.uint64(2)] = 0x80 | (lowered & 0x3F)
            out += np.uint64(3)
        else:
            folded[out] = 0xF0 | (lowered >> 18)
            folded[out + np.uint64(1)] = 0x80 | ((lowered >> 12) & 0x3F)
            folded[out + np.uint64(2)] = 0x80 | ((lowered >> 6) & 0x3F)
            folded[out + np.uint64(3)] = 0x80 | (lowered & 0x3F)
            out += np.uint64(4)
        if entry & np.uint32(WORD_ENDS):
            folded[out] = 0
            out += np.uint64(1)
    for k in range(_PADDING_BYTES):
        folded[out + np.uint64(k)] = 0
    return out


@kernel
def _next_word(folded: UInt8Array, at: np.uint64, end: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the place behind the next word and its hash; a place behind ``end`` where none is left.

    A word that ends at ``end`` gives the place ``end`` itself.
    """
    eight = np.uint64(0)
    while at < end:
        eight = _load8(folded, at)
        if eight & np.uint64(0xFF):
            break
        # Eight zero bytes at once, or those in front of the word.
        at += np.uint64(8) if eight == 0 else _count_trailing_zeros(eight) >> np.uint64(3)
    if at >= end:
        return end + np.uint64(1), np.uint64(0)
    state = np.uint64(WORD_START)
    while True:
        # The lowest set bit is exact: it marks the first zero byte.
        zero_bytes = (eight - np.uint64(_LOW_BITS)) & ~eight & np.uint64(_HIGH_BITS)
        if zero_bytes:
            bits = _count_trailing_zeros(zero_bytes) & np.uint64(56)
            if bits:
                state = (state ^ (eight & ((np.uint64(1) << bits) - np.uint64(1)))) * np.uint64(
                    WORD_MULTIPLIER
                )
                state ^= state >> np.uint64(32)
            return at + (bits >> np.uint64(3)), state
        state = (state ^ eight) * np.uint64(WORD_MULTIPLIER)
        state ^= state >> np.uint64(32)
        at += np.uint64(8)
        eight = _load8(folded, at)


@kernel
def _next_shingle(state: np.uint64, word: np.uint64, oldest: np.uint64, top: np.uint64) -> np.uint64:
    """Shift a word into the polynomial of the window and the word ``oldest`` out of it."""
    return np.uint64(state * np.uint64(SHINGLE_MULTIPLIER) + word - oldest * top)


@kernel
def _final(state: np.uint64) -> np.uint64:
    """Return the 64-bit hash of a shingle from the polynomial of its words."""
    state ^= state >> np.uint64(32)
    state *= np.uint64(FINAL_MULTIPLIER)
    return np.uint64(state ^ (state >> np.uint64(29)))


@kernel
def _premix(hash32: np.uint32) -> np.uint32:
    """Return MurmurHash3's 32-bit finaliser of a hash, as datasketch applies it before permuting."""
    hash32 ^= hash32 >> np.uint32(16)
    hash32 = np.uint32(hash32 * np.uint32(0x85EBCA6B))
    hash32 ^= hash32 >> np.uint32(13)
    hash32 = np.uint32(hash32 * np.uint32(0xC2B2AE35))
    return np.uint32(hash32 ^ (hash32 >> np.uint32(16)))


@kernel
def _absorb(pending: UInt32Array, factors: UInt32Array, shifts: UInt32Array, signature: UInt32Array) -> None:
    """Take eight premixed hashes into a signature; written out so that it becomes SIMD over k."""
    h0, h1, h2, h3 = pending[0], pending[1], pending[2], pending[3]
    h4, h5, h6, h7 = pending[4], pending[5], pending[6], pending[7]
    for k in range(signature.shape[0]):
        a, b, least = factors[k], shifts[k], signature[k]
        least = min(least, np.uint32(a * h0 + b))
        least = min(least, np.uint32(a * h1 + b))
        least = min(least, np.uint32(a * h2 + b))
        least = min(least, np.uint32(a * h3 + b))
        least = min(least, np.uint32(a * h4 + b))
        least = min(least, np.uint32(a * h5 + b))
        least = min(least, np.uint32(a * h6 + b))
        least = min(least, np.uint32(a * h7 + b))
        signature[k] = least


@kernel
def _scratch(offsets: Int64Array) -> UInt8Array:
    """Return room for the folded form of the longest text."""
    longest = 0
    for row in range(offsets.shape[0] - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    return np.empty(longest // 2 * 3 + 2 + _PADDING_BYTES, dtype=np.uint8)


@kernel
def _top_factor(ngram: int) -> np.uint64:
    """Return the factor with which the oldest word stands in the polynomial, one step on."""
    top = np.uint64(1)
    for _ in range(ngram):
        top *= np.uint64(SHINGLE_MULTIPLIER)
    return top


@kernel
def sign_texts(
    offsets: Int64Array,
    data: UInt8Array,
    table: UInt32Array,
    ngram: int,
    factors: UInt32Array,
    shifts: UInt32Array,
    signatures: UInt32Array,
    num_shingles: UInt32Array,
) -> None:
    """Fill ``signatures`` uint32[n, num_perm] and ``num_shingles`` uint32[n]."""
    folded = _scratch(offsets)
    window = np.zeros(ngram, dtype=np.uint64)
    pending = np.empty(_BLOCK, dtype=np.uint32)
    top = _top_factor(ngram)
    for row in range(offsets.shape[0] - 1):
        signature = signatures[row]
        signature[:] = np.uint32(0xFFFFFFFF)
        window[:] = np.uint64(0)
        end = _fold(data, offsets[row], offsets[row + 1], table, folded)
        at, state = np.uint64(0), np.uint64(0)
        num_words = slot = num_pending = 0
        while True:
            at, word = _next_word(folded, at, end)
            if at > end:
                break
            state = _next_shingle(state, word, window[slot], top)
            window[slot] = word
            slot = slot + 1 if slot + 1 < ngram else 0
            num_words += 1
            if num_words < ngram:
                continue
            pending[num_pending] = _premix(np.uint32(_final(state) >> np.uint64(32)))
            num_pending += 1
            if num_pending == _BLOCK:
                _absorb(pending, factors, shifts, signature)
                num_pending = 0
        if num_pending > 0:
            # A minimum does not mind repeats: the block is filled up with its first hash.
            pending[num_pending:] = pending[0]
            _absorb(pending, factors, shifts, signature)
        num_shingles[row] = max(0, num_words - ngram + 1)


@kernel
def hash_shingles(
    offsets: Int64Array,
    data: UInt8Array,
    table: UInt32Array,
    ngram: int,
    hashes: UInt64Array,
    set_offsets: Int64Array,
) -> None:
    """Fill ``hashes`` with every text's distinct shingle hashes, ascending, and ``set_offsets`` int64[n + 1].

    ``hashes`` needs room for all shingles, repeats included.
    """
    folded = _scratch(offsets)
    window = np.zeros(ngram, dtype=np.uint64)
    top = _top_factor(ngram)
    num_hashes = 0
    set_offsets[0] = 0
    for row in range(offsets.shape[0] - 1):
        window[:] = np.uint64(0)
        end = _fold(data, offsets[row], offsets[row + 1], table, folded)
        at, state = np.uint64(0), np.uint64(0)
        num_words = slot = 0
        first = stop = num_hashes
        while True:
            at, word = _next_word(folded, at, end)
            if at > end:
                break
            state = _next_shingle(state, word, window[slot], top)
            window[slot] = word
            slot = slot + 1 if slot + 1 < ngram else 0
            num_words += 1
            if num_words >= ngram:
                hashes[stop] = _final(state)
                stop += 1
        ascending = np.sort(hashes[first:stop])
        for i in range(ascending.shape[0]):
            if i == 0 or ascending[i] != ascending[i - 1]:
                hashes[num_hashes] = ascending[i]
                num_hashes += 1
        set_offsets[row + 1] = num_hashes


@kernel
def count_words(offsets: Int64Array, data: UInt8Array, table: UInt32Array, num_words: Int64Array) -> None:
    """Fill ``num_words`` int64[n]."""
    folded = _scratch(offsets)
    for row in range(offsets.shape[0] - 1):
        end = _fold(data, offsets[row], offsets[row + 1], table, folded)
        at = np.uint64(0)
        num_words[row] = 0
        while True:
            at, _ = _next_word(folded, at, end)
            if at > end:
                break
            num_words[row] += 1
