"""Work done ahead of its consumer on threads, handed over in order.

The work is numpy and Arrow, which release the GIL. Threads are daemons and stop when the
consumer closes, is collected or exits; whatever happens in them surfaces in the consumer, at the
place in the order where it belongs.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from dataprep.errors import StreamError
from dataprep.loader.threads import ThreadGroup

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class ReadAheadLimits:
    """How far ahead of the consumer the threads may be."""

    threads: int = 2
    """0: the consumer does the work itself, when it asks."""
    max_bytes: int = 512 << 20
    """Bytes of results that wait or are being made; one result may always be made."""
    max_items: int = 64
    deadline_seconds: float = 600.0
    """How long the consumer waits for the next result before it raises."""


class _Shared(Generic[Item, Result]):
    """What the threads and the consumer share; holds no reference to the consumer."""

    def __init__(
        self,
        items: Iterator[Item],
        work: Callable[[Item], Result],
        bytes_of: Callable[[Item], int],
        limits: ReadAheadLimits,
    ) -> None:
        self.items = items
        self.work = work
        self.bytes_of = bytes_of
        self.limits = limits
        self.changed = threading.Condition()
        self.stopped = False
        self.exhausted = False
        self.num_taken = 0
        self.num_handed_over = 0
        self.bytes_ahead = 0
        self.waiting: dict[int, tuple[int, Result | None, BaseException | None]] = {}
        """By place in the order: bytes, result, error."""
        self.upcoming: Item | None = None
        self.in_work: dict[int, Item] = {}

    def stop(self) -> None:
        """Tell the threads to end."""
        with self.changed:
            self.stopped = True
            self.changed.notify_all()

    def take(self) -> tuple[int, int, Item] | None:
        """Wait until there is room, then take the next item: (place, bytes, item); None: the end."""
        with self.changed:
            while not self.stopped and not self.exhausted:
                if self.upcoming is None:
                    self.upcoming = next(self.items, None)
                    if self.upcoming is None:
                        self.exhausted = True
                        self.changed.notify_all()
                        return None
                num_bytes = self.bytes_of(self.upcoming)
                ahead = self.num_taken - self.num_handed_over
                full = self.bytes_ahead + num_bytes > self.limits.max_bytes or ahead >= self.limits.max_items
                if ahead == 0 or not full:
                    place, item = self.num_taken, self.upcoming
                    self.upcoming = None
                    self.num_taken += 1
                    self.bytes_ahead += num_bytes
                    self.in_work[place] = item
                    return place, num_bytes, item
                self.changed.wait()
            return None

    def run(self) -> None:
        """Work until the items end or someone stops it; a thread's main function."""
        while (taken := self.take()) is not None:
            place, num_bytes, item = taken
            result, failure = None, None
            try:
                result = self.work(item)
            except BaseException as error:
                failure = error
            with self.changed:
                del self.in_work[place]
                self.waiting[place] = (num_bytes, result, failure)
                self.exhausted = self.exhausted or failure is not None
                self.changed.notify_all()
            del taken, item, result, failure


class ReadAhead(Generic[Item, Result]):
    """Iterates over ``work(item)`` for each item, in the order of the items.

    Args:
        items: what is to be worked on; taken under a lock, from any thread.
        work: the work; called from several threads at once.
        bytes_of: how large the result of an item will be.
        limits: how far ahead to work, and how long to wait.
        describe: what an item is called in messages.
    """

    def __init__(
        self,
        items: Iterator[Item],
        work: Callable[[Item], Result],
        *,
        bytes_of: Callable[[Item], int],
        limits: ReadAheadLimits,
        describe: Callable[[Item], str],
    ) -> None:
        self._shared = _Shared(items, work, bytes_of, limits)
        self._describe = describe
        self._threads = ThreadGroup(
            "dataprep-read-ahead", limits.threads, self._shared.run, stop=self._shared.stop
        )
        weakref.finalize(self, self._threads.stop)

    def ready(self) -> list[Result]:
        """Return the results that wait for the consumer."""
        with self._shared.changed:
            return [result for _, result, _ in self._shared.waiting.values() if result is not None]

    def __iter__(self) -> Iterator[Result]:
        return self

    def __next__(self) -> Result:
        """Return the next result.

        Raises:
            StopIteration: there are no more items.
            StreamError: the result did not come within the deadline.
            BaseException: what the work raised.
        """
        shared = self._shared
        if shared.limits.threads == 0:
            return shared.work(next(shared.items))
        give_up = monotonic() + shared.limits.deadline_seconds
        with shared.changed:
            place = shared.num_handed_over
            while place not in shared.waiting:
                if shared.stopped or (shared.exhausted and place >= shared.num_taken):
                    raise StopIteration
                if not shared.changed.wait(give_up - monotonic()) and monotonic() >= give_up:
                    item = shared.in_work.get(place)
                    raise StreamError(
                        f"no batch for {shared.limits.deadline_seconds:g} s: still reading "
                        f"{'it' if item is None else self._describe(item)}; is the storage reachable? "
                        "(deadline_seconds sets this limit)"
                    )
            num_bytes, result, failure = shared.waiting.pop(place)
            shared.num_handed_over += 1
            shared.bytes_ahead -= num_bytes
            shared.changed.notify_all()
        if failure is not None:
            raise failure
        return result  # type: ignore[return-value]

    def stop(self) -> None:
        """Tell the threads to end."""
        self._threads.stop()

    def close(self) -> None:
        """Stop the threads and wait for them."""
        self._threads.close()
