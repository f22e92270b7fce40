"""Rows of different lengths in one array: copy a choice of them, in a new order, to another array."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dataprep.kernels import kernel, read, subroutine, write


def copy_rows(
    values: npt.NDArray[Any],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    out: npt.NDArray[Any],
    out_starts: npt.NDArray[np.int64],
) -> None:
    """Copy row i from ``values[starts[i]:starts[i] + lengths[i]]`` to ``out[out_starts[i]:]``.

    Both arrays are uint16 or uint32; the caller vouches that every value fits in ``out``.
    """
    assert len(starts) == len(lengths) <= len(out_starts)
    if len(starts) == 0:
        return
    assert int(starts.min()) >= 0
    assert int((starts + lengths).max()) <= len(values)
    assert int((out_starts[: len(starts)] + lengths).max()) <= len(out)
    _KERNELS[values.dtype.name, out.dtype.name](values, starts, lengths, out, out_starts)


def gather_rows(
    values: npt.NDArray[Any],
    offsets: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return the rows ``order`` of a ragged array as another one: offsets int64[len(order) + 1], values."""
    lengths = np.diff(offsets)[order]
    gathered_offsets = offsets_of(lengths)
    gathered = np.empty(int(gathered_offsets[-1]), dtype=values.dtype)
    copy_rows(values, np.ascontiguousarray(offsets[:-1][order]), lengths, gathered, gathered_offsets)
    return gathered_offsets, gathered


def offsets_of(lengths: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return where rows of these lengths start, and last where they end: int64[len(lengths) + 1]."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


@subroutine
def _copy(values: Any, starts: Any, lengths: Any, out: Any, out_starts: Any) -> None:
    for row in range(len(starts)):
        source, target = starts[row], out_starts[row]
        for k in range(lengths[row]):
            out[target + k] = values[source + k]


_ROWS = (read("int64"), read("int64"))


@kernel("none", read("uint32"), *_ROWS, write("uint32"), read("int64"))
def _copy_32_to_32(values: Any, starts: Any, lengths: Any, out: Any, out_starts: Any) -> None:
    _copy(values, starts, lengths, out, out_starts)


@kernel("none", read("uint32"), *_ROWS, write("uint16"), read("int64"))
def _copy_32_to_16(values: Any, starts: Any, lengths: Any, out: Any, out_starts: Any) -> None:
    _copy(values, starts, lengths, out, out_starts)


@kernel("none", read("uint16"), *_ROWS, write("uint16"), read("int64"))
def _copy_16_to_16(values: Any, starts: Any, lengths: Any, out: Any, out_starts: Any) -> None:
    _copy(values, starts, lengths, out, out_starts)


_KERNELS = {
    ("uint32", "uint32"): _copy_32_to_32,
    ("uint32", "uint16"): _copy_32_to_16,
    ("uint16", "uint16"): _copy_16_to_16,
}
