"""Both exchanges bring the same rows, in the same order, to the same bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dataprep import storage
from dataprep.errors import BadInputError, ConfigError
from pipelines.engine import Engine, Progress, Task, run_tasks
from pipelines.exchange import exchange


def emit_numbers(payload: tuple[int, int]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Emit range(start, stop), two numbers a batch, to bucket number % 3."""
    start, stop = payload
    for number in range(start, stop):
        yield number % 3, pa.record_batch({"number": pa.array([number, -number], pa.int64())})


@dataclass(frozen=True)
class WriteBucket:
    folder: str

    def __call__(self, bucket: int, batches: Iterator[pa.RecordBatch]) -> Mapping[str, Any]:
        numbers = [n for batch in batches for n in batch.column("number").to_pylist()]
        storage.write_json(storage.join(self.folder, f"{bucket}.json"), numbers)
        return {"rows": len(numbers), "numbers": numbers}


def map_tasks(folder: str, payloads: list[tuple[int, int]]) -> list[Task]:
    return [Task(f"map-{i}", f"{folder}/mapped/map-{i}.json", payload) for i, payload in enumerate(payloads)]


@pytest.mark.parametrize("kind", ["files", "shuffle"])
@pytest.mark.parametrize("num_workers", [1, 2])
def test_rows_arrive_by_task_then_by_emission(tmp_path, monkeypatch, kind, num_workers):
    # Worker processes must be able to import the functions of this file.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    folder = str(tmp_path)
    results = exchange(
        "numbers",
        map_tasks(folder, [(0, 4), (4, 9)]),
        emit_numbers,
        WriteBucket(folder),
        num_buckets=4,
        work_folder=folder,
        engine=Engine(exchange=kind, num_workers=num_workers),
    )
    assert {b: r["numbers"] for b, r in results.items()} == {
        0: [0, 0, 3, -3, 6, -6],
        1: [1, -1, 4, -4, 7, -7],
        2: [2, -2, 5, -5, 8, -8],
        3: [],
    }


def fail_on_two(payload: int) -> Mapping[str, Any]:
    if payload == 2:
        raise BadInputError("row 2 is no number; remove it")
    return {"rows": 1, "value": payload}


def tasks_of(folder: str, count: int) -> list[Task]:
    return [Task(f"t{i}", f"{folder}/_done/t{i}.json", i) for i in range(count)]


def test_a_task_error_reaches_the_caller_with_its_own_type_and_message(tmp_path):
    with pytest.raises(BadInputError, match=r"^row 2 is no number; remove it$"):
        run_tasks("numbers", tasks_of(str(tmp_path), 3), fail_on_two, engine=Engine())


def test_finished_tasks_are_not_run_again(tmp_path):
    tasks = tasks_of(str(tmp_path), 2)
    first = run_tasks("numbers", tasks, fail_on_two, engine=Engine())
    again = run_tasks("numbers", tasks, _must_not_run, engine=Engine())
    assert first == again == {"t0": {"rows": 1, "value": 0}, "t1": {"rows": 1, "value": 1}}


def _must_not_run(payload: int) -> Mapping[str, Any]:
    raise AssertionError("the task ran again")


def test_a_damaged_marker_is_not_trusted(tmp_path):
    tasks = tasks_of(str(tmp_path), 1)
    (tmp_path / "_done").mkdir()
    (tmp_path / "_done" / "t0.json").write_text('{"result": {"rows": 99}}')
    with pytest.raises(Exception, match="left no marker"):
        run_tasks("numbers", tasks, fail_on_two, engine=Engine())


def test_progress_counts_markers(tmp_path):
    seen: list[Progress] = []
    run_tasks("numbers", tasks_of(str(tmp_path), 2), fail_on_two, engine=Engine(progress=seen.append))
    assert (seen[-1].num_done, seen[-1].num_tasks, seen[-1].rows_done, seen[-1].finished) == (2, 2, 2, True)


def test_the_mode_that_loses_elements_is_refused():
    with pytest.raises(ConfigError, match="multi_threading is refused"):
        Engine(beam_options=("--direct_running_mode=multi_threading",))
