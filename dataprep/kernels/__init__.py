"""Compiled kernels: Numba functions over Arrow and numpy buffers, compiled once per machine.

``@kernel(...)`` declares an entry point with its exact types; ``@subroutine`` and ``@inlined``
functions that kernels call; the intrinsics are instructions that Python has no word for.
A kernel is compiled, or loaded from a cache on disk, at its first call; :func:`prepare` does
that for many kernels at once, on several cores.
"""

from dataprep.kernels.compilation import KernelFunction, prepare
from dataprep.kernels.declaration import at, inlined, int64, kernel, read, subroutine, write
from dataprep.kernels.intrinsics import add_rows, borrowed, count_ones, load_8_bytes, trailing_zeros

__all__ = [
    "KernelFunction",
    "add_rows",
    "at",
    "borrowed",
    "count_ones",
    "inlined",
    "int64",
    "kernel",
    "load_8_bytes",
    "prepare",
    "read",
    "subroutine",
    "trailing_zeros",
    "write",
]
