"""Fetching a shard from remote storage: in ranges, with deadlines, retries and a checksum."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass
from time import monotonic
from typing import IO

import fsspec.asyn

from dataprep import storage
from dataprep.errors import StreamError
from dataprep.loader.counters import Counters

_STOP_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch and what it must be."""

    url: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class RetryPolicy:
    """How patient a download is. The waits sum up to about a minute before it gives up."""

    attempts: int = 7
    """Tries of one range in a row without any success; a missing file or permission: 2."""
    first_wait_seconds: float = 0.5
    """Doubles after each failed try."""
    max_wait_seconds: float = 30.0
    range_bytes: int = 8 << 20
    range_timeout_seconds: float = 60.0
    """Deadline of one range; below it a connection may be as slow as it likes."""

    def wait_seconds(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row."""
        return min(self.first_wait_seconds * 2.0 ** (failures - 1), self.max_wait_seconds)


def download(
    file: RemoteFile,
    out: IO[bytes],
    *,
    policy: RetryPolicy,
    counters: Counters,
    stop: threading.Event,
) -> None:
    """Write a remote file to ``out`` from its start, checked; once more if the checksum is wrong.

    Raises:
        StreamError: it cannot be read, is not what the manifest says, or ``stop`` was set.
        MissingExtraError: the package for this kind of storage is not installed.
    """
    found = ""
    for _ in range(2):
        found = _download_once(file, out, policy=policy, counters=counters, stop=stop)
        if found == file.sha256:
            counters.add("files_downloaded")
            return
        counters.add("checksum_failures")
    raise StreamError(
        f"{file.url}: downloaded twice and both times not what the manifest lists: sha256 {found[:12]}, "
        f"expected {file.sha256[:12]}: the stored shard is damaged, upload it again"
    )


def _download_once(
    file: RemoteFile, out: IO[bytes], *, policy: RetryPolicy, counters: Counters, stop: threading.Event
) -> str:
    """Write the file to ``out`` and return the SHA-256 of what was written."""
    out.seek(0)
    # Whole from the start, so that others who make room meanwhile count what it will take.
    out.truncate(file.size_bytes)
    digest = hashlib.sha256()
    read_range = range_reader(file.url, timeout_seconds=policy.range_timeout_seconds, stop=stop)
    done_bytes, failures = 0, 0
    while done_bytes < file.size_bytes:
        wanted = min(policy.range_bytes, file.size_bytes - done_bytes)
        data, problem, attempts = b"", "", policy.attempts
        try:
            data = read_range(done_bytes, done_bytes + wanted)
            if len(data) == file.size_bytes and done_bytes == 0:
                wanted = len(data)  # An HTTP server without ranges sends the whole file.
            if len(data) != wanted:
                problem = f"got {len(data):,} of {wanted:,} bytes from byte {done_bytes:,} on"
                data = data[:wanted] if len(data) < wanted else b""
        except Exception as error:  # Each storage library raises its own kinds.
            problem = f"{type(error).__name__}: {error}".partition("\n")[0]
            attempts = 2 if _is_refusal(error) else policy.attempts
        if data:
            out.write(data)
            digest.update(data)
            done_bytes += len(data)
            counters.add("bytes_downloaded", len(data))
        if not problem:
            failures = 0
            continue
        failures += 1
        counters.add("retries")
        if failures >= attempts:
            raise StreamError(
                f"{file.url}: cannot be read after {failures} tries ({problem}): is it still there?"
            )
        if stop.wait(policy.wait_seconds(failures)):
            raise StreamError(f"{file.url}: the download was stopped")
    return digest.hexdigest()


def _is_refusal(error: Exception) -> bool:
    """Tell whether a storage says that there is no such file, or not for us."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return isinstance(error, FileNotFoundError | PermissionError) or status in (401, 403, 404, 410)


def range_reader(url: str, *, timeout_seconds: float, stop: threading.Event) -> Callable[[int, int], bytes]:
    """Return a function (first byte, byte after the last) -> bytes of a remote file.

    It raises a TimeoutError when a range takes longer than ``timeout_seconds``, or ``stop`` is set.

    Raises:
        MissingExtraError: the package for this kind of storage is not installed.
    """
    fs, inside = storage.filesystem(url)

    def read(first: int, last: int) -> bytes:
        if not isinstance(fs, fsspec.asyn.AsyncFileSystem):
            # It has time limits of its own. The hub's would read megabytes behind each range, in vain.
            options = {"cache_type": "none"} if url.startswith("hf://") else {}
            return bytes(fs.cat_file(inside, start=first, end=last, **options))
        reading = asyncio.run_coroutine_threadsafe(fs._cat_file(inside, start=first, end=last), fs.loop)
        give_up = monotonic() + timeout_seconds
        while not wait([reading], timeout=_STOP_POLL_SECONDS).done:
            if stop.is_set() or monotonic() > give_up:
                reading.cancel()
                raise TimeoutError(f"no answer for {timeout_seconds:g} s")
        return bytes(reading.result())

    return read
