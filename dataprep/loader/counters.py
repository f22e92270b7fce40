"""Counters of a loader that a trainer can log."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Counters:
    """Named sums that several threads add to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, float] = {}

    def add(self, name: str, amount: float = 1) -> None:
        """Add to a counter; one that was never added to is 0."""
        with self._lock:
            self._values[name] = self._values.get(name, 0) + amount

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the seconds that the block takes to a counter."""
        start = perf_counter()
        try:
            yield
        finally:
            self.add(name, perf_counter() - start)

    def snapshot(self) -> dict[str, float]:
        """Return all counters that were added to, by name."""
        with self._lock:
            return dict(sorted(self._values.items()))
