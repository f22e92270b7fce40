"""Composition: bringing texts to Unicode's normalisation form C, looking at few characters of them."""

from __future__ import annotations

import functools
import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.kernels import borrowed, int64, kernel, load_8_bytes, read, trailing_zeros, write
from dataprep.text.buffers import utf8_buffers, valid_mask
from dataprep.text.characters import NFC_MAYBE, character_table
from dataprep.text.utf8 import bits_of, decode

_HIGH_BITS, _SEVEN_BITS = np.uint64(0x8080808080808080), np.uint64(0x7F7F7F7F7F7F7F7F)


def compose(column: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return the texts in NFC and otherwise as they are; nulls stay null.

    A column that is in NFC already is returned itself. The bytes must be valid UTF-8.
    """
    if len(column) == 0:
        return column
    buffers, table, leads = utf8_buffers(column), character_table(), leads_that_may_compose()
    maybe = np.zeros(len(column), np.bool_)
    lowest = int(np.flatnonzero(leads)[0])
    find_composable(buffers.data, buffers.offsets, lowest, leads, table.first, table.blocks, maybe)
    return compose_rows(column, np.flatnonzero(maybe & valid_mask(column)))


def compose_rows(column: pa.LargeStringArray, rows: npt.NDArray[np.int64]) -> pa.LargeStringArray:
    """Return a column with the texts of ``rows``, none of them null, in NFC; the same one if they were."""
    if len(rows) == 0:
        return column
    texts = column.take(pa.array(rows)).to_pylist()
    changed = [not unicodedata.is_normalized("NFC", text) for text in texts]
    if not any(changed):
        return column
    mask = np.zeros(len(column), np.bool_)
    mask[rows[changed]] = True
    composed = [unicodedata.normalize("NFC", text) for text, change in zip(texts, changed) if change]
    return pc.replace_with_mask(column, pa.array(mask), pa.array(composed, pa.large_string()))


@functools.cache
def leads_that_may_compose() -> npt.NDArray[np.bool_]:
    """Return bool[256]: the first bytes of all characters that NFC may change or join to one before."""
    mask = np.zeros(256, np.bool_)
    mask[[chr(one).encode()[0] for one in character_table().code_points_with(NFC_MAYBE)]] = True
    assert not mask[:0x80].any(), "ASCII is in NFC"
    return mask


@kernel(
    "none",
    read("uint8"),
    read("int64"),
    "int64",
    read("boolean"),
    read("uint16"),
    read("uint16"),
    write("boolean"),
)
def find_composable(
    data: Any, offsets: Any, lowest: int, leads: Any, first: Any, blocks: Any, maybe: Any
) -> None:
    """Set ``maybe[i]`` to whether text i holds a character that NFC may change or join to one before.

    The letters of Western languages begin with bytes below ``lowest``, the lowest of ``leads``: eight
    bytes at a time are found to hold nothing else.
    """
    data, leads, first, blocks = borrowed(data), borrowed(leads), borrowed(first), borrowed(blocks)
    # In a byte of 0x80 or more, adding this to its lower seven bits sets the high bit from ``lowest`` on.
    from_lowest = np.uint64(0x100 - lowest) * np.uint64(0x0101010101010101)
    for row in range(len(offsets) - 1):
        i, stop, found = int64(offsets[row]), int64(offsets[row + 1]), False
        while i < stop and not found:
            if i + 8 <= stop:
                word = load_8_bytes(data, i)
                hits = word & ((word & _SEVEN_BITS) + from_lowest) & _HIGH_BITS
                if not hits:
                    i += 8
                    continue
                i += trailing_zeros(hits) >> 3
            if leads[data[i]]:
                code_point, i = decode(data, i, stop)
                found = bits_of(code_point, first, blocks) & NFC_MAYBE != 0
            else:
                i += 1
        maybe[row] = found
