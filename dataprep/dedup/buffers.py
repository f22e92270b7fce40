"""The buffers of an Arrow string array as numpy arrays, without a copy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def utf8_buffers(text: pa.LargeStringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Return offsets int64[n + 1] and data uint8[...]; text i is ``data[offsets[i]:offsets[i + 1]]``.

    Slices are fine: the offsets of a slice do not start at 0. A null is an empty text.
    """
    assert text.type == pa.large_string(), f"expected large_string, got {text.type}"
    _, offsets_buffer, data_buffer = text.buffers()
    if len(text) == 0 or offsets_buffer is None:
        return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.uint8)
    offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[text.offset : text.offset + len(text) + 1]
    if data_buffer is None:
        return offsets, np.zeros(0, dtype=np.uint8)
    return offsets, np.frombuffer(data_buffer, dtype=np.uint8)
