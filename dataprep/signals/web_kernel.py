"""All heuristics for prose in one pass over the words and lines of every text.

A text is cut into words and lines once; Gopher, C4, FineWeb and repetition measures are then
sums over these. Scratch memory is sized by the longest text of the batch (see
:func:`scratch_size`), and every step costs time in proportion to the length of the text, however
long its lines are or however often it repeats itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dataprep.kernels import kernel, read, subroutine, write
from dataprep.signals.c4_lines import CURLY, LOREM, judge_line
from dataprep.signals.repetition import (
    LONGEST_DUPLICATED,
    LONGEST_TOP,
    SHORTEST_DUPLICATED,
    SHORTEST_TOP,
    count_words,
    duplicated_chars,
    first_equal,
    hash_bytes,
    lengthen,
    table_mask,
)
from dataprep.signals.words import (
    ALL_SYMBOLS,
    HAS_ALPHA,
    NEEDS_SPLIT,
    flags_of,
    split_chunk,
)
from dataprep.text.characters import LINE_BREAK, SPACE, TERMINAL
from dataprep.text.utf8 import bits_of, decode, previous

SIGNALS = (
    "num_words",
    "num_non_symbol_words",
    "mean_word_length",
    "hash_ratio",
    "ellipsis_ratio",
    "bullet_line_ratio",
    "ellipsis_line_ratio",
    "alpha_word_ratio",
    "num_stop_words",
    "dup_para_frac",
    "dup_para_char_frac",
    "dup_line_frac",
    "dup_line_char_frac",
    "top_2_gram_frac",
    "top_3_gram_frac",
    "top_4_gram_frac",
    "dup_5_gram_frac",
    "dup_6_gram_frac",
    "dup_7_gram_frac",
    "dup_8_gram_frac",
    "dup_9_gram_frac",
    "dup_10_gram_frac",
    "line_punct_ratio",
    "short_line_ratio",
    "char_dup_ratio",
    "list_ratio",
    "c4_lorem_ipsum",
    "c4_curly_bracket",
    "c4_num_sentences",
)
"""Columns of the kernel's output, in order."""

(
    _NUM_WORDS,
    _NUM_NON_SYMBOL,
    _MEAN_LENGTH,
    _HASHES,
    _ELLIPSES,
    _BULLETS,
    _ELLIPSIS_LINES,
    _ALPHA_WORDS,
    _STOP_WORDS,
    _DUP_PARA,
    _DUP_PARA_CHARS,
    _DUP_LINE,
    _DUP_LINE_CHARS,
) = range(13)
_TOP_2, _DUP_5 = 13, 16
_LINE_PUNCT, _SHORT_LINES, _CHAR_DUP, _LIST, _LOREM, _CURLY, _SENTENCES = range(22, 29)

WHITESPACE, UNICODE = 0, 1

# What is counted on the way through a text.
_C_CHARS, _C_WORDS, _C_LINES, _C_NEWLINES, _C_HASHES, _C_ELLIPSES, _C_SEGMENTS = range(7)
_C_BULLETS, _C_ELLIPSIS_SEGMENTS, _C_LOREM, _C_CURLY, _C_SENTENCES, _C_FIRST, _C_LAST = range(7, 14)
_NUM_COUNTS = 14

_LF, _CR = 0x0A, 0x0D
_HASH, _DOT, _DASH, _BRACE, _BRACKET = 0x23, 0x2E, 0x2D, 0x7B, 0x5B
_BULLET, _ELLIPSIS = 0x2022, 0x2026
_QUOTE, _APOSTROPHE, _BANG, _QUESTION = 0x22, 0x27, 0x21, 0x3F
_LONGEST_C4_WORD = 1000


@subroutine
def scratch_size(data: Any, offsets: Any) -> tuple[int, int]:
    """Return the most words and the most lines that any text of the batch can have.

    A word begins after a character that is no ASCII letter or digit, or is such a character.
    """
    most_words, most_lines = 1, 1
    for row in range(len(offsets) - 1):
        others, lines = 0, 1
        for i in range(offsets[row], offsets[row + 1]):
            b = data[i]
            plain = ((b >= 0x30) & (b < 0x3A)) | ((b >= 0x41) & (b < 0x5B)) | ((b >= 0x61) & (b < 0x7B))
            others += 1 - plain
            lines += b == _LF
        size = offsets[row + 1] - offsets[row]
        most_words = max(most_words, min(size, 2 * others + 1))
        most_lines = max(most_lines, lines)
    return most_words, most_lines


@subroutine
def count_marks(data: Any, start: int, stop: int, counts: Any) -> None:
    """Count hash signs and ellipses ("..." without overlap, and U+2026) of a chunk."""
    i = start
    while i < stop:
        b = data[i]
        if b == _HASH:
            counts[_C_HASHES] += 1
        elif b == _DOT:
            run = i
            while i < stop and data[i] == _DOT:
                i += 1
            counts[_C_ELLIPSES] += (i - run) // 3
            continue
        elif b == 0xE2 and i + 2 < stop and data[i + 1] == 0x80 and data[i + 2] == 0xA6:
            counts[_C_ELLIPSES] += 1
        i += 1


@subroutine
def scan_text(
    data: Any,
    mode: int,
    c4_terminal_punct: int,
    c4_min_line_words: int,
    step: Any,
    found: Any,
    first: Any,
    blocks: Any,
    words: Any,
    chars: Any,
    flags: Any,
    lines: Any,
    line_chars: Any,
    buffer: Any,
    buffer_words: Any,
    buffer_chars: Any,
    buffer_flags: Any,
    counts: Any,
) -> None:
    """Cut one text into words and lines, and count what needs no second look.

    ``lines`` are what stands between line feeds, blank ones included; segments are the lines of
    ``str.splitlines``.
    """
    counts[:] = 0
    size = len(data)
    i, num_words, num_chars, num_lines = 0, 0, 0, 0
    line_start, line_start_chars = 0, 0
    segment, solid_start, solid_stop = 0, -1, 0
    chunks, longest_chunk, segment_words = 0, 0, 0
    counts[_C_FIRST] = -1
    while True:
        bits, after, code_point = SPACE | LINE_BREAK, i + 1, _LF
        if i < size:
            code_point, after = decode(data, i, size)
            bits = bits_of(code_point, first, blocks)
        if not bits & SPACE:
            chunk, any_bits, all_bits, chunk_chars = i, 0, 0xFFFF, 0
            while True:
                any_bits |= bits
                all_bits &= bits
                chunk_chars += 1
                i = after
                if i >= size:
                    break
                code_point, after = decode(data, i, size)
                bits = bits_of(code_point, first, blocks)
                if bits & SPACE:
                    break
            num_chars += chunk_chars
            chunks += 1
            longest_chunk = max(longest_chunk, chunk_chars)
            if solid_start < 0:
                solid_start = chunk
            solid_stop = i
            if any_bits & NEEDS_SPLIT:
                count_marks(data, chunk, i, counts)
            if any_bits & NEEDS_SPLIT and mode == UNICODE:
                num_words = split_chunk(data, chunk, i, first, blocks, words, chars, flags, num_words)
            else:
                words[num_words, 0] = chunk
                words[num_words, 1] = i
                chars[num_words] = chunk_chars
                flags[num_words] = flags_of(any_bits, all_bits, chunk_chars)
                num_words += 1
            continue
        at_end = i >= size
        if bits & LINE_BREAK:
            if not at_end and code_point == _LF and i > 0 and data[i - 1] == _CR:
                segment = after  # the segment ended at the carriage return
            elif not at_end or segment < size:
                counts[_C_SEGMENTS] += 1
                if solid_start >= 0:
                    if counts[_C_FIRST] < 0:
                        counts[_C_FIRST] = solid_start
                    counts[_C_LAST] = solid_stop
                    opening, _ = decode(data, solid_start, size)
                    closing, _ = decode(data, previous(data, solid_stop, solid_start), size)
                    counts[_C_BULLETS] += opening in (_BULLET, _DASH)
                    dots = closing == _DOT and solid_stop - solid_start >= 3
                    dots = dots and data[solid_stop - 2] == _DOT and data[solid_stop - 3] == _DOT
                    counts[_C_ELLIPSIS_SEGMENTS] += dots or closing == _ELLIPSIS
                    if chunks >= c4_min_line_words and longest_chunk <= _LONGEST_C4_WORD:
                        sentences = judge_line(
                            data,
                            solid_start,
                            solid_stop,
                            c4_terminal_punct,
                            step,
                            found,
                            first,
                            blocks,
                            flags,
                            segment_words,
                            num_words,
                            buffer,
                            buffer_words,
                            buffer_chars,
                            buffer_flags,
                        )
                        if sentences > 0:
                            counts[_C_SENTENCES] += sentences
                        elif sentences == LOREM:
                            counts[_C_LOREM] = 1
                        elif sentences == CURLY:
                            counts[_C_CURLY] = 1
                segment, solid_start, chunks, longest_chunk = after, -1, 0, 0
                segment_words = num_words
        if code_point == _LF:
            lines[num_lines, 0] = line_start
            lines[num_lines, 1] = i
            line_chars[num_lines] = num_chars - line_start_chars
            num_lines += 1
            line_start, line_start_chars = after, num_chars + 1
        if at_end:
            break
        num_chars += 1
        counts[_C_NEWLINES] += code_point == _LF
        i = after
    counts[_C_CHARS] = num_chars
    counts[_C_WORDS] = num_words
    counts[_C_LINES] = num_lines


@subroutine
def measure_words(data: Any, flags: Any, chars: Any, counts: Any, out: Any) -> None:
    """Write Gopher's measures of words and segments."""
    num_words = counts[_C_WORDS]
    non_symbols, length, alpha = 0, 0, 0
    for k in range(num_words):
        if not flags[k] & ALL_SYMBOLS:
            non_symbols += 1
            length += chars[k]
        if flags[k] & HAS_ALPHA:
            alpha += 1
    out[_NUM_WORDS] = num_words
    out[_NUM_NON_SYMBOL] = non_symbols
    out[_MEAN_LENGTH] = length / non_symbols
    out[_HASHES] = counts[_C_HASHES] / num_words
    out[_ELLIPSES] = counts[_C_ELLIPSES] / num_words
    out[_BULLETS] = counts[_C_BULLETS] / counts[_C_SEGMENTS]
    out[_ELLIPSIS_LINES] = counts[_C_ELLIPSIS_SEGMENTS] / counts[_C_SEGMENTS]
    out[_ALPHA_WORDS] = alpha / num_words
    out[_LIST] = counts[_C_NEWLINES] / num_words
    out[_LOREM] = counts[_C_LOREM]
    out[_CURLY] = counts[_C_CURLY]
    out[_SENTENCES] = counts[_C_SENTENCES]


@subroutine
def measure_lines(
    data: Any,
    lines: Any,
    line_chars: Any,
    hashes: Any,
    table: Any,
    short_line_chars: int,
    first: Any,
    blocks: Any,
    counts: Any,
    out: Any,
) -> None:
    """Write FineWeb's measures of lines and Gopher's of repeated lines."""
    num_lines, num_chars = counts[_C_LINES], counts[_C_CHARS]
    mask = table_mask(num_lines)
    table[: mask + 1] = -1
    full, repeated, repeated_chars = 0, 0, 0
    solid, punctuated, short, solid_repeated_chars = 0, 0, 0, 0
    for k in range(num_lines):
        start, stop = lines[k, 0], lines[k, 1]
        if start == stop:
            continue
        full += 1
        place = first_equal(data, lines, hashes, k, table, mask)
        if place >= 0:
            repeated += 1
            repeated_chars += line_chars[k]
        blank = True
        i = start
        while i < stop and blank:
            code_point, i = decode(data, i, stop)
            blank = bits_of(code_point, first, blocks) & SPACE != 0
        if blank:
            continue
        solid += 1
        closing, _ = decode(data, previous(data, stop, start), stop)
        if bits_of(closing, first, blocks) & TERMINAL:
            punctuated += 1
        if line_chars[k] <= short_line_chars:
            short += 1
        if place >= 0:
            solid_repeated_chars += line_chars[k]
    # Splitting at runs of line feeds leaves an empty line before a first and after a last line feed.
    if num_lines > 1:
        before, behind = lines[0, 1] == 0, lines[num_lines - 1, 0] == lines[num_lines - 1, 1]
        full += before + behind
        repeated += before and behind
    out[_DUP_LINE] = repeated / max(full, 1)
    out[_DUP_LINE_CHARS] = repeated_chars / num_chars
    out[_LINE_PUNCT] = punctuated / solid
    out[_SHORT_LINES] = short / solid
    out[_CHAR_DUP] = solid_repeated_chars / (num_chars - counts[_C_NEWLINES])


@subroutine
def measure_paragraphs(
    data: Any, lines: Any, paragraphs: Any, hashes: Any, table: Any, counts: Any, out: Any
) -> None:
    """Write Gopher's measures of repeated paragraphs: what empty lines separate in the stripped text."""
    begin, end = counts[_C_FIRST], counts[_C_LAST]
    count, start = 0, -1
    for k in range(counts[_C_LINES]):
        low, high = max(lines[k, 0], begin), min(lines[k, 1], end)
        if lines[k, 1] < begin or lines[k, 0] >= end:
            continue
        if lines[k, 0] == lines[k, 1]:
            start = -1
            continue
        if start < 0:
            start = low
            paragraphs[count, 0] = low
            count += 1
        paragraphs[count - 1, 1] = high
    mask = table_mask(count)
    table[: mask + 1] = -1
    repeated, repeated_chars = 0, 0
    for k in range(count):
        if first_equal(data, paragraphs, hashes, k, table, mask) >= 0:
            repeated += 1
            for i in range(paragraphs[k, 0], paragraphs[k, 1]):
                repeated_chars += data[i] & 0xC0 != 0x80
    out[_DUP_PARA] = repeated / max(count, 1)
    out[_DUP_PARA_CHARS] = repeated_chars / counts[_C_CHARS]


@subroutine
def measure_repetition(
    num_words: int,
    num_chars: int,
    chars: Any,
    ids: Any,
    counts: Any,
    other_ids: Any,
    other_counts: Any,
    chars_before: Any,
    seen: Any,
    table: Any,
    out: Any,
) -> None:
    """Write the share of characters in the top 2- to 4-grams and in duplicated 5- to 10-grams."""
    chars_before[0] = 0
    for k in range(num_words):
        chars_before[k + 1] = chars_before[k] + chars[k]
    for size in range(SHORTEST_TOP, LONGEST_DUPLICATED + 1):
        best, count = lengthen(size, num_words, ids, counts, other_ids, other_counts, table)
        ids, other_ids = other_ids, ids
        counts, other_counts = other_counts, counts
        if size <= LONGEST_TOP:
            share = 0.0
            if num_words >= size:
                length = chars_before[best + size] - chars_before[best] + size - 1
                share = length * max(count, 1) / num_chars
            out[_TOP_2 + size - SHORTEST_TOP] = share
        if size >= SHORTEST_DUPLICATED:
            duplicated = 0
            if count > 1:
                duplicated = duplicated_chars(size, num_words, ids, counts, chars_before, seen)
            out[_DUP_5 + size - SHORTEST_DUPLICATED] = duplicated / num_chars


@subroutine
def count_stop_words(
    data: Any, words: Any, ids: Any, hashes: Any, num_words: int, stop_data: Any, stop_ends: Any
) -> int:
    """Return how many different stop words a text holds, case as given."""
    found = 0
    for s in range(len(stop_ends) - 1):
        start, stop = stop_ends[s], stop_ends[s + 1]
        key = hash_bytes(stop_data, start, stop)
        for k in range(num_words):
            if hashes[k] == key and words[k, 1] - words[k, 0] == stop - start:
                found += 1
                break
    return found


@kernel(
    "none",
    read("uint8"),
    read("int64"),
    "int64",
    "int64",
    "int64",
    "int64",
    read("uint8"),
    read("int64"),
    read("uint8", 2),
    read("uint8"),
    read("uint16"),
    read("uint16"),
    write("float32", 2),
)
def measure_texts(
    data: Any,
    offsets: Any,
    mode: int,
    short_line_chars: int,
    c4_terminal_punct: int,
    c4_min_line_words: int,
    stop_data: Any,
    stop_ends: Any,
    step: Any,
    found: Any,
    first: Any,
    blocks: Any,
    out: Any,
) -> None:
    """Write ``out[row, signal]``, NaN where a text has no words or lines to divide by."""
    most_words, most_lines = scratch_size(data, offsets)
    words = np.empty((most_words, 2), np.int32)
    chars = np.empty(most_words, np.int32)
    flags = np.empty(most_words, np.uint8)
    hashes = np.empty(max(most_words, most_lines), np.uint64)
    ids, other_ids = np.empty(most_words, np.int32), np.empty(most_words, np.int32)
    repeats, other_repeats = np.empty(most_words, np.int32), np.empty(most_words, np.int32)
    chars_before = np.empty(most_words + 1, np.int32)
    seen = np.empty(most_words, np.uint8)
    table = np.empty(table_mask(max(most_words, most_lines)) + 1, np.int32)
    lines = np.empty((most_lines, 2), np.int32)
    paragraphs = np.empty((most_lines, 2), np.int32)
    line_chars = np.empty(most_lines, np.int32)
    longest = 1
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    buffer = np.empty(longest, np.uint8)
    buffer_words = np.empty((most_words, 2), np.int32)
    buffer_chars = np.empty(most_words, np.int32)
    buffer_flags = np.empty(most_words, np.uint8)
    counts = np.empty(_NUM_COUNTS, np.int64)
    for row in range(len(offsets) - 1):
        text = data[offsets[row] : offsets[row + 1]]
        scan_text(
            text,
            mode,
            c4_terminal_punct,
            c4_min_line_words,
            step,
            found,
            first,
            blocks,
            words,
            chars,
            flags,
            lines,
            line_chars,
            buffer,
            buffer_words,
            buffer_chars,
            buffer_flags,
            counts,
        )
        result = out[row]
        num_words = counts[_C_WORDS]
        measure_words(text, flags, chars, counts, result)
        measure_lines(text, lines, line_chars, hashes, table, short_line_chars, first, blocks, counts, result)
        measure_paragraphs(text, lines, paragraphs, hashes, table, counts, result)
        count_words(text, words, hashes, num_words, table, ids, repeats)
        result[_STOP_WORDS] = count_stop_words(text, words, ids, hashes, num_words, stop_data, stop_ends)
        measure_repetition(
            num_words,
            counts[_C_CHARS],
            chars,
            ids,
            repeats,
            other_ids,
            other_repeats,
            chars_before,
            seen,
            table,
            result,
        )
