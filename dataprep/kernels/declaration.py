"""What a kernel's module declares: entry points with their types, and the subroutines they call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba as _numba
import numpy as _np

from dataprep.kernels.compilation import KERNEL_OPTIONS, Kernel
from dataprep.kernels.compilers import SubroutineCompiler

F = TypeVar("F", bound=Callable[..., Any])

numba: Any = _numba
int64: Any = _np.int64
"""Makes the same integer type of what comes from any array; to a type checker it is just a number."""
at: Any = _np.uint64
"""Marks a place in an array as one that is not counted from the end: the compiled code need not look. For
the innermost loops; a place that is negative all the same lies outside, as a bounds-checked run says."""

_SUBROUTINE_OPTIONS = {
    **KERNEL_OPTIONS,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "pipeline_class": SubroutineCompiler,
}
"""Kernels alone call a subroutine: it gets neither wrappers nor machine code of its own."""


def read(dtype: str, ndim: int = 1) -> Any:
    """Return the kernel type of a C-contiguous array that is only read (Arrow buffers are)."""
    return numba.types.Array(getattr(numba.types, dtype), ndim, "C", readonly=True)


def write(dtype: str, ndim: int = 1) -> Any:
    """Return the kernel type of a C-contiguous array that is written."""
    return numba.types.Array(getattr(numba.types, dtype), ndim, "C")


def subroutine(function: F) -> F:
    """Declare a function that only kernels call; it is compiled into them.

    Signed integers of any size and known value arrive as int64, so that a subroutine is compiled
    once and not for every mixture of types that its callers happen to have.
    """
    return cast(F, _widened(numba.njit(**_SUBROUTINE_OPTIONS)(function)))


def inlined(function: F) -> F:
    """Declare a subroutine of a few instructions, for the innermost loops: it is never called."""
    return cast(F, _widened(numba.njit(forceinline=True, **_SUBROUTINE_OPTIONS)(function)))


def _widened(dispatcher: Any) -> Any:
    find_overload = dispatcher.get_call_template

    def find_widened(arguments: Any, keywords: Any) -> Any:
        wide = {name: _widest(argument) for name, argument in keywords.items()}
        return find_overload(tuple(_widest(argument) for argument in arguments), wide)

    dispatcher.get_call_template = find_widened
    return dispatcher


def _widest(argument: Any) -> Any:
    argument = numba.types.unliteral(argument)
    signed = isinstance(argument, numba.types.Integer) and argument.signed
    return numba.types.int64 if signed else argument


def kernel(returns: str, *takes: Any) -> Callable[[F], F]:
    """Declare an entry point: ``returns`` names its return type ("none", "int64", ...).

    ``takes`` are types from :func:`read` and :func:`write`, or names of scalar types. A call
    with other types raises TypeError; nothing is ever compiled behind the caller's back.
    """
    types = [getattr(numba.types, t) if isinstance(t, str) else t for t in takes]
    signature = getattr(numba.types, returns)(*types)

    def decorate(function: F) -> F:
        return cast(F, Kernel(function, signature))

    return decorate
