"""An export is there whole or not at all, wherever it is stopped and whatever lies in its place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from export_builder import SmallBuild, file_bytes
from mmap_reader import NeoxDataset, PairReader

from dataprep import artifacts
from dataprep.errors import ArtifactError, ConfigError
from dataprep.export import (
    Exporter,
    MdsExporter,
    MegatronExporter,
    MegatronOptions,
    NeoxRun,
    ParquetExporter,
    Phase,
    Results,
    find_stage,
    run_export,
    write_part,
)
from pipelines.engine import Task, run_one

MAKERS: dict[str, Callable[[SmallBuild], Exporter]] = {
    "megatron": lambda build: MegatronExporter(build.stage()),
    "mds": lambda build: MdsExporter(build.stage()),
    "parquet": lambda build: ParquetExporter(build.stage()),
}
#: Files that name the folder of the export, and the manifest with their checksums.
NAME_PLACES = ("manifest.json", "gpt-neox-rows.yml", "gpt-neox-documents.yml", "megatron-core-documents.json")


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class Killer:
    """Runs parts with markers, as the pipelines do, and dies after some of them."""

    def __init__(self, *, parts_to_live: int) -> None:
        self.parts_to_live = parts_to_live
        self.done: list[str] = []

    def __call__(self, phase: Phase, done_folder: str) -> Results:
        results = {}
        for part in phase.parts:
            path = f"{done_folder}/{part.name}.json"
            if not os.path.exists(path):
                if len(self.done) == self.parts_to_live:
                    raise Killed
                self.done.append(part.name)
            run_one(Task(part.name, path, part), write_part)
            results[part.name] = artifacts.read_sealed_json(path)["result"]
        return results


@pytest.mark.parametrize("name", MAKERS)
def test_a_killed_export_leaves_no_folder_and_continues_where_it_stopped(
    build: SmallBuild, tmp_path: Path, name: str
) -> None:
    to = tmp_path / "out"
    done: list[str] = []
    while not to.exists():
        killer = Killer(parts_to_live=1)
        try:
            run_export(MAKERS[name](build), str(to), run_phase=killer)
        except Killed:
            assert not to.exists()
            assert len(list(tmp_path.iterdir())) == 1, "one folder that calls itself partial"
        done += killer.done
    assert len(done) >= 3
    assert len(done) == len(set(done)), "a part that was done is not done again"
    run_export(MAKERS[name](build), str(tmp_path / "at-once"))
    assert file_bytes(to, without=NAME_PLACES) == file_bytes(tmp_path / "at-once", without=NAME_PLACES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["at-once", "out"]


@pytest.mark.parametrize("name", MAKERS)
def test_a_part_that_was_cut_off_in_the_middle_is_written_again(
    build: SmallBuild, tmp_path: Path, name: str
) -> None:
    def run_twice(phase: Phase, done_folder: str) -> Results:
        for part in reversed(phase.parts):
            part.write()
        return {part.name: part.write() for part in phase.parts}

    run_export(MAKERS[name](build), str(tmp_path / "out"), run_phase=run_twice)
    run_export(MAKERS[name](build), str(tmp_path / "at-once"))
    assert file_bytes(tmp_path / "out", without=NAME_PLACES) == file_bytes(
        tmp_path / "at-once", without=NAME_PLACES
    )


@pytest.mark.parametrize("name", MAKERS)
def test_killed_between_the_manifest_and_the_last_rename(
    build: SmallBuild, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("dataprep.export.job.os.rename", killed)
        with pytest.raises(Killed):
            run_export(MAKERS[name](build), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    exported = run_export(MAKERS[name](build), str(tmp_path / "out"), run_phase=Killer(parts_to_live=0))
    assert not exported.was_there
    assert artifacts.damaged_files(exported.artifact) == []


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_published_is_not_written_again(build: SmallBuild, tmp_path: Path, name: str) -> None:
    first = run_export(MAKERS[name](build), str(tmp_path / "out"))
    before = file_bytes(tmp_path / "out")
    second = run_export(MAKERS[name](build), str(tmp_path / "out"), run_phase=Killer(parts_to_live=0))
    assert (first.was_there, second.was_there) == (False, True)
    assert file_bytes(tmp_path / "out") == before
    assert artifacts.damaged_files(second.artifact) == []


def test_a_file_that_is_gone_from_a_published_export_is_named(build: SmallBuild, tmp_path: Path) -> None:
    run_export(MAKERS["mds"](build), str(tmp_path / "out"))
    (tmp_path / "out" / "shard.00001.mds.zstd").unlink()
    with pytest.raises(
        ArtifactError, match=r"shard\.00001\.mds\.zstd: missing .* remove .*out and export again"
    ):
        run_export(MAKERS["mds"](build), str(tmp_path / "out"))


def test_index_maps_of_another_run_are_added_and_the_data_stays(build: SmallBuild, tmp_path: Path) -> None:
    to = tmp_path / "out"
    run_export(MegatronExporter(build.stage()), str(to))
    before = file_bytes(to, without=NAME_PLACES)
    inode = (to / "rows" / "main.bin").stat().st_ino
    options = MegatronOptions(run=NeoxRun(seed=3, batch_rows=50))
    again = run_export(MegatronExporter(build.stage(), options), str(to), run_phase=Killer(parts_to_live=0))
    assert again.was_there
    after = file_bytes(to, without=NAME_PLACES)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 2 * 3
    assert (to / "rows" / "main.bin").stat().st_ino == inode
    # ceil(6 batches of 50 rows x 1.005)
    dataset = NeoxDataset(
        PairReader(to / "rows" / "main"), to / "rows" / "main_train_0_indexmap_302ns_24sl_3s"
    )
    assert len(dataset) == 300
    assert '"train-iters": 6\n' in (to / "gpt-neox-rows.yml").read_text()
    assert artifacts.damaged_files(again.artifact) == []


class TestOccupied:
    def test_a_folder_with_other_files_is_left_alone(self, build: SmallBuild, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.txt").write_text("mine")
        with pytest.raises(ConfigError, match="is there already, and holds no finished export of dataprep"):
            run_export(MAKERS["mds"](build), str(tmp_path / "out"))
        assert file_bytes(tmp_path) == {"out/thesis.txt": b"mine"}

    def test_a_file_is_left_alone(self, build: SmallBuild, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("mine")
        with pytest.raises(ConfigError, match="is there already"):
            run_export(MAKERS["parquet"](build), str(tmp_path / "out"))

    def test_another_export_is_left_alone(self, build: SmallBuild, tmp_path: Path) -> None:
        run_export(MAKERS["mds"](build), str(tmp_path / "out"))
        before = file_bytes(tmp_path / "out")
        with pytest.raises(ConfigError, match=r"holds another export \(mds/small/main, [0-9a-f]{12}\)"):
            run_export(MAKERS["parquet"](build), str(tmp_path / "out"))
        assert file_bytes(tmp_path / "out") == before

    def test_an_artifact_of_a_build_is_left_alone(self, build: SmallBuild) -> None:
        folder = build.stages["main"].folder
        with pytest.raises(ConfigError, match="holds 'shards', expected 'export'"):
            run_export(MAKERS["mds"](build), folder)

    def test_an_empty_folder_is_taken(self, build: SmallBuild, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        run_export(MAKERS["mds"](build), str(tmp_path / "out"))
        assert (tmp_path / "out" / "index.json").exists()


class TestObjectStore:
    """An object store knows no rename: what makes readers accept an export comes last."""

    @pytest.fixture
    def url(self) -> Iterator[str]:
        yield "memory://bucket/exports/one"
        fsspec.filesystem("memory").rm("/bucket", recursive=True)

    @staticmethod
    def content(url: str) -> dict[str, bytes]:
        fs, root = fsspec.core.url_to_fs(url)
        return {path.removeprefix(root).lstrip("/"): fs.cat_file(path) for path in fs.find(root)}

    @pytest.mark.parametrize("name", ["mds", "parquet"])
    def test_the_same_bytes_as_on_disk(self, build: SmallBuild, tmp_path: Path, url: str, name: str) -> None:
        run_export(MAKERS[name](build), url)
        run_export(MAKERS[name](build), str(tmp_path / "out"))
        assert self.content(url) == file_bytes(tmp_path / "out")

    def test_an_unfinished_export_has_no_index_and_continues(self, build: SmallBuild, url: str) -> None:
        def stopped(phase: Phase, done_folder: str) -> Results:
            phase.parts[0].write()
            raise Killed

        with pytest.raises(Killed):
            run_export(MAKERS["mds"](build), url, run_phase=stopped)
        assert not {"index.json", "manifest.json"} & self.content(url).keys()
        run_export(MAKERS["mds"](build), url)
        assert {"index.json", "manifest.json"} <= self.content(url).keys()
        assert not [name for name in self.content(url) if name.startswith("_done")]

    def test_an_unfinished_export_of_something_else_is_left_alone(self, build: SmallBuild, url: str) -> None:
        def stopped(phase: Phase, done_folder: str) -> Results:
            raise Killed

        with pytest.raises(Killed):
            run_export(MAKERS["mds"](build), url, run_phase=stopped)
        with pytest.raises(ConfigError, match="is there already"):
            run_export(MAKERS["parquet"](build), url)

    def test_shards_are_read_from_there_as_well(self, build: SmallBuild, tmp_path: Path, url: str) -> None:
        folder = build.stages["main"].folder
        fsspec.filesystem("memory").put(folder, url.removeprefix("memory:/"), recursive=True)
        run_export(MdsExporter(find_stage(url)), str(tmp_path / "remote"))
        run_export(MAKERS["mds"](build), str(tmp_path / "local"))
        assert file_bytes(tmp_path / "remote") == file_bytes(tmp_path / "local")

    def test_files_for_memory_maps_need_a_disk(self, build: SmallBuild, url: str) -> None:
        with pytest.raises(ConfigError, match="megatron files are read through a memory map"):
            run_export(MAKERS["megatron"](build), url)
        fsspec.filesystem("memory").pipe_file("/bucket/kept", b"")
