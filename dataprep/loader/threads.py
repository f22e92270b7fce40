"""Background threads that never outlive their work, their owner or the process.

They are daemons, so that a stuck one cannot keep a process from ending; and at exit they are
stopped and waited for, because a thread that is inside of Arrow's C++ code while Python goes
away takes the process down with an abort.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from time import monotonic

STOP_WAIT_SECONDS = 5.0
"""How long a thread that is in the middle of its work is waited for; then it is left behind."""

_running: dict[threading.Thread, Callable[[], None]] = {}
"""Threads at work, with what stops them."""


class ThreadGroup:
    """Threads with one target, started at once.

    Args:
        name: begins the threads' names.
        num_threads: how many.
        target: what each does; it must not refer to the owner of the group, or the owner would
            never be collected.
        stop: makes all of them return soon; is called at most once in the process that started
            them, and never in one that was forked from it: there are no threads there, and locks
            may be taken for ever.
    """

    def __init__(
        self, name: str, num_threads: int, target: Callable[[], None], *, stop: Callable[[], None]
    ) -> None:
        self._process = os.getpid()
        self._stop = stop
        self._stopped = False
        self._threads = [
            threading.Thread(target=_run, args=(target,), name=f"{name}-{i}", daemon=True)
            for i in range(num_threads)
        ]
        for thread in self._threads:
            _running[thread] = self.stop
            thread.start()

    def stop(self) -> None:
        """Tell the threads to return."""
        if not self._stopped and os.getpid() == self._process:
            self._stopped = True
            self._stop()

    def close(self) -> None:
        """Tell the threads to return, and wait until they have."""
        self.stop()
        if os.getpid() == self._process:
            _join(self._threads)


def _run(target: Callable[[], None]) -> None:
    try:
        target()
    finally:
        _running.pop(threading.current_thread(), None)


def _join(threads: list[threading.Thread]) -> None:
    give_up = monotonic() + STOP_WAIT_SECONDS
    for thread in threads:
        thread.join(max(0.0, give_up - monotonic()))


@atexit.register
def _stop_all() -> None:
    threads = dict(_running)
    for stop in threads.values():
        stop()
    _join(list(threads))


os.register_at_fork(after_in_child=_running.clear)
