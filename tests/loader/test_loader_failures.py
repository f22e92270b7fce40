"""What goes wrong around a stream: other shards, damage, forks, kills; each with its own answer."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataprep.artifacts import write_sealed_json
from dataprep.errors import ArtifactError, StreamError, UsageError
from dataprep.loader import BatchReader, TokenStream, open_stream, parse_state
from dataprep.loader.counters import COUNTERS
from dataprep.shards import Rows

WriteStage = Callable[..., tuple[str, Rows]]
Stages = tuple[tuple[str, Rows], tuple[str, Rows]]
Place = tuple[int, int, int]


@pytest.fixture(scope="session")
def stream(two_stages: Stages) -> TokenStream:
    """Stage 1 twice, then stage 2."""
    return open_stream([folder for folder, _ in two_stages], epochs=[2, 1], window_shards=3)


def places(batches: BatchReader) -> dict[int, list[Place]]:
    """(stage, epoch, row) of the rows of each global batch that a reader hands out."""
    steps: dict[int, list[Place]] = {}
    for batch in batches:
        rows = [(batch.stage_index, batch.epoch, row) for row in batch.row_numbers.tolist()]
        steps.setdefault(batch.step, []).extend(rows)
    return steps


def test_a_state_of_other_shards_is_refused(make_stage: WriteStage, two_stages: Stages) -> None:
    first, second = make_stage(seed=1)[0], make_stage(seed=2)[0]
    other = make_stage(seed=3, stage="stage2")[0]
    with open_stream(first).batches(4) as batches:
        next(batches)
        state = batches.state()
    with pytest.raises(StreamError, match="belongs to other shards: its stage 1 is 'stage1' with identity"):
        open_stream(second).batches(4, start=state)
    # What was not read yet may change: a stage is added, then another one in its place.
    with open_stream([first, other]).batches(4, start=state) as batches:
        assert next(batches).row_numbers.tolist() == [4, 5, 6, 7]
        longer = batches.state()
    assert [name for name, _ in longer["stages"]] == ["stage1", "stage2"]
    with open_stream([first, two_stages[1][0]]).batches(4, start=longer) as batches:
        assert next(batches).row_numbers.tolist() == [8, 9, 10, 11]
    late = {**longer, "stage": 1, "next_row": 0}
    with pytest.raises(StreamError, match="its stage 2 is 'stage2'"):
        open_stream([first, two_stages[1][0]]).batches(4, start=late)
    with pytest.raises(StreamError, match="in stage 2 .'stage2'., but this stream has 1: open all stages"):
        open_stream([first]).batches(4, start=late)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "format version 2"),
        ({"rows": 99}, "does not add up"),
        ({"next_row": 101}, "does not add up"),
        ({"stage": 7}, "does not add up"),
        ({"epoch": -1}, "does not add up"),
        ({"sources": None}, "not a loader state"),
        ({"stages": [["a"]]}, "not a loader state"),
    ],
)
def test_a_damaged_state_is_refused(stream: TokenStream, change: dict[str, Any], message: str) -> None:
    state = {**stream.initial_state().to_json(), **change}
    with pytest.raises(StreamError, match=message):
        stream.batches(8, start=state)
    with pytest.raises(StreamError, match="not a loader state"):
        stream.batches(8, start="[]")
    assert parse_state(json.dumps(stream.initial_state().to_json())).rows == 0


def drain(batches: BatchReader, rows: Rows) -> None:
    for batch in batches:
        assert (batch.tokens == rows.tokens[batch.row_numbers]).all()


@pytest.mark.parametrize("threads", [0, 2])
def test_a_flipped_byte_is_named(make_stage: WriteStage, threads: int) -> None:
    folder, rows = make_stage(num_rows=32)
    path = Path(folder) / "shard-00001.arrow"
    good = path.read_bytes()
    generator = np.random.default_rng(5)
    for position in generator.integers(0, len(good), 60).tolist():
        damaged = bytearray(good)
        damaged[position] ^= 1 << int(generator.integers(0, 8))
        path.write_bytes(damaged)
        with open_stream(folder).batches(4, read_ahead_threads=threads, dtype="uint32") as batches:
            for _ in range(4):
                batch = next(batches)
                assert (batch.tokens == rows.tokens[batch.row_numbers]).all()
            with pytest.raises(StreamError, match=r"of epoch 0 of stage 'stage1' .*shard-00001.arrow"):
                drain(batches, rows)
    path.write_bytes(good)
    assert sum(len(batch) for batch in open_stream(folder).batches(4)) == 32


def test_a_missing_or_cut_shard_is_named_and_can_be_repaired(make_stage: WriteStage) -> None:
    folder, _ = make_stage(num_rows=32)
    path = Path(folder) / "shard-00001.arrow"
    good = path.read_bytes()
    with open_stream(folder).batches(16, read_ahead_threads=0) as batches:
        next(batches)
        path.write_bytes(good[: len(good) // 2])
        with pytest.raises(StreamError, match="shard-00001.arrow: damaged or cut"):
            next(batches)
        path.unlink()
        with pytest.raises(StreamError, match="shard-00001.arrow: missing"):
            next(batches)
        path.write_bytes(good)
        assert next(batches).row_numbers.tolist() == list(range(16, 32)), "asking again tries again"


def test_a_stream_survives_pickling(stream: TokenStream) -> None:
    reference = list(places(stream.batches(24)).values())
    assert list(places(pickle.loads(pickle.dumps(stream)).batches(24)).values()) == reference


def read_on_in_a_fork(batches: BatchReader) -> list[list[Place]]:
    """Fork; return the rows of each global batch that the child reads, or fail if it does not end."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read_end)
            batches.counters()
            with os.fdopen(write_end, "w") as pipe:
                json.dump(list(places(batches).values()), pipe)
        finally:
            os._exit(0)
    os.close(write_end)
    killer = threading.Timer(30, os.kill, (child, signal.SIGKILL))
    killer.start()
    with os.fdopen(read_end) as pipe:
        answer = pipe.read()
    killer.cancel()
    _, status = os.waitpid(child, 0)
    assert status == 0, "the fork was stuck: it waits for a lock of a thread that it does not have"
    return [[(stage, epoch, row) for stage, epoch, row in step] for step in json.loads(answer)]


def test_a_process_that_is_forked_from_one_that_reads_goes_on_by_itself(stream: TokenStream) -> None:
    """Forked many times while threads are at work: no lock that one of them holds is in the way."""
    reference = list(places(stream.batches(24)).values())
    for _ in range(20):
        with stream.batches(24, read_ahead_threads=4) as batches:
            assert next(batches).step == 0
            assert read_on_in_a_fork(batches) == reference[1:]
            assert list(places(batches).values()) == reference[1:], "and so does the parent"


def test_no_thread_outlives_its_reader(two_stages: Stages) -> None:
    # So long a stream that no thread comes to its end and goes home by itself.
    stream = open_stream([folder for folder, _ in two_stages], epochs=[100_000, 1])
    before = set(threading.enumerate())

    def reading() -> int:
        return sum(t.name.startswith("dataprep-") for t in threading.enumerate() if t not in before)

    batches = stream.batches(24, read_ahead_threads=4)
    next(batches)
    assert reading() == 4
    batches.close()
    assert reading() == 0
    next(batches)
    assert reading() == 4, "it goes on after close"
    batches.close()
    counters = batches.counters()
    assert counters["batches"] == 2
    assert counters["rows"] == 48
    assert counters["tokens_by_source"] == {"web": 256, "code": 256, "books": 256}
    known = {"batches", "rows", "ready_steps", "tokens_by_source", *COUNTERS}
    assert set(counters) == known, "the same keys in every run, whatever happened in it"


def test_a_process_ends_at_once_while_it_reads_ahead(two_stages: Stages) -> None:
    code = (
        "import sys; from dataprep.loader import open_stream\n"
        "stream = open_stream(sys.argv[1], epochs=100000)\n"
        "b = stream.batches(8, read_ahead_threads=4, read_ahead_bytes=1 << 40)\n"
        "print(next(b).row_numbers.tolist())\n"
        "assert not {'torch', 'apache_beam', 'datasets', 'numba', 'pydantic'} & set(sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, two_stages[0][0]],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "[0, 1, 2, 3, 4, 5, 6, 7]\n", "")


def test_streams_are_opened_by_build_by_folder_and_refused_with_a_reason(
    two_stages: Stages, make_stage: WriteStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [folder for folder, _ in two_stages]
    root = os.path.commonpath(folders).split("/shards/")[0]
    build = {
        "stages": ["stage1", "stage2", "validation"],
        "artifacts": {"shards": {f"stage{i + 1}": os.path.relpath(f, root) for i, f in enumerate(folders)}},
    }
    path = os.path.join(root, "builds", "test.json")
    write_sealed_json(path, build)
    assert [stage.name for stage in open_stream(path).stages] == ["stage1", "stage2"]
    assert [stage.name for stage in open_stream(path, stages=["stage2"]).stages] == ["stage2"]
    assert open_stream(path).identity == open_stream(folders).identity
    monkeypatch.chdir(root)
    assert open_stream("builds/test.json").identity == open_stream(folders).identity
    monkeypatch.chdir(os.path.join(root, "builds"))
    assert open_stream("test.json").identity == open_stream(folders).identity
    assert open_stream(path, epochs=[2, 1]).num_rows == 250
    with pytest.raises(UsageError, match="no shards of a stage 'stag2'; did you mean 'stage"):
        open_stream(path, stages=["stag2"])
    with pytest.raises(UsageError, match="dataprep build"):
        open_stream(str(tmp_path / "no.json"))
    with pytest.raises(ArtifactError, match=r"no manifest.json"):
        open_stream(str(tmp_path))
    with pytest.raises(UsageError, match="at least one stage"):
        open_stream([])
    with pytest.raises(StreamError, match="written with window_shards=16, this stream has 3"):
        open_stream(folders, window_shards=3).batches(4, start=open_stream(folders).initial_state())
    with pytest.raises(UsageError, match=r"epochs=\[1\]"):
        open_stream(folders, epochs=[1])
    with pytest.raises(UsageError, match="stages= chooses"):
        open_stream(folders, stages=["stage1"])
    other = make_stage(stage="stage2", tokenizer_sha256="1" * 64)[0]
    with pytest.raises(UsageError, match="one tokenizer: tokenizer_sha256"):
        open_stream([folders[0], other])
