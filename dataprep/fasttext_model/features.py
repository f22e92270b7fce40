"""What fastText sees in a line: its words between white space, and their n-grams of characters.

Words repeat, so what features a short word has is found out once in a batch, kept in a memo and
copied from then on. Features are summed in the order of the text, as in fastText, either way.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dataprep.kernels import (
    add_rows,
    at,
    count_ones,
    inlined,
    int64,
    load_8_bytes,
    subroutine,
    trailing_zeros,
)

MIN_CHARS, MAX_CHARS, NUM_BUCKETS, NUM_WORDS, END_OF_LINE, NUM_SETTINGS = range(6)
"""Places of a model's settings: characters of an n-gram, buckets, words, id of ``</s>`` or -1."""

LANES = 16
"""Rows of both matrices are padded with zeros to a multiple of so many numbers."""
MEMO_SLOTS = 1 << 15
MEMO_FEATURES = 12
"""A word of more features is not kept in the memo."""
NUM_FEATURES = 4096
"""Features that are gathered before they are summed."""

_LESS, _GREATER, _SPACE = ord("<"), ord(">"), ord(" ")
_SEPARATORS = sum(1 << ord(mark) for mark in " \n\r\t\v\f\0")
_LOW = np.uint64(0x2121212121212121)
_HIGH_BITS = np.uint64(0x8080808080808080)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_FNV_BASIS, _FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)
_LABEL_PREFIX = np.frombuffer(b"__label__", np.uint8)
_EOS, _EOS_SIZE = np.uint64(int.from_bytes(b"</s>", "little")), 4
_MAX_SIZE = 255
"""Bytes of a word in the memo, whose entries are position << 16 | features << 8 | size."""


class Tables(NamedTuple):
    """A model as kernels pass it on; see :class:`dataprep.fasttext_model.FastTextModel`."""

    settings: Any
    inverse: Any
    table: Any
    words: Any
    word_ends: Any
    buckets: Any
    rows: Any


class Scratch(NamedTuple):
    """Features that were gathered (how many, the caller knows), and the memo."""

    features: Any
    memo_keys: Any
    memo_entries: Any
    memo: Any


@inlined
def is_separator(byte: int) -> Any:
    """Return whether a byte of at most a space separates words."""
    return _SEPARATORS >> int64(byte) & 1


@subroutine
def last_bytes(data: Any, i: int, count: int) -> Any:
    """Return what :func:`some_bytes` does, near the end of ``data``."""
    word = np.uint64(0)
    for k in range(count):
        word |= np.uint64(data[i + k]) << np.uint64(8 * k)
    return word


@inlined
def some_bytes(data: Any, i: int, count: int) -> Any:
    """Return bytes ``i`` to ``i + count - 1``, at most 8, as one uint64 with zeros above."""
    if i + 8 > len(data):
        return last_bytes(data, i, count)
    word = load_8_bytes(data, i)
    return word if count == 8 else word & ((np.uint64(1) << np.uint64(8 * count)) - np.uint64(1))


@inlined
def bytes_before_space(word: Any) -> Any:
    """Return how many bytes of a uint64 precede the first that is a space or less; 8 if none is."""
    # Only the lowest bit that is set is sure to belong to such a byte.
    found = (word - _LOW) & ~word & _HIGH_BITS
    return trailing_zeros(found) >> 3 if found else int64(8)


@subroutine
def word_end(data: Any, i: int, stop: int) -> Any:
    """Return where the word that begins at byte ``i`` ends: at a separator of fastText, or at ``stop``."""
    while i + 8 <= len(data) and i < stop:
        size = bytes_before_space(load_8_bytes(data, i))
        i += size
        if size < 8:
            if i >= stop or is_separator(data[i]):
                return min(i, stop)
            i += 1
    while i < stop and not (data[i] <= _SPACE and is_separator(data[i])):
        i += 1
    return min(i, stop)


@inlined
def mixed(key: Any, size: int) -> Any:
    """Return a hash of a word's first bytes and its size, int64 of 31 bits; fastText's costs more."""
    return int64((key ^ np.uint64(size)) * _MIX >> np.uint64(33))


@subroutine
def hash_tail(data: Any, start: int, stop: int) -> Any:
    """Return a hash of what follows the first 8 bytes of a longer word."""
    result = np.uint64(0)
    for i in range(start + 8, stop, 8):
        result = (result ^ some_bytes(data, i, min(stop - i, 8))) * _MIX
        result ^= result >> np.uint64(29)
    return result


@inlined
def hash_word(data: Any, start: int, stop: int, key: Any) -> Any:
    """Return the hash of a word for both tables of words; ``key`` are its first bytes."""
    if stop - start > 8:
        key ^= hash_tail(data, start, stop)
    return mixed(key, stop - start)


@subroutine
def equal(data: Any, i: int, other: Any, k: int, count: int) -> bool:
    """Return whether ``count`` bytes from ``data[i]`` and ``other[k]`` on are the same."""
    for done in range(0, count, 8):
        size = min(count - done, 8)
        if some_bytes(data, i + done, size) != some_bytes(other, k + done, size):
            return False
    return True


@subroutine
def find_word(data: Any, start: int, stop: int, hashed: int, table: Any, words: Any, word_ends: Any) -> Any:
    """Return the number of the model's word ``data[start:stop]``, or -1 less its free place in the table."""
    size, place = stop - start, hashed & (len(table) - 1)
    while table[place] >= 0:
        number = int64(table[place])
        begin = word_ends[number]
        if word_ends[number + 1] - begin == size and equal(data, start, words, begin, size):
            return number
        place = (place + 1) & (len(table) - 1)
    return -1 - place


@inlined
def advance(hashed: Any, byte: Any) -> Any:
    """Return fastText's hash after one more byte: FNV-1a that takes bytes as signed."""
    return np.uint32(np.uint32(hashed ^ np.uint32(np.int32(np.int8(byte)))) * _FNV_PRIME)


@inlined
def put_ngram(hashed: Any, num_buckets: int, inverse: float, buckets: Any, features: Any, count: int) -> Any:
    """Write the row of an n-gram at place ``count``, if the model has it; return the new count."""
    # ``inverse`` is a little more than 1 / num_buckets: the quotient is exact for 32 bits.
    bucket = np.uint64(int64(hashed) - int64(float(hashed) * inverse) * num_buckets)
    group, place = bucket >> np.uint64(6) << np.uint64(1), bucket & np.uint64(63)
    bits, before = buckets[group], buckets[group + np.uint64(1)]
    # Written in any case: a branch would often be foretold wrongly.
    features[at(count)] = before + np.uint64(count_ones(bits & ((np.uint64(1) << place) - np.uint64(1))))
    return count + int64(bits >> place & np.uint64(1))


@inlined
def put_ngrams(
    data: Any,
    start: int,
    stop: int,
    first: int,
    settings: Any,
    inverse: float,
    buckets: Any,
    features: Any,
    count: int,
) -> tuple[Any, Any]:
    """Write n-grams of ``<data[start:stop]>`` from place ``count`` on, as long as there is room.

    Args:
        first: Where the first n-gram begins; ``start - 1`` for the mark at the front.

    Returns:
        The new count, and where the next n-gram begins, which is ``stop`` after the last.
    """
    fewest, most, num_buckets = settings[MIN_CHARS], settings[MAX_CHARS], settings[NUM_BUCKETS]
    room = len(features) - most
    while first < stop and count < room:
        hashed, i, num_chars = _FNV_BASIS, first, 0
        if first < start:
            hashed, i, num_chars = advance(hashed, _LESS), start, 1
        while num_chars < most and i < stop:
            hashed = advance(hashed, data[at(i)])
            i += 1
            while i < stop and data[at(i)] & 0xC0 == 0x80:
                hashed = advance(hashed, data[at(i)])
                i += 1
            num_chars += 1
            if num_chars >= fewest:
                count = put_ngram(hashed, num_buckets, inverse, buckets, features, count)
        if fewest <= num_chars + 1 <= most:
            count = put_ngram(advance(hashed, _GREATER), num_buckets, inverse, buckets, features, count)
        first += 1
        while first < stop and data[at(first)] & 0xC0 == 0x80:
            first += 1
    return count, first


@inlined
def sum_features(data: Any, i: int, stop: int, tables: Any, scratch: Any, hidden: Any) -> int:
    """Write the sum of the rows of a line's features to ``hidden``; return how many features there are.

    The line is ``data[i:stop]``, whose line feeds count as spaces. The memo holds words of ``data``; a
    line goes on with what the ones before it left there.
    """
    settings, buckets, rows = tables.settings, tables.buckets, tables.rows
    table, words, word_ends = tables.table, tables.words, tables.word_ends
    features, memo = scratch.features, scratch.memo
    keys, entries = scratch.memo_keys, scratch.memo_entries
    for k in range(len(hidden)):
        hidden[k] = 0
    total, count, room = 0, 0, len(features) - MEMO_FEATURES
    while i < stop:
        start = i
        key = some_bytes(data, start, min(len(data) - start, 8))
        size = bytes_before_space(key)
        if size == 0 and is_separator(data[start]):
            i += 1
            continue
        i = start + size
        if size == 8 or size == 0 or not (i >= stop or is_separator(data[i])):
            i = word_end(data, start + 1, stop)
        i = min(i, stop)
        size = i - start
        if size < 8:
            key &= (np.uint64(1) << np.uint64(8 * size)) - np.uint64(1)
        hashed = hash_word(data, start, i, key)
        slot = hashed & (MEMO_SLOTS - 1)
        entry = entries[slot]
        if count >= room:
            add_rows(rows, features, count, hidden)
            total, count = total + count, 0
        if (
            keys[slot] == key
            and entry & 0xFF == size
            and (size <= 8 or equal(data, start + 8, data, (entry >> 16) + 8, size - 8))
        ):
            for k in range(MEMO_FEATURES):  # more than there are, but always as many
                features[at(count + k)] = memo[at(slot * MEMO_FEATURES + k)]
            count += entry >> 8 & 0xFF
            continue
        if key == _EOS and size == _EOS_SIZE:
            break
        before = total + count
        number = find_word(data, start, i, hashed, table, words, word_ends)
        if number >= settings[NUM_WORDS]:
            continue  # a label
        if number >= 0:
            features[count] = number
            count += 1
        elif size >= len(_LABEL_PREFIX) and equal(data, start, _LABEL_PREFIX, 0, len(_LABEL_PREFIX)):
            continue  # fastText takes it for a label, if for an unknown one
        first = start - 1
        while True:
            count, first = put_ngrams(
                data, start, i, first, settings, tables.inverse, buckets, features, count
            )
            if first >= i:
                break
            add_rows(rows, features, count, hidden)
            total, count = total + count, 0
        found = total + count - before
        if found <= min(count, MEMO_FEATURES) and size <= _MAX_SIZE:
            keys[slot], entries[slot] = key, start << 16 | found << 8 | size
            for k in range(found):
                memo[slot * MEMO_FEATURES + k] = features[count - found + k]
    if settings[END_OF_LINE] >= 0:
        if count >= room:
            add_rows(rows, features, count, hidden)
            total, count = total + count, 0
        features[count] = settings[END_OF_LINE]
        count += 1
    add_rows(rows, features, count, hidden)
    return total + count
