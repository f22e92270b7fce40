"""All heuristics for prose in one pass over the words and lines of every text.

A text is cut into words and lines once; Gopher, C4, FineWeb and repetition measures are then
sums over these. Scratch memory is sized by the longest text of the batch, and every step costs
time in proportion to the length of the text, however long its lines are or however often it
repeats itself.
"""

from __future__ import annotations

from typing import Any

from dataprep.kernels import borrowed, int64, kernel, read, subroutine, write
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
from dataprep.signals.web_scan import (
    FIRST_VISIBLE,
    HAS_CURLY,
    HAS_LOREM,
    LAST_VISIBLE,
    LINE_CHARS,
    LINE_START,
    LINE_STOP,
    NUM_BULLET_SEGMENTS,
    NUM_CHARS,
    NUM_ELLIPSES,
    NUM_ELLIPSIS_SEGMENTS,
    NUM_HASHES,
    NUM_LINE_FEEDS,
    NUM_LINES,
    NUM_SEGMENTS,
    NUM_SENTENCES,
    NUM_WORDS,
    SHORT_LINE_CHARS,
    scan_text,
    scratch_size,
)
from dataprep.text.characters import SPACE, TERMINAL
from dataprep.text.utf8 import bits_of, decode, previous
from dataprep.text.words import ALL_SYMBOLS, HAS_ALPHA, WORD_CHARS, WORD_FLAGS

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


@subroutine
def measure_words(words: Any, counts: Any, out: Any) -> None:
    """Write Gopher's measures of words and segments, and C4's."""
    num_words = counts[NUM_WORDS]
    non_symbols, length, alpha = 0, 0, 0
    for k in range(num_words):
        flags = words[k, WORD_FLAGS]
        solid = 1 - (flags & ALL_SYMBOLS != 0)
        non_symbols += solid
        length += solid * words[k, WORD_CHARS]
        alpha += flags & HAS_ALPHA != 0
    out[_NUM_WORDS] = num_words
    out[_NUM_NON_SYMBOL] = non_symbols
    out[_MEAN_LENGTH] = length / non_symbols
    out[_HASHES] = counts[NUM_HASHES] / num_words
    out[_ELLIPSES] = counts[NUM_ELLIPSES] / num_words
    out[_BULLETS] = counts[NUM_BULLET_SEGMENTS] / counts[NUM_SEGMENTS]
    out[_ELLIPSIS_LINES] = counts[NUM_ELLIPSIS_SEGMENTS] / counts[NUM_SEGMENTS]
    out[_ALPHA_WORDS] = alpha / num_words
    out[_LIST] = counts[NUM_LINE_FEEDS] / num_words if num_words else float("nan")
    out[_LOREM] = counts[HAS_LOREM]
    out[_CURLY] = counts[HAS_CURLY]
    out[_SENTENCES] = counts[NUM_SENTENCES]


@subroutine
def is_blank(data: Any, start: int, stop: int, first: Any, blocks: Any) -> bool:
    """Return whether a line holds white space only."""
    i = start
    while i < stop:
        code_point, i = decode(data, i, stop)
        if not bits_of(code_point, first, blocks) & SPACE:
            return False
    return True


@subroutine
def measure_lines(
    data: Any,
    lines: Any,
    hashes: Any,
    table: Any,
    short_line_chars: int,
    first: Any,
    blocks: Any,
    counts: Any,
    out: Any,
) -> None:
    """Write FineWeb's measures of lines and Gopher's of repeated lines."""
    num_lines, num_chars = counts[NUM_LINES], counts[NUM_CHARS]
    mask = table_mask(num_lines)
    for slot in range(mask + 1):
        table[slot] = -1
    full, repeated, repeated_chars = 0, 0, 0
    solid, punctuated, short, solid_repeated_chars = 0, 0, 0, 0
    for k in range(num_lines):
        start, stop, chars = int64(lines[k, 0]), int64(lines[k, 1]), lines[k, LINE_CHARS]
        if start == stop:
            continue
        full += 1
        again = first_equal(data, lines, hashes, k, table, mask) >= 0
        if again:
            repeated += 1
            repeated_chars += chars
        if is_blank(data, start, stop, first, blocks):
            continue
        solid += 1
        closing, _ = decode(data, previous(data, stop, start), stop)
        punctuated += bits_of(closing, first, blocks) & TERMINAL != 0
        short += chars <= short_line_chars
        if again:
            solid_repeated_chars += chars
    # Splitting at runs of line feeds leaves an empty line before a first and after a last line feed.
    if num_lines > 1:
        before = lines[0, LINE_STOP] == 0
        behind = lines[num_lines - 1, LINE_START] == lines[num_lines - 1, LINE_STOP]
        full += before + behind
        repeated += before and behind
    out[_DUP_LINE] = repeated / max(full, 1)
    out[_DUP_LINE_CHARS] = repeated_chars / num_chars
    out[_LINE_PUNCT] = punctuated / solid
    out[_SHORT_LINES] = short / solid
    out[_CHAR_DUP] = solid_repeated_chars / (num_chars - counts[NUM_LINE_FEEDS])


@subroutine
def measure_paragraphs(
    data: Any, lines: Any, paragraphs: Any, hashes: Any, table: Any, counts: Any, out: Any
) -> None:
    """Write Gopher's measures of repeated paragraphs: what empty lines separate in the stripped text."""
    begin, end = counts[FIRST_VISIBLE], counts[LAST_VISIBLE]
    count, inside = 0, False
    for k in range(counts[NUM_LINES]):
        start, stop = int64(lines[k, LINE_START]), int64(lines[k, LINE_STOP])
        if start == stop or stop <= begin or start >= end:
            inside = False
            continue
        if not inside:
            paragraphs[count, 0] = max(start, begin)
            count += 1
            inside = True
        paragraphs[count - 1, 1] = min(stop, end)
    mask = table_mask(count)
    for slot in range(mask + 1):
        table[slot] = -1
    repeated, repeated_chars = 0, 0
    for k in range(count):
        if first_equal(data, paragraphs, hashes, k, table, mask) >= 0:
            repeated += 1
            for i in range(paragraphs[k, 0], paragraphs[k, 1]):
                repeated_chars += data[i] & 0xC0 != 0x80
    out[_DUP_PARA] = repeated / max(count, 1)
    out[_DUP_PARA_CHARS] = repeated_chars / counts[NUM_CHARS]


@subroutine
def measure_repetition(
    words: Any,
    num_words: int,
    num_chars: int,
    repeated: Any,
    num_repeated: int,
    ids: Any,
    repeats: Any,
    other_ids: Any,
    other_repeats: Any,
    chars_before: Any,
    seen: Any,
    table: Any,
    out: Any,
) -> None:
    """Write the share of characters in the top 2- to 4-grams and in duplicated 5- to 10-grams."""
    chars_before[0] = 0
    for k in range(num_words):
        chars_before[k + 1] = chars_before[k] + words[k, WORD_CHARS]
    for size in range(SHORTEST_TOP, LONGEST_DUPLICATED + 1):
        num_repeated, best, count = lengthen(
            repeated, num_repeated, ids, repeats, other_ids, other_repeats, table
        )
        ids, other_ids = other_ids, ids
        repeats, other_repeats = other_repeats, repeats
        if size <= LONGEST_TOP:
            length = 0
            if num_words >= size:
                length = (chars_before[best + size] - chars_before[best] + size - 1) * max(count, 1)
            out[_TOP_2 + size - SHORTEST_TOP] = length / num_chars
        if size >= SHORTEST_DUPLICATED:
            duplicated = duplicated_chars(size, repeated, num_repeated, ids, chars_before, seen)
            out[_DUP_5 + size - SHORTEST_DUPLICATED] = duplicated / num_chars


@subroutine
def count_stop_words(
    data: Any, words: Any, ids: Any, hashes: Any, num_words: int, stop_data: Any, stop_ends: Any
) -> int:
    """Return how many different stop words a text holds, case as given."""
    num_stop_words = len(stop_ends) - 1
    found = 0
    for s in range(num_stop_words):
        start, stop = stop_ends[s], stop_ends[s + 1]
        key = hash_bytes(stop_data, start, stop)
        for k in range(num_words):
            if hashes[k] == key and words[k, 1] - words[k, 0] == stop - start:
                found += same_text(data, int64(words[k, 0]), stop_data, start, stop - start)
                break
    return found


@subroutine
def same_text(data: Any, a: int, other: Any, b: int, size: int) -> bool:
    """Return whether ``size`` bytes of two arrays are equal."""
    for k in range(size):  # noqa: SIM110 (kernels have no generators)
        if data[a + k] != other[b + k]:
            return False
    return True


@kernel("none", read("uint8"), read("int64"), write("int64"))
def measure_scratch(data: Any, offsets: Any, sizes: Any) -> None:
    """Write the most words, lines and bytes that any text of a batch can have."""
    sizes[0], sizes[1], sizes[2] = scratch_size(data, offsets)


@kernel(
    "none",
    read("uint8"),
    read("int64"),
    read("int64"),
    read("uint8"),
    read("int64"),
    read("uint8", 2),
    read("uint8"),
    read("uint16"),
    read("uint16"),
    write("int32", 2),
    write("int32", 2),
    write("int32", 2),
    write("int32", 2),
    write("uint64"),
    write("int32"),
    write("uint8"),
    write("int64"),
    write("float32", 2),
)
def measure_texts(
    data: Any,
    offsets: Any,
    settings: Any,
    stop_data: Any,
    stop_ends: Any,
    step: Any,
    found: Any,
    first: Any,
    blocks: Any,
    words: Any,
    line_words: Any,
    lines: Any,
    columns: Any,
    hashes: Any,
    table: Any,
    line: Any,
    counts: Any,
    out: Any,
) -> None:
    """Write ``out[row, signal]``, NaN where a text has no words or lines to divide by.

    Scratch, for W words, L lines and B bytes at most in one text: ``words`` int32[W, 4], ``line_words``
    int32[max(W, L), 4], ``lines`` int32[L, 3], ``columns`` int32[7, W + 1], ``hashes`` uint64[max(W, L)],
    ``table`` int32[table_mask(max(W, L)) + 1], ``line`` uint8[B], ``counts`` int64[NUM_COUNTS].
    """
    data, offsets, settings, out = borrowed(data), borrowed(offsets), borrowed(settings), borrowed(out)
    stop_data, stop_ends = borrowed(stop_data), borrowed(stop_ends)
    step, found, first, blocks = borrowed(step), borrowed(found), borrowed(first), borrowed(blocks)
    words, line_words, lines, line = borrowed(words), borrowed(line_words), borrowed(lines), borrowed(line)
    columns, hashes, table = borrowed(columns), borrowed(hashes), borrowed(table)
    counts = borrowed(counts)
    for row in range(len(offsets) - 1):
        text = data[offsets[row] : offsets[row + 1]]
        scan_text(
            text,
            settings,
            step,
            found,
            first,
            blocks,
            words,
            lines,
            line,
            line_words,
            counts,
        )
        result = out[row]
        num_words = counts[NUM_WORDS]
        measure_words(words, counts, result)
        measure_lines(text, lines, hashes, table, settings[SHORT_LINE_CHARS], first, blocks, counts, result)
        measure_paragraphs(text, lines, line_words, hashes, table, counts, result)
        ids, repeats, repeated = columns[0], columns[1], columns[2]
        num_repeated = count_words(text, words, hashes, num_words, table, ids, repeats, repeated)
        result[_STOP_WORDS] = count_stop_words(text, words, ids, hashes, num_words, stop_data, stop_ends)
        measure_repetition(
            words,
            num_words,
            counts[NUM_CHARS],
            repeated,
            num_repeated,
            ids,
            repeats,
            columns[3],
            columns[4],
            columns[5],
            columns[6],
            table,
            result,
        )
