"""Counters of a loader that a trainer can log."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

COUNTERS = {
    "bytes_decoded": "bytes of token arrays that were made",
    "bytes_downloaded": "bytes of shards that came from remote storage",
    "cache_hits": "remote shards that were on this node already",
    "cache_misses": "those that were not",
    "checksum_failures": "downloads and cached copies that were not what the manifest lists",
    "evictions": "shards removed from the cache to make room",
    "files_downloaded": "shards fetched, whole and checked",
    "prefetch_failures": "shards that could not be fetched ahead; whoever needs one tries again",
    "read_seconds": "time that the threads worked, summed over them",
    "record_batches_read": "record batches decompressed",
    "retries": "reads of remote storage that failed and were done again",
    "wait_seconds": "time that the trainer waited for its next batch",
}


class Counters:
    """Sums that several threads add to, by the names of ``COUNTERS``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, float] = dict.fromkeys(COUNTERS, 0)

    def add(self, name: str, amount: float = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._values[name] += amount

    def renew_lock(self) -> None:
        """Go on in a process that was forked; a thread that is not there may hold the old lock."""
        self._lock = threading.Lock()

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the seconds that the block takes to a counter."""
        start = perf_counter()
        try:
            yield
        finally:
            self.add(name, perf_counter() - start)

    def snapshot(self) -> dict[str, float]:
        """Return all counters by name."""
        with self._lock:
            return dict(self._values)
