"""Shards on S3 and HTTP: faults are retried and change nothing; hopeless ones are named."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from faulty_storage import Fault, FaultyStorage

from dataprep.errors import MissingExtraError, StreamError, UsageError
from dataprep.loader import CacheOptions, RetryPolicy, open_stream
from dataprep.shards import Rows

Stages = tuple[tuple[str, Rows], tuple[str, Rows]]
QUICK = RetryPolicy(first_wait_seconds=0.01, range_bytes=2000, range_timeout_seconds=20)


@pytest.fixture
def web(two_stages: Stages) -> Iterator[FaultyStorage]:
    """The first stage (seven shards) over HTTP."""
    storage = FaultyStorage(Path(two_stages[0][0]))
    yield storage
    storage.close()


@pytest.fixture(scope="module")
def bucket() -> Iterator[tuple[str, FaultyStorage]]:
    """The URL of an empty bucket, and the proxy through which it is read."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    proxy = FaultyStorage(upstream=server.get_host_and_port())
    settings = {
        "AWS_ENDPOINT_URL": proxy.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        fsspec.filesystem("s3").mkdir("shards")
        yield "s3://shards", proxy
        fsspec.filesystem("s3").clear_instance_cache()
    proxy.close()
    server.stop()


def read_all(folder: str, cache: CacheOptions, **options: Any) -> tuple[list[int], dict[str, Any]]:
    """Row numbers in the order of delivery, and the counters."""
    rows: list[int] = []
    epochs = options.pop("epochs", 1)
    with open_stream(folder, epochs=epochs, window_shards=2).batches(10, cache=cache, **options) as batches:
        for batch in batches:
            rows.extend(batch.row_numbers.tolist())
        return rows, batches.counters()


def cache_in(tmp_path: Path, **options: Any) -> CacheOptions:
    return CacheOptions(**{"folder": str(tmp_path / "cache"), "retry": QUICK, **options})


def cached_files(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_file())


def cached_bytes(folder: Path) -> int:
    """Size of all that a cache holds at one moment: looked at again until nothing came or went meanwhile."""
    while True:
        sizes = cached_sizes(folder)
        if sizes == cached_sizes(folder):
            return sum(sizes.values())


def cached_sizes(folder: Path) -> dict[Path, int]:
    sizes = {}
    for path in cached_files(folder):
        with contextlib.suppress(FileNotFoundError):
            sizes[path] = path.stat().st_size
    return sizes


def test_a_bucket_is_read_once_and_then_from_the_cache(
    bucket: tuple[str, FaultyStorage], two_stages: Stages, tmp_path: Path
) -> None:
    url, proxy = bucket
    fsspec.filesystem("s3").put(f"{two_stages[0][0]}/", "shards/plain/", recursive=True)
    fsspec.filesystem("s3").invalidate_cache()
    rows, counters = read_all(f"{url}/plain", cache_in(tmp_path))
    assert rows == list(range(100))
    assert counters["files_downloaded"] == 7
    sent = proxy.bytes_sent
    rows, counters = read_all(f"{url}/plain", cache_in(tmp_path))
    assert rows == list(range(100))
    assert counters["files_downloaded"] == 0
    assert counters["cache_hits"] >= 7
    assert proxy.bytes_sent - sent < 20_000, "only the manifest was read again"
    assert [path.suffix for path in cached_files(tmp_path)] == [".arrow"] * 7


def test_faults_of_a_bucket_change_nothing_but_the_counters(
    bucket: tuple[str, FaultyStorage], two_stages: Stages, tmp_path: Path
) -> None:
    url, proxy = bucket
    fsspec.filesystem("s3").put(f"{two_stages[0][0]}/", "shards/faulty/", recursive=True)
    fsspec.filesystem("s3").invalidate_cache()
    planned: dict[int, Fault] = {1: "503", 4: "cut", 8: "flip", 12: "short", 15: "404"}
    first = len(proxy.reads)
    proxy.fault = lambda name, read: planned.get(read - first)
    rows, counters = read_all(f"{url}/faulty", cache_in(tmp_path), labels=True)
    proxy.fault = lambda name, read: None
    assert rows == list(range(100))
    assert len(proxy.reads) - first > 15
    assert counters["checksum_failures"] == 1
    assert counters["files_downloaded"] == 7
    assert counters["retries"] >= 1


@pytest.mark.parametrize("fault", ["503", "cut", "short", "flip", "404", "slow"])
def test_every_kind_of_fault_over_http_is_survived(web: FaultyStorage, tmp_path: Path, fault: Fault) -> None:
    web.slow_seconds = 1.0
    faulty = {"shard-00001.arrow", "shard-00004.arrow"}

    def once(name: str, read: int) -> Fault | None:
        if name not in faulty:
            return None
        faulty.remove(name)
        return fault

    web.fault = once
    retry = RetryPolicy(first_wait_seconds=0.01, range_bytes=2000, range_timeout_seconds=0.3)
    rows, counters = read_all(web.url, cache_in(tmp_path, retry=retry, threads=1, prefetch_shards=2))
    assert rows == list(range(100))
    assert counters["files_downloaded"] == 7
    assert counters["checksum_failures" if fault == "flip" else "retries"] >= 2


def test_hopeless_faults_are_named_and_reading_may_go_on_later(web: FaultyStorage, tmp_path: Path) -> None:
    cache = cache_in(tmp_path, prefetch_shards=1, threads=1)
    with open_stream(web.url).batches(16, cache=cache, read_ahead_threads=0) as batches:
        for _ in range(2):
            next(batches)
        web.fault = lambda name, read: "404" if name == "shard-00004.arrow" else None
        assert [next(batches).row_numbers[0] for _ in range(2)] == [32, 48]
        with pytest.raises(StreamError, match=r"shard-00004.arrow: cannot be read after 2 tries .*NotFound"):
            next(batches)
        web.fault = lambda name, read: "503"
        with pytest.raises(StreamError, match=r"shard-00004.arrow: cannot be read after 7 tries .*503"):
            next(batches)
        web.fault = lambda name, read: "flip"
        with pytest.raises(StreamError, match=r"shard-00004.arrow: downloaded twice and both times not what"):
            next(batches)
        web.fault = lambda name, read: None
        assert next(batches).row_numbers.tolist() == list(range(64, 80))
        assert batches.counters()["retries"] >= 8


def test_a_shard_that_rots_in_the_cache_is_fetched_again(web: FaultyStorage, tmp_path: Path) -> None:
    read_all(web.url, cache_in(tmp_path))
    for path in cached_files(tmp_path):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    rows, counters = read_all(web.url, cache_in(tmp_path), read_ahead_threads=1)
    assert rows == list(range(100))
    assert counters["checksum_failures"] == 7


def test_the_cache_stays_within_its_room_and_keeps_what_comes_next(
    web: FaultyStorage, tmp_path: Path
) -> None:
    shard_bytes = max(shard.size_bytes for shard in open_stream(web.url).stages[0].shards.shards)
    cache = cache_in(tmp_path, max_bytes=5 * shard_bytes, prefetch_shards=1, threads=1)
    seen: list[int] = []
    most = 0
    with open_stream(web.url, epochs=3, window_shards=2).batches(10, cache=cache) as batches:
        for batch in batches:
            seen.extend(batch.row_numbers.tolist())
            most = max(most, cached_bytes(tmp_path))
        counters = batches.counters()
    assert [sorted(seen[i : i + 100]) for i in (0, 100, 200)] == [list(range(100))] * 3
    assert most <= 5 * shard_bytes
    assert counters["evictions"] > 0
    # 7 shards, 3 epochs: a cache that forgets what it needs next would fetch far more than 21.
    assert 7 <= counters["files_downloaded"] <= 21

    with pytest.raises(UsageError, match="too small: this stream needs 4 shards"):
        next(
            open_stream(web.url, epochs=2, window_shards=2).batches(
                10, cache=cache_in(tmp_path, max_bytes=3 * shard_bytes, prefetch_shards=1, threads=1)
            )
        )


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> None:
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(MissingExtraError, match=r"reading gs://b/s/.* needs .*'gcsfs'.*'dataprep\[gcs\]'"):
        open_stream("gs://b/s")


READER = """
import json, sys
from dataprep.loader import CacheOptions, RetryPolicy, open_stream
url, folder, world, rank = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
cache = CacheOptions(folder=folder, retry=RetryPolicy(first_wait_seconds=0.05, range_bytes=2000))
with open_stream(url).batches(24, rank=rank, world_size=world, cache=cache) as batches:
    rows = [batch.row_numbers.tolist() for batch in batches]
print(json.dumps([rows, batches.counters()]))
"""


def start_reader(url: str, tmp_path: Path, *, world: int, rank: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", READER, url, str(tmp_path / "cache"), str(world), str(rank)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def test_processes_of_a_node_fetch_each_shard_once(web: FaultyStorage, tmp_path: Path) -> None:
    readers = [start_reader(web.url, tmp_path, world=3, rank=rank) for rank in range(3)]
    answers = [json.loads(reader.communicate(timeout=60)[0]) for reader in readers]
    assert [row for k in range(5) for rows, _ in answers for row in rows[k]] == list(range(100))
    assert sum(counters["files_downloaded"] for _, counters in answers) == 7


def test_a_killed_download_leaves_nothing_that_is_in_the_way(web: FaultyStorage, tmp_path: Path) -> None:
    web.slow_seconds = 30.0
    web.fault = lambda name, read: "slow" if read >= 3 else None
    reader = start_reader(web.url, tmp_path, world=1, rank=0)
    give_up = time.monotonic() + 30
    while len(web.reads) < 4 and time.monotonic() < give_up:
        time.sleep(0.02)
    os.kill(reader.pid, signal.SIGKILL)
    reader.communicate()
    left = cached_files(tmp_path)
    assert any(path.suffix == ".part" for path in left), "it was killed in the middle of a download"
    web.fault = lambda name, read: None
    rows, _ = read_all(web.url, cache_in(tmp_path))
    assert rows == list(range(100))
    assert [path.suffix for path in cached_files(tmp_path)] == [".arrow"] * 7


def test_a_stuck_neighbour_ends_in_an_error_not_in_a_hang(
    web: FaultyStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.slow_seconds = 30.0
    web.fault = lambda name, read: "slow"
    reader = start_reader(web.url, tmp_path, world=1, rank=0)
    give_up = time.monotonic() + 30
    while not web.reads and time.monotonic() < give_up:
        time.sleep(0.02)
    os.kill(reader.pid, signal.SIGSTOP)
    try:
        with pytest.raises(StreamError, match="another process of this node has been fetching it for 0.5 s"):
            read_all(web.url, cache_in(tmp_path), deadline_seconds=0.5, read_ahead_threads=0)
    finally:
        reader.kill()
        reader.communicate()


def test_an_unreachable_storage_ends_in_an_error_within_the_deadline(
    web: FaultyStorage, tmp_path: Path
) -> None:
    web.slow_seconds = 3.0
    stream = open_stream(web.url)
    web.fault = lambda name, read: "slow"
    started = time.monotonic()
    batches = stream.batches(8, cache=cache_in(tmp_path), deadline_seconds=0.3)
    with pytest.raises(StreamError, match=r"no batch for 0.3 s: still reading positions 0 to 7 of epoch 0"):
        next(batches)
    assert time.monotonic() - started < 15
