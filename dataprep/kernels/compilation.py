"""Compiling kernels, each once per machine, and keeping what came out.

A kernel is compiled under the lock of its own cache file, so that of the workers of a pool one
compiles it and the others load it. Numba's own cache looks only at the time stamp of the
kernel's file; ours looks at the contents of that file, of every subroutine's file, at the
constants the code mentions and at how kernels are compiled, so that no change is ever missed.

The cache lies where Numba puts it (``NUMBA_CACHE_DIR``, else beside the code, else the user's
cache folder); where none of these can be written, in a private folder under the system's
temporary folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import gc
import hashlib
import inspect
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numba as _numba
from numba.core import caching as _caching
from numba.core import event
from numba.core.dispatcher import Dispatcher

from dataprep.kernels import compilers, intrinsics
from dataprep.kernels.compilers import KernelCompiler

_LOG = logging.getLogger(__name__)

numba: Any = _numba
caching: Any = _caching

KernelFunction = Callable[..., Any]
"""A kernel, to a type checker: it is called like the function that it was made of."""

KERNEL_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "pipeline_class": KernelCompiler}
"""How every kernel is compiled."""


class Kernel:
    """A kernel that is compiled or loaded at its first call; pickled by its name."""

    def __init__(self, function: Callable[..., Any], signature: Any) -> None:
        self.__module__ = function.__module__
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self._signature = signature
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        if self._compiled is None:
            self.compile()
        return self._compiled(*arguments)  # type: ignore[misc]

    def __reduce__(self) -> str:
        return self.__name__

    def load(self) -> bool:
        """Load the kernel from the cache, without waiting for anybody; return whether it is there."""
        if self._compiled is None:
            dispatcher, cache = self._prepare()
            key = cache._index_key(self._signature, dispatcher.targetctx.codegen())
            if key in cache._cache_file._load_index():
                self._finish(dispatcher)
        return self._compiled is not None

    def compile(self, *, wait: bool = True) -> bool:
        """Load or compile the kernel; return False where another process is at it and ``wait`` is false."""
        dispatcher, cache = self._prepare()
        lock = os.path.join(cache.cache_path, cache._impl.filename_base + ".lock")
        with _lock(lock, wait=wait) as is_mine:
            if is_mine:
                self._finish(dispatcher)
        return is_mine

    def _prepare(self) -> tuple[Any, Any]:
        dispatcher = numba.njit(**KERNEL_OPTIONS)(self.__wrapped__)
        dispatcher._cache = _open_cache(self.__wrapped__)
        return dispatcher, dispatcher._cache

    def _finish(self, dispatcher: Any) -> None:
        with event.install_listener("numba:compile", _Announcement()), _no_garbage_collection():
            dispatcher.compile(self._signature)
        dispatcher.disable_compile()
        self._compiled = dispatcher


def prepare(kernels: Iterable[KernelFunction], *, num_processes: int = 1) -> None:
    """Load every kernel, and compile those that are not in the cache, in several processes.

    Processes that do this at the same time share the work: each takes what no other is at. So a
    pool whose workers all begin here needs no further processes; a single process does.

    Args:
        kernels: kernels of modules; several times the same one is fine.
        num_processes: how many processes compile, at most as many as kernels are missing.

    Raises:
        TypeError: one of them is no kernel.
    """
    missing: list[Kernel] = []
    for one in dict.fromkeys(kernels):
        if not isinstance(one, Kernel):
            raise TypeError(f"{one!r} is no kernel")
        if not one.load():
            missing.append(one)
    if not missing:
        return
    num_processes = max(1, min(num_processes, len(missing))) if sys.executable else 1
    _Announcement.make(f"compiling {len(missing)} kernels with {num_processes} process(es)")
    with contextlib.ExitStack() as helpers:
        # Should a helper not start, or fail, the others compile everything themselves.
        with contextlib.suppress(OSError):
            for _ in range(num_processes - 1):
                helpers.enter_context(_start_helper(missing))
        compile_unclaimed(missing)


def compile_unclaimed(kernels: Sequence[Kernel]) -> None:
    """Compile the kernels that no other process is at, then wait for the others."""
    claimed = [one for one in kernels if not one.compile(wait=False)]
    for one in claimed:
        one.compile()


def _start_helper(kernels: Sequence[Kernel]) -> subprocess.Popen[bytes]:
    """Start a process that compiles with us; its context ends when it does."""
    names = [f"{one.__module__}:{one.__name__}" for one in kernels]
    return subprocess.Popen(
        [sys.executable, "-m", "dataprep.kernels", *names],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """The compiler keeps nearly everything that it makes: looking for garbage costs a tenth of its time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Announcement(event.Listener):
    """Logs one line when the first kernel of this process is really compiled."""

    made = False

    @classmethod
    def make(cls, what: str) -> None:
        if not cls.made:
            cls.made = True
            _LOG.info("%s for the first time on this machine; this takes some seconds, once", what)

    def on_start(self, event: Any) -> None:
        self.make("compiling kernels")

    def on_end(self, event: Any) -> None:
        """Nothing to say: the caller goes on."""


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
def _lock(path: str, *, wait: bool) -> Iterator[bool]:
    """Hold a lock, where its file system knows locks; False where somebody else has it."""
    with contextlib.ExitStack() as stack:
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            file = stack.enter_context(open(path, "w"))
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        except OSError:
            _LOG.debug("no lock at %s: several processes may compile the same kernel", path)
        yield True


def _content_stamp(function: Callable[..., Any]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr(numba.config.BOUNDSCHECK).encode())
    digest.update(_compilers_source())
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


@functools.cache
def _compilers_source() -> bytes:
    """Return what else shapes the code of every kernel."""
    modules = (compilers, intrinsics, sys.modules[__name__])
    return "".join(inspect.getsource(module) for module in modules).encode()
