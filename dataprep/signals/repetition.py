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

from dataprep.kernels import subroutine

SHORTEST_TOP, LONGEST_TOP = 2, 4
SHORTEST_DUPLICATED, LONGEST_DUPLICATED = 5, 10

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)
_SHIFT_29 = np.uint64(29)
_BYTE_SHIFT = np.uint64(8)
_NEW = -1


@subroutine
def hash_bytes(data: Any, start: int, stop: int) -> Any:
    """Return a 64-bit hash of ``data[start:stop]``; equal hashes are checked by comparing bytes."""
    state = np.uint64(stop - start) * _MULTIPLIER
    i = start
    while i + 8 <= stop:
        word = np.uint64(0)
        for k in range(8):
            word |= np.uint64(data[i + k]) << np.uint64(8 * k)
        state = (state ^ word) * _MULTIPLIER
        state ^= state >> _SHIFT_29
        i += 8
    word = np.uint64(0)
    while i < stop:
        word = word << _BYTE_SHIFT | np.uint64(data[i])
        i += 1
    state = (state ^ word) * _MULTIPLIER
    return state ^ state >> _SHIFT


@subroutine
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
def first_equal(data: Any, spans: Any, hashes: Any, k: int, table: Any, mask: int) -> int:
    """Return the first span that equals span ``k``, or -1 and remember ``k`` as the first."""
    start, stop = spans[k, 0], spans[k, 1]
    key = hash_bytes(data, start, stop)
    hashes[k] = key
    slot = np.int64(key & np.uint64(mask))
    while True:
        other = table[slot]
        if other < 0:
            table[slot] = k
            return _NEW
        if hashes[other] == key:
            begin = spans[other, 0]
            if spans[other, 1] - begin == stop - start and same_bytes(data, start, begin, stop - start):
                return int(other)
        slot = (slot + 1) & mask


@subroutine
def count_words(
    data: Any, spans: Any, hashes: Any, num_words: int, table: Any, ids: Any, counts: Any
) -> None:
    """Set ``ids[i]``, the first place of word i's text, and ``counts`` at first places."""
    mask = table_mask(num_words)
    table[: mask + 1] = -1
    for i in range(num_words):
        place = first_equal(data, spans, hashes, i, table, mask)
        if place < 0:
            ids[i] = i
            counts[i] = 1
        else:
            ids[i] = place
            counts[place] += 1


@subroutine
def lengthen(
    size: int, num_words: int, ids: Any, counts: Any, new_ids: Any, new_counts: Any, table: Any
) -> tuple[int, int]:
    """From the ids of (size-1)-grams make those of ``size``-grams that may repeat; others get -1.

    Returns: the place of the most frequent one (the first of several) and its count; count 0 if
    nothing repeats.
    """
    last = num_words - size + 1
    candidates = 0
    for i in range(last):
        a, b = ids[i], ids[i + 1]
        if a >= 0 and b >= 0 and counts[a] > 1 and counts[b] > 1:
            new_ids[i] = 0
            candidates += 1
        else:
            new_ids[i] = -1
    if last < num_words:
        new_ids[max(last, 0)] = -1
    best, best_count = 0, 0
    if candidates < 2:
        for i in range(last):
            new_ids[i] = -1
        return best, best_count
    mask = table_mask(candidates)
    table[: mask + 1] = -1
    for i in range(last):
        if new_ids[i] < 0:
            continue
        a, b = ids[i], ids[i + 1]
        key = (np.uint64(a) << _SHIFT | np.uint64(b)) * _MULTIPLIER
        slot = np.int64((key >> _SHIFT_29) & np.uint64(mask))
        while True:
            place = table[slot]
            if place < 0:
                table[slot] = i
                new_ids[i] = i
                new_counts[i] = 1
                break
            if ids[place] == a and ids[place + 1] == b:
                new_ids[i] = place
                new_counts[place] += 1
                count = new_counts[place]
                if count > best_count or (count == best_count and place < best):
                    best, best_count = int(place), int(count)
                break
            slot = (slot + 1) & mask
    return best, best_count


@subroutine
def duplicated_chars(size: int, num_words: int, ids: Any, counts: Any, chars_before: Any, seen: Any) -> int:
    """Return the characters in n-grams that stood earlier: greedy, without overlap, as datatrove."""
    last = num_words - size + 1
    for i in range(last):
        if ids[i] >= 0:
            seen[ids[i]] = 0
    total, i = 0, 0
    while i < last:
        place = ids[i]
        if place >= 0 and counts[place] > 1:
            if seen[place]:
                total += chars_before[i + size] - chars_before[i]
                i += size
                continue
            seen[place] = 1
        i += 1
    return total
