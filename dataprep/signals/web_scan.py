"""Cutting one text into words and lines, and counting what needs no second look."""

from __future__ import annotations

from typing import Any

import numpy as np

from dataprep.kernels import at, inlined, int64, load_8_bytes, subroutine, trailing_zeros
from dataprep.text.c4_lines import (
    CURLY,
    HAS_BRACE,
    LONGEST_WORD_CHARS,
    LOREM,
    MAY_CITE,
    UNCUT,
    judge_line,
    may_hold_phrases,
)
from dataprep.text.characters import DIGIT, LINE_BREAK, LOWER, SPACE, SUFFIX
from dataprep.text.utf8 import bits_of, decode, previous
from dataprep.text.words import HAS_ALPHA, NEEDS_SPLIT, flags_of, put_word, split_chunk

WHITESPACE, UNICODE = 0, 1
"""What a word is."""
MODE, SHORT_LINE_CHARS, C4_TERMINAL_PUNCT, C4_MIN_LINE_WORDS = 0, 1, 2, 3
"""Places in the settings, int64[4]."""

(
    NUM_CHARS,
    NUM_WORDS,
    NUM_LINES,
    NUM_LINE_FEEDS,
    NUM_HASHES,
    NUM_ELLIPSES,
    NUM_SEGMENTS,
    NUM_BULLET_SEGMENTS,
    NUM_ELLIPSIS_SEGMENTS,
    HAS_LOREM,
    HAS_CURLY,
    NUM_SENTENCES,
    FIRST_VISIBLE,
    LAST_VISIBLE,
) = range(14)
"""Places in the counts of a text. Segments are the lines of ``str.splitlines``; the last two are the
bytes that the stripped text begins and ends at, -1 and 0 where there is nothing visible."""
NUM_COUNTS = 14

LINE_START, LINE_STOP, LINE_CHARS = 0, 1, 2
"""Columns of a table of lines, int32[lines, 3]: first byte, byte after, characters."""

_LF, _CR = 0x0A, 0x0D
_HASH, _DOT, _DASH, _BRACE, _BRACKET = 0x23, 0x2E, 0x2D, 0x7B, 0x5B
_SPACE, _COMMA, _COLON, _CLOSE, _QUESTION = 0x20, 0x2C, 0x3A, 0x29, 0x3F
_BULLET, _ELLIPSIS = 0x2022, 0x2026

# For looking at eight bytes at once: in each byte, adding _FROM_x sets the high bit of what is x or
# more, adding _BEHIND_x of what is more than x.
_ONE = np.uint64(1)
_HIGH_BITS, _SEVEN_BITS = np.uint64(0x8080808080808080), np.uint64(0x7F7F7F7F7F7F7F7F)
_CASE_BITS = np.uint64(0x2020202020202020)
_FROM_A, _BEHIND_Z = np.uint64(0x1F1F1F1F1F1F1F1F), np.uint64(0x0505050505050505)
_FROM_0, _BEHIND_9 = np.uint64(0x5050505050505050), np.uint64(0x4646464646464646)


@inlined
def scratch_size(data: Any, offsets: Any) -> tuple[int, int, int]:
    """Return the most words, lines and bytes that any text of the batch can have.

    A word begins after a character that is no ASCII letter or digit, or is such a character.
    """
    most_words, most_lines, most_bytes = 1, 1, 1
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
        most_bytes = max(most_bytes, size)
    return most_words, most_lines, most_bytes


@subroutine
def count_marks(data: Any, start: int, stop: int, counts: Any) -> int:
    """Count hash signs and ellipses ("..." without overlap, and U+2026) of a chunk.

    Returns: which brackets of C4's rules it holds: HAS_BRACE, MAY_CITE.
    """
    i, marks = start, 0
    while i < stop:
        b = data[i]
        if b == _HASH:
            counts[NUM_HASHES] += 1
        elif b == _BRACE:
            marks |= HAS_BRACE
        elif b == _BRACKET:
            marks |= MAY_CITE
        elif b == _DOT:
            run = i
            while i < stop and data[i] == _DOT:
                i += 1
            counts[NUM_ELLIPSES] += (i - run) // 3
            continue
        elif b == 0xE2 and i + 2 < stop and data[i + 1] == 0x80 and data[i + 2] == 0xA6:
            counts[NUM_ELLIPSES] += 1
        i += 1
    return marks


@inlined
def letters_and_digits(word: Any) -> tuple[Any, Any]:
    """Return 0x80 in each byte of ``word`` that is an ASCII letter, and that is a letter or digit."""
    seven = word & _SEVEN_BITS
    lower = seven | _CASE_BITS
    letters = (lower + _FROM_A) & ~(lower + _BEHIND_Z) & ~word & _HIGH_BITS
    digits = (seven + _FROM_0) & ~(seven + _BEHIND_9) & ~word & _HIGH_BITS
    return letters, letters | digits


@subroutine
def end_segment(
    data: Any,
    start: int,
    stop: int,
    is_c4_line: int,
    marks: int,
    search: int,
    terminal_punct: int,
    step: Any,
    found: Any,
    first: Any,
    blocks: Any,
    words: Any,
    words_start: int,
    words_stop: int,
    line: Any,
    line_words: Any,
    counts: Any,
) -> None:
    """Count one segment with something visible, which lies between ``start`` and ``stop``."""
    if counts[FIRST_VISIBLE] < 0:
        counts[FIRST_VISIBLE] = start
    counts[LAST_VISIBLE] = stop
    opening, _ = decode(data, start, stop)
    closing, _ = decode(data, previous(data, stop, start), stop)
    counts[NUM_BULLET_SEGMENTS] += (opening == _BULLET) | (opening == _DASH)
    dots = closing == _DOT and stop - start >= 3 and data[stop - 2] == _DOT and data[stop - 3] == _DOT
    counts[NUM_ELLIPSIS_SEGMENTS] += dots or closing == _ELLIPSIS
    if not is_c4_line:
        return
    sentences = judge_line(
        data,
        start,
        stop,
        marks,
        search,
        terminal_punct,
        step,
        found,
        first,
        blocks,
        words,
        words_start,
        words_stop,
        line,
        line_words,
    )
    if sentences > 0:
        counts[NUM_SENTENCES] += sentences
    elif sentences == LOREM:
        counts[HAS_LOREM] = 1
    elif sentences == CURLY:
        counts[HAS_CURLY] = 1


@subroutine
def scan_text(
    data: Any,
    settings: Any,
    step: Any,
    found: Any,
    first: Any,
    blocks: Any,
    words: Any,
    lines: Any,
    line: Any,
    line_words: Any,
    counts: Any,
) -> None:
    """Fill the tables of words and lines (what stands between line feeds) and the counts of a text."""
    for k in range(len(counts)):
        counts[k] = 0
    counts[FIRST_VISIBLE] = -1
    size, mode = len(data), settings[MODE]
    search = may_hold_phrases(data, 0, size)
    before_dot = LOWER | DIGIT if blocks[_DOT] & SUFFIX else LOWER
    i, num_words, num_chars, num_lines = 0, 0, 0, 0
    line_start, line_start_chars = 0, 0
    segment, visible_start, visible_stop, segment_words = 0, -1, 0, 0
    chunks, longest_chunk, marks = 0, 0, 0
    while True:
        after = i + 1
        code_point, bits = int64(_LF), int64(SPACE | LINE_BREAK)  # what stands behind the text
        if i < size:
            code_point = int64(data[at(i)])
            if code_point < 0x80:
                bits = int64(blocks[at(code_point)])
            else:
                code_point, after = decode(data, i, size)
                bits = bits_of(code_point, first, blocks)
        if not bits & SPACE:
            if visible_start < 0:
                visible_start = i
            chunks += 1
            # The short way, for most chunks: ASCII letters and digits, perhaps one mark, white space.
            stop, has_letter = i, np.uint64(0)
            while stop + 8 <= size:
                letters, plain = letters_and_digits(load_8_bytes(data, stop))
                others = plain ^ _HIGH_BITS
                if others:
                    length = trailing_zeros(others) >> 3
                    has_letter |= letters & ((_ONE << np.uint64(8 * length)) - _ONE)
                    stop += length
                    break
                has_letter |= letters
                stop += 8
            if i < stop < size - 1:
                mark, chars = data[at(stop)], stop - i
                word_flags = HAS_ALPHA if has_letter else 0
                if mark == _SPACE or mark == _LF:  # noqa: SIM109
                    num_words = put_word(words, num_words, i, stop, chars, word_flags)
                    num_chars += chars
                    longest_chunk = max(longest_chunk, chars)
                    i = visible_stop = stop
                    continue
                behind = data[at(stop + 1)]
                alone = (mark == _COMMA) | (mark == _COLON) | (mark == _CLOSE) | (mark == _QUESTION)
                if mark == _DOT:
                    alone = chars > 1 and blocks[data[stop - 1]] & before_dot != 0
                if alone and mode == UNICODE and (behind == _SPACE or behind == _LF):  # noqa: SIM109
                    mark_flags = flags_of(int64(blocks[mark]), int64(blocks[mark]), 1)
                    num_words = put_word(words, num_words, i, stop, chars, word_flags)
                    num_words = put_word(words, num_words, stop, stop + 1, 1, mark_flags)
                    num_chars += chars + 1
                    longest_chunk = max(longest_chunk, chars + 1)
                    i = visible_stop = stop + 1
                    continue
            chunk, any_bits, all_bits, chars = i, int64(0), int64(0xFFFF), 0
            while not bits & SPACE:
                any_bits |= bits
                all_bits &= bits
                chars += 1
                i = after
                if i >= size:
                    break
                code_point, after = decode(data, i, size)
                bits = bits_of(code_point, first, blocks)
            num_chars += chars
            longest_chunk = max(longest_chunk, chars)
            visible_stop = i
            if any_bits & NEEDS_SPLIT:
                marks |= count_marks(data, chunk, i, counts)
            if any_bits & NEEDS_SPLIT and mode == UNICODE:
                num_words = split_chunk(data, chunk, i, first, blocks, words, num_words)
            else:
                num_words = put_word(words, num_words, chunk, i, chars, flags_of(any_bits, all_bits, chars))
            continue
        if bits & LINE_BREAK:
            if i < size and code_point == _LF and i > 0 and data[i - 1] == _CR:
                segment = after  # the segment ended at the carriage return
            elif i < size or segment < size:
                counts[NUM_SEGMENTS] += 1
                if visible_start >= 0:
                    end_segment(
                        data,
                        visible_start,
                        visible_stop,
                        chunks >= settings[C4_MIN_LINE_WORDS] and longest_chunk <= LONGEST_WORD_CHARS,
                        marks | (UNCUT if mode == WHITESPACE else 0),
                        search,
                        settings[C4_TERMINAL_PUNCT],
                        step,
                        found,
                        first,
                        blocks,
                        words,
                        segment_words,
                        num_words,
                        line,
                        line_words,
                        counts,
                    )
                segment, visible_start, segment_words = after, -1, num_words
                chunks, longest_chunk, marks = 0, 0, 0
            if code_point == _LF:
                lines[num_lines, LINE_START] = line_start
                lines[num_lines, LINE_STOP] = i
                lines[num_lines, LINE_CHARS] = num_chars - line_start_chars
                num_lines += 1
                line_start, line_start_chars = after, num_chars + 1
        if i >= size:
            break
        num_chars += 1
        i = after
    counts[NUM_LINES] = num_lines
    counts[NUM_LINE_FEEDS] = num_lines - 1
    counts[NUM_CHARS] = num_chars
    counts[NUM_WORDS] = num_words
