"""Texts that are hard on kernels: every plane of Unicode, sizes beside those of vectors, slices, halves.

A kernel reads the bytes of a whole column, a text's own and those of its neighbours. So what is drawn
here are columns: nulls that have bytes all the same, and slices whose first text is not the buffer's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

EDGES = (
    # The first and last characters of one, two, three and four bytes.
    *"\x00\x01\x1f ~\x7f\x80\x9f\xa0\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff",
    # Line ends and spaces, byte order mark, replacement, noncharacters, private use of three planes.
    *"\t\n\r\x0b\x0c\x1c\x85\u1680\u2003\u2028\u2029\u3000\ufeff\ufffd\ufdd0\ufffe\U0001fffe\U0010fffe",
    *"\uf8ff\U000f0000\U00100000",
    # Marks that combine, a joiner, direction; letters that change their size with their case.
    *"\u0301\u0308\u0344\u1161\u11a8\u200d\u202e\u0130\u017f\u212a\u1e9e\ufb03",
    # Letters, digits and signs of other scripts and planes.
    *"éßΣж٣漢語한\u0f0b१\U0001d7d9\U00010f55\U0001f600\U00020000\U000e0041",
)
"""Characters at which decoding, tables and rules of Unicode turn."""

CHARACTERS = st.one_of(
    st.sampled_from(EDGES),
    st.characters(max_codepoint=0x7F),
    st.characters(min_codepoint=0x80, max_codepoint=0xFFFF, exclude_categories=["Cs"]),
    st.characters(min_codepoint=0x10000),
)
"""Every character there is; all planes come up in nearly every text."""

SIZES = (7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65)
"""Bytes: beside what a kernel looks at in one step."""


def padded(text: str, size: int, filler: str, *, at_front: bool) -> str:
    """Return ``text`` with as much filler as makes its size in UTF-8 ``size`` bytes, or 128 k more."""
    missing = (size - len(text.encode())) % 128
    width = len(filler.encode())
    padding = filler * (missing // width) + "a" * (missing % width)
    return padding + text if at_front else text + padding


def texts_with(pieces: Sequence[str], *, max_pieces: int = 16) -> st.SearchStrategy[str]:
    """Return texts of these pieces and of any characters, every second one of a size of ``SIZES``."""
    plain = st.lists(st.one_of(st.sampled_from(pieces), CHARACTERS), max_size=max_pieces).map("".join)
    filler = st.sampled_from("aZ0 .é漢😀")
    sized = st.builds(
        lambda text, size, filler, at_front: padded(text, size, filler, at_front=at_front),
        *(plain, st.sampled_from(SIZES), filler, st.booleans()),
    )
    return st.one_of(plain, sized)


def column_of(texts: Sequence[str], valid: Sequence[bool]) -> pa.LargeStringArray:
    """Return a column in which a text that is not valid is null, but keeps its bytes in the buffer."""
    data = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, data)], dtype=np.int64)
    bits = np.packbits(np.array(valid, np.bool_), bitorder="little")
    return pa.LargeStringArray.from_buffers(
        len(texts), pa.py_buffer(offsets), pa.py_buffer(b"".join(data)), pa.py_buffer(bits)
    )


@st.composite
def columns(
    draw: st.DrawFn, texts: st.SearchStrategy[str], *, max_size: int = 6
) -> tuple[pa.LargeStringArray, list[str | None]]:
    """Draw a column without its first and last texts, and what it holds: texts and nulls, or nothing."""
    own = draw(st.lists(texts, max_size=max_size))
    valid = [draw(st.integers(0, 4)) > 0 for _ in own]
    start = draw(st.integers(0, min(2, len(own))))
    stop = draw(st.integers(max(start, len(own) - 1), len(own)))
    column = column_of(own, valid).slice(start, stop - start)
    return column, [text if there else None for text, there in zip(own, valid, strict=True)][start:stop]


def halves(*patterns: str) -> list[str]:
    """Return every pattern cut in two at every place, both parts one behind the other.

    In one column, each part has beside it the bytes that would make it whole.
    """
    return [part for one in patterns for k in range(len(one) + 1) for part in (one[:k], one[k:])]
