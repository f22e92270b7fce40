"""SIGKILL at a hundred random places: what was delivered is what an uninterrupted run delivers."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import killed_trainer
import pytest
from faulty_storage import FaultyStorage
from killed_trainer import Settings, digest_of

from dataprep.loader import open_stream
from dataprep.shards import Rows

WriteStage = Callable[..., tuple[str, Rows]]
KILLS = 100


@pytest.fixture(scope="module")
def stages(write_stage_in: WriteStage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stage of 400 rows in 25 shards, then a padded one of 300 longer rows in 19 shards."""
    root = tmp_path_factory.mktemp("kills")
    write_stage_in(str(root), num_rows=400)
    write_stage_in(str(root), stage="stage2", num_rows=300, length=32, seed=2, padding=True)
    return root


def folders_below(root: Path, url: str = "") -> list[str]:
    found = sorted(path.parent for path in root.rglob("manifest.json"))
    assert len(found) == 2
    return [f"{url}/{path.relative_to(root)}" if url else str(path) for path in found]


def train_and_kill(settings: Settings) -> dict[str, Any]:
    """Run the trainer to its end; its temporary files and its cache have folders of their own."""
    out = Path(settings.out)
    (out / "temporary").mkdir()
    path = out / "settings.json"
    killed_trainer.write_settings(settings, path)
    run = subprocess.run(
        [sys.executable, killed_trainer.__file__, str(path)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "TMPDIR": str(out / "temporary"), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert list((out / "temporary").iterdir()) == []
    report: dict[str, Any] = json.loads(run.stdout)
    return report


def assert_nothing_was_missed(settings: Settings, report: dict[str, Any], local: list[str]) -> None:
    """Compare each rank's checkpoint, and all that it ever read, with an uninterrupted run."""
    assert report["kills"] >= settings.kills
    assert len(set(report["killed_at"])) > settings.kills / 3, "killed all over its life"
    stream = open_stream(local, epochs=settings.epochs, window_shards=2)
    for rank in range(settings.world_size):
        expected = []
        with stream.batches(
            settings.global_batch_rows,
            rank=rank,
            world_size=settings.world_size,
            labels=True,
            cu_seqlens=True,
            read_ahead_threads=0,
        ) as batches:
            stage_names = set()
            for _ in range(report["last_step"]):
                batch = next(batches)
                stage_names.add(batch.stage)
                expected.append(digest_of(batch))
            state = batches.state()
        assert stage_names == {"stage1", "stage2"}
        saved = json.loads(Path(settings.out, f"rank-{rank}.json").read_text())
        assert saved["hashes"] == expected
        assert saved["state"] == state
        lines = Path(settings.out, f"rank-{rank}.log").read_text().splitlines()
        read = [line.split() for line in lines]
        assert len(read) > len(expected), "what was read after a checkpoint came again"
        assert all(expected[int(step)] == digest for step, digest in read)


def test_a_run_killed_at_a_hundred_places_delivers_what_an_uninterrupted_one_does(
    stages: Path, tmp_path: Path
) -> None:
    local = folders_below(stages)
    settings = Settings(local, epochs=[1, 1000], out=str(tmp_path), kills=KILLS, seed=1)
    assert_nothing_was_missed(settings, train_and_kill(settings), local)


def test_killed_ranks_that_share_a_cache_deliver_the_same_and_leave_nothing_to_clean(
    stages: Path, tmp_path: Path
) -> None:
    """Two ranks with one cache of twelve shards, from which both make room all the time."""
    local = folders_below(stages)
    largest_bytes = max(
        shard.size_bytes for stage in open_stream(local).stages for shard in stage.shards.shards
    )
    cache = tmp_path / "cache"
    storage = FaultyStorage(stages)
    settings = Settings(
        folders_below(stages, storage.url),
        epochs=[1, 1000],
        out=str(tmp_path),
        kills=KILLS,
        seed=2,
        world_size=2,
        cache=str(cache),
        cache_bytes=12 * largest_bytes,
        preload=("aiohttp", "fsspec.implementations.http"),
    )
    try:
        report = train_and_kill(settings)
        assert_nothing_was_missed(settings, report, local)
        files = [path for path in cache.rglob("*") if path.is_file()]
        assert {path.suffix for path in files} <= {".arrow", ".part"}
        # Two ranks with two downloads each may make room at the same moment.
        assert sum(path.stat().st_size for path in files) <= settings.cache_bytes + 3 * largest_bytes
        for path in files:
            with path.open("r+b") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with settings.read(0, None) as batches:
            for _ in range(200):
                next(batches)
            assert batches.counters()["files_downloaded"] > 0
    finally:
        storage.close()
