"""Counting of what stands in the cells of notebooks that were written down with StarCoder's tags."""

from __future__ import annotations

from typing import Any

import numpy as np

from dataprep.kernels import kernel, read, subroutine, write
from dataprep.signals.markup import starts_with_tags
from dataprep.text.characters import SPACE
from dataprep.text.phrases import matches
from dataprep.text.utf8 import bits_of, decode

_LF, _LESS = 0x0A, 0x3C
_START = np.frombuffer(b"<jupyter_start>", np.uint8)
_TEXT = np.frombuffer(b"<jupyter_text>", np.uint8)
_CODE = np.frombuffer(b"<jupyter_code>", np.uint8)
_OUTPUT = np.frombuffer(b"<jupyter_output>", np.uint8)
_EMPTY_OUTPUT = np.frombuffer(b"<empty_output>", np.uint8)

_IN_CODE, _IN_TEXT, _ELSEWHERE = 0, 1, 2
"""Where a character stands; the first two are the rows of the output that count it."""


@subroutine
def cells_start(data: Any, start: int, stop: int) -> int:
    """Return the place behind ``<jupyter_start>``, or -1: it begins the text, or what follows the tags' line.

    Tags that name the repository and the file may stand on its own line too.
    """
    tagged = starts_with_tags(data, start, stop)
    for i in range(start, stop if tagged else min(start + 1, stop)):
        if matches(data, i, stop, _START):
            return i + len(_START)
        if i > start and data[i - 1] == _LF:
            return -1
    return -1


@subroutine
def tag_at(data: Any, i: int, stop: int, place: int) -> tuple[int, int]:
    """Return the size of the tag at byte ``i``, 0 for none, and where the characters behind it stand."""
    if matches(data, i, stop, _CODE):
        return len(_CODE), _IN_CODE
    if matches(data, i, stop, _TEXT):
        return len(_TEXT), _IN_TEXT
    if matches(data, i, stop, _OUTPUT):
        return len(_OUTPUT), _ELSEWHERE
    if matches(data, i, stop, _START):
        return len(_START), _ELSEWHERE
    if matches(data, i, stop, _EMPTY_OUTPUT):
        return len(_EMPTY_OUTPUT), place
    return 0, place


@kernel("none", read("uint8"), read("int64"), read("uint16"), read("uint16"), write("int64", 2))
def count_notebook_characters(data: Any, offsets: Any, first: Any, blocks: Any, out: Any) -> None:
    """Write the visible characters of code cells to ``out[0]`` and of text cells to ``out[1]``.

    Both are -1 for a text that is no notebook.
    """
    for row in range(len(offsets) - 1):
        stop = offsets[row + 1]
        i = cells_start(data, offsets[row], stop)
        code, text, place = 0, 0, _ELSEWHERE
        while 0 <= i < stop:
            b = data[i]
            if b == _LESS:
                size, place = tag_at(data, i, stop, place)
                if size > 0:
                    i += size
                    continue
            if b < 0x80:
                visible = not (b == 0x20 or 0x09 <= b < 0x0E or 0x1C <= b < 0x20)
                i += 1
            else:
                code_point, i = decode(data, i, stop)
                visible = bits_of(code_point, first, blocks) & SPACE == 0
            code += visible and place == _IN_CODE
            text += visible and place == _IN_TEXT
        out[_IN_CODE, row] = code if i >= 0 else -1
        out[_IN_TEXT, row] = text if i >= 0 else -1
