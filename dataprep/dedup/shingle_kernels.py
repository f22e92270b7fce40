"""Compiled loops from words to the hashes of shingles, signatures and exact sets.

The plain-Python meaning of every step stands in ``minhash``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dataprep.dedup.word_kernels import fold, next_word
from dataprep.kernels import at, borrowed, inlined, kernel, read, subroutine, write

# Odd numbers with random-looking bits, from SHA-512's initial state. The first is 3 modulo 4:
# M - 1 has one factor of two only, so words that change places change the hash.
SHINGLE_MULTIPLIER = 0x3C6EF372FE94F82B
FINAL_MULTIPLIER = 0xA54FF53A5F1D36F1

NUM_PENDING = 8
"""Shingles that enter a signature together, so that it is loaded once for all of them."""

NUM_DIGITS = 256
"""Values of a byte, by which numbers are sorted."""

_FEW = 48
"""So many numbers, or fewer, are sorted by insertion."""

_SHINGLE_MULTIPLIER = np.uint64(SHINGLE_MULTIPLIER)
_FINAL_MULTIPLIER = np.uint64(FINAL_MULTIPLIER)
_LOWEST_BYTE = np.uint64(0xFF)
_NOTHING = np.uint64(0)
_ONE = np.uint64(1)
_HALF = np.uint64(32)
_ALL_ONES = np.uint32(0xFFFFFFFF)


@inlined
def _next_shingle(state: Any, word: Any, oldest: Any, top: Any) -> Any:
    """Shift a word into the polynomial of the window and the word ``oldest`` out of it."""
    return state * _SHINGLE_MULTIPLIER + word - oldest * top


@inlined
def _final(state: Any) -> Any:
    """Return the 64-bit hash of a shingle from the polynomial of its words."""
    state = (state ^ state >> _HALF) * _FINAL_MULTIPLIER
    return state ^ state >> np.uint64(29)


@inlined
def _premix(hash32: Any) -> Any:
    """Return MurmurHash3's 32-bit finaliser of a hash, as datasketch applies it before permuting."""
    hash32 = np.uint32((hash32 ^ hash32 >> np.uint32(16)) * np.uint32(0x85EBCA6B))
    hash32 = np.uint32((hash32 ^ hash32 >> np.uint32(13)) * np.uint32(0xC2B2AE35))
    return np.uint32(hash32 ^ hash32 >> np.uint32(16))


@subroutine
def _absorb(pending: Any, factors: Any, shifts: Any, signatures: Any, row: int) -> None:
    """Take eight premixed hashes into a signature; written out so that it becomes SIMD over k."""
    h0, h1, h2, h3 = pending[0], pending[1], pending[2], pending[3]
    h4, h5, h6, h7 = pending[4], pending[5], pending[6], pending[7]
    for k in range(signatures.shape[1]):
        a, b, least = factors[at(k)], shifts[at(k)], signatures[at(row), at(k)]
        least = min(least, np.uint32(a * h0 + b))
        least = min(least, np.uint32(a * h1 + b))
        least = min(least, np.uint32(a * h2 + b))
        least = min(least, np.uint32(a * h3 + b))
        least = min(least, np.uint32(a * h4 + b))
        least = min(least, np.uint32(a * h5 + b))
        least = min(least, np.uint32(a * h6 + b))
        least = min(least, np.uint32(a * h7 + b))
        signatures[at(row), at(k)] = least


@subroutine
def _top_factor(ngram: int) -> Any:
    """Return the factor with which the oldest word stands in the polynomial, one step on."""
    top = _ONE
    for _ in range(ngram):
        top *= _SHINGLE_MULTIPLIER
    return top


@kernel(
    "none",
    read("int64"),
    read("uint8"),
    read("uint32"),
    read("uint32"),
    read("uint32"),
    write("uint8"),
    write("uint64"),
    write("uint32"),
    write("uint32", 2),
    write("uint32"),
)
def sign_texts(
    offsets: Any,
    data: Any,
    table: Any,
    factors: Any,
    shifts: Any,
    folded: Any,
    window: Any,
    pending: Any,
    signatures: Any,
    num_shingles: Any,
) -> None:
    """Write the signatures of texts and how many shingles they have.

    Args:
        offsets, data: int64[n + 1], uint8; text i is ``data[offsets[i]:offsets[i + 1]]``.
        table: See ``words.word_table``.
        factors, shifts: uint32[num_perm] each, the permutations.
        folded: Scratch, uint8[``word_kernels.folded_bytes`` of the longest text].
        window: Scratch, uint64[words of a shingle].
        pending: Scratch, uint32[NUM_PENDING].
        signatures: Written, uint32[n, num_perm].
        num_shingles: Written, uint32[n].
    """
    data, table, folded = borrowed(data), borrowed(table), borrowed(folded)
    window, pending = borrowed(window), borrowed(pending)
    factors, shifts, signatures = borrowed(factors), borrowed(shifts), borrowed(signatures)
    ngram = len(window)
    top = _top_factor(ngram)
    for row in range(len(offsets) - 1):
        for k in range(signatures.shape[1]):
            signatures[at(row), at(k)] = _ALL_ONES
        for k in range(ngram):
            window[at(k)] = _NOTHING
        end = fold(data, offsets[row], offsets[row + 1], table, folded)
        i, state = 0, _NOTHING
        num_words = slot = num_pending = 0
        while True:
            i, word = next_word(folded, i, end)
            if i > end:
                break
            state = _next_shingle(state, word, window[at(slot)], top)
            window[at(slot)] = word
            slot = slot + 1 if slot + 1 < ngram else 0
            num_words += 1
            if num_words < ngram:
                continue
            pending[at(num_pending)] = _premix(np.uint32(_final(state) >> _HALF))
            num_pending += 1
            if num_pending == NUM_PENDING:
                _absorb(pending, factors, shifts, signatures, row)
                num_pending = 0
        if num_pending > 0:
            # A minimum does not mind repeats: the block is filled up with its first hash.
            for k in range(num_pending, NUM_PENDING):
                pending[at(k)] = pending[0]
            _absorb(pending, factors, shifts, signatures, row)
        num_shingles[row] = max(0, num_words - ngram + 1)


@subroutine
def _sort_by_byte(
    source: Any, start: int, target: Any, begin: int, count: int, shift: int, digits: Any
) -> None:
    """Copy ``source[start:start + count]`` to ``target[begin:]``, ascending by the byte at bit ``shift``.

    Numbers with the same byte keep their order.
    """
    bits = np.uint64(shift)
    for digit in range(NUM_DIGITS):
        digits[at(digit)] = 0
    for i in range(start, start + count):
        digits[source[at(i)] >> bits & _LOWEST_BYTE] += 1
    place = begin
    for digit in range(NUM_DIGITS):
        size = digits[at(digit)]
        digits[at(digit)] = place
        place += size
    for i in range(start, start + count):
        value = source[at(i)]
        digit = value >> bits & _LOWEST_BYTE
        target[at(digits[digit])] = value
        digits[digit] += 1


@subroutine
def _sort(values: Any, start: int, stop: int, spare: Any, digits: Any) -> None:
    """Sort ``values[start:stop]`` ascending, in time that grows with their number whatever they are."""
    if stop - start <= _FEW:
        for i in range(start + 1, stop):
            value, place = values[at(i)], i
            while place > start and values[at(place - 1)] > value:
                values[at(place)] = values[at(place - 1)]
                place -= 1
            values[at(place)] = value
        return
    for shift in range(0, 64, 16):
        _sort_by_byte(values, start, spare, 0, stop - start, shift, digits)
        _sort_by_byte(spare, 0, values, start, stop - start, shift + 8, digits)


@kernel(
    "none",
    read("int64"),
    read("uint8"),
    read("uint32"),
    write("uint8"),
    write("uint64"),
    write("uint64"),
    write("int64"),
    write("uint64"),
    write("int64"),
)
def hash_shingles(
    offsets: Any,
    data: Any,
    table: Any,
    folded: Any,
    window: Any,
    spare: Any,
    digits: Any,
    hashes: Any,
    set_offsets: Any,
) -> None:
    """Write every text's distinct shingle hashes, ascending.

    Args:
        offsets, data, table, folded, window: As in ``sign_texts``.
        spare: Scratch, uint64[most shingles of a text, repeats included].
        digits: Scratch, int64[NUM_DIGITS].
        hashes: Written, uint64[shingles of all texts, repeats included].
        set_offsets: Written, int64[n + 1]; the hashes of text i are
            ``hashes[set_offsets[i]:set_offsets[i + 1]]``.
    """
    data, table, folded, window = borrowed(data), borrowed(table), borrowed(folded), borrowed(window)
    hashes, spare, digits = borrowed(hashes), borrowed(spare), borrowed(digits)
    ngram = len(window)
    top = _top_factor(ngram)
    num_hashes = 0
    set_offsets[0] = 0
    for row in range(len(offsets) - 1):
        for k in range(ngram):
            window[at(k)] = _NOTHING
        end = fold(data, offsets[row], offsets[row + 1], table, folded)
        i, state = 0, _NOTHING
        num_words = slot = 0
        first = stop = num_hashes
        while True:
            i, word = next_word(folded, i, end)
            if i > end:
                break
            state = _next_shingle(state, word, window[at(slot)], top)
            window[at(slot)] = word
            slot = slot + 1 if slot + 1 < ngram else 0
            num_words += 1
            if num_words >= ngram:
                hashes[at(stop)] = _final(state)
                stop += 1
        _sort(hashes, first, stop, spare, digits)
        for k in range(first, stop):
            if num_hashes == first or hashes[at(k)] != hashes[at(num_hashes - 1)]:
                hashes[at(num_hashes)] = hashes[at(k)]
                num_hashes += 1
        set_offsets[row + 1] = num_hashes
