"""Measure one reader in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import numpy.typing as npt

NUM_PASSES = 7

Write = Callable[[npt.NDArray[np.uint32], str], None]
Read = Callable[[str], Iterable[npt.NDArray[np.integer]]]


@dataclass(frozen=True)
class Measured:
    """What was measured of one reader."""

    name: str
    tokens: int = 0
    """In a pass."""
    cpu_s: tuple[float, ...] = ()
    """CPU time of each pass, threads and helper processes included."""
    size_bytes: int = 0
    """Of all files on disk."""
    first_batch_s: float = 0.0
    """From opening the files to the first batch; imports not counted."""
    peak_mb: float = 0.0
    growth_mb: float = 0.0
    """Resident memory after the last pass less that after the first."""
    write_s: float = 0.0
    problem: str = ""
    """Why it was not measured, if so."""


def measure(name: str, write: Write, read: Read, *, rows_path: str, folder: str) -> Measured:
    """Write the rows of ``rows_path`` (a .npy file) to ``folder`` and read them several times."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(name, write, read, rows_path, folder, sender))
    process.start()
    sender.close()
    try:
        result: Measured = receiver.recv()
    except EOFError:
        result = Measured(name, problem="the process died")
    process.join()
    return result


def _measure(name: str, write: Write, read: Read, rows_path: str, folder: str, sender: Connection) -> None:
    os.makedirs(folder)
    rows = np.load(rows_path)
    try:
        started = time.perf_counter()
        write(rows, folder)
        write_s = time.perf_counter() - started
        _pass_over(read, folder)
    except ImportError as error:
        sender.send(Measured(name, problem=f"{error.name} is not installed"))
        return
    tokens = rows.size
    del rows
    started = time.perf_counter()
    next(iter(read(folder)))
    first_batch_s = time.perf_counter() - started
    resident_mb = _resident_mb()
    cpu_s = []
    for _ in range(NUM_PASSES):
        before = _cpu_s()
        assert _pass_over(read, folder) == tokens, f"{name} lost or repeated tokens"
        cpu_s.append(_cpu_s() - before)
    sender.send(
        Measured(
            name=name,
            tokens=tokens,
            cpu_s=tuple(cpu_s),
            size_bytes=sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()),
            first_batch_s=first_batch_s,
            # Kilobytes on Linux.
            peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            growth_mb=_resident_mb() - resident_mb,
            write_s=write_s,
        )
    )


def _pass_over(read: Read, folder: str) -> int:
    tokens = 0
    for batch in read(folder):
        assert batch.dtype == np.int64
        tokens += batch.size
    return tokens


def _cpu_s() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
