"""Band keys: documents that agree in one band of signature values are candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dataprep.kernels import KernelFunction, at, kernel, read, write

UInt32Array = npt.NDArray[np.uint32]
UInt64Array = npt.NDArray[np.uint64]

# splitmix64's increment and multipliers (Steele, Lea and Flood, OOPSLA 2014).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def band_keys(signatures: UInt32Array, *, num_bands: int, rows_per_band: int) -> UInt64Array:
    """Return the 64-bit keys of the bands of each signature: uint64[n, num_bands].

    Band b is made of the values ``b * rows_per_band`` to ``(b + 1) * rows_per_band``. The key
    depends on the number of the band too, so that keys of all bands can meet in one exchange.

    Args:
        signatures: uint32[n, num_perm] with ``num_bands * rows_per_band <= num_perm``.
    """
    assert num_bands * rows_per_band <= signatures.shape[1]
    keys = np.empty((signatures.shape[0], num_bands), dtype=np.uint64)
    _fill_keys(np.ascontiguousarray(signatures), rows_per_band, keys)
    return keys


@kernel("none", read("uint32", 2), "int64", write("uint64", 2))
def _fill_keys(signatures: Any, rows_per_band: int, keys: Any) -> None:
    for row in range(keys.shape[0]):
        for band in range(keys.shape[1]):
            state = np.uint64(band + 1) * _GOLDEN
            for k in range(band * rows_per_band, (band + 1) * rows_per_band):
                state = (state ^ np.uint64(signatures[at(row), at(k)])) + _GOLDEN
                state = (state ^ state >> np.uint64(30)) * _MIX_1
                state = (state ^ state >> np.uint64(27)) * _MIX_2
                state ^= state >> np.uint64(31)
            keys[at(row), at(band)] = state


BAND_KERNELS: tuple[KernelFunction, ...] = (_fill_keys,)
"""What :func:`band_keys` calls."""
