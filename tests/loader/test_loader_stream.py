"""The same rows in the same order, whoever reads them, and exactly resumable after every step."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.artifacts import write_sealed_json
from dataprep.errors import ArtifactError, StreamError, UsageError
from dataprep.loader import BatchReader, TokenStream, open_stream, parse_state
from dataprep.loader.boundaries import IGNORED_LABEL, make_labels
from dataprep.shards import Boundaries, Rows

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


def all_ranks(stream: TokenStream, size: int, world: int, **options: Any) -> list[list[Place]]:
    """Rows of each global batch, those of all ranks put together."""
    of_ranks = []
    for rank in range(world):
        with stream.batches(size, rank=rank, world_size=world, **options) as batches:
            of_ranks.append(places(batches))
    numbers = list(of_ranks[0])
    assert numbers == list(range(len(numbers)))
    assert all(list(steps) == numbers for steps in of_ranks)
    return [[row for steps in of_ranks for row in steps[k]] for k in numbers]


@pytest.fixture(scope="session")
def reference(stream: TokenStream) -> list[list[Place]]:
    """The global batches of 24 rows as one rank without threads reads them."""
    steps = all_ranks(stream, 24, 1, read_ahead_threads=0)
    assert [len(step) for step in steps] == [24, 24, 24, 24, 4] * 2 + [24, 24, 2]
    return steps


def test_epoch_zero_is_what_the_shards_hold(two_stages: Stages, stream: TokenStream) -> None:
    with stream.batches(8, dtype="uint32", labels=True) as batches:
        batch = next(batches)
        rows = two_stages[0][1]
        assert batch.tokens.dtype == np.uint32
        assert (batch.tokens == rows.tokens[:8]).all()
        assert (batch.inputs == rows.tokens[:8, :-1]).all()
        assert batch.source_ids.tolist() == rows.source[:8].tolist()
        assert batch.rows.seg_doc.tolist() == rows.part(0, 8).seg_doc.tolist()
        assert batch.row_numbers.tolist() == list(range(8))
        assert batch.labels is not None
        assert (batch.labels != IGNORED_LABEL).sum() == rows.n_loss[:8].sum()
        assert (batch.stage, batch.stage_index, batch.epoch, batch.step) == ("stage1", 0, 0, 0)


def test_every_row_comes_as_often_as_its_epochs(two_stages: Stages, stream: TokenStream) -> None:
    seen: dict[Place, int] = {}
    for batch in stream.batches(24):
        rows = two_stages[batch.stage_index][1]
        assert (batch.tokens == rows.tokens[batch.row_numbers]).all()
        assert batch.rows.n_tok.tolist() == rows.n_tok[batch.row_numbers].tolist()
        assert batch.rows.seg_len.tolist() == rows.take(batch.row_numbers).seg_len.tolist()
        for row in batch.row_numbers.tolist():
            seen[batch.stage_index, batch.epoch, row] = seen.get((batch.stage_index, batch.epoch, row), 0) + 1
    expected = [(0, e, r) for e in range(2) for r in range(100)] + [(1, 0, r) for r in range(50)]
    assert seen == dict.fromkeys(expected, 1)


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("threads", [0, 1, 4])
def test_world_size_and_threads_change_nothing(
    stream: TokenStream, reference: list[list[Place]], world: int, threads: int
) -> None:
    assert all_ranks(stream, 24, world, read_ahead_threads=threads) == reference


@pytest.mark.parametrize(("world", "micro", "threads"), [(1, 1, 2), (2, 4, 8), (3, 2, 2), (8, 3, 3)])
def test_micro_batches_change_nothing(
    stream: TokenStream, reference: list[list[Place]], world: int, micro: int, threads: int
) -> None:
    assert all_ranks(stream, 24, world, micro_batch_rows=micro, read_ahead_threads=threads) == reference
    for batch in stream.batches(24, rank=world - 1, world_size=world, micro_batch_rows=micro):
        assert len(batch) <= micro


def test_dropped_rests_leave_all_else_as_it_is(stream: TokenStream, reference: list[list[Place]]) -> None:
    full = [step for step in reference if len(step) == 24]
    assert all_ranks(stream, 24, 2, last_batch="drop") == full


@pytest.mark.parametrize("threads", [0, 3])
def test_resuming_after_every_step_is_exact(
    stream: TokenStream, reference: list[list[Place]], threads: int
) -> None:
    with stream.batches(24, rank=1, world_size=2, read_ahead_threads=threads) as batches:
        states = [batches.state()]
        for batch in batches:
            assert batch.step == len(states) - 1
            states.append(json.loads(json.dumps(batches.state())))
    assert len(states) == len(reference) + 1
    for done, state in enumerate(states):
        assert state["steps"] == done
        assert state["rows"] == sum(len(step) for step in reference[:done])
        rest = list(places(stream.batches(24, start=state, read_ahead_threads=threads)).values())
        assert rest == reference[done:], f"resumed after step {done}"
    assert list(stream.batches(24, start=states[-1])) == []


def all_ranks_from(stream: TokenStream, size: int, start: dict[str, Any]) -> list[Place]:
    return [row for step in places(stream.batches(size, start=start)).values() for row in step]


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_the_batch_size_may_change_at_any_step(stream: TokenStream, sizes: list[int]) -> None:
    """The cursor counts rows: whatever the sizes were, the rest of the stream is the same."""
    flat = [row for step in places(stream.batches(10**6)).values() for row in step]
    taken: list[Place] = []
    state: dict[str, Any] | None = None
    for size in sizes:
        with stream.batches(size, start=state, read_ahead_threads=0) as batches:
            batch = next(batches, None)
            if batch is not None:
                taken += [(batch.stage_index, batch.epoch, row) for row in batch.row_numbers.tolist()]
            state = batches.state()
    assert state is not None
    assert taken + all_ranks_from(stream, 7, state) == flat


def test_the_state_counts_exactly_what_was_delivered(two_stages: Stages, stream: TokenStream) -> None:
    """All ranks count the whole global batch, by source, and end at the manifest's totals."""
    counted = {name: np.zeros(3, dtype=np.int64) for name in stream.sources}
    readers = [stream.batches(24, rank=r, world_size=3, read_ahead_threads=r) for r in range(3)]
    shapes = set()
    for _ in range(13):
        for batch in [next(reader) for reader in readers]:
            for row, number in enumerate(batch.source_ids.tolist()):
                n_tok = int(batch.rows.n_tok[row])
                inputs = min(n_tok, batch.tokens.shape[1] - 1)
                counted[stream.sources[number]] += (1, inputs, int(batch.rows.n_loss[row]))
        states = [reader.state() for reader in readers]
        assert states[0] == states[1] == states[2]
        assert {name: list(c.values()) for name, c in states[0]["sources"].items()} == {
            name: c.tolist() for name, c in counted.items()
        }
        shapes.add(json.dumps(states[0], default=str).count(","))
    assert len(shapes) == 1, "the state keeps its shape"
    assert len(json.dumps(states[0])) < 1024
    totals = [stage.shards.header.sources for stage in stream.stages]
    for i, name in enumerate(stream.sources):
        assert counted[name][1] == 2 * totals[0][i].tokens + totals[1][i].tokens
        assert counted[name][2] == 2 * totals[0][i].targets + totals[1][i].targets
    for reader in readers:
        reader.close()


def test_a_state_inside_a_global_batch_is_the_one_before_it(stream: TokenStream) -> None:
    with stream.batches(24, micro_batch_rows=8) as batches:
        seen = []
        for _ in range(7):
            next(batches)
            seen.append(batches.state()["next_row"])
    assert seen == [0, 0, 24, 24, 24, 48, 48]


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


def test_policies_follow_the_manifest_or_the_caller(make_stage: WriteStage) -> None:
    crossing = Boundaries(reset_attention=False, reset_positions=False, cross_document_loss=True)
    folder, rows = make_stage(padding=True, boundaries=crossing)
    stream = open_stream(folder)
    arrays = {"labels": True, "position_ids": True, "cu_seqlens": True}
    with stream.batches(8, **arrays) as batches:
        batch = next(batches)
        assert batch.labels is not None
        assert batch.position_ids is not None
        assert batch.cu_seqlens is not None
        assert batch.cu_seqlens.tolist() == list(range(0, 129, 16))
        assert (batch.position_ids == np.arange(16)).all()
        assert batches.state()["targets"] == rows.n_loss[:8].sum() == (batch.labels >= 0).sum()
    strict = Boundaries()
    with stream.batches(8, boundaries=strict, **arrays) as batches:
        batch = next(batches)
        expected = make_labels(rows.part(0, 8), rows.tokens[:8], cross_document_loss=False)
        assert batch.labels is not None
        assert batch.labels.tolist() == expected.tolist()
        assert batches.state()["targets"] == (expected >= 0).sum() == batch.rows.n_loss.sum()
        assert batch.attention_mask().shape == (8, 16, 16)
        documents = batch.document_ids()
        assert documents[0, 0] == rows.seg_doc[0]
        used = batch.segment_ids() >= 0
        assert set(documents[used].tolist()) <= set(rows.part(0, 8).seg_doc.tolist())
        assert (documents[~used] == 2**64 - 1).all()


def test_a_length_warm_up_keeps_rows_tokens_and_targets(
    stream: TokenStream, reference: list[list[Place]]
) -> None:
    schedule = [(0, 4), (48, 8), (200, 32)]
    with stream.batches(24, labels=True, sequence_lengths=schedule) as batches:
        widths = []
        for batch in batches:
            assert batch.labels is not None
            widths.append(batch.labels.shape[1])
            assert list(dict.fromkeys(batch.row_numbers.tolist())) == [
                row for _, _, row in reference[batch.step]
            ]
        short = batches.state()
    assert widths == [4, 4, *[8] * 8, 32, 32, 32]
    whole = stream.batches(24)
    assert sum(len(batch) for batch in whole) == 250
    assert short == whole.state()


def test_any_step_can_be_read_again(stream: TokenStream) -> None:
    for batch in stream.batches(24):
        start = batch.step % 5 * 24 if batch.stage_index == 0 else (batch.step - 10) * 24
        again = stream.read(start, start + len(batch), stage=batch.stage_index, epoch=batch.epoch)
        assert (again.tokens == batch.tokens).all()
        assert again.row_numbers.tolist() == batch.row_numbers.tolist()
    with pytest.raises(UsageError, match="no such epoch"):
        stream.read(0, 1, stage=0, epoch=2)
    with pytest.raises(UsageError, match="has 50 rows"):
        stream.read(40, 51, stage=1)


def test_streams_are_opened_by_build_by_folder_and_refused_with_a_reason(
    two_stages: Stages, make_stage: WriteStage, tmp_path: Path
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
    assert open_stream(path, epochs=[2, 1]).num_rows == 250
    with pytest.raises(UsageError, match="no shards of a stage 'stag2'; did you mean 'stage"):
        open_stream(path, stages=["stag2"])
    with pytest.raises(UsageError, match="dataprep build"):
        open_stream(str(tmp_path / "no.json"))
    with pytest.raises(ArtifactError, match=r"no manifest.json"):
        open_stream(str(tmp_path))
    with pytest.raises(UsageError, match="at least one stage"):
        open_stream([])
    with pytest.raises(UsageError, match=r"epochs=\[1\]"):
        open_stream(folders, epochs=[1])
    with pytest.raises(UsageError, match="stages= chooses"):
        open_stream(folders, stages=["stage1"])
    other = make_stage(stage="stage2", tokenizer_sha256="1" * 64)[0]
    with pytest.raises(UsageError, match="one tokenizer: tokenizer_sha256"):
        open_stream([folders[0], other])


def test_a_stream_survives_pickling_and_a_fork(stream: TokenStream, reference: list[list[Place]]) -> None:
    again = pickle.loads(pickle.dumps(stream))
    assert all_ranks(again, 24, 1) == reference
    with stream.batches(24, read_ahead_threads=2) as batches:
        first = next(batches)
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            rows = places(batches)
            os.write(write_end, json.dumps(list(rows.values())).encode())
            os._exit(0)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            from_child = json.loads(pipe.read())
        os.waitpid(child, 0)
        in_parent = list(places(batches).values())
    assert first.step == 0
    assert in_parent == reference[1:]
    assert [[tuple(row) for row in step] for step in from_child] == reference[1:]


def test_no_thread_outlives_its_reader(stream: TokenStream) -> None:
    def reading() -> int:
        return sum(thread.name.startswith("dataprep-") for thread in threading.enumerate())

    before = reading()
    batches = stream.batches(24, read_ahead_threads=4)
    next(batches)
    assert reading() == before + 4
    batches.close()
    assert reading() == before
    next(batches)
    assert reading() == before + 4, "it goes on after close"
    batches.close()
    counters = batches.counters()
    assert counters["batches"] == 2
    assert counters["rows"] == 48
    assert counters["tokens_by_source"] == {"web": 256, "code": 256, "books": 256}
    assert {"wait_seconds", "read_seconds", "record_batches_read", "ready_steps"} <= set(counters)


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
