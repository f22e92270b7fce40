"""Subroutines that walk over UTF-8 bytes inside kernels.

The bytes are valid UTF-8 (``normalize`` is the gate that checks); still, no subroutine reads
beyond ``stop``, so that even damaged bytes cannot lead a kernel outside its buffer. All numbers are
int64, whatever array they come from: every mixture of types would be compiled anew.
"""

from __future__ import annotations

from typing import Any

from dataprep.kernels import at, inlined, int64, subroutine

REPLACEMENT = 0xFFFD


@inlined
def decode(data: Any, i: int, stop: int) -> tuple[Any, Any]:
    """Return the code point at byte ``i`` and the place of the next one, both int64."""
    lead = int64(data[at(i)])
    if lead < 0x80:
        return lead, i + 1
    if lead < 0xE0:
        if i + 2 > stop or lead < 0xC2:
            return int64(REPLACEMENT), i + 1
        return (lead & 0x1F) << 6 | (int64(data[at(i + 1)]) & 0x3F), i + 2
    if lead < 0xF0:
        if i + 3 > stop:
            return int64(REPLACEMENT), i + 1
        middle = (int64(data[at(i + 1)]) & 0x3F) << 6
        return (lead & 0x0F) << 12 | middle | (int64(data[at(i + 2)]) & 0x3F), i + 3
    if i + 4 > stop or lead > 0xF4:
        return int64(REPLACEMENT), i + 1
    high = (lead & 0x07) << 18 | (int64(data[at(i + 1)]) & 0x3F) << 12
    code_point = high | (int64(data[at(i + 2)]) & 0x3F) << 6 | (int64(data[at(i + 3)]) & 0x3F)
    return (code_point, i + 4) if code_point < 0x110000 else (int64(REPLACEMENT), i + 1)


@subroutine
def copy_bytes(data: Any, start: int, stop: int, out: Any, place: int) -> int:
    """Copy ``data[start:stop]`` to ``out`` from ``place`` on; return the place behind the copy.

    A loop, since the compiler spends seconds on the assignment of a slice.
    """
    for i in range(stop - start):
        out[place + i] = data[start + i]
    return place + stop - start


@subroutine
def previous(data: Any, i: int, start: int) -> int:
    """Return where the character before byte ``i`` begins; ``i`` is greater than ``start``."""
    i -= 1
    while i > start and (data[i] & 0xC0) == 0x80:
        i -= 1
    return i


@inlined
def bits_of(code_point: int, first: Any, blocks: Any) -> Any:
    """Return the character bits of a code point, int64 (see :mod:`dataprep.text.characters`)."""
    return int64(blocks[at(first[at(code_point >> 8)]) << at(8) | at(code_point & 255)])
