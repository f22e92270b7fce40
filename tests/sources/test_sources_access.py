"""Remote reads go on where they broke off; what cannot be had is not taken for damage."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback_servers import FileServer, serving

from dataprep.errors import BuildError
from dataprep.sources import DamagedFileError, access
from dataprep.sources.access import RemoteStream, opened, patiently, read_ranges, sha256_of

DATA = bytes(range(256)) * 1000


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "WAITS_SECONDS", (0.0, 0.0, 0.0))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    (tmp_path / "x").write_bytes(DATA)
    with serving(tmp_path) as running:
        yield running


def test_a_connection_that_breaks_is_taken_up_again(server: FileServer) -> None:
    server.cut_after_bytes, server.cuts_left = 1000, 3
    with opened(f"{server.url}/x", size_bytes=len(DATA), buffer_bytes=50_000) as stream:
        assert stream.read() == DATA
    assert server.cuts_left == 0


def test_after_enough_tries_the_place_and_the_reason_are_named(server: FileServer) -> None:
    server.cut_after_bytes, server.cuts_left = 1000, 10**6
    with (
        opened(f"{server.url}/x", size_bytes=len(DATA)) as stream,
        pytest.raises(
            BuildError, match=r"/x: cannot be read after 4 tries .*Run the same build again"
        ) as caught,
    ):
        stream.read()
    assert not isinstance(caught.value, DamagedFileError)


def test_a_file_that_is_gone_is_not_waited_for(server: FileServer) -> None:
    with (
        opened(f"{server.url}/gone", size_bytes=10) as stream,
        pytest.raises(BuildError, match=r"/gone: cannot be read \(FileNotFoundError") as caught,
    ):
        stream.read()
    assert not isinstance(caught.value, DamagedFileError)
    assert len([path for _, path, _ in server.requests if path == "/gone"]) <= 3


def test_ranges_are_fetched_and_nothing_else(server: FileServer) -> None:
    ranges = read_ranges(f"{server.url}/x", [0, 1000, 255_990], num_bytes=10, size_bytes=len(DATA))
    assert ranges == [DATA[0:10], DATA[1000:1010], DATA[255_990:256_000]]
    assert server.num_bytes_sent == 30


def test_a_whole_file_is_fetched_once(server: FileServer) -> None:
    with opened(f"{server.url}/x", size_bytes=len(DATA), buffer_bytes=20_000) as stream:
        assert b"".join(iter(lambda: stream.read(3_000), b"")) == DATA
    assert server.num_bytes_sent == len(DATA)
    assert len(server.requests) < 20


def test_a_hub_gives_ranges_without_reading_ahead(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import HfFileSystem

    (tmp_path / "datasets" / "a" / "b").mkdir(parents=True)
    (tmp_path / "datasets" / "a" / "b" / "x").write_bytes(DATA)
    fs = HfFileSystem(endpoint=server.url, token=False, skip_instance_cache=True)
    monkeypatch.setattr(access.storage, "filesystem", lambda path: (fs, path.removeprefix("hf://")))
    ranges = read_ranges("hf://datasets/a/b/x", [0, 1000], num_bytes=10, size_bytes=len(DATA))
    assert ranges == [DATA[0:10], DATA[1000:1010]]
    assert server.num_bytes_sent == 20


def test_a_local_file_gives_the_same(server: FileServer, tmp_path: Path) -> None:
    local, remote = str(tmp_path / "x"), f"{server.url}/x"
    assert sha256_of(local, size_bytes=len(DATA)) == sha256_of(remote, size_bytes=len(DATA))
    starts = [0, 77, 1000]
    assert read_ranges(local, starts, num_bytes=9, size_bytes=len(DATA)) == read_ranges(
        remote, starts, num_bytes=9, size_bytes=len(DATA)
    )


def test_patience_ends_at_once_for_what_will_not_change() -> None:
    tries = []

    def action() -> None:
        tries.append(1)
        raise PermissionError("no")

    with pytest.raises(BuildError, match=r"x: cannot be read \(PermissionError: no\)"):
        patiently(action, place="x")
    assert len(tries) == 1


class _InMemory(RemoteStream):
    """A remote stream whose place is memory, and which fails now and then."""

    def __init__(self, data: bytes, *, failures: list[bool]) -> None:
        super().__init__("memory", size_bytes=len(data))
        self._data, self._failures = data, failures

    def _read(self, num_bytes: int) -> bytes:
        if self._failures and self._failures.pop():
            raise OSError("dropped")
        return self._data[self._position : self._position + min(num_bytes, 7)]


@given(
    st.binary(max_size=100),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 50)), max_size=10),
    st.lists(st.booleans(), max_size=3),
)
def test_it_reads_like_a_file_in_memory(
    data: bytes, reads: list[tuple[int, int]], failures: list[bool]
) -> None:
    stream, reference = io.BufferedReader(_InMemory(data, failures=failures), 16), io.BytesIO(data)
    for position, length in reads:
        stream.seek(position)
        reference.seek(position)
        assert stream.read(length) == reference.read(length)
    stream.seek(-min(3, len(data)), io.SEEK_END)
    assert stream.read() == data[len(data) - min(3, len(data)) :]
