"""``dataprep mix --continue-from`` on a small finished build: files, record, checks and errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from output_builder import MIXTURE, Output, rewrite_shard

from dataprep.artifacts import read_sealed_json
from dataprep.loader import open_stream
from dataprep.output import open_build
from dataprep.shards import Rows, ShardStage
from dataprep.tracing import trace_row
from dataprep.verification import verify_output
from pipelines.cli import main


def recipe(folder: Path, **changes: Any) -> str:
    """Write the build's mixture with other weights in its first stage; return its path."""
    value = json.loads(json.dumps(MIXTURE))
    value["stages"][0]["sources"] = {
        "pile": {"weight": 1},
        "oscar": {"weight": 1},
        "books": {"weight": 0.5},
        "code": {"weight": 6},
    }
    stage = changes.pop("stage", {})
    value["stages"][0] |= stage
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump({**value, **changes}, sort_keys=False))
    return str(path)


def run(output: Output, mixture: str, *extra: str, row: int = 128) -> int:
    shards = str(output.folder("shards", "main"))
    return main(["mix", mixture, "--continue-from", shards, "--at-row", str(row), *extra])


def test_a_run_goes_on_with_other_weights(
    output: Output, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record_path = str(output.root / "builds" / "small.json")
    old = read_sealed_json(record_path)
    parent = ShardStage.open(str(output.folder("shards", "main")))
    with open_stream(record_path).batches(96) as reader:
        next(reader)
        state = reader.state()
    assert run(output, recipe(tmp_path)) == 0
    assert "122 rows of 32 (concat) in 1 shard, from row 128 on" in capsys.readouterr().out
    build = open_build(str(output.root))
    new = read_sealed_json(record_path)
    child = ShardStage.open(build.shards["main"])
    assert child.num_rows == parent.num_rows
    assert child.header.forks[0].folder == old["artifacts"]["shards"]["main"]
    assert new["stages"] == old["stages"] == ["main", "last", "validation"]
    for kind in ("documents", "duplicates", "tokens"):
        assert new["artifacts"][kind] == old["artifacts"][kind]
    for stage in ("main", "last"):
        assert new["artifacts"]["shards"][stage] != old["artifacts"]["shards"][stage]
    assert new["artifacts"]["shards"]["validation"] == old["artifacts"]["shards"]["validation"]
    report = verify_output(str(output.root))
    assert report.ok, report.to_text()
    with open_stream(record_path).batches(64, start=state) as reader:
        batch = next(reader)
    expected = np.concatenate([child.read_row(row).tokens for row in range(96, 160)])
    assert np.array_equal(batch.tokens, expected)
    shares = [one.rows - fork for one, fork in zip(child.header.sources, child.header.forks[0].source_rows)]
    assert shares[3] == pytest.approx((child.num_rows - 128) * 6 / 8.5, abs=1)
    assert trace_row(str(output.root), 10) == trace_row(parent.artifact.folder, 10).__class__(
        **{
            **vars(trace_row(parent.artifact.folder, 10)),
            "shard": f"{child.artifact.folder}/shard-00000.arrow",
        }
    )


def test_a_run_may_be_continued_again_and_from_the_first_shards(output: Output, tmp_path: Path) -> None:
    assert run(output, recipe(tmp_path)) == 0
    first = open_build(str(output.root)).shards["main"]
    again = ["mix", recipe(tmp_path, name="small"), "--continue-from", first, "--at-row", "192"]
    assert main(again) == 0
    second = ShardStage.open(open_build(str(output.root)).shards["main"])
    assert [fork.row for fork in second.header.forks] == [192, 128]
    assert run(output, recipe(tmp_path), row=64) == 0
    assert verify_output(str(output.root)).ok


def test_what_does_not_fit_is_named(
    output: Output, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def error_of(mixture: str, *extra: str, row: int = 128) -> str:
        assert run(output, mixture, *extra, row=row) == 2
        return capsys.readouterr().err

    assert "nearest: 64 or 128" in error_of(recipe(tmp_path), row=100)
    assert "differs in `sequence_length`" in error_of(recipe(tmp_path, stage={"sequence_length": 64}))
    assert "differs in `holdout_fraction`" in error_of(recipe(tmp_path, holdout_fraction=0.2))
    assert "nothing is left from row 128 on" in error_of(recipe(tmp_path), "--tokens", "2000")
    stages = [{**MIXTURE["stages"][1], "name": "other"}, MIXTURE["stages"][0]]
    assert "its stages begin with" in error_of(recipe(tmp_path, stages=stages))
    shards = str(output.folder("shards", "last"))
    assert main(["mix", recipe(tmp_path), "--continue-from", shards, "--at-row", "64"]) == 2
    assert "best_fit packing cannot be changed in the middle" in capsys.readouterr().err


def test_verify_finds_a_prefix_that_is_not_the_parents(output: Output, tmp_path: Path) -> None:
    assert run(output, recipe(tmp_path)) == 0
    child = Path(open_build(str(output.root)).shards["main"])

    def change(rows: Rows) -> None:
        rows.epoch[5] += 1

    rewrite_shard(child, change)
    report = verify_output(str(output.root))
    assert any(
        "record batch 0: other rows" in problem for check in report.checks for problem in check.problems
    )
