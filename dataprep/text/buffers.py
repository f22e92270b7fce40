"""The UTF-8 bytes behind an Arrow string column, as kernels read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa


@dataclass(frozen=True)
class Utf8Buffers:
    """One text column without copies.

    ``data`` is uint8[bytes of the underlying buffer]; text i is
    ``data[offsets[i]:offsets[i + 1]]`` with ``offsets`` int64[num_texts + 1].
    """

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]

    @property
    def longest(self) -> int:
        """Size in bytes of the longest text; 0 without texts."""
        return int(np.diff(self.offsets).max()) if len(self.offsets) > 1 else 0


def large_strings(column: pa.Array | pa.ChunkedArray) -> pa.LargeStringArray:
    """Return ``column`` as one LargeStringArray; the text itself is not copied."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column if column.type == pa.large_string() else column.cast(pa.large_string())


def utf8_buffers(column: pa.LargeStringArray) -> Utf8Buffers:
    """Return the buffers of ``column``, slices included. A null may have any extent: mask it."""
    _, offsets, data = column.buffers()
    if len(column) == 0 or offsets is None:
        return Utf8Buffers(np.zeros(0, np.uint8), np.zeros(len(column) + 1, np.int64))
    start = column.offset
    return Utf8Buffers(
        data=np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8),
        offsets=np.frombuffer(offsets, np.int64)[start : start + len(column) + 1],
    )


def valid_mask(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Return bool[num_texts]: which texts are not null."""
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
