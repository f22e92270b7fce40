"""Results that several threads want: made once, kept while they are recent."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from dataprep.errors import StreamError

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class _Slot(Generic[Value]):
    """A result that is there, failed, or is being made by another thread."""

    __slots__ = ("error", "making", "value")

    def __init__(self) -> None:
        self.making = threading.Lock()
        """Held by the thread that makes the result, until it is there or has failed."""
        self.making.acquire()
        self.value: Value | None = None
        self.error: BaseException | None = None


class SharedResults(Generic[Key, Value]):
    """Keeps the most recent results by key; a result is made by one thread while others wait.

    A failure is raised in every thread that waited for it, and is not kept.

    Args:
        max_results: how many are kept.
        deadline_seconds: how long the consumer waits for a batch; a thread waits twice as long for another
            one's result, so that the error that tells of the batch comes first.
    """

    def __init__(self, *, max_results: int, deadline_seconds: float) -> None:
        self._max_results = max_results
        self._deadline_seconds = deadline_seconds
        self._lock = threading.Lock()
        self._slots: OrderedDict[Key, _Slot[Value]] = OrderedDict()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return the result of ``key``, made by ``make`` if it is not there.

        Raises:
            StreamError: another thread has been making it for twice the deadline.
        """
        with self._lock:
            slot = self._slots.get(key)
            mine = slot is None
            if slot is None:
                slot = self._slots[key] = _Slot()
            self._slots.move_to_end(key)
            while len(self._slots) > self._max_results:
                self._slots.popitem(last=False)
        if mine:
            try:
                slot.value = make()
            except BaseException as error:
                slot.error = error
                self.drop(key)
                raise
            finally:
                slot.making.release()
            return slot.value
        if slot.making.locked():
            patience = 2 * self._deadline_seconds
            if not slot.making.acquire(timeout=patience):
                raise StreamError(f"waited {patience:g} s for another thread to read {key}")
            slot.making.release()
        if slot.error is not None:
            raise slot.error
        return slot.value  # type: ignore[return-value]

    def drop(self, key: Key) -> None:
        """Forget a result."""
        with self._lock:
            self._slots.pop(key, None)

    def clear(self) -> None:
        """Forget all results."""
        with self._lock:
            self._slots.clear()
