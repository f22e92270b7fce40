"""A stage with other weights from row N on: the parent's rows before, no token twice, exact resume."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mix_stores import Made, all_rows, labels_of, make_documents, make_mixture, make_plans, make_store

import pipelines.mix
from dataprep import artifacts
from dataprep.errors import StreamError
from dataprep.loader import open_stream
from dataprep.loader.state import Cursor
from dataprep.mixture import Mixture
from dataprep.plan import StagePlan, plan_rest
from dataprep.shards import Rows, ShardStage
from dataprep.tokenizers import ARCADE100K
from dataprep.tokens import TokenStore
from dataprep.verification import verify_output
from pipelines.engine import Engine
from pipelines.planning import available_tokens, publish_plan

NAMES = ("web", "code", "books")
LENGTH = 24


@pytest.fixture(autouse=True)
def _tasks_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the tasks one after the other: what Beam does with them is tested elsewhere."""

    def run_tasks(label: str, tasks: Any, work: Any, *, engine: Engine) -> dict[str, Any]:
        return {task.name: work(task.payload) for task in tasks}

    monkeypatch.setattr(pipelines.mix, "run_tasks", run_tasks)


def mixture(weights: tuple[float, ...], rows: int) -> Mixture:
    return make_mixture(
        dict(zip(NAMES, weights, strict=True)), tokens=rows * LENGTH, sequence_length=LENGTH
    ).model_copy(update={"max_epochs": 255})


def make_parent(output: Path, weights: tuple[float, ...], rows: int) -> tuple[Made, ShardStage]:
    stores = {
        name: make_store(str(output), name, {"all": make_documents(count, seed=i)}, first_id=1000 * (i + 1))
        for i, (name, count) in enumerate(zip(NAMES, (300, 120, 60), strict=True))
    }
    made = make_plans(output, mixture(weights, rows), stores)
    return made, ShardStage(_mix(made, made.mixture, made.stages[0], made.plans[0], None))


def _mix(made: Made, one: Mixture, plan: StagePlan, plan_artifact: Any, parent: ShardStage | None) -> Any:
    return pipelines.mix.mix(
        plan=plan,
        plan_artifact=plan_artifact,
        token_stores=made.tokens,
        mixture=one,
        tokenizer=ARCADE100K,
        output_root=made.output,
        engine=Engine(),
        parent=parent,
    )


def fork(
    made: Made, parent: ShardStage, parent_plan: StagePlan, weights: tuple[float, ...], row: int
) -> tuple[ShardStage, StagePlan]:
    one = mixture(weights, parent_plan.fork_row + parent_plan.num_rows)
    sizes = available_tokens(made.tokens)
    (plan,) = plan_rest(one, before=[], parent=parent_plan, row=row, available=sizes)
    published = publish_plan(plan, one, made.tokens, output=made.output)
    return ShardStage(_mix(made, one, plan, published.artifact, parent)), plan


def assert_equal_rows(found: Rows, expected: Rows) -> None:
    for column in ("tokens", "source", "n_tok", "n_loss", "seg_len", "seg_doc", "seg_off", "seg_flags"):
        assert np.array_equal(getattr(found, column), getattr(expected, column)), column


weights = st.tuples(*[st.integers(2, 9).map(float)] * 3)


@settings(max_examples=12, deadline=None)
@given(first=weights, second=weights, third=weights, blocks=st.tuples(st.integers(1, 4), st.integers(0, 3)))
def test_every_token_comes_once_and_the_new_weights_hold(
    first: tuple[float, ...], second: tuple[float, ...], third: tuple[float, ...], blocks: tuple[int, int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made, stage = make_parent(Path(folder), first, 600)
        plan, row = made.stages[0], 0
        for changed, more in zip((second, third), blocks, strict=True):
            row += 64 * more
            before = all_rows(stage)
            stage, plan = fork(made, stage, plan, changed, row)
            rows = all_rows(stage)
            assert len(rows) == stage.num_rows == 600
            assert_equal_rows(rows.part(0, row), before.part(0, row))
            counts = np.array(list(plan.source_rows.values()))
            for start in range(row, 600 - 63, 64):
                found = np.bincount(rows.source[start : start + 64], minlength=3)
                assert (np.abs(found - 64 * counts / (600 - row)) < 1).all()
            assert [s.rows for s in stage.header.sources] == np.bincount(rows.source).tolist()
            report = verify_output(stage.artifact.folder)
            assert report.ok, report.to_text()
        if any("are not read" in notice for notice in plan.notices):
            return
        expected = Counter[tuple[int, int]]()
        for stream in plan.streams:
            span = TokenStore.open(made.tokens[stream.source]).read_tokens("all", 0, stream.end_token + 1)
            for doc, offset, length in zip(*(c.tolist() for c in (span.doc_id, span.offset, span.length))):
                expected.update((doc, token) for token in range(offset, offset + length))
        assert labels_of(rows) == expected


def test_whole_shards_before_the_fork_are_the_parents_files(tmp_path: Path) -> None:
    made, parent = make_parent(tmp_path, (6.0, 3.0, 1.0), 600)
    child, _ = fork(made, parent, made.stages[0], (1.0, 1.0, 1.0), 320)
    own = [shard.path for shard in child.shards]
    theirs = f"../{Path(parent.artifact.folder).name}"
    assert own == [f"{theirs}/shard-00000.arrow", f"{theirs}/shard-00001.arrow"] + [
        f"shard-0000{i}.arrow" for i in (2, 3, 4)
    ]
    assert sorted(path.name for path in Path(child.artifact.folder).iterdir()) == [
        "manifest.json", *own[2:]
    ]  # fmt: skip
    assert child.header.forks[0].row == 320
    assert child.artifact.manifest.inputs["parent"] == parent.artifact.manifest.fingerprint
    again = artifacts.open_artifact(child.artifact.folder)
    assert artifacts.damaged_files(again) == []
    assert ShardStage(again).header == child.header


def test_a_run_goes_on_in_the_child_at_its_row_and_nowhere_else(tmp_path: Path) -> None:
    made, parent = make_parent(tmp_path, (6.0, 3.0, 1.0), 600)
    child, plan = fork(made, parent, made.stages[0], (1.0, 1.0, 1.0), 320)
    grandchild, _ = fork(made, child, plan, (1.0, 8.0, 1.0), 448)
    folders = [stage.artifact.folder for stage in (parent, child, grandchild)]
    states = {}
    with open_stream(folders[0]).batches(40) as reader:
        for _ in range(9):
            next(reader)
            state = reader.state()
            states[state["next_row"]] = state
    for stage, folder in ((child, folders[1]), (grandchild, folders[2])):
        stream, rows = open_stream(folder), all_rows(stage)
        for row in (40, 280, 320):
            with stream.batches(40, start=states[row]) as reader:
                batch = next(reader)
                assert np.array_equal(batch.tokens, rows.tokens[row : row + 40])
                state = reader.state()
            assert state["next_row"] == state["rows"] == row + 40
            assert state["stages"] == [list(one) for one in stream.identity]
        with pytest.raises(
            StreamError, match="is at row 360 of stage 'main', but the shards in .* at row 320"
        ):
            stream.adopt(states[360])
    with open_stream(folders[1]).batches(448) as reader:
        next(reader)
        of_child = reader.state()
    assert open_stream(folders[2]).adopt(of_child).cursor.next_row == 448
    for folder, state in (
        (folders[0], of_child),
        (folders[1], {**states[40], "stages": [["main", "0" * 64]]}),
    ):
        with pytest.raises(StreamError, match="belongs to other shards"):
            open_stream(folder).adopt(state)


def test_a_later_epoch_of_the_parent_is_refused(tmp_path: Path) -> None:
    made, parent = make_parent(tmp_path, (6.0, 3.0, 1.0), 600)
    child, _ = fork(made, parent, made.stages[0], (1.0, 1.0, 1.0), 320)
    stream = open_stream(parent.artifact.folder, epochs=2)
    state = stream.initial_state()
    later = replace(state, cursor=Cursor(stage=0, epoch=1, next_row=64))
    with pytest.raises(StreamError, match="belongs to other shards"):
        open_stream(child.artifact.folder, epochs=2).adopt(later)
