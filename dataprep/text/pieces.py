"""Texts of which only some pieces stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

Pieces = Sequence[tuple[int, int]]
"""Bytes [start, stop) of a text, ascending and apart, at the bounds of characters."""

BREAK = "\n\n"
"""Stands between two pieces: a paragraph ends where something was cut out."""


def keep_pieces(text: pa.LargeStringArray, pieces: Mapping[int, Pieces]) -> pa.LargeStringArray:
    """Return the texts, of some of them only these pieces, joined by ``BREAK``.

    Args:
        text: texts of documents.
        pieces: of those that were cut, by row.

    >>> keep_pieces(pa.array(["whole", "one cut two"], pa.large_string()), {1: [(0, 3), (8, 11)]}).to_pylist()
    ['whole', 'one\\n\\ntwo']
    """
    if not pieces:
        return text
    rows = sorted(pieces)
    mask = [False] * len(text)
    shortened = []
    for row in rows:
        mask[row] = True
        data = memoryview(text[row].as_buffer())
        shortened.append(BREAK.join(str(data[start:stop], "utf-8") for start, stop in pieces[row]))
    return pc.replace_with_mask(text, pa.array(mask), pa.array(shortened, pa.large_string()))
