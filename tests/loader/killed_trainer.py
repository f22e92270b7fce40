"""A trainer that is killed again and again: python killed_trainer.py SETTINGS.json.

This process imports everything once and never reads; each life of a rank is a fork of it. A life goes on
from the rank's checkpoint and trains: it hashes each batch and, every few steps, writes the loader's state
together with all hashes so far, whole or not at all. It is killed with SIGKILL a random while after a random
step, or after its start. When enough lives have ended so, a last one of each rank reads on to the same step
and ends by itself.

Prints {"kills": ..., "killed_at": [steps at each kill], "last_step": ...}.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from dataprep.loader import Batch, BatchReader, CacheOptions, RetryPolicy, open_stream

STEPS_OF_LAST_LIFE = 20


@dataclass(frozen=True)
class Settings:
    """What is read, and how often whoever reads it is killed."""

    folders: list[str]
    epochs: list[int]
    out: str
    """Where checkpoints and logs go."""
    kills: int
    seed: int
    global_batch_rows: int = 6
    world_size: int = 1
    save_every: int = 3
    cache: str = ""
    cache_bytes: int = 0
    preload: tuple[str, ...] = ()
    """Modules that a life would import."""

    def read(self, rank: int, start: dict[str, Any] | None) -> BatchReader:
        """Begin to read as a trainer does."""
        retry = RetryPolicy(first_wait_seconds=0.02, range_bytes=1500, range_timeout_seconds=10)
        options = CacheOptions(self.cache or None, self.cache_bytes, prefetch_shards=2, retry=retry)
        return open_stream(self.folders, epochs=self.epochs, window_shards=2).batches(
            self.global_batch_rows,
            rank=rank,
            world_size=self.world_size,
            start=start,
            labels=True,
            cu_seqlens=True,
            cache=options,
        )


def digest_of(batch: Batch) -> str:
    """Return a hash of all that a trainer gets."""
    assert batch.labels is not None
    assert batch.cu_seqlens is not None
    digest = hashlib.sha256(f"{batch.stage} {batch.epoch} {batch.row_numbers.tolist()}".encode())
    for array in (batch.tokens, batch.labels, batch.cu_seqlens, batch.document_ids()):
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]


def live(settings: Settings, rank: int, report: Callable[[int], None], last_step: int | None) -> None:
    """Train on from the checkpoint, until ``last_step`` or for ever."""
    checkpoint = Path(settings.out, f"rank-{rank}.json")
    saved = json.loads(checkpoint.read_text()) if checkpoint.exists() else {"state": None, "hashes": []}
    hashes = saved["hashes"]
    log = os.open(Path(settings.out, f"rank-{rank}.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with settings.read(rank, saved["state"]) as batches:
        for batch in batches:
            assert batch.step == len(hashes)
            hashes.append(digest_of(batch))
            os.write(log, f"{batch.step} {hashes[-1]}\n".encode())
            time.sleep(0.001)  # The step of the optimizer.
            if len(hashes) % settings.save_every == 0 or len(hashes) == last_step:
                temporary = checkpoint.with_suffix(".tmp")
                temporary.write_text(json.dumps({"state": batches.state(), "hashes": hashes}))
                temporary.replace(checkpoint)
            report(batch.step)
            if len(hashes) == last_step:
                return


class Life:
    """A forked process that trains, and the moment at which it is killed."""

    def __init__(self, settings: Settings, rank: int, chance: random.Random, last_step: int | None) -> None:
        self.rank = rank
        self.step = -1
        self._buffer = b""
        self._reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            status = 1
            try:
                live(settings, rank, lambda step: _send(writing, step), last_step)
                status = 0
            finally:
                os._exit(status)
        os.close(writing)
        at_start = chance.random() < 0.2
        self._steps_left = 0 if last_step is not None or at_start else chance.randrange(9)
        self._pause = chance.uniform(0, 0.1) if at_start else chance.uniform(0, 0.004)
        self._kill_at = time.monotonic() + self._pause if at_start and last_step is None else None
        self._doomed = last_step is None

    def run(self, seconds: float) -> str:
        """Watch it for a while; return "" while it lives, "killed" or "ended"."""
        if self._kill_at is not None:
            seconds = max(0.0, min(seconds, self._kill_at - time.monotonic()))
        if select.select([self._reading], [], [], seconds)[0]:
            received = os.read(self._reading, 1 << 16)
            if not received:
                return self._end(killed=False)
            *steps, self._buffer = (self._buffer + received).split(b"\n")
            for step in steps:
                self.step = int(step)
                self._steps_left -= 1
            if self._doomed and self._steps_left <= 0 and self._kill_at is None:
                self._kill_at = time.monotonic() + self._pause
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            os.kill(self._pid, signal.SIGKILL)
            return self._end(killed=True)
        return ""

    def _end(self, *, killed: bool) -> str:
        os.close(self._reading)
        _, status = os.waitpid(self._pid, 0)
        if os.WIFSIGNALED(status) and killed:
            return "killed"
        assert os.waitstatus_to_exitcode(status) == 0, f"rank {self.rank} failed behind step {self.step}"
        return "ended"


def _send(pipe: int, step: int) -> None:
    os.write(pipe, b"%d\n" % step)


def main() -> None:
    settings = Settings(**json.loads(Path(sys.argv[1]).read_text()))
    for name in settings.preload:
        importlib.import_module(name)
    pa.array([1]).to_numpy()  # Imports pandas, where it is installed: a quarter of a second, once.
    chance = random.Random(settings.seed)
    killed_at: list[int] = []
    ranks = range(settings.world_size)
    steps = dict.fromkeys(ranks, 0)
    lives = {rank: Life(settings, rank, chance, None) for rank in ranks}
    while lives:
        for rank in list(lives):
            outcome = lives[rank].run(0.02 / len(lives))
            steps[rank] = max(steps[rank], lives[rank].step)
            if outcome == "killed":
                killed_at.append(lives[rank].step)
            if outcome:
                del lives[rank]
                if len(killed_at) < settings.kills:
                    lives[rank] = Life(settings, rank, chance, None)
    last_step = max(steps.values()) + STEPS_OF_LAST_LIFE
    lives = {rank: Life(settings, rank, chance, last_step) for rank in ranks}
    while lives:
        for rank in list(lives):
            if lives[rank].run(0.02 / len(lives)):
                del lives[rank]
    print(json.dumps({"kills": len(killed_at), "killed_at": killed_at, "last_step": last_step}))


def write_settings(settings: Settings, path: Path) -> None:
    """Write settings for a process to come."""
    path.write_text(json.dumps(asdict(settings)))


if __name__ == "__main__":
    main()
