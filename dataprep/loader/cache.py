"""Remote shards on local disk, shared by all processes of a node.

A shard is fetched into ``<sha256>.part``, checked and renamed to ``<sha256>.arrow``: what has its
final name is whole. Whoever holds the file lock of the ``.part`` fetches, the others look for the
final name. The kernel drops that lock when its process dies, however it dies, and the next one
starts over in the same file; so nothing is ever left that has to be cleaned up.

When room is needed, the shard goes that the stream will need last: the order is known.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic
from typing import IO

from dataprep.errors import StreamError, UsageError
from dataprep.loader.counters import Counters
from dataprep.loader.download import RemoteFile, RetryPolicy, download

_POLL_SECONDS = 0.02
_FINAL, _PARTIAL = ".arrow", ".part"


def default_cache_folder() -> str:
    """Return the folder for cached shards: ``$XDG_CACHE_HOME`` or ``~/.cache``, then dataprep/shards."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "dataprep", "shards")


@dataclass(frozen=True)
class CacheOptions:
    """Where remote shards are kept on this node, and how far ahead they are fetched."""

    folder: str | None = None
    """None: ``default_cache_folder()``."""
    max_bytes: int = 64 << 30
    """Room for shards. Processes that make room at the same moment do not see each other, so the files
    may be more by the shards that other processes fetch just then, until the next one makes room."""
    prefetch_shards: int = 4
    """Shards fetched ahead of the one that is read; at 4,096 tokens a row, 34 M tokens each."""
    threads: int = 2
    """Downloads at a time in each process."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)


class ShardCache:
    """A folder of shards, by checksum.

    Args:
        folder: on a local disk of the node.
        max_bytes: room for shards; the one being fetched included.
        upcoming: yields the checksums of the shards needed from now on, the next one first.
        deadline_seconds: how long to wait for another process that fetches the same shard.
    """

    def __init__(
        self,
        folder: str,
        *,
        max_bytes: int,
        upcoming: Callable[[], Iterable[str]],
        policy: RetryPolicy,
        counters: Counters,
        stop: threading.Event,
        deadline_seconds: float,
    ) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._making_room = threading.Lock()
        self._being_fetched: dict[str, int] = {}
        """Partial files of this process, and how large they will be."""
        self._upcoming = upcoming
        self._policy = policy
        self._counters = counters
        self._stop = stop
        self._deadline_seconds = deadline_seconds

    def fetch(self, file: RemoteFile) -> str:
        """Return the local path of a shard, after fetching it if it is not there.

        The path may be gone when it is opened, if another process made room: fetch it again then.

        Raises:
            StreamError: it cannot be fetched, is damaged where it is stored, or another process
                of this node has been fetching it for longer than the deadline.
        """
        final = self._path(file.sha256)
        if _is_whole(final, file):
            self._counters.add("cache_hits")
            return final
        self._counters.add("cache_misses")
        os.makedirs(os.path.dirname(final), exist_ok=True)
        give_up = monotonic() + self._deadline_seconds
        while not _is_whole(final, file):
            partial = final.removesuffix(_FINAL) + _PARTIAL
            with _locked(partial) as part:
                if part is None:
                    if monotonic() > give_up:
                        raise StreamError(
                            f"{file.url}: another process of this node has been fetching it for "
                            f"{self._deadline_seconds:g} s into {self.folder}; is that process stuck?"
                        )
                    if self._stop.wait(_POLL_SECONDS):
                        raise StreamError(f"{file.url}: the download was stopped")
                elif not _is_whole(final, file):
                    with self._room_for(file, partial=partial, final=final):
                        download(file, part, policy=self._policy, counters=self._counters, stop=self._stop)
                        part.flush()
        return final

    @contextlib.contextmanager
    def _room_for(self, file: RemoteFile, *, partial: str, final: str) -> Iterator[None]:
        """Make room for a shard, hold it while the shard is fetched, and put the shard there."""
        with self._making_room:
            self._make_room(file.size_bytes, keep=final)
            self._being_fetched[partial] = file.size_bytes
        fetched = False
        try:
            yield
            fetched = True
        finally:
            with self._making_room:
                del self._being_fetched[partial]
                if fetched:
                    os.replace(partial, final)

    def has(self, file: RemoteFile) -> bool:
        """Tell whether a shard is here."""
        return _is_whole(self._path(file.sha256), file)

    def discard(self, file: RemoteFile) -> None:
        """Remove a shard that turned out to be damaged on this disk."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(file.sha256))

    def _path(self, sha256: str) -> str:
        return os.path.join(self.folder, sha256[:2], sha256 + _FINAL)

    def _make_room(self, needed_bytes: int, *, keep: str) -> None:
        """Remove shards until one of ``needed_bytes`` fits, those needed last first."""
        files = list(_listing(self.folder))
        # What is being fetched counts with the size that it will have.
        total_bytes = sum(self._being_fetched.values())
        total_bytes += sum(size for path, size, _ in files if path not in self._being_fetched)
        if total_bytes + needed_bytes <= self._max_bytes:
            return
        order: dict[str, int] = {}
        for sha256 in islice(self._upcoming(), 2 * len(files)):
            order.setdefault(sha256, len(order))
        never = len(order)

        def need(file: tuple[str, int, float]) -> tuple[int, float]:
            path, _, changed = file
            return order.get(os.path.basename(path).partition(".")[0], never), -changed

        for path, size_bytes, _ in sorted(files, key=need, reverse=True):
            if total_bytes + needed_bytes <= self._max_bytes:
                return
            is_wanted = path.startswith(keep.removesuffix(_FINAL)) or path in self._being_fetched
            if is_wanted or not _remove(path):
                continue
            total_bytes -= size_bytes
            self._counters.add("evictions")


def check_room(options: CacheOptions, *, largest_bytes: int, shards_at_once: int) -> None:
    """Check that the cache holds what the stream needs at a time.

    Raises:
        UsageError: it does not; says how much room is needed.
    """
    needed_shards = shards_at_once + options.prefetch_shards + options.threads
    needed_bytes = needed_shards * largest_bytes
    if options.max_bytes < needed_bytes:
        raise UsageError(
            f"a shard cache of {options.max_bytes:,} bytes is too small: this stream needs {needed_shards} "
            f"shards of up to {largest_bytes:,} bytes at a time, {needed_bytes:,} bytes: raise max_bytes or "
            "lower prefetch_shards"
        )


def _is_whole(path: str, file: RemoteFile) -> bool:
    try:
        return os.path.getsize(path) == file.size_bytes
    except FileNotFoundError:
        return False


def _listing(folder: str) -> Iterator[tuple[str, int, float]]:
    """Yield path, size and time of last change of all files of a cache."""
    for name in sorted(os.listdir(folder)):
        subfolder = os.path.join(folder, name)
        if len(name) != 2 or not os.path.isdir(subfolder):
            continue
        for entry in os.scandir(subfolder):
            if entry.name.endswith((_FINAL, _PARTIAL)):
                with contextlib.suppress(FileNotFoundError):
                    stat = entry.stat()
                    yield entry.path, stat.st_size, stat.st_mtime


def _remove(path: str) -> bool:
    """Remove a cached file; a ``.part`` only if nobody is filling it. Tell whether it is gone."""
    if path.endswith(_PARTIAL):
        with _locked(path) as part:
            if part is None:
                return False
            os.unlink(path)
            return True
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    return True


@contextlib.contextmanager
def _locked(path: str) -> Iterator[IO[bytes] | None]:
    """Open a file for writing while holding its lock; None if somebody else holds it."""
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        try:
            yield stream if _is_at(path, stream) else None
        finally:
            # Closing would not do if a process that was forked meanwhile has the file open, too.
            fcntl.flock(stream, fcntl.LOCK_UN)


def _is_at(path: str, stream: IO[bytes]) -> bool:
    """Tell whether an open file still has this name: its last holder may have renamed it."""
    try:
        return os.stat(path).st_ino == os.fstat(stream.fileno()).st_ino
    except FileNotFoundError:
        return False
