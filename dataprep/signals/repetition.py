"""Gopher's repetition measures: subroutines over the words, lines and paragraphs of one text.

No n-gram is ever hashed as text. Words get the place of their first occurrence as their id;
an n-gram is then the pair of the ids of its first and its last n-1 words, and only n-grams
both of whose parts occur at least twice can repeat. So almost all of the work is one table
of words and one of pairs of repeated words, whatever the lengths asked for, and two different
n-grams are never taken for one.

Definitions as in datatrove 0.10.0, ``gopher_repetition_filter.py``, but that its "duplicated
n-grams" compare concatenated words, and ours the words themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dataprep.kernels import at, inlined, int64, load_8_bytes, subroutine

SHORTEST_TOP, LONGEST_TOP = 2, 4
SHORTEST_DUPLICATED, LONGEST_DUPLICATED = 5, 10

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)
_SHIFT_29 = np.uint64(29)
_BYTE_SHIFT = np.uint64(8)
_ALL_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


@inlined
def hash_bytes(data: Any, start: int, stop: int) -> Any:
    """Return a 64-bit hash of ``data[start:stop]``.

    Two stretches of the same size of up to eight bytes have the same hash only if they are equal;
    longer ones are to be compared.
    """
    state = np.uint64(stop - start) * _MULTIPLIER
    i = start
    while i + 8 < stop:
        state = (state ^ load_8_bytes(data, i)) * _MULTIPLIER
        state ^= state >> _SHIFT_29
        i += 8
    if i + 8 <= len(data):
        word = load_8_bytes(data, i) & _ALL_ONES >> np.uint64(8 * (i + 8 - stop))
    else:
        word = np.uint64(0)
        for k in range(stop - 1, i - 1, -1):
            word = word << _BYTE_SHIFT | np.uint64(data[k])
    state = (state ^ word) * _MULTIPLIER
    return state ^ state >> _SHIFT


@inlined
def table_mask(num_entries: int) -> int:
    """Return size - 1 of a table (a power of two) that ``num_entries`` fill at most by half."""
    size = 16
    while size < 2 * num_entries:
        size *= 2
    return size - 1


@subroutine
def same_bytes(data: Any, a: int, b: int, size: int) -> bool:
    """Return whether two stretches of ``size`` bytes are equal."""
    for k in range(size):  # noqa: SIM110 (kernels have no generators)
        if data[a + k] != data[b + k]:
            return False
    return True


@subroutine
def first_equal(data: Any, spans: Any, hashes: Any, k: int, table: Any, mask: int) -> Any:
    """Return the first span that equals span ``k``, or -1 and remember ``k`` as the first.

    ``spans`` is int32[spans, 2 or more]: first byte and byte after.
    """
    start, stop = int64(spans[k, 0]), int64(spans[k, 1])
    key = hash_bytes(data, start, stop)
    hashes[k] = key
    slot = int64(key & np.uint64(mask))
    while True:
        other = int64(table[at(slot)])
        if other < 0:
            table[slot] = k
            return int64(-1)
        if hashes[at(other)] == key:
            begin = int64(spans[at(other), 0])
            size = stop - start
            if spans[at(other), 1] - begin == size and (size <= 8 or same_bytes(data, start, begin, size)):
                return other
        slot = (slot + 1) & mask


@subroutine
def count_words(
    data: Any, words: Any, hashes: Any, num_words: int, table: Any, ids: Any, counts: Any, repeated: Any
) -> int:
    """Set ``ids[i]``, the first place of word i's text, and ``counts`` at first places.

    Returns: how many words occur more than once; their places are written to ``repeated`` in order.
    """
    mask = table_mask(num_words)
    for slot in range(mask + 1):
        table[slot] = -1
    for i in range(num_words):
        place = first_equal(data, words, hashes, i, table, mask)
        if place < 0:
            ids[i] = i
            counts[i] = 1
        else:
            ids[i] = place
            counts[at(place)] += 1
    num_repeated = 0
    for i in range(num_words):
        repeated[num_repeated] = i
        num_repeated += counts[at(ids[i])] > 1
    return num_repeated


@subroutine
def lengthen(
    repeated: Any, num_repeated: int, ids: Any, counts: Any, new_ids: Any, new_counts: Any, table: Any
) -> tuple[int, int, int]:
    """From the n-grams that occur more than once make those that are one word longer.

    ``repeated`` holds their places in order, and afterwards those of the longer ones; ``ids`` and
    ``counts`` describe the shorter ones, ``new_ids`` and ``new_counts`` the longer ones, all at these
    places only.

    Returns: how many of the longer ones occur more than once, the place of the most frequent one
    (the first of several), and its count (0 if nothing repeats).
    """
    candidates = 0
    for k in range(num_repeated - 1):
        place = repeated[k]
        repeated[candidates] = place
        candidates += repeated[k + 1] == place + 1
    mask = table_mask(candidates)
    for slot in range(mask + 1):
        table[slot] = -1
    best, best_count = int64(0), int64(0)
    for k in range(candidates):
        i = int64(repeated[k])
        a, b = ids[at(i)], ids[at(i + 1)]
        key = (np.uint64(a) << _SHIFT | np.uint64(b)) * _MULTIPLIER
        slot = int64((key >> _SHIFT_29) & np.uint64(mask))
        while True:
            place = int64(table[at(slot)])
            if place < 0:
                table[slot] = i
                new_ids[i] = i
                new_counts[i] = 1
                break
            if ids[at(place)] == a and ids[at(place + 1)] == b:
                new_ids[i] = place
                count = int64(new_counts[at(place)]) + 1
                new_counts[at(place)] = count
                if count > best_count or (count == best_count and place < best):
                    best, best_count = place, count
                break
            slot = (slot + 1) & mask
    kept = 0
    for k in range(candidates):
        i = repeated[k]
        repeated[kept] = i
        kept += new_counts[at(new_ids[at(i)])] > 1
    return kept, best, best_count


@subroutine
def duplicated_chars(
    size: int, repeated: Any, num_repeated: int, ids: Any, chars_before: Any, seen: Any
) -> int:
    """Return the characters in n-grams that stood earlier: greedy, without overlap, as datatrove."""
    for k in range(num_repeated):
        seen[at(ids[at(repeated[k])])] = 0
    total, free = 0, 0
    for k in range(num_repeated):
        place = repeated[k]
        if place < free:
            continue
        first = at(ids[at(place)])
        if seen[first]:
            total += chars_before[at(place + size)] - chars_before[at(place)]
            free = place + size
        else:
            seen[first] = 1
    return total
