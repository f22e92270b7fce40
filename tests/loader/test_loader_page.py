"""docs/loader.md: every Python block is run, one after the other, and says what it says."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from faulty_storage import FaultyStorage

from dataprep.artifacts import write_sealed_json
from dataprep.loader.counters import COUNTERS
from dataprep.shards import Rows

PAGE = Path(__file__).parents[2] / "docs" / "loader.md"
WriteStage = Callable[..., tuple[str, Rows]]


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def built(tmp_path: Path, write_stage_in: WriteStage) -> Path:
    """A build of two stages and a validation stage, below the current folder."""
    root = tmp_path / "built"
    stages = {
        "main": write_stage_in(str(root), stage="main", num_rows=96)[0],
        "long": write_stage_in(str(root), stage="long", num_rows=50, length=32, seed=2)[0],
        "validation": write_stage_in(str(root), stage="validation", num_rows=20, seed=3)[0],
    }
    shards = {name: os.path.relpath(folder, root) for name, folder in stages.items()}
    write_sealed_json(
        str(root / "builds" / "demo.json"), {"stages": list(stages), "artifacts": {"shards": shards}}
    )
    return root


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
def test_every_block_of_the_page_runs(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    monkeypatch.chdir(tmp_path)
    trained: list[tuple[int, ...]] = []
    names: dict[str, Any] = {
        "rank": 0,
        "world_size": 2,
        "train": lambda inputs, labels: trained.append(tuple(inputs.shape)),
    }
    printed = []
    with closing(FaultyStorage(built)) as server:
        for block in blocks():
            code = block.replace("s3://bucket", server.url).replace("/tmp/shards", str(tmp_path / "shards"))
            exec(compile(code, str(PAGE), "exec"), names)
            printed.append(capsys.readouterr().out)
    assert len(printed) == 6
    assert len(printed[0].splitlines()) == 4 + 3, "a line for each step of both stages"
    assert printed[1] == "True\n"
    assert printed[2] == "192 20\n"
    assert printed[3] == "[(48, 8), (48, 8), (24, 16)]\n"
    assert printed[4] == ""
    step, num_files = map(int, printed[5].split())
    assert step == 0
    assert 1 <= num_files <= 10, "the first shard, and some ahead of it"
    assert trained[0] == (4, 16)
    assert len(trained) == 2 * (4 * 3 + 2 * 3 + 1), "numpy and PyTorch see the same batches"


def test_the_page_explains_every_counter() -> None:
    text = PAGE.read_text("utf-8")
    assert [name for name in COUNTERS if f"`{name}`" not in text] == []
