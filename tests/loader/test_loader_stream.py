"""The same rows in the same order, whoever reads them, and exactly resumable after every step."""

from __future__ import annotations

import gc
import json
import os
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.artifacts import open_artifact, write_sealed_json
from dataprep.errors import UsageError
from dataprep.loader import BatchReader, TokenStream, open_stream
from dataprep.loader.boundaries import IGNORED_LABEL, make_labels
from dataprep.shards import Boundaries, Rows, ShardReader, ShardStage

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
        for number in range(7):
            assert next(batches).ends_step == (number % 3 == 2)
            seen.append(batches.state()["next_row"])
    assert seen == [0, 0, 24, 24, 24, 48, 48]


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


def note_opened_shards(monkeypatch: pytest.MonkeyPatch) -> list[weakref.ref[ShardReader]]:
    """Return a list that grows with every shard that is opened from now on."""
    opened: list[weakref.ref[ShardReader]] = []
    open_shard = ShardStage.open_shard

    def noted(stage: ShardStage, shard: int, **options: Any) -> ShardReader:
        reader = open_shard(stage, shard, **options)
        opened.append(weakref.ref(reader))
        return reader

    monkeypatch.setattr(ShardStage, "open_shard", noted)
    return opened


@pytest.mark.parametrize("threads", [0, 3])
def test_few_shards_are_open_at_once_and_none_after_closing(
    make_stage: WriteStage, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_stage(num_rows=1600)  # 100 shards
    opened = note_opened_shards(monkeypatch)

    def num_open() -> int:
        return sum(reader() is not None for reader in opened)

    stream = open_stream(folder)
    gc.disable()  # They are to go by themselves.
    try:
        with stream.batches(8, read_ahead_threads=threads) as batches:
            most = max(num_open() for _ in batches)
        # A thread that falls behind may open its shard again.
        assert len(opened) == 100 or (threads and len(opened) > 100)
        # One that is read, four more, and those that the threads hold.
        assert 1 <= most <= 1 + 4 + threads
        assert num_open() == 0
    finally:
        gc.enable()


def test_a_stage_of_thirty_thousand_shards_is_entered_anywhere_at_once(
    make_stage: WriteStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening reads the manifest; after that any row is a matter of arithmetic."""
    folder, rows = make_stage(num_rows=16)
    small = open_artifact(folder).manifest
    num_shards = 30_000
    files = tuple(replace(small.files[0], path=f"shard-{i:05d}.arrow") for i in range(num_shards))
    details = {**small.details, "num_rows": num_shards * 16}
    write_sealed_json(f"{folder}/manifest.json", replace(small, files=files, details=details).to_json())
    for shard in (24_000, 29_999):
        os.link(f"{folder}/shard-00000.arrow", f"{folder}/shard-{shard:05d}.arrow")

    opened = note_opened_shards(monkeypatch)
    stream = open_stream(folder, epochs=2)
    for row in (0, 24_000 * 16 + 5, 29_999 * 16 + 13):
        state = {**stream.initial_state().to_json(), "next_row": row}
        before = len(opened)
        with stream.batches(3, start=state, dtype="uint32", read_ahead_threads=0) as batches:
            batch = next(batches)
        assert len(opened) - before == 1, "only the shard that the row is in is touched"
        assert batch.row_numbers.tolist() == [row, row + 1, row + 2]
        assert (batch.tokens == rows.tokens[row % 16 : row % 16 + 3]).all()
    places = stream.stages[0].order.locate(1, 100_000, 100_100)
    assert len({place.shard for place in places}) <= stream.shards_at_once == 16
