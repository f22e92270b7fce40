"""Every storage, every fault: the order stays, retries are counted, what is hopeless is named.

The storages are servers on loopback that talk S3 (moto), Google Cloud Storage's JSON interface, the Hugging
Face hub's, and plain HTTP with ranges; all behind a layer that injects faults into reads of shards.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest
from faulty_storage import Fault, FaultyStorage
from loopback_servers import serving

from dataprep.errors import StreamError
from dataprep.loader import CacheOptions, RetryPolicy, open_stream
from dataprep.shards import Rows

Stages = tuple[tuple[str, Rows], tuple[str, Rows]]
FAULTS: tuple[Fault, ...] = ("503", "cut", "short", "flip", "404", "slow")
RETRIED_BY_ITS_LIBRARY = {("s3", "503"), ("s3", "cut"), ("gs", "503"), ("hf", "503"), ("hf", "cut")}
"""Faults that the loader does not see: s3fs, gcsfs and huggingface_hub try again before they tell."""
QUICK = RetryPolicy(first_wait_seconds=0.01, range_bytes=3000, range_timeout_seconds=20)


@dataclass(frozen=True)
class Store:
    """A stage's shards on a storage, which can be told to fail."""

    kind: str
    url: str
    server: FaultyStorage


@contextlib.contextmanager
def fsspec_settings(protocol: str, **settings: Any) -> Iterator[None]:
    """Give all filesystems of a kind these settings, as a user does in fsspec's configuration."""
    with pytest.MonkeyPatch.context() as patch:
        # gcsfs would ask for the kind of the bucket over gRPC, always with TLS, which no emulator has.
        patch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        patch.setitem(fsspec.config.conf, protocol, settings)
        try:
            yield
        finally:
            fsspec.get_filesystem_class(protocol).clear_instance_cache()


@contextlib.contextmanager
def over_http(folder: Path) -> Iterator[Store]:
    with contextlib.closing(FaultyStorage(folder)) as server:
        yield Store("http", server.url, server)


@contextlib.contextmanager
def on_s3(folder: Path) -> Iterator[Store]:
    from moto.server import ThreadedMotoServer

    with contextlib.ExitStack() as stack:
        moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        moto.start()
        stack.callback(moto.stop)
        server = stack.enter_context(contextlib.closing(FaultyStorage(upstream=moto.get_host_and_port())))
        client = {"region_name": "eu-west-1"}
        stack.enter_context(
            fsspec_settings(
                "s3", endpoint_url=server.url, key="testing", secret="testing", client_kwargs=client
            )
        )
        filesystem = fsspec.filesystem("s3")
        filesystem.mkdir("storages")
        filesystem.put(f"{folder}/", "storages/stage/", recursive=True)
        filesystem.invalidate_cache()
        yield Store("s3", "s3://storages/stage", server)


@contextlib.contextmanager
def on_google(folder: Path) -> Iterator[Store]:
    with (
        contextlib.closing(FaultyStorage(folder.parent, bucket="storages")) as server,
        fsspec_settings("gs", endpoint_url=server.url, token="anon"),
    ):
        yield Store("gs", f"gs://storages/{folder.name}", server)


@contextlib.contextmanager
def on_the_hub(folder: Path) -> Iterator[Store]:
    root = folder.parent / "hub"
    shutil.copytree(folder, root / "datasets" / "someone" / "shards" / "stage")
    with serving(root) as hub:
        host, port = hub.url.removeprefix("http://").split(":")
        with (
            contextlib.closing(FaultyStorage(upstream=(host, int(port)))) as server,
            fsspec_settings("hf", endpoint=server.url, token=False),
        ):
            yield Store("hf", "hf://datasets/someone/shards/stage", server)


KINDS = {"http": over_http, "s3": on_s3, "gs": on_google, "hf": on_the_hub}


@pytest.fixture(scope="module", params=KINDS)
def store(
    request: pytest.FixtureRequest, two_stages: Stages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """The first stage: 100 rows in seven shards."""
    folder = tmp_path_factory.mktemp(request.param) / "stage"
    shutil.copytree(two_stages[0][0], folder)
    with KINDS[request.param](folder) as found:
        yield found


@pytest.fixture(autouse=True)
def _faultless_again(store: Store) -> Iterator[None]:
    yield
    store.server.fault = lambda name, read: None
    store.server.slow_seconds = 5.0


def read_all(url: str, tmp_path: Path, **options: Any) -> tuple[list[int], dict[str, Any]]:
    """Row numbers in the order of delivery, and the counters."""
    cache = CacheOptions(**{"folder": str(tmp_path / "cache"), "retry": QUICK, **options})
    rows: list[int] = []
    with open_stream(url).batches(10, cache=cache) as batches:
        for batch in batches:
            rows.extend(batch.row_numbers.tolist())
        return rows, batches.counters()


def test_shards_are_fetched_once_and_byte_for_byte(store: Store, two_stages: Stages, tmp_path: Path) -> None:
    before = store.server.bytes_sent, len(store.server.reads)
    rows, counters = read_all(store.url, tmp_path)
    assert rows == list(range(100))
    shards = [path.read_bytes() for path in Path(two_stages[0][0]).glob("*.arrow")]
    total_bytes = sum(map(len, shards))
    assert counters["files_downloaded"] == 7
    assert counters["bytes_downloaded"] == total_bytes
    assert sorted(path.read_bytes() for path in (tmp_path / "cache").rglob("*.arrow")) == sorted(shards)
    # In ranges of 3,000 bytes, and none of them twice.
    assert len(store.server.reads) - before[1] == sum(-(-len(shard) // 3000) for shard in shards)
    assert store.server.bytes_sent - before[0] < total_bytes + 20_000, "beside shards, the manifest"
    before = store.server.bytes_sent, len(store.server.reads)
    rows, counters = read_all(store.url, tmp_path)
    assert rows == list(range(100))
    assert counters["files_downloaded"] == 0
    assert len(store.server.reads) == before[1]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_nothing_but_the_counters(store: Store, tmp_path: Path, fault: Fault) -> None:
    faulty = {"shard-00001.arrow", "shard-00004.arrow"}
    struck: list[str] = []

    def once(name: str, read: int) -> Fault | None:
        if name not in faulty:
            return None
        faulty.remove(name)
        struck.append(name)
        return fault

    store.server.slow_seconds = 1.0
    store.server.fault = once
    handed_down = (store.kind, fault) in RETRIED_BY_ITS_LIBRARY
    timeout_seconds = 20 if handed_down else 0.4  # They wait for seconds before they try again.
    retry = RetryPolicy(first_wait_seconds=0.01, range_bytes=3000, range_timeout_seconds=timeout_seconds)
    before = len(store.server.reads)
    rows, counters = read_all(store.url, tmp_path, retry=retry, threads=1, prefetch_shards=2)
    assert rows == list(range(100))
    assert sorted(struck) == ["shard-00001.arrow", "shard-00004.arrow"]
    assert counters["files_downloaded"] == 7
    if (store.kind, fault) == ("hf", "slow"):
        return  # The hub's library has a time limit of its own, of ten seconds for each read.
    shards = open_stream(store.url).stages[0].shards.shards
    planned_reads = sum(-(-shard.size_bytes // 3000) for shard in shards)
    assert len(store.server.reads) - before >= planned_reads + 2
    if not handed_down:
        assert counters["checksum_failures" if fault == "flip" else "retries"] >= 2


def test_a_storage_that_only_fails_is_named(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The hub's library waits up to 23 seconds in all before it tells.
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    store.server.fault = lambda name, read: "503" if name == "shard-00003.arrow" else None
    retry = RetryPolicy(attempts=3, first_wait_seconds=0.01, range_bytes=3000, range_timeout_seconds=0.3)
    with pytest.raises(
        StreamError, match=r"positions 40 to 49 .*shard-00003.arrow: cannot be read after 3 tries .*: is it"
    ):
        read_all(store.url, tmp_path, retry=retry)


def test_an_object_that_vanished_is_named(store: Store, tmp_path: Path) -> None:
    store.server.fault = lambda name, read: "404" if name == "shard-00002.arrow" else None
    with pytest.raises(
        StreamError, match=r"positions 30 to 39 .*shard-00002.arrow: cannot be read after 2 tries"
    ):
        read_all(store.url, tmp_path)
    store.server.fault = lambda name, read: None
    assert read_all(store.url, tmp_path)[0] == list(range(100)), "it may come back"


def test_an_object_that_is_damaged_where_it_is_stored_is_named(store: Store, tmp_path: Path) -> None:
    store.server.fault = lambda name, read: "flip" if name == "shard-00005.arrow" else None
    with pytest.raises(
        StreamError, match=r"stage 'stage1' .*shard-00005.arrow: downloaded twice and both times not what"
    ):
        read_all(store.url, tmp_path)
