"""Memory for large arrays that come and go, batch after batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def empty_array(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return an array of undefined content, in memory of Arrow's pool.

    numpy takes its memory from malloc, and glibc's gives arrays of megabytes back to the system as
    soon as they are dropped, so that the next ones are faulted in again page by page. With labels and
    position ids that measured half of the loader's time, of tokenization a twentieth.
    """
    kind = np.dtype(dtype)
    num_items = math.prod(shape)
    memory = pa.allocate_buffer(num_items * kind.itemsize)
    return np.frombuffer(memory, dtype=kind, count=num_items).reshape(shape)
