"""Normalisation: the same text is the same bytes, whatever wrote it.

Of prose, ``normalize`` makes

- newlines: CR LF, CR, vertical tab, form feed, U+0085, U+2028 and U+2029 become LF;
- removals: every other control character but tab (C0, DEL, C1), and U+FEFF at the very start;
- NFC, after the removals, so that no two texts differ only in how an accent is written.

Zero-width characters, bidirectional marks, U+FEFF inside, non-characters and private use stay.
Of code only CR LF and CR become LF, and NUL is removed: everything else may carry meaning.

Form feed and U+0085 as line ends follow Unicode's newline guidelines (Unicode 15, section 5.8).
A text is only touched when a kernel over its bytes finds something to do.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.errors import BadInputError
from dataprep.kernels import KernelFunction, kernel, read, subroutine, write
from dataprep.text.buffers import large_strings, utf8_buffers, valid_mask
from dataprep.text.characters import NFC_MAYBE, character_table
from dataprep.text.composition import compose_rows, leads_that_may_compose
from dataprep.text.utf8 import bits_of, copy_bytes, decode

_PROSE, _CODE = 0, 1
_EDIT, _COMPOSE = 1, 2
_LF, _CR = 0x0A, 0x0D
_BOM = 0xFEFF
_KEEP, _DROP, _BREAK, _RETURN = 0, 1, 2, 3
_BLOCK = 64
"""Bytes that are looked at as a whole: one vector comparison in plain ASCII."""


def normalize(column: pa.Array | pa.ChunkedArray, *, code: bool) -> pa.LargeStringArray:
    """Return the normalised texts of a column; nulls stay null, row i stays row i.

    This is the gate before every kernel: the bytes are checked to be valid UTF-8 here, which
    Arrow itself does not do when it reads Parquet.

    Raises:
        BadInputError: some text is not valid UTF-8.
    """
    column = large_strings(column)
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise BadInputError(
            f"a text column is not valid UTF-8 ({error}): a source must drop such rows as 'invalid_utf8'"
        ) from error
    mode = _CODE if code else _PROSE
    work = _scanned(column, mode)
    if (work & _EDIT).any():
        column = _edited(column, work, mode)
    return compose_rows(column, np.flatnonzero(work & _COMPOSE))


def _scanned(column: pa.LargeStringArray, mode: int) -> npt.NDArray[np.uint8]:
    """Return uint8[num_texts], what each text needs: _EDIT, _COMPOSE, both or 0."""
    work = np.zeros(len(column), np.uint8)
    if len(column):
        buffers, table = utf8_buffers(column), character_table()
        scan(buffers.data, buffers.offsets, mode, _leads_of_interest(mode), table.first, table.blocks, work)
        work[~valid_mask(column)] = 0
    return work


def _edited(column: pa.LargeStringArray, work: npt.NDArray[np.uint8], mode: int) -> pa.LargeStringArray:
    buffers = utf8_buffers(column)
    size = int(buffers.offsets[-1] - buffers.offsets[0])
    data, offsets = np.empty(size, np.uint8), np.empty(len(column) + 1, np.int64)
    used = edit(buffers.data, buffers.offsets, work, mode, data, offsets)
    validity = None if column.null_count == 0 else pa.array(valid_mask(column)).buffers()[1]
    return pa.LargeStringArray.from_buffers(
        len(column), pa.py_buffer(offsets), pa.py_buffer(data[:used]), validity, column.null_count
    )


@subroutine
def action(code_point: int, mode: int) -> int:
    """Return what becomes of a control-like character: keep, drop, line feed, or carriage return."""
    if code_point == _CR:
        return _RETURN
    if mode == _CODE:
        return _DROP if code_point == 0 else _KEEP
    if code_point < 0x20:
        if code_point == 0x09 or code_point == _LF:
            return _KEEP
        return _BREAK if code_point == 0x0B or code_point == 0x0C else _DROP
    if code_point == 0x85 or code_point == 0x2028 or code_point == 0x2029:
        return _BREAK
    return _DROP if 0x7F <= code_point < 0xA0 else _KEEP


@functools.cache
def _leads_of_interest(mode: int) -> npt.NDArray[np.bool_]:
    """Return bool[256]: the first bytes of all characters that need a look."""
    leads = {0x00, _CR} if mode == _CODE else set()
    if mode == _PROSE:
        leads |= {*range(0x20), 0x7F, 0xC2, 0xE2} - {0x09, _LF}
    mask = np.zeros(256, np.bool_)
    mask[sorted(leads)] = True
    return mask if mode == _CODE else mask | leads_that_may_compose()


@kernel(
    "none",
    read("uint8"),
    read("int64"),
    "int64",
    read("boolean"),
    read("uint16"),
    read("uint16"),
    write("uint8"),
)
def scan(data: Any, offsets: Any, mode: int, interesting: Any, first: Any, blocks: Any, work: Any) -> None:
    """Set ``work[i]`` to what text i needs: an edit, a look at its composition, both or nothing."""
    for row in range(len(offsets) - 1):
        i, stop = offsets[row], offsets[row + 1]
        needs = 0
        if (
            mode == _PROSE
            and i + 3 <= stop
            and data[i] == 0xEF
            and data[i + 1] == 0xBB
            and data[i + 2] == 0xBF
        ):
            needs = _EDIT
        while i < stop:
            block = min(i + _BLOCK, stop)
            plain = True
            for k in range(i, block):
                plain &= ((data[k] >= 0x20) & (data[k] < 0x7F)) | (data[k] == _LF)
            if plain:
                i = block
            while i < block:
                if not interesting[data[i]]:
                    i += 1
                    continue
                code_point, i = decode(data, i, stop)
                if action(code_point, mode) != _KEEP:
                    needs |= _EDIT
                if mode != _CODE and bits_of(code_point, first, blocks) & NFC_MAYBE:
                    needs |= _COMPOSE
        work[row] = needs


@kernel("int64", read("uint8"), read("int64"), read("uint8"), "int64", write("uint8"), write("int64"))
def edit(data: Any, offsets: Any, work: Any, mode: int, out: Any, out_offsets: Any) -> int:
    """Write the texts, edited where ``work`` says so, and their offsets; return the bytes written."""
    size = 0
    out_offsets[0] = 0
    for row in range(len(offsets) - 1):
        i, stop = offsets[row], offsets[row + 1]
        begin = size
        if not work[row] & _EDIT:
            size = copy_bytes(data, i, stop, out, size)
            i = stop
        after_return = False
        while i < stop:
            here = i
            code_point, i = decode(data, i, stop)
            what = action(code_point, mode)
            if what == _DROP or (mode == _PROSE and code_point == _BOM and size == begin):
                continue
            if code_point == _LF and after_return:  # the line feed of a CR LF that is written already
                after_return = False
                continue
            after_return = what == _RETURN
            if what == _KEEP:
                while here < i:
                    out[size] = data[here]
                    size, here = size + 1, here + 1
            else:
                out[size] = _LF
                size += 1
        out_offsets[row + 1] = size
    return size


NORMALIZE_KERNELS: tuple[KernelFunction, ...] = (scan, edit)
"""What :func:`normalize` may call."""
