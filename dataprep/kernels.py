"""Compiled kernels: Numba functions over Arrow and numpy buffers, compiled once per machine.

``@kernel(...)`` declares an entry point with its exact types; ``@subroutine`` a function that
kernels call. A kernel is compiled (or loaded from the cache) at its first call, under a file
lock, so that of the workers of a pool one compiles and the others load. Numba's own cache
looks only at the time stamp of the kernel's file; ours looks at the contents of that file, of
every subroutine's file and at the constants the code mentions, so that a changed subroutine
is never missed.

The cache lies where Numba puts it (``NUMBA_CACHE_DIR``, else beside the code, else the user's
cache folder); where none of these can be written, in a private folder under the system's
temporary folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import inspect
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import numba as _numba
import numpy as _np
from llvmlite import ir
from numba import extending as _numba_extending
from numba.core import caching as _caching
from numba.core import cgutils as _cgutils
from numba.core import event
from numba.core.dispatcher import Dispatcher

_LOG = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])

numba: Any = _numba
cgutils: Any = _cgutils
caching: Any = _caching
int64: Any = _np.int64
"""Makes the same integer type of what comes from any array; to a type checker it is just a number."""
at: Any = _np.uint64
"""Marks a place in an array as one that is not counted from the end: the compiled code need not look. For
the innermost loops; a place that is negative all the same lies outside, as a bounds-checked run says."""
_extending: Any = _numba_extending

_OPTIONS = {"nogil": True, "error_model": "numpy"}
_SUBROUTINE_OPTIONS = {**_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Kernels alone call a subroutine: to make it callable from Python too took an eighth of the compilation."""


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


def _borrowed(context: Any, array: Any) -> Any:
    """Return an array as a view that owns nothing, for use inside the kernel that was given it.

    Every time that an array is passed on, Numba counts its references with an atomic
    instruction; not so for a view. A view of an array that is only read can be written to: do not.
    """
    view_type = array.copy(readonly=False)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = context.make_array(array)(context, builder, arguments[0])
        view = context.make_array(view_type)(context, builder)
        for name in ("nitems", "itemsize", "data", "shape", "strides"):
            setattr(view, name, getattr(source, name))
        for name in ("meminfo", "parent"):
            setattr(view, name, context.get_constant_null(numba.types.voidptr))
        return view._getvalue()

    return view_type(array), generate


borrowed: Any = _extending.intrinsic(_borrowed)


def _load_8_bytes(context: Any, data: Any, i: Any) -> Any:
    """Return bytes ``i`` to ``i + 7`` of a uint8 array as one uint64, in the machine's byte order.

    Nothing is checked, in no mode: the caller sees to ``i + 8 <= len(data)``.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(data)(context, builder, arguments[0])
        number = context.get_value_type(numba.types.uint64)
        place = builder.gep(array.data, [arguments[1]])
        return builder.load(builder.bitcast(place, number.as_pointer()), align=1)

    return numba.types.uint64(data, numba.types.int64), generate


load_8_bytes: Any = _extending.intrinsic(_load_8_bytes)


def _trailing_zeros(context: Any, bits: Any) -> Any:
    """Return how many zero bits a uint64 that is not 0 ends with, as int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        not_zero = context.get_constant(numba.types.boolean, True)
        return builder.cttz(arguments[0], not_zero)

    return numba.types.int64(numba.types.uint64), generate


trailing_zeros: Any = _extending.intrinsic(_trailing_zeros)


def _count_ones(context: Any, bits: Any) -> Any:
    """Return how many bits of a uint64 are set, as int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return numba.types.int64(numba.types.uint64), generate


count_ones: Any = _extending.intrinsic(_count_ones)


def _add_rows(context: Any, rows: Any, chosen: Any, count: Any, total: Any) -> Any:
    """Add to ``total``, float32[width], the rows ``chosen[:count]`` of float32[num_rows, width], in order.

    ``width`` is a multiple of 16: so many sums stay in registers for the whole loop, which the compiler
    does not find out by itself. Nothing is checked, in no mode.
    """
    lanes = 16

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args, arguments, strict=True)
            if isinstance(kind, numba.types.Array)
        ]
        matrix, numbers, sums = arrays
        index = arguments[2].type
        vector = ir.VectorType(ir.FloatType(), lanes)
        (width,) = cgutils.unpack_tuple(builder, sums.shape, 1)
        with cgutils.for_range_slice(builder, index(0), width, index(lanes), index) as (column, _):
            place = builder.bitcast(builder.gep(sums.data, [column]), vector.as_pointer())
            before = builder.load(place, align=4)
            entry = builder.basic_block
            loop, done = (builder.append_basic_block(name) for name in ("add_rows", "added_rows"))
            builder.cbranch(builder.icmp_signed(">", arguments[2], index(0)), loop, done)
            builder.position_at_end(loop)
            k, partial = builder.phi(index), builder.phi(vector)
            row = builder.sext(builder.load(builder.gep(numbers.data, [k])), index)
            first = builder.add(builder.mul(row, width), column)
            source = builder.bitcast(builder.gep(matrix.data, [first]), vector.as_pointer())
            added = builder.fadd(partial, builder.load(source, align=4))
            following = builder.add(k, index(1))
            builder.cbranch(builder.icmp_signed("<", following, arguments[2]), loop, done)
            for phi, at_first, at_last in ((k, index(0), following), (partial, before, added)):
                phi.add_incoming(at_first, entry)
                phi.add_incoming(at_last, loop)
            builder.position_at_end(done)
            result = builder.phi(vector)
            result.add_incoming(before, entry)
            result.add_incoming(added, loop)
            builder.store(result, place, align=4)
        return context.get_dummy_value()

    return numba.types.void(rows, chosen, count, total), generate


add_rows: Any = _extending.intrinsic(_add_rows)


def kernel(returns: str, *takes: Any) -> Callable[[F], F]:
    """Declare an entry point: ``returns`` names its return type ("none", "int64", ...).

    ``takes`` are types from :func:`read` and :func:`write`, or names of scalar types. A call
    with other types raises TypeError; nothing is ever compiled behind the caller's back.
    """
    types = [getattr(numba.types, t) if isinstance(t, str) else t for t in takes]
    signature = getattr(numba.types, returns)(*types)

    def decorate(function: F) -> F:
        return cast(F, _Kernel(function, signature))

    return decorate


class _Kernel:
    """A kernel that is compiled or loaded at its first call."""

    def __init__(self, function: Callable[..., Any], signature: Any) -> None:
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__wrapped__ = function
        self._signature = signature
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        if self._compiled is None:
            self._compiled = _compile(self.__wrapped__, self._signature)
        return self._compiled(*arguments)


class _Announcement(event.Listener):
    """Logs one line when the first kernel of this process is really compiled."""

    made = False

    def on_start(self, event: Any) -> None:
        if not _Announcement.made:
            _Announcement.made = True
            _LOG.info("compiling kernels for the first time on this machine; this takes some seconds, once")

    def on_end(self, event: Any) -> None:
        """Nothing to say: the caller goes on."""


def _compile(function: Callable[..., Any], signature: Any) -> Callable[..., Any]:
    dispatcher = numba.njit(**_OPTIONS)(function)
    cache = _open_cache(function)
    dispatcher._cache = cache
    with _one_at_a_time(cache.cache_path), event.install_listener("numba:compile", _Announcement()):
        dispatcher.compile(signature)
    dispatcher.disable_compile()
    return cast(Callable[..., Any], dispatcher)


def _open_cache(function: Callable[..., Any]) -> Any:
    """Return Numba's cache of one function, valid as long as the code and its constants are the same."""
    try:
        cache = caching.FunctionCache(function)
    except RuntimeError:  # Numba's words for: no folder can be written
        folder = os.path.join(tempfile.gettempdir(), f"dataprep-kernels-{os.getuid()}")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if os.stat(folder).st_uid != os.getuid():
            raise  # somebody else's folder: code from there must not be loaded
        numba.config.CACHE_DIR = folder
        cache = caching.FunctionCache(function)
    cache._cache_file = caching.IndexDataCacheFile(
        cache_path=cache.cache_path,
        filename_base=cache._impl.filename_base + ("-checked" if numba.config.BOUNDSCHECK else ""),
        source_stamp=_content_stamp(function),
    )
    return cache


@contextlib.contextmanager
def _one_at_a_time(folder: str) -> Iterator[None]:
    """Hold the lock of a cache folder, where its file system knows locks."""
    with contextlib.ExitStack() as stack:
        try:
            os.makedirs(folder, exist_ok=True)
            file = stack.enter_context(open(os.path.join(folder, "kernels.lock"), "w"))
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            _LOG.debug("no lock in %s: several processes may compile the same kernel", folder)
        yield


def _content_stamp(function: Callable[..., Any]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((numba.config.BOUNDSCHECK, sorted(_SUBROUTINE_OPTIONS.items()))).encode())
    seen: set[Callable[..., Any]] = set()
    waiting = [function]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        # The module too: what is cached refers to its subroutines by the modules they lie in.
        digest.update(f"{current.__module__}:{inspect.getsource(current)}".encode())
        names = current.__globals__
        for name in current.__code__.co_names:
            value = names.get(name)
            if isinstance(value, Dispatcher):
                waiting.append(value.py_func)
            elif value is not None and not inspect.ismodule(value) and not callable(value):
                digest.update(f"{name}={value!r};".encode())
    return digest.hexdigest()
