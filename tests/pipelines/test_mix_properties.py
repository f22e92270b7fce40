"""On random mixtures, every token of every document is trained on as often as its epochs say."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mix_stores import Made, all_rows, labels_of, make_documents, make_plans, make_store

import pipelines.mix
from dataprep.errors import PlanError
from dataprep.mixture import Mixture
from dataprep.shards import Rows, ShardStage, row_problems
from dataprep.tokenizers import ARCADE100K
from dataprep.tokens import TokenStore
from pipelines.engine import Engine


@pytest.fixture(autouse=True)
def _tasks_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the tasks one after the other: what Beam does with them is tested elsewhere."""

    def run_tasks(label: str, tasks: Any, work: Any, *, engine: Engine) -> dict[str, Any]:
        return {task.name: work(task.payload) for task in tasks}

    monkeypatch.setattr(pipelines.mix, "run_tasks", run_tasks)


def rows_of(made: Made, index: int) -> Rows:
    artifact = pipelines.mix.mix(
        plan=made.stages[index],
        plan_artifact=made.plans[index],
        token_stores=made.tokens,
        mixture=made.mixture,
        tokenizer=ARCADE100K,
        output_root=made.output,
        engine=Engine(),
    )
    return all_rows(ShardStage(artifact))


sources = st.fixed_dictionaries(
    {"documents": st.integers(5, 60), "longest": st.integers(1, 80), "weight": st.integers(1, 9)}
)
stages = st.fixed_dictionaries(
    {
        "tokens": st.integers(300, 4000),
        "sequence_length": st.integers(12, 40),
        "packing": st.sampled_from(["concat", "best_fit"]),
    }
)


@settings(max_examples=15)
@given(sizes=st.lists(sources, min_size=1, max_size=4), two=st.lists(stages, min_size=1, max_size=2))
def test_tokens_appear_as_often_as_the_epochs_say(
    sizes: list[dict[str, int]], two: list[dict[str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        names = [f"s{i}" for i in range(len(sizes))]
        stores = {
            name: make_store(
                folder,
                name,
                {"all": make_documents(size["documents"], seed=i, longest=size["longest"])},
                first_id=1000 * (i + 1),
            )
            for i, (name, size) in enumerate(zip(names, sizes, strict=True))
        }
        weights = {name: {"weight": size["weight"]} for name, size in zip(names, sizes, strict=True)}
        mixture = Mixture.model_validate(
            {
                "name": "random",
                "tokenizer": "arcade100k",
                "max_epochs": 255,
                "sources": {name: {"from": name, "subsets": "all"} for name in names},
                "stages": [{"name": f"stage{i}", "sources": weights, **one} for i, one in enumerate(two)],
            }
        )
        try:
            made = make_plans(Path(folder), mixture, stores, rows_per_shard=128)
        except PlanError:
            return
        for index, plan in enumerate(made.stages):
            try:
                rows = rows_of(made, index)
            except PlanError:
                continue
            assert row_problems(rows, vocab_size=ARCADE100K.vocab_size, num_sources=len(names)) == []
            counts = np.bincount(rows.source, minlength=len(names))
            for start in range(0, len(rows) - 63, 64):
                found = np.bincount(rows.source[start : start + 64], minlength=len(names))
                assert (np.abs(found - 64 * counts / len(rows)) < 1).all()
            if plan.packing == "concat":
                assert counts.tolist() == list(plan.source_rows.values())
            expected = Counter[tuple[int, int]]()
            for stream in plan.streams:
                expected += _planned(TokenStore.open(stores[stream.source]), stream, plan.packing)
            assert labels_of(rows) == expected


def _planned(store: TokenStore, stream: Any, packing: str) -> Counter[tuple[int, int]]:
    """Return how often a stage should hold each (document, token) of a stream."""
    seen = Counter[tuple[int, int]]()
    if stream.num_rows == 0 and packing == "concat":
        return seen
    if packing == "best_fit":
        whole = store.read_tokens("all", 0, store.stream("all").num_tokens)
        lengths = dict(zip(whole.doc_id.tolist(), whole.length.tolist(), strict=True))
        span = store.read_tokens("all", stream.start_token, stream.end_token)
        for doc, starts in zip(span.doc_id.tolist(), span.starts.tolist(), strict=True):
            seen.update((doc, token) for token in range(lengths[doc] if starts else 0))
        return seen
    # The first token of a stage was the last label of the stage before, unless the stream begins here.
    first = stream.start_token + (1 if stream.start_token else 0)
    span = store.read_tokens("all", first, stream.end_token + 1)
    for doc, offset, length in zip(
        span.doc_id.tolist(), span.offset.tolist(), span.length.tolist(), strict=True
    ):
        seen.update((doc, token) for token in range(offset, offset + length))
    return seen
