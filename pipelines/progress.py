"""One line of progress on the terminal: documents, MB/s and the time that is left."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from pipelines.engine import Progress

_OF_DOCUMENTS = ("ingest", "tokenize")
"""Runs whose rows are documents; others count keys, pairs or rows of tokens."""


def format_progress(progress: Progress) -> str:
    """Return the progress of a run as one line.

    >>> format_progress(Progress("ingest", 1, 4, 1_000_000, 4_000_000, 2500, 2.0))
    'ingest       1/4 tasks        2,500 documents      0.5 MB/s  6 s left'
    """
    line = f"{progress.label:<12} {progress.num_done}/{progress.num_tasks} tasks"
    if progress.rows_done:
        unit = "documents" if progress.label in _OF_DOCUMENTS else "rows"
        line += f"  {progress.rows_done:>11,} {unit}"
    if progress.bytes_done and progress.elapsed_s > 0:
        rate = progress.bytes_done / progress.elapsed_s
        line += f"  {rate / 1e6:>7.1f} MB/s"
        if not progress.finished:
            line += f"  {_duration((progress.bytes_total - progress.bytes_done) / rate)} left"
    if progress.finished:
        line += f"  done in {_duration(progress.elapsed_s)}"
    return line


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class TerminalProgress:
    """Show progress on a stream: in place on a terminal, a line now and then elsewhere."""

    def __init__(self, stream: TextIO | None = None, *, interval_s: float = 10.0) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._interval_s = interval_s
        self._last_line_at = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        if self._stream.isatty():
            self._stream.write("\r\x1b[K" + format_progress(progress) + ("\n" if progress.finished else ""))
        elif progress.finished or time.monotonic() - self._last_line_at >= self._interval_s:
            self._last_line_at = time.monotonic()
            self._stream.write(format_progress(progress) + "\n")
        self._stream.flush()
