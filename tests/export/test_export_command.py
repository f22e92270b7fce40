"""The command as a user runs it: choices, refusals, what it prints, and SIGKILL at any moment."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from export_builder import SmallBuild, file_bytes, small_build, stage_rows
from mds_reader import read_mds

from dataprep import artifacts
from pipelines.cli import main, parse

ROOT = Path(__file__).resolve().parents[2]
#: Files that name the folder of the export, and the manifest with their checksums.
NAME_PLACES = ("manifest.json", "gpt-neox-rows.yml", "gpt-neox-documents.yml", "megatron-core-documents.json")


def export(*arguments: str | Path, status: int = 0) -> None:
    assert main(["export", *map(str, arguments), "--workers", "1"]) == status


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(["export", "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert "dataprep export /data/built --format mds --to /data/built-mds" in shown


@pytest.mark.parametrize("name", ["megatron", "mds", "parquet"])
def test_it_prints_what_was_written_and_how_to_use_it(
    build: SmallBuild, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    to = tmp_path / "out"
    export(build.output, "--format", name, "--to", to)
    shown = capsys.readouterr().out
    assert f"{name}/small/main: written and checked in {to}" in shown
    assert "300 rows, 7,200 tokens, 7,200 targets" in shown
    use = {
        "megatron": [
            f"add {to}/gpt-neox-rows.yml",
            f"--per-split-data-args-path {to}/megatron-core-documents.json",
        ],
        "mds": [f"StreamingDataset(remote='{to}'"],
        "parquet": [f"datasets.load_dataset('{to}')", "licence of every source"],
    }
    for words in (*use[name], f"dataprep verify {to}"):
        assert words in shown
    export(build.output, "--format", name, "--to", to)
    assert "was there already" in capsys.readouterr().out
    assert main(["verify", str(to)]) == 0


def test_the_folder_of_a_stage_does_as_well(build: SmallBuild, tmp_path: Path) -> None:
    export(build.stages["validation"].folder, "--format", "mds", "--to", tmp_path / "out")
    tokens = [sample["tokens"] for sample in read_mds(tmp_path / "out")]
    assert tokens == stage_rows(build.stage("validation")).tokens.tolist()


def test_a_build_of_several_stages_needs_a_choice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stages = [{}, {"name": "late", "tokens": 2400, "sequence_length": 48}]
    build = small_build(tmp_path / "build", stages=stages)
    arguments = (build.output, "--format", "mds", "--to", tmp_path / "out")
    export(*arguments, status=2)
    assert (
        "has shards of the stages main, late, validation; say which with --stage" in capsys.readouterr().err
    )
    export(*arguments, "--stage", "lat", status=2)
    assert "no shards of a stage 'lat'; did you mean 'late'?" in capsys.readouterr().err
    export(*arguments, "--stage", "late")
    assert {len(sample["tokens"]) for sample in read_mds(tmp_path / "out")} == {49}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "megatron", "--dtype", "uint16"], "uint16 ends at 65,535"),
        (["--format", "mds", "--dtype", "int64"], "mds files here hold uint16 or uint32 or int32"),
        (["--format", "mds", "--layout", "rows"], "--layout belongs to --format megatron"),
        (["--format", "parquet", "--train-seed", "1"], "--train-seed belongs to --format megatron"),
        (["--format", "mds", "--mixture", "smal"], "no build of mixture 'smal'; did you mean 'small'?"),
        (["--format", "megatron", "--train-batch-size", "1000"], "has only 300 rows"),
    ],
)
def test_wrong_choices_are_one_message_and_leave_nothing(
    build: SmallBuild, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    export(build.output, "--to", tmp_path / "out", *arguments, status=2)
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_build_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(tmp_path, "--format", "mds", "--to", tmp_path / "out", status=2)
    assert "no finished build" in capsys.readouterr().err


def test_damaged_shards_stop_the_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = small_build(tmp_path / "build")
    path = next(Path(build.stages["main"].folder).glob("shard-00001.arrow"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    for name in ("megatron", "mds", "parquet"):
        export(build.output, "--format", name, "--to", tmp_path / name, status=1)
        assert "shard-00001.arrow" in capsys.readouterr().err
        assert not (tmp_path / name).exists()


def test_the_choices_for_gpt_neox_arrive(build: SmallBuild, tmp_path: Path) -> None:
    choices = [
        "--layout=rows",
        "--label-masks=always",
        "--train-batch-size=20",
        "--train-seed=9",
        "--dtype=int32",
    ]
    export(build.output, "--format", "megatron", "--to", tmp_path / "out", *choices)
    text = (tmp_path / "out" / "gpt-neox-rows.yml").read_text()
    for line in ('"train-iters": 15', '"train-batch-size": 20', '"seed": 9', '"train-label-data-paths": ['):
        assert line in text
    assert not (tmp_path / "out" / "documents").exists()


@pytest.mark.slow
def test_workers_change_no_byte(build: SmallBuild, tmp_path: Path) -> None:
    for name in ("megatron", "mds", "parquet"):
        export(build.output, "--format", name, "--to", tmp_path / f"{name}-1")
        workers = ["--format", name, "--to", str(tmp_path / f"{name}-2"), "--workers", "2"]
        assert main(["export", build.output, *workers]) == 0
        one, two = (file_bytes(tmp_path / f"{name}-{number}", without=NAME_PLACES) for number in (1, 2))
        assert one == two


@pytest.mark.slow
@pytest.mark.parametrize("name", ["megatron", "mds"])
def test_sigkill_at_any_moment_leaves_nothing_that_looks_finished(
    build: SmallBuild, tmp_path: Path, name: str
) -> None:
    to = tmp_path / "out"
    command = [sys.executable, "-W", "ignore", "-m", "pipelines.cli", "export", build.output]
    command += ["--format", name, "--workers", "1", "--to", str(to)]
    pauses = random.Random(name)
    for _ in range(2):
        process = subprocess.Popen(
            command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and not list(tmp_path.glob("out.partial-*")):
            time.sleep(0.01)
        time.sleep(pauses.uniform(0, 0.4))
        with contextlib.suppress(ProcessLookupError):  # it was done before
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if to.exists():  # it was done before the signal came
            artifacts.open_artifact(str(to), kind="export")
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    exported = artifacts.open_artifact(str(to), kind="export")
    assert artifacts.damaged_files(exported) == []
    export(build.output, "--format", name, "--to", tmp_path / "at-once")
    assert file_bytes(to, without=NAME_PLACES) == file_bytes(tmp_path / "at-once", without=NAME_PLACES)
