"""Compiled loops from UTF-8 bytes to words.

A text is first folded: lower-cased word characters stay, every other character becomes one
zero byte. What remains to be done for words is the same for all scripts and runs on eight
bytes at a time. The plain-Python meaning of every step stands in ``words`` and ``minhash``.

Eight bytes are read in the machine's order, which is little-endian on every platform that
Numba compiles for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dataprep.kernels import (
    at,
    borrowed,
    inlined,
    int64,
    kernel,
    load_8_bytes,
    read,
    subroutine,
    trailing_zeros,
    write,
)

# Odd numbers with random-looking bits, from SHA-512's initial state. The lowest byte of
# WORD_START is 0xFF, which no UTF-8 text has, so a first block never makes the state 0.
WORD_START = 0x6A09E667F3BCC9FF
WORD_MULTIPLIER = 0xBB67AE8584CAA73B

WORD_ENDS = 1 << 31
"""Flag in the word table: a word ends behind this character."""

_PADDING_BYTES = 16
"""Zero bytes behind a folded text: they end its last word and keep reads of eight bytes inside."""

_START = np.uint64(WORD_START)
_MULTIPLIER = np.uint64(WORD_MULTIPLIER)
_LOW_BITS = np.uint64(0x0101010101010101)
_HIGH_BITS = np.uint64(0x8080808080808080)
_LOWEST_BYTE = np.uint64(0xFF)
_NOTHING = np.uint64(0)
_ONE = np.uint64(1)
_HALF = np.uint64(32)


def folded_bytes(longest_bytes: int) -> int:
    """Return the size of the scratch memory for the folded form of a text of ``longest_bytes``.

    Lower-casing lengthens no character by more than half (two bytes to three).
    """
    return longest_bytes // 2 * 3 + 2 + _PADDING_BYTES


@inlined
def _decode(data: Any, i: int) -> tuple[int, int]:
    """Return the code point of two bytes or more at byte ``i``, and the place of the next one.

    No code point is too large for the table, whatever the bytes are.
    """
    first = int64(data[at(i)])
    second = int64(data[at(i + 1)]) & 0x3F
    if first < 0xE0:
        return (first & 0x1F) << 6 | second, i + 2
    upper = second << 6 | (int64(data[at(i + 2)]) & 0x3F)
    if first < 0xF0:
        return (first & 0x0F) << 12 | upper, i + 3
    return min((first & 0x07) << 18 | upper << 6 | (int64(data[at(i + 3)]) & 0x3F), int64(0x10FFFF)), i + 4


@subroutine
def fold(data: Any, start: int, stop: int, table: Any, folded: Any) -> int:
    """Fold ``data[start:stop]`` into ``folded``, add the padding, return the folded length.

    The bytes are valid UTF-8; of others no sense is made, but none beyond ``stop`` is looked at: a
    last character that is cut off ends the text.
    """
    i, out = start, 0
    while i < stop:
        if i + 8 <= stop and load_8_bytes(data, i) & _HIGH_BITS == _NOTHING:
            for k in range(8):
                folded[at(out + k)] = table[data[at(i + k)]]
            i += 8
            out += 8
            continue
        if data[at(i)] < 0x80:
            folded[at(out)] = table[data[at(i)]]
            i += 1
            out += 1
            continue
        if i + 2 + (data[at(i)] >= 0xE0) + (data[at(i)] >= 0xF0) > stop:
            break
        code_point, i = _decode(data, i)
        entry = int64(table[at(code_point)])
        lowered = entry & (WORD_ENDS - 1)
        if lowered < 0x80:
            folded[at(out)] = lowered
            out += 1
        elif lowered < 0x800:
            folded[at(out)] = 0xC0 | lowered >> 6
            folded[at(out + 1)] = 0x80 | lowered & 0x3F
            out += 2
        elif lowered < 0x10000:
            folded[at(out)] = 0xE0 | lowered >> 12
            folded[at(out + 1)] = 0x80 | lowered >> 6 & 0x3F
            folded[at(out + 2)] = 0x80 | lowered & 0x3F
            out += 3
        else:
            folded[at(out)] = 0xF0 | lowered >> 18
            folded[at(out + 1)] = 0x80 | lowered >> 12 & 0x3F
            folded[at(out + 2)] = 0x80 | lowered >> 6 & 0x3F
            folded[at(out + 3)] = 0x80 | lowered & 0x3F
            out += 4
        if entry & WORD_ENDS:
            folded[at(out)] = 0
            out += 1
    for k in range(_PADDING_BYTES):
        folded[at(out + k)] = 0
    return out


@inlined
def _hash_block(state: Any, block: Any) -> Any:
    state = (state ^ block) * _MULTIPLIER
    return state ^ state >> _HALF


@inlined
def next_word(folded: Any, i: int, end: int) -> tuple[int, Any]:
    """Return the place behind the next word and its hash; a place behind ``end`` where none is left.

    A word that ends at ``end`` gives the place ``end`` itself.
    """
    eight = _NOTHING
    while i < end:
        eight = load_8_bytes(folded, i)
        if eight & _LOWEST_BYTE:
            break
        # Eight zero bytes at once, or those in front of the word.
        i += 8 if eight == _NOTHING else trailing_zeros(eight) >> 3
    if i >= end:
        return end + 1, _NOTHING
    state = _START
    while True:
        # The lowest set bit is exact: it marks the first zero byte.
        zero_bytes = (eight - _LOW_BITS) & ~eight & _HIGH_BITS
        if zero_bytes:
            bits = trailing_zeros(zero_bytes) & 56
            if bits:
                state = _hash_block(state, eight & ((_ONE << np.uint64(bits)) - _ONE))
            return i + (bits >> 3), state
        state = _hash_block(state, eight)
        i += 8
        eight = load_8_bytes(folded, i)


@kernel("none", read("int64"), read("uint8"), read("uint32"), write("uint8"), write("int64"))
def count_words(offsets: Any, data: Any, table: Any, folded: Any, num_words: Any) -> None:
    """Write how many words each text has.

    Args:
        offsets, data: int64[n + 1], uint8; text i is ``data[offsets[i]:offsets[i + 1]]``.
        table: See ``words.word_table``.
        folded: Scratch, uint8[``folded_bytes`` of the longest text].
        num_words: Written, int64[n].
    """
    data, table, folded = borrowed(data), borrowed(table), borrowed(folded)
    for row in range(len(offsets) - 1):
        end = fold(data, offsets[row], offsets[row + 1], table, folded)
        i, count = 0, 0
        while True:
            i, _ = next_word(folded, i, end)
            if i > end:
                break
            count += 1
        num_words[row] = count
