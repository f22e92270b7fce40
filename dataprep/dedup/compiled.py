"""The one way in which this package compiles functions: native code, without the GIL, cached on disk.

Numba notices a change of the file that a cached function stands in, but not of another file
whose functions it calls: kernels that call each other belong in one file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Return ``function`` compiled at its first call; arrays are changed in place."""
    return cast(Function, njit(nogil=True, cache=True)(function))
