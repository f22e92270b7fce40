"""Subroutines of the kernels that rewrite texts line by line: white space, words, removed pieces."""

from __future__ import annotations

from typing import Any

from dataprep.kernels import subroutine
from dataprep.text.characters import SPACE
from dataprep.text.edited import KIND, ROW, START, STOP
from dataprep.text.utf8 import bits_of, decode, previous


@subroutine
def space_after(data: Any, i: int, stop: int, first: Any, blocks: Any) -> Any:
    """Return the end of the white space character at byte ``i``, or ``i`` where none stands."""
    if i >= stop:
        return i
    code_point, after = decode(data, i, stop)
    return after if bits_of(code_point, first, blocks) & SPACE else i


@subroutine
def space_before(data: Any, i: int, start: int, first: Any, blocks: Any) -> Any:
    """Return the start of the white space character before byte ``i``, or ``i`` where none stands."""
    if i <= start:
        return i
    before = previous(data, i, start)
    code_point, _ = decode(data, before, i)
    return before if bits_of(code_point, first, blocks) & SPACE else i


@subroutine
def count_chunks(data: Any, i: int, stop: int, first: Any, blocks: Any) -> int:
    """Return the words between white space."""
    chunks, inside = 0, False
    while i < stop:
        code_point, i = decode(data, i, stop)
        visible = not bits_of(code_point, first, blocks) & SPACE
        chunks += visible and not inside
        inside = visible
    return chunks


@subroutine
def put_piece(pieces: Any, count: int, row: int, kind: int, start: int, stop: int) -> int:
    """Write one piece at place ``count``; return the new count."""
    pieces[count, ROW] = row
    pieces[count, KIND] = kind
    pieces[count, START] = start
    pieces[count, STOP] = stop
    return count + 1


@subroutine
def strip_written(out: Any, begin: int, size: int, first: Any, blocks: Any) -> Any:
    """Take the white space off both ends of what was written from ``begin`` on; return the new size."""
    while True:
        before = space_before(out, size, begin, first, blocks)
        if before == size:
            break
        size = before
    text = begin
    while True:
        after = space_after(out, text, size, first, blocks)
        if after == text:
            break
        text = after
    if text > begin:
        for k in range(text, size):
            out[begin + k - text] = out[k]
    return size - (text - begin)
