"""Any number of workers gives the same batches; every batch carries the state to resume from."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from dataprep.errors import StreamError, UsageError
from dataprep.loader import TokenStream, open_stream
from dataprep.loader.boundaries import make_labels
from dataprep.shards import Rows

torch = pytest.importorskip("torch", reason="the extra 'torch' is not installed")

from dataprep.loader.torch import TokenDataset, data_loader  # noqa: E402

Stages = tuple[tuple[str, Rows], tuple[str, Rows]]
# More workers than this machine has cores, on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")


@pytest.fixture(scope="module")
def stream(two_stages: Stages) -> TokenStream:
    return open_stream([folder for folder, _ in two_stages], epochs=[2, 1], window_shards=3)


def rows_of(batches: Any) -> list[tuple[int, list[int]]]:
    return [(batch["stage"], batch["row_numbers"].tolist()) for batch in batches]


@pytest.fixture(scope="module")
def reference(stream: TokenStream) -> list[tuple[int, list[int]]]:
    with stream.batches(24, rank=1, world_size=2, micro_batch_rows=3) as batches:
        return [(batch.stage_index, batch.row_numbers.tolist()) for batch in batches]


def dataset_of(stream: TokenStream, **options: Any) -> TokenDataset:
    return TokenDataset(
        stream, **{"global_batch_rows": 24, "rank": 1, "world_size": 2, "micro_batch_rows": 3, **options}
    )


@pytest.mark.parametrize("num_workers", [0, 1, 2, 3, 5])
def test_workers_change_nothing(
    stream: TokenStream, reference: list[tuple[int, list[int]]], num_workers: int
) -> None:
    assert rows_of(data_loader(dataset_of(stream), num_workers=num_workers)) == reference


@pytest.mark.parametrize(("world_size", "num_workers"), [(1, 3), (3, 2), (4, 3), (8, 1)])
def test_ranks_with_workers_read_every_row_once_and_in_order(
    stream: TokenStream, world_size: int, num_workers: int
) -> None:
    with stream.batches(24) as batches:
        expected = [(batch.stage_index, batch.row_numbers.tolist()) for batch in batches]
    steps: dict[int, tuple[int, list[int]]] = {}
    for rank in range(world_size):
        dataset = dataset_of(stream, rank=rank, world_size=world_size, micro_batch_rows=1)
        for batch in data_loader(dataset, num_workers=num_workers):
            _, rows = steps.setdefault(batch["step"], (batch["stage"], []))
            rows += batch["row_numbers"].tolist()
    assert [steps[step] for step in range(len(expected))] == expected


def test_workers_may_be_spawned(stream: TokenStream, reference: list[tuple[int, list[int]]]) -> None:
    loader = data_loader(dataset_of(stream), num_workers=2, multiprocessing_context="spawn")
    assert rows_of(loader) == reference


def test_a_batch_is_ready_for_a_model(stream: TokenStream, two_stages: Stages) -> None:
    rows = two_stages[0][1]
    dataset = dataset_of(stream, rank=0, position_ids=True, segment_ids=True, cu_seqlens=True)
    batch = next(iter(data_loader(dataset)))
    assert batch["input_ids"].dtype == batch["labels"].dtype == torch.int64
    assert batch["input_ids"].is_contiguous()
    assert (batch["input_ids"].numpy() == rows.tokens[:3, :-1]).all()
    expected = make_labels(rows.part(0, 3), rows.tokens[:3], cross_document_loss=False)
    assert (batch["labels"].numpy() == expected).all()
    assert (batch["stage"], batch["step"], batch["ends_step"]) == (0, 0, False)
    assert batch["cu_seqlens"].dtype == torch.int32
    assert batch["cu_seqlens"][-1] == 3 * 16
    assert batch["max_seqlen"] == np.diff(batch["cu_seqlens"].numpy()).max()
    assert batch["position_ids"].shape == batch["segment_ids"].shape == (3, 16)
    assert batch["source_ids"].tolist() == rows.source[:3].tolist()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_state_of_a_batch_resumes_with_other_workers_and_ranks(
    stream: TokenStream, reference: list[tuple[int, list[int]]], num_workers: int
) -> None:
    states = [batch["state"] for batch in data_loader(dataset_of(stream), num_workers=num_workers)]
    with stream.batches(24, rank=1, world_size=2, micro_batch_rows=3) as batches:
        assert [json.loads(state) for state in states] == [batches.state() for _ in batches]
    for done in (1, 4, 9, 17, 33):
        state = states[done - 1]
        behind = json.loads(state)["steps"]
        resumed = rows_of(data_loader(dataset_of(stream, start=state), num_workers=3 - num_workers))
        first = next(i for i in range(len(reference)) if reference[i:] == resumed)
        assert first <= done, "a batch was skipped"
        with stream.batches(24, start=state) as rest:
            assert next(rest).step == behind
    other = dataset_of(stream)
    other.load_state_dict(states[-1])
    assert rows_of(data_loader(other)) == []


def test_sizes_are_checked_before_anything_is_read(stream: TokenStream) -> None:
    with pytest.raises(UsageError, match="no multiple of world_size"):
        dataset_of(stream, world_size=5)
    with pytest.raises(StreamError, match="not a loader state"):
        dataset_of(stream, start="{}")


def test_ranks_are_those_of_torch_distributed(stream: TokenStream, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"is_initialized": True, "get_rank": 1, "get_world_size": 2}.items():
        monkeypatch.setattr(torch.distributed, name, lambda value=value: value)
    dataset = dataset_of(stream, rank=None, world_size=None)
    with stream.batches(24, rank=1, world_size=2, micro_batch_rows=3) as batches:
        assert rows_of(iter(dataset))[0][1] == next(batches).row_numbers.tolist()


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")
@pytest.mark.parametrize("num_workers", [0, 1, 2, 3])
def test_torchdata_resumes_after_every_batch(
    stream: TokenStream, reference: list[tuple[int, list[int]]], num_workers: int
) -> None:
    stateful = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")

    def loader() -> Any:
        return stateful.StatefulDataLoader(dataset_of(stream), batch_size=None, num_workers=num_workers)

    for stop in (1, 2, 3, 6, 7, 20):
        first = loader()
        taken = []
        for batch in first:
            taken += rows_of([batch])
            if len(taken) == stop:
                break
        state = first.state_dict()
        second = loader()
        second.load_state_dict(state)
        assert taken + rows_of(second) == reference, f"resumed after {stop} batches"
