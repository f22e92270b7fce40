"""The shards of a stream as open readers, wherever they lie; and the threads that fetch ahead."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from dataprep import storage
from dataprep.errors import ArtifactError, DataprepError
from dataprep.loader.cache import CacheOptions, ShardCache, check_room, default_cache_folder
from dataprep.loader.counters import Counters
from dataprep.loader.download import RemoteFile
from dataprep.loader.sharing import SharedResults
from dataprep.loader.state import Cursor
from dataprep.loader.threads import ThreadGroup
from dataprep.shards import ShardReader, ShardStage

_MORE_OPEN_SHARDS = 4
"""Shards kept open beyond those that a short stretch of the stream needs: threads that read ahead
are in the next ones. All of them count as memory of the process, since they are mapped."""

Value = TypeVar("Value")
ShardName = tuple[int, int]
"""Stage in the stream, shard in the stage."""
ShardsFrom = Callable[[Cursor], Iterator[ShardName]]
"""The shards that a stream needs from a cursor on, in the order of their first use."""


class ShardFiles:
    """Opens shards: local ones where they lie, remote ones through the node's cache.

    Args:
        stages: the stages of the stream.
        shards_from: the order in which shards will be needed.
        shards_at_once: how many of them a short stretch may need together.
        cursor: where the stream starts.
    """

    def __init__(
        self,
        stages: Sequence[ShardStage],
        *,
        shards_from: ShardsFrom,
        shards_at_once: int,
        cursor: Cursor,
        options: CacheOptions,
        counters: Counters,
        deadline_seconds: float,
    ) -> None:
        self._stages = stages
        self._shards_from = shards_from
        self._counters = counters
        self._options = options
        self._span = shards_at_once + options.prefetch_shards
        self._stop = threading.Event()
        self._readers: SharedResults[ShardName, ShardReader] = SharedResults(
            max_results=shards_at_once + _MORE_OPEN_SHARDS, deadline_seconds=deadline_seconds
        )
        self._cursor = cursor
        self._wanted: list[ShardName] = []
        self._changed = threading.Condition()
        self._cache: ShardCache | None = None
        remote = [stage for stage in stages if not storage.is_local(stage.artifact.folder)]
        if remote:
            largest_bytes = max(shard.size_bytes for stage in remote for shard in stage.shards)
            check_room(options, largest_bytes=largest_bytes, shards_at_once=shards_at_once)
            self._cache = ShardCache(
                options.folder or default_cache_folder(),
                max_bytes=options.max_bytes,
                upcoming=self._upcoming_checksums,
                policy=options.retry,
                counters=counters,
                stop=self._stop,
                deadline_seconds=deadline_seconds,
            )
            self.advance(cursor)
        num_threads = options.threads if remote else 0
        self._threads = ThreadGroup("dataprep-fetch", num_threads, self._fetch_ahead, stop=self._stop_all)

    def read(self, stage: int, shard: int, action: Callable[[ShardReader], Value]) -> Value:
        """Return what ``action`` reads from a shard.

        A cached copy that is damaged or was removed by another process is fetched once more.

        Raises:
            ArtifactError: the shard is damaged or missing where it is stored.
            StreamError: it cannot be fetched.
        """
        name = (stage, shard)
        try:
            return action(self._readers.get(name, lambda: self._open(*name)))
        except ArtifactError:
            self._readers.drop(name)
            file = self._remote_file(*name)
            if self._cache is None or file is None:
                raise
            self._counters.add("checksum_failures")
            self._cache.discard(file)
        return action(self._readers.get(name, lambda: self._open(*name)))

    def advance(self, cursor: Cursor) -> None:
        """Tell where the stream stands, so that the right shards are fetched ahead."""
        if self._cache is None:
            return
        with self._changed:
            self._cursor = cursor
            self._wanted = list(itertools.islice(self._shards_from(cursor), self._span))
            self._changed.notify_all()

    def stop(self) -> None:
        """Tell the threads to end."""
        self._threads.stop()

    def close(self) -> None:
        """Stop the threads, wait for them, and close the files."""
        self._threads.close()
        self._readers.clear()

    def _stop_all(self) -> None:
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def _open(self, stage: int, shard: int) -> ShardReader:
        file = self._remote_file(stage, shard)
        if self._cache is None or file is None:
            return self._stages[stage].open_shard(shard)
        return self._stages[stage].open_shard(shard, path=self._cache.fetch(file))

    def _remote_file(self, stage: int, shard: int) -> RemoteFile | None:
        artifact = self._stages[stage].artifact
        if storage.is_local(artifact.folder):
            return None
        entry = self._stages[stage].shards[shard]
        return RemoteFile(artifact.path(entry.path), entry.size_bytes, entry.sha256)

    def _upcoming_checksums(self) -> Iterator[str]:
        for stage, shard in self._shards_from(self._cursor):
            yield self._stages[stage].shards[shard].sha256

    def _fetch_ahead(self) -> None:
        """Fetch the shards that are wanted and not here; a prefetching thread's main function."""
        assert self._cache is not None
        tried: set[ShardName] = set()
        while not self._stop.is_set():
            with self._changed:
                tried.intersection_update(self._wanted)
                name = next((name for name in self._wanted if name not in tried), None)
                if name is None:
                    self._changed.wait()
                    continue
            tried.add(name)
            file = self._remote_file(*name)
            if file is None:
                continue
            try:
                self._cache.fetch(file)
            except (DataprepError, OSError):
                # Whoever needs this shard tries again and reports what is wrong with it.
                self._counters.add("prefetch_failures")
