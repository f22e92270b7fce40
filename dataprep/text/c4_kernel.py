"""The kernel that keeps of every text the lines that C4 keeps.

It walks once over a text and writes what stays behind what it wrote before, so that the new texts
lie in one buffer. What becomes of a line is asked of the subroutines that the signals ask.
"""

from __future__ import annotations

from typing import Any

from dataprep.kernels import borrowed, int64, kernel, read, subroutine, write
from dataprep.text.c4_lines import (
    CURLY,
    JAVASCRIPT,
    KEPT,
    LONGEST_WORD_CHARS,
    LOREM,
    citation_end,
    ends_in_mark,
    line_fate,
    without_citations,
)
from dataprep.text.characters import LINE_BREAK, SPACE
from dataprep.text.line_pieces import count_chunks, put_piece, strip_written
from dataprep.text.utf8 import bits_of, decode

LONG_WORD, NO_END_MARK, FEW_WORDS, JAVASCRIPT_LINE, POLICY_LINE, CITATION = range(6)
"""Kinds of removed pieces."""

_LF, _BRACE = 0x0A, 0x7B


@subroutine
def put_citations(
    data: Any, start: int, stop: int, row: int, origin: int, pieces: Any, count: int, first: Any, blocks: Any
) -> Any:
    """Write the citation marks of a line as pieces; return the new count."""
    i = start
    while i < stop:
        after = citation_end(data, i, stop, first, blocks)
        if after > i:
            count = put_piece(pieces, count, row, CITATION, i - origin, after - origin)
        i = max(after, i + 1)
    return count


@subroutine
def drop_kind(
    out: Any, start: int, stop: int, chunks: int, longest: int, has_brace: int, terminal_punct: int,
    min_words: int, step: Any, found: Any,
) -> Any:  # fmt: skip
    """Return why a line without its citations goes, -1 where it stays.

    A line that tells against the whole text ("lorem ipsum", ``{``) stays: signals must see it.
    """
    if longest > LONGEST_WORD_CHARS:
        return LONG_WORD
    if terminal_punct and not ends_in_mark(out, start, stop):
        return NO_END_MARK
    if chunks < min_words:
        return FEW_WORDS
    fate = line_fate(out, start, stop, has_brace, True, False, step, found)
    if fate in (KEPT, LOREM, CURLY):
        return -1
    return JAVASCRIPT_LINE if fate == JAVASCRIPT else POLICY_LINE


@kernel(
    "int64",
    read("uint8"),
    read("int64"),
    read("boolean"),
    "int64",
    "int64",
    read("uint8", 2),
    read("uint8"),
    read("uint16"),
    read("uint16"),
    write("uint8"),
    write("int64"),
    write("int64", 2),
)
def keep_c4_lines(
    data: Any, offsets: Any, present: Any, terminal_punct: int, min_words: int, step: Any, found: Any,
    first: Any, blocks: Any, out: Any, out_offsets: Any, pieces: Any,
) -> Any:  # fmt: skip
    """Write the lines that C4 keeps, stripped and without citations; return the number of pieces."""
    data, first, blocks, out = borrowed(data), borrowed(first), borrowed(blocks), borrowed(out)
    step, found, pieces = borrowed(step), borrowed(found), borrowed(pieces)
    size, count = int64(0), int64(0)
    out_offsets[0] = 0
    for row in range(len(offsets) - 1):
        origin, stop = int64(offsets[row]), int64(offsets[row + 1])
        if not present[row]:
            stop = origin
        begin, i = size, origin
        while i < stop:
            visible_start, visible_stop, chunks, longest, chars, has_brace = int64(-1), i, 0, 0, 0, False
            while i < stop:
                code_point, after = decode(data, i, stop)
                bits = bits_of(code_point, first, blocks)
                if bits & SPACE:
                    chars = 0
                else:
                    chunks += chars == 0
                    chars += 1
                    longest = max(longest, chars)
                    has_brace |= code_point == _BRACE
                    visible_stop = after
                    if visible_start < 0:
                        visible_start = i
                i = after
                if bits & LINE_BREAK:
                    break
            if visible_start < 0:
                continue
            line = size
            if line > begin:
                out[size] = _LF
                size += 1
            text = size
            size += without_citations(data, visible_start, visible_stop, first, blocks, out[size:])
            kind = drop_kind(
                out, text, size, chunks, longest, has_brace, terminal_punct, min_words, step, found
            )
            if kind >= 0:
                count = put_piece(pieces, count, row, kind, visible_start - origin, visible_stop - origin)
                size = line
            elif size - text < visible_stop - visible_start:
                count = put_citations(
                    data, visible_start, visible_stop, row, origin, pieces, count, first, blocks
                )
                if count_chunks(out, text, size, first, blocks) == 0:
                    size = line
        size = strip_written(out, begin, size, first, blocks)
        out_offsets[row + 1] = size
    return count
