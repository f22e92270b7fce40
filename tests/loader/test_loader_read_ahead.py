"""Read-ahead hands results over in order, within its bounds, and never hides an error."""

from __future__ import annotations

import gc
import os
import random
import threading
import time
from collections.abc import Callable

import pytest

from dataprep.errors import StreamError
from dataprep.loader.read_ahead import ReadAhead, ReadAheadLimits
from dataprep.loader.sharing import SharedResults


def read_ahead(
    num_items: int, work: Callable[[int], int], *, num_bytes: int = 1, **limits: float
) -> ReadAhead[int, int]:
    return ReadAhead(
        iter(range(num_items)),
        work,
        bytes_of=lambda _: num_bytes,
        limits=ReadAheadLimits(**limits),  # type: ignore[arg-type]
        describe=lambda item: f"item {item}",
    )


def num_threads() -> int:
    return sum(thread.name.startswith("dataprep-read-ahead") for thread in threading.enumerate())


@pytest.mark.parametrize("threads", [0, 1, 2, 4, 8])
def test_results_come_in_order(threads: int) -> None:
    delays = random.Random(1)

    def work(item: int) -> int:
        time.sleep(delays.random() / 500)
        return item * item

    reader = read_ahead(100, work, threads=threads)
    assert list(reader) == [i * i for i in range(100)]
    assert list(reader) == []
    reader.close()
    assert num_threads() == 0


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_an_error_surfaces_at_its_place(threads: int) -> None:
    def work(item: int) -> int:
        if item == 5:
            raise ValueError("five")
        return item

    reader = read_ahead(100, work, threads=threads)
    assert [next(reader) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="five"):
        next(reader)
    reader.close()
    assert num_threads() == 0


def test_the_bounds_hold_and_one_result_is_always_made() -> None:
    started: list[int] = []

    def work(item: int) -> int:
        started.append(item)
        return item

    reader = read_ahead(100, work, num_bytes=10, threads=4, max_bytes=35)
    time.sleep(0.1)
    assert len(started) == 3
    assert next(reader) == 0
    time.sleep(0.1)
    assert len(started) == 4
    reader.close()

    reader = read_ahead(3, lambda item: item, num_bytes=10**9, threads=4, max_bytes=1)
    assert list(reader) == [0, 1, 2]
    reader.close()

    started.clear()
    reader = read_ahead(100, work, threads=2, max_items=7)
    time.sleep(0.1)
    assert len(started) == 7
    reader.close()


def test_a_stuck_read_ends_in_an_error_that_names_it() -> None:
    release = threading.Event()
    reader = read_ahead(
        3, lambda item: item if item < 1 else release.wait(20), threads=2, deadline_seconds=0.2
    )
    assert next(reader) == 0
    with pytest.raises(StreamError, match=r"no batch for 0.2 s: still reading item 1;.*deadline_seconds"):
        next(reader)
    release.set()
    reader.close()


def test_threads_end_with_their_consumer() -> None:
    reader = read_ahead(10**9, lambda item: item, threads=4)
    next(reader)
    assert num_threads() == 4
    del reader
    gc.collect()
    deadline = time.monotonic() + 5
    while num_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert num_threads() == 0


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_can_drop_its_copy() -> None:
    reader = read_ahead(10**9, lambda item: item, threads=2)
    next(reader)
    child = os.fork()
    if child == 0:
        reader.close()
        del reader
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert next(reader) == 1
    reader.close()


def test_a_shared_result_is_made_once_and_its_failure_is_not_kept() -> None:
    results: SharedResults[str, int] = SharedResults(max_results=2, deadline_seconds=5)
    made: list[str] = []

    def slowly(key: str) -> int:
        made.append(key)
        time.sleep(0.05)
        return len(made)

    threads = [threading.Thread(target=lambda: results.get("a", lambda: slowly("a"))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["a"]
    results.get("b", lambda: slowly("b"))
    results.get("c", lambda: slowly("c"))
    results.get("a", lambda: slowly("a"))
    assert made == ["a", "b", "c", "a"], "only the two most recent are kept"

    def failing() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        results.get("x", failing)
    assert results.get("x", lambda: 1) == 1


def test_waiting_for_a_shared_result_has_a_deadline() -> None:
    results: SharedResults[str, int] = SharedResults(max_results=2, deadline_seconds=0.1)
    started, release = threading.Event(), threading.Event()

    def stuck() -> int:
        started.set()
        release.wait(10)
        return 1

    thread = threading.Thread(target=lambda: results.get("a", stuck))
    thread.start()
    started.wait(5)
    with pytest.raises(StreamError, match="waited 0.2 s for another thread to read a"):
        results.get("a", lambda: 2)
    release.set()
    thread.join()
