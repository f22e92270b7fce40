"""The kernel of RefinedWeb's line-wise corrections.

It walks once over a text and writes what stays behind what it wrote before, so that the new texts
lie in one buffer; a line is looked at where it lies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dataprep.kernels import borrowed, int64, kernel, read, subroutine, write
from dataprep.text.characters import ALPHA, DIGIT, SPACE, UPPER
from dataprep.text.line_pieces import count_chunks, put_piece, space_after, space_before, strip_written
from dataprep.text.utf8 import bits_of, copy_bytes, decode

UPPERCASE, NUMERIC, COUNTER, SINGLE_WORD, ITEMS_IN_CART, READ_MORE, SIGN_IN = range(7)
"""Kinds of removed pieces."""

_LF, _COMMA, _DOT, _UNDERSCORE = 0x0A, 0x2C, 0x2E, 0x5F
_ITEMS = np.frombuffer(b"items in cart", np.uint8)
_READ_MORE = np.frombuffer(b"read more...", np.uint8)
_SIGN_IN = np.frombuffer(b"sign-in", np.uint8)
_COUNTED = np.frombuffer(
    b"likes shares comments retweets reposts quotes bookmarks upvotes downvotes downloads views followers ",
    np.uint8,
)
"""What a counter line counts, a space behind each word."""


@subroutine
def folded(byte: Any) -> Any:
    """Return an ASCII capital as a small letter, any other byte as it is."""
    return byte + 32 if 0x41 <= byte <= 0x5A else byte


@subroutine
def stands_at(data: Any, i: int, stop: int, phrase: Any) -> bool:
    """Return whether ``phrase`` (small ASCII) stands at byte ``i``, in capitals or not."""
    if i + len(phrase) > stop:
        return False
    for k in range(len(phrase)):  # noqa: SIM110 (kernels have no generators)
        if folded(data[i + k]) != phrase[k]:
            return False
    return True


@subroutine
def no_word_after(data: Any, i: int, stop: int, first: Any, blocks: Any) -> Any:
    """Return the first byte from ``i`` on where a letter, digit or underscore stands, or ``stop``."""
    while i < stop:
        code_point, after = decode(data, i, stop)
        if bits_of(code_point, first, blocks) & (ALPHA | DIGIT) or code_point == _UNDERSCORE:
            return i
        i = after
    return i


@subroutine
def counted_after(data: Any, i: int, stop: int) -> Any:
    """Return the end of the longest counted word ("likes", ...) at byte ``i``, or ``i``."""
    begin, k = 0, 0
    while k < len(_COUNTED):
        if _COUNTED[k] != 0x20:
            k += 1
            continue
        same = i + k - begin <= stop
        for place in range(begin, k):
            same = same and folded(data[i + place - begin]) == _COUNTED[place]
        if same:
            return i + k - begin
        k += 1
        begin = k
    return i


@subroutine
def is_counter(data: Any, start: int, stop: int, first: Any, blocks: Any) -> Any:
    """Return whether a line is a count and nothing else: "3 likes", "1.2K Views"."""
    i = no_word_after(data, start, stop, first, blocks)
    digits = i
    while i < stop:
        code_point, after = decode(data, i, stop)
        is_mark = i > digits and code_point in (_COMMA, _DOT)
        if not is_mark and not bits_of(code_point, first, blocks) & DIGIT:
            break
        i = after
    if i == digits:
        return False
    if i < stop:
        unit = folded(data[i])
        if unit in (0x6B, 0x6D, 0x62):  # k, m, b
            i += 1
    gap = i
    while True:
        after = space_after(data, i, stop, first, blocks)
        if after == i:
            break
        i = after
    end = counted_after(data, i, stop)
    return i > gap and end > i and no_word_after(data, end, stop, first, blocks) == stop


@subroutine
def copy_without(
    data: Any, i: int, stop: int, phrase: Any, out: Any, size: int, first: Any, blocks: Any
) -> Any:
    """Write a line without a phrase and the white space character before it; return the new size."""
    while i < stop:
        after = space_after(data, i, stop, first, blocks)
        if stands_at(data, after, stop, phrase):
            i = after + len(phrase)
            continue
        after = max(after, i + 1)
        while i < after:
            out[size] = data[i]
            size, i = size + 1, i + 1
    return size


@subroutine
def drop_kind(
    data: Any, start: int, stop: int, chunks: int, chars: int, upper: int, digits: int,
    max_upper: float, max_numeric: float, min_words: int, first: Any, blocks: Any,
) -> Any:  # fmt: skip
    """Return why a line goes as a whole, -1 where it stays."""
    if upper / chars > max_upper:
        return UPPERCASE
    if digits / chars > max_numeric:
        return NUMERIC
    if is_counter(data, start, stop, first, blocks):
        return COUNTER
    return SINGLE_WORD if chunks < min_words else -1


@subroutine
def edit_short_line(
    data: Any, start: int, stop: int, row: int, origin: int, out: Any, size: int, pieces: Any, count: int,
    first: Any, blocks: Any,
) -> Any:  # fmt: skip
    """Write a short line without what pages repeat on every product or teaser.

    Returns: the new size of what is written, and the new number of pieces.
    """
    line = size
    size = copy_without(data, start, stop, _ITEMS, out, size, first, blocks)
    if size - line < stop - start:
        count = put_piece(pieces, count, row, ITEMS_IN_CART, start - origin, stop - origin)
    blank = count_chunks(out, line, size, first, blocks) == 0
    tail = size - len(_READ_MORE)
    if not blank and tail >= line and stands_at(out, tail, size, _READ_MORE):
        size = space_before(out, tail, line, first, blocks)
        count = put_piece(pieces, count, row, READ_MORE, start - origin, stop - origin)
        blank = count_chunks(out, line, size, first, blocks) == 0
    if not blank and stands_at(out, line, size, _SIGN_IN):
        rest = space_after(out, line + len(_SIGN_IN), size, first, blocks)
        for k in range(rest, size):
            out[line + k - rest] = out[k]
        size -= rest - line
        count = put_piece(pieces, count, row, SIGN_IN, start - origin, stop - origin)
    return size, count


@kernel(
    "int64",
    read("uint8"),
    read("int64"),
    read("boolean"),
    "float64",
    "float64",
    "int64",
    "int64",
    read("uint16"),
    read("uint16"),
    write("uint8"),
    write("int64"),
    write("int64", 2),
    write("float32"),
)
def correct_lines(
    data: Any, offsets: Any, present: Any, max_upper: float, max_numeric: float, min_words: int,
    short_words: int, first: Any, blocks: Any, out: Any, out_offsets: Any, pieces: Any, word_ratio: Any,
) -> Any:  # fmt: skip
    """Write texts without RefinedWeb's unwanted lines; return the number of removed pieces.

    ``word_ratio`` float32[num_texts] gets the share of words that went, NaN for a text without words.
    """
    data, first, blocks, out = borrowed(data), borrowed(first), borrowed(blocks), borrowed(out)
    pieces = borrowed(pieces)
    size, count = int64(0), int64(0)
    out_offsets[0] = 0
    for row in range(len(offsets) - 1):
        origin, stop = int64(offsets[row]), int64(offsets[row + 1])
        if not present[row]:
            stop = origin
        begin, before, words, words_left, wrote = size, count, 0, 0, False
        start = origin
        while start < stop:
            end, chars, upper, digits, chunks, inside = start, 0, 0, 0, 0, False
            while end < stop and data[end] != _LF:
                code_point, end = decode(data, end, stop)
                bits = bits_of(code_point, first, blocks)
                visible = not bits & SPACE
                chars += 1
                upper += bits & UPPER != 0
                digits += bits & DIGIT != 0
                chunks += visible and not inside
                inside = visible
            words += chunks
            kind = -1
            if chunks > 0:
                kind = drop_kind(
                    data, start, end, chunks, chars, upper, digits, max_upper, max_numeric, min_words,
                    first, blocks,
                )  # fmt: skip
            if kind >= 0:
                count = put_piece(pieces, count, row, kind, start - origin, end - origin)
            else:
                line, known = size, count
                if wrote:
                    out[size] = _LF
                    size += 1
                text = size
                if 0 < chunks <= short_words:
                    size, count = edit_short_line(
                        data, start, end, row, origin, out, size, pieces, count, first, blocks
                    )
                else:
                    size = copy_bytes(data, start, end, out, size)
                left = chunks
                if count > known:
                    left = count_chunks(out, text, size, first, blocks)
                words_left += left
                if count > known and left == 0:
                    size = line
                else:
                    wrote = True
            start = end + 1
            if end + 1 == stop and kind < 0 and wrote:  # a line feed at the very end stays
                out[size] = _LF
                size += 1
        if count > before:
            size = strip_written(out, begin, size, first, blocks)
        word_ratio[row] = (words - words_left) / words if words else float("nan")
        out_offsets[row + 1] = size
    return count
