"""The kernel that hashes every run of n words of a batch of texts.

The hash of a word is a function of its lower-cased UTF-8, eight bytes at a time, that of a run a
polynomial in the hashes of its words, so a run slides along at the price of two multiplications.
What interests the caller passes a bitmap (a Bloom filter whose two probes hit one word of 64
bits) and is written out; the caller compares the words themselves, so no collision becomes a
finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.dedup.words import word_table
from dataprep.kernels import inlined, int64, kernel, load_8_bytes, read, subroutine, trailing_zeros, write
from dataprep.text.buffers import utf8_buffers
from dataprep.text.utf8 import decode

UInt64Array = npt.NDArray[np.uint64]
Int64Array = npt.NDArray[np.int64]

# Odd numbers with random-looking bits, from SHA-512's initial state.
_WORD_START = np.uint64(0x6A09E667F3BCC909)
_WORD_MULTIPLIER = np.uint64(0xBB67AE8584CAA73B)
_RUN_MULTIPLIER = np.uint64(0x3C6EF372FE94F82B)
_LENGTH_MULTIPLIER = np.uint64(0x510E527FADE682D1)
_FINAL_MULTIPLIER = np.uint64(0xA54FF53A5F1D36F1)

_RING = 64
"""Words that are remembered: more than the longest run."""
_HALF = np.uint64(32)
_FIRST_PROBE, _SECOND_PROBE, _SIX_BITS = np.uint64(52), np.uint64(58), np.uint64(63)
_ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)
_HIGH_BITS, _LOW_BITS = np.uint64(0x8080808080808080), np.uint64(0x7F7F7F7F7F7F7F7F)
# Added to a byte below 0x80, each sets the high bit from some character on.
_FROM_A, _BEHIND_Z = np.uint64(0x3F3F3F3F3F3F3F3F), np.uint64(0x2525252525252525)
_FROM_SMALL_A, _BEHIND_SMALL_Z = np.uint64(0x1F1F1F1F1F1F1F1F), np.uint64(0x0505050505050505)
_FROM_0, _BEHIND_9 = np.uint64(0x5050505050505050), np.uint64(0x4646464646464646)
_UNDERSCORES = np.uint64(0x5F5F5F5F5F5F5F5F)
_WORD_ENDS = 1 << 31
"""``WORD_ENDS`` of ``dataprep.dedup.words``: a word ends behind this character."""

BITS_PER_RUN = 32
"""Size of the bitmap: two probes into 32 bits let less than 1 % of all other runs pass."""
_MIN_WORDS, _MAX_WORDS = 1 << 6, 1 << 26


@dataclass(frozen=True)
class Runs:
    """Runs of words that passed the bitmap, in the order of texts and of their last words.

    All int64[n] but ``hashes`` uint64[n]: number of the text, words in the run, and the bytes
    of the run inside its text.
    """

    texts: Int64Array
    lengths: Int64Array
    hashes: UInt64Array
    starts: Int64Array
    stops: Int64Array

    def __len__(self) -> int:
        return len(self.texts)


def every_run() -> UInt64Array:
    """Return the bitmap that all runs pass."""
    return np.full(1, _ALL_BITS)


def bitmap_of(hashes: UInt64Array) -> UInt64Array:
    """Return the bitmap that runs of these hashes pass: uint64[a power of two]."""
    num_words = min(max(_MIN_WORDS, 1 << int(len(hashes) * BITS_PER_RUN // 64).bit_length()), _MAX_WORDS)
    bitmap = np.zeros(num_words, np.uint64)
    place, one = hashes & np.uint64(num_words - 1), np.uint64(1)
    for shift in (_FIRST_PROBE, _SECOND_PROBE):
        np.bitwise_or.at(bitmap, place, one << (hashes >> shift & _SIX_BITS))
    return bitmap


def find_runs(text: pa.LargeStringArray, lengths: Sequence[int], bitmap: UInt64Array) -> Runs:
    """Return the runs of ``lengths`` words that pass ``bitmap``; a null text has none.

    Args:
        text: valid UTF-8, as ``normalize`` returns it.
        lengths: of the runs, each 1 to 50 words.
        bitmap: from ``bitmap_of`` or ``every_run``.
    """
    sizes = np.array(sorted(lengths), np.int64)
    powers = np.array([pow(int(_RUN_MULTIPLIER), int(n), 1 << 64) for n in sizes], np.uint64)
    buffers = utf8_buffers(text)
    offsets = buffers.offsets
    capacity = 1024
    while True:
        places = np.zeros((4, capacity), np.int64)
        hashes = np.zeros(capacity, np.uint64)
        found = _find(buffers.data, offsets, word_table(), sizes, powers, bitmap, places, hashes)
        if found <= capacity:
            break
        capacity = found
    texts, kinds, starts, stops = places[:, :found]
    first = offsets[:-1][texts]
    runs = Runs(texts, sizes[kinds], hashes[:found], starts - first, stops - first)
    if text.null_count:
        there = text.is_valid().to_numpy(zero_copy_only=False)[texts]
        columns = (runs.texts, runs.lengths, runs.hashes, runs.starts, runs.stops)
        runs = Runs(*(values[there] for values in columns))
    return runs


@inlined
def lowered_ascii(block: Any) -> Any:
    """Return eight bytes with the capitals among them made small; only bytes below 0x80 are told."""
    low = block & _LOW_BITS
    capital = (low + _FROM_A) & ~(low + _BEHIND_Z) & _HIGH_BITS & ~block
    return block | (capital >> np.uint64(2))


@inlined
def word_bytes(lowered: Any) -> Any:
    """Return how many of eight lower-cased bytes, from the first on, are a-z, 0-9 or ``_``."""
    low = lowered & _LOW_BITS
    letter = (low + _FROM_SMALL_A) & ~(low + _BEHIND_SMALL_Z)
    digit = (low + _FROM_0) & ~(low + _BEHIND_9)
    underscore = _HIGH_BITS - (low ^ _UNDERSCORES)
    other = ~((letter | digit | underscore) & ~lowered) & _HIGH_BITS
    return trailing_zeros(other) >> 3 if other != np.uint64(0) else int64(8)


@inlined
def absorb(state: Any, block: Any) -> Any:
    """Return the state of a word's hash after eight more bytes; what the word lacks is zeros."""
    mixed = (state ^ block) * _WORD_MULTIPLIER
    return mixed ^ (mixed >> _HALF)


@subroutine
def spelled_word(data: Any, at: int, stop: int, table: Any) -> tuple[Any, Any]:
    """Return the hash of the word that begins at byte ``at``, and where it ends, byte by byte.

    The hash is over the word's lower-cased UTF-8, in blocks of eight bytes, as ``_find`` makes it.
    """
    state, block, fill = _WORD_START, np.uint64(0), int64(0)
    ended = False
    while at < stop and not ended:
        code_point, following = decode(data, at, stop)
        entry = int64(table[code_point])
        if entry == 0:
            break
        ended = entry >= _WORD_ENDS
        lowered = entry & (_WORD_ENDS - 1)
        size = int64(1) if lowered < 0x80 else 2 if lowered < 0x800 else 3 if lowered < 0x10000 else 4
        for k in range(size):
            if size == 1:
                byte = lowered
            elif k == 0:
                byte = (0xF00 >> size & 0xFF) | lowered >> (6 * (size - 1))
            else:
                byte = 0x80 | (lowered >> (6 * (size - 1 - k)) & 0x3F)
            block |= np.uint64(byte) << np.uint64(8 * fill)
            fill += 1
            if fill == 8:
                state, block, fill = absorb(state, block), np.uint64(0), int64(0)
        at = following
    return absorb(state, block) if fill else state, at


@kernel(
    "int64",
    read("uint8"),
    read("int64"),
    read("uint32"),
    write("int64"),
    write("uint64"),
    write("uint64"),
    write("int64", 2),
    write("uint64"),
)
def _find(
    data: Any,
    offsets: Any,
    table: Any,
    sizes: Any,
    powers: Any,
    bitmap: Any,
    places: Any,
    hashes: Any,
) -> int:
    """Write runs as far as there is room; return how many there are."""
    capacity, num_sizes, data_size = len(hashes), len(sizes), len(data)
    mask = np.uint64(len(bitmap) - 1)
    word_hashes = np.zeros(_RING, np.uint64)
    word_starts = np.zeros(_RING, np.int64)
    rolling = np.zeros(num_sizes, np.uint64)
    found = 0
    for row in range(len(offsets) - 1):
        at, stop = offsets[row], offsets[row + 1]
        num_words = 0
        rolling[:] = np.uint64(0)
        while at < stop:
            if data[at] < 0x80:
                if table[data[at]] == 0:
                    at += 1
                    continue
            else:
                code_point, following = decode(data, at, stop)
                if table[code_point] == 0:
                    at = following
                    continue
            start, size, word = at, int64(8), _WORD_START
            while size == 8 and at < stop and at + 8 <= data_size:
                block = lowered_ascii(load_8_bytes(data, at))
                size = min(word_bytes(block), stop - at)
                at += size
                if size == 8:
                    word = absorb(word, block)
                elif size > 0:
                    word = absorb(word, block & (_ALL_BITS >> np.uint64(64 - 8 * size)))
            if at < stop and (size == 8 or data[at] >= 0x80):
                word, at = spelled_word(data, start, stop, table)
            word_hashes[num_words & (_RING - 1)] = word
            word_starts[num_words & (_RING - 1)] = start
            num_words += 1
            for k in range(num_sizes):
                size = sizes[k]
                value = rolling[k] * _RUN_MULTIPLIER + word
                if num_words > size:
                    value -= word_hashes[(num_words - 1 - size) & (_RING - 1)] * powers[k]
                rolling[k] = value
                if num_words < size:
                    continue
                mixed = (value ^ np.uint64(size)) * _LENGTH_MULTIPLIER
                mixed = (mixed ^ (mixed >> _HALF)) * _FINAL_MULTIPLIER
                mixed ^= mixed >> _HALF
                bits = bitmap[int64(mixed & mask)]
                both = (bits >> (mixed >> _FIRST_PROBE & _SIX_BITS)) & (bits >> (mixed >> _SECOND_PROBE))
                if both & np.uint64(1) == np.uint64(0):
                    continue
                if found < capacity:
                    places[0, found] = row
                    places[1, found] = k
                    places[2, found] = word_starts[(num_words - size) & (_RING - 1)]
                    places[3, found] = at
                    hashes[found] = mixed
                found += 1
    return found
