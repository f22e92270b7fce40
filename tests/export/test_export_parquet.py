"""The export for the Hugging Face hub, loaded back with its own library; the card says what is in it."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from export_builder import SmallBuild, file_bytes, stage_rows

from dataprep.errors import ConfigError
from dataprep.export import ParquetExporter, run_export
from dataprep.export import parquet as parquet_module


@pytest.fixture(scope="module")
def exported(build: SmallBuild, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("export") / "parquet"
    run_export(ParquetExporter(build.stage()), str(to))
    return to


@pytest.fixture(scope="module")
def loaded(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> datasets.Dataset:
    cache = tmp_path_factory.mktemp("cache")
    return datasets.load_dataset(str(exported), split="train", cache_dir=str(cache))


def front_matter(folder: Path) -> dict:
    text = (folder / "README.md").read_text()
    assert text.startswith("---\n")
    return yaml.safe_load(text.split("---\n")[1])


def test_the_hubs_library_loads_every_row_in_its_order(build: SmallBuild, loaded: datasets.Dataset) -> None:
    stage = build.stage()
    rows = stage_rows(stage)
    assert loaded.num_rows == len(rows) == 300
    assert loaded["input_ids"][:] == rows.tokens.tolist()
    assert max(map(max, loaded["input_ids"])) == 100_288
    assert loaded["source"][:] == [stage.source_names[number] for number in rows.source]
    for column, values in {
        "epoch": rows.epoch,
        "num_tokens": rows.n_tok,
        "num_targets": rows.n_loss,
    }.items():
        assert loaded[column][:] == values.tolist()
    for column, values in {
        "segment_lengths": rows.seg_len,
        "segment_documents": rows.seg_doc,
        "segment_offsets": rows.seg_off,
        "segment_flags": rows.seg_flags,
    }.items():
        expected = np.split(values, rows.seg_starts[1:-1])
        assert loaded[column][:] == [segment.tolist() for segment in expected]


def test_ids_arrive_as_the_type_that_trainers_take(loaded: datasets.Dataset) -> None:
    assert loaded.features["input_ids"] == datasets.List(datasets.Value("int32"))
    assert loaded.features["segment_documents"] == datasets.List(datasets.Value("uint64"))


def test_rows_stream_as_well(build: SmallBuild, exported: Path) -> None:
    streamed = datasets.load_dataset(str(exported), split="train", streaming=True)
    tokens = [row["input_ids"] for row in streamed]
    assert tokens == stage_rows(build.stage()).tokens.tolist()


def test_padding_and_masked_targets_are_counted(masked_build: SmallBuild, tmp_path: Path) -> None:
    run_export(ParquetExporter(masked_build.stage()), str(tmp_path / "out"))
    table = pq.read_table(tmp_path / "out" / "data")
    rows = stage_rows(masked_build.stage())
    assert table["num_tokens"].to_pylist() == rows.n_tok.tolist()
    assert table["num_targets"].to_pylist() == rows.n_loss.tolist()
    assert [sum(lengths) for lengths in table["segment_lengths"].to_pylist()] == rows.n_tok.tolist()
    assert rows.n_tok.min() < 25


class TestCard:
    def test_the_hub_finds_the_files_and_their_numbers(self, exported: Path) -> None:
        card = front_matter(exported)
        (config,) = card["configs"]
        assert config["data_files"] == [{"split": "train", "path": "data/train-*.parquet"}]
        (split,) = card["dataset_info"]["splits"]
        assert split["num_examples"] == 300
        sizes = [path.stat().st_size for path in (exported / "data").iterdir()]
        assert card["dataset_info"]["download_size"] == sum(sizes)
        assert card["license"] == "other"
        assert card["size_categories"] == ["n<1K"]

    def test_it_lists_sources_licences_weights_and_tokens(self, build: SmallBuild, exported: Path) -> None:
        text = (exported / "README.md").read_text()
        for source in build.stage().header.sources:
            row = next(line for line in text.splitlines() if line.startswith(f"| {source.name} |"))
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            assert cells == [
                source.name,
                f"licence of {source.name}",
                f"{source.weight:.4%}",
                f"{source.rows / 300:.4%}",
                f"{source.rows:,}",
                f"{source.tokens:,}",
                f"{source.targets:,}",
            ]
        assert "| all | | | | 300 | 7,200 | 7,200 |" in text
        assert "- licence of web: web\n" in text

    def test_it_says_how_the_tokens_were_made(self, build: SmallBuild, exported: Path) -> None:
        text = (exported / "README.md").read_text()
        header = build.stage().header
        for words in (
            "`arcade100k`, 100,289 ids",
            header.tokenizer_sha256,
            "id 100257",
            "`concat`",
            "seed 11",
        ):
            assert words in text
        assert "and the first token of the next document is predicted." in text

    def test_held_out_rows_are_a_split_of_their_own(self, build: SmallBuild, tmp_path: Path) -> None:
        run_export(ParquetExporter(build.stage("validation")), str(tmp_path / "out"))
        loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
        assert list(loaded) == ["validation"]

    def test_a_lost_file_is_noticed_by_the_hubs_library(
        self, build: SmallBuild, exported: Path, tmp_path: Path
    ) -> None:
        run_export(ParquetExporter(build.stage()), str(tmp_path / "out"))
        next((tmp_path / "out" / "data").iterdir()).unlink()
        with pytest.raises(Exception, match="NonMatchingSplitsSizes|num_examples"):
            datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))


def test_one_file_for_each_shard(exported: Path) -> None:
    names = sorted(path.name for path in (exported / "data").iterdir())
    assert names == [f"train-{number:05d}-of-00003.parquet" for number in range(3)]


def test_a_large_stage_gets_several_shards_into_a_file(
    build: SmallBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_module, "MAX_FILES", 2)
    run_export(ParquetExporter(build.stage()), str(tmp_path / "out"))
    files = sorted((tmp_path / "out" / "data").iterdir())
    assert [pq.read_metadata(path).num_rows for path in files] == [256, 44]
    tokens = [row for path in files for row in pq.read_table(path)["input_ids"].to_pylist()]
    assert tokens == stage_rows(build.stage()).tokens.tolist()


def test_two_exports_are_the_same_bytes(build: SmallBuild, exported: Path, tmp_path: Path) -> None:
    run_export(ParquetExporter(build.stage()), str(tmp_path / "again"))
    assert file_bytes(tmp_path / "again") == file_bytes(exported)


def test_other_types_are_refused(build: SmallBuild) -> None:
    with pytest.raises(ConfigError, match="--dtype uint16: parquet files here hold int32"):
        ParquetExporter(build.stage(), dtype="uint16")
