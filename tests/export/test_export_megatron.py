"""The export for Megatron-LM and GPT-NeoX, read back by readers that know nothing of its writer."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from export_builder import SmallBuild, file_bytes, small_build, stage_rows
from foreign_readers import read_with
from mmap_reader import NeoxDataset, PairReader

from dataprep.errors import ArtifactError, ConfigError
from dataprep.export import MegatronExporter, MegatronOptions, NeoxRun, run_export
from dataprep.export.megatron_documents import find_document_sets
from dataprep.plan import StagePlan
from dataprep.verification import verify_output


def export(build: SmallBuild, to: Path, **options: Any) -> dict[str, Any]:
    """Export; return the settings that GPT-NeoX would read, rows first."""
    run_export(MegatronExporter(build.stage(), MegatronOptions(**options)), str(to))
    settings = {}
    for name in ("documents", "rows"):
        path = to / f"gpt-neox-{name}.yml"
        if path.exists():
            settings[name] = yaml.safe_load(path.read_text())
    return settings


@pytest.fixture(scope="module")
def exported(build: SmallBuild, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("export") / "megatron"
    export(build, to)
    return to


@pytest.fixture(scope="module")
def masked(masked_build: SmallBuild, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("export") / "masked"
    export(masked_build, to, run=NeoxRun(batch_rows=10))
    return to


def plan_weights(build: SmallBuild) -> dict[tuple[str, str], float]:
    (path,) = Path(build.output).glob("plan/small/main/*/plan.json")
    plan = StagePlan.from_json(json.loads(path.read_text()))
    return {(stream.source, stream.length_class): stream.weight for stream in plan.streams}


class TestDocuments:
    def test_each_document_is_one_sequence_in_the_order_of_the_store(
        self, build: SmallBuild, exported: Path
    ) -> None:
        for source in ("web", "code"):
            for length_class in ("all", "holdout"):
                pair = PairReader(exported / "documents" / f"{source}-{length_class}")
                assert pair.type == np.int32
                assert pair.sequences() == build.documents(source, length_class)
                assert pair.documents.tolist() == list(range(len(pair) + 1))

    def test_every_document_ends_with_the_end_of_text(self, exported: Path) -> None:
        sequences = PairReader(exported / "documents" / "web-all").sequences()
        assert {sequence[-1] for sequence in sequences} == {100_257}
        assert max(max(sequence) for sequence in sequences) == 100_288

    def test_gpt_neox_is_told_paths_and_the_plans_weights(self, build: SmallBuild, exported: Path) -> None:
        settings = yaml.safe_load((exported / "gpt-neox-documents.yml").read_text())
        folder = exported / "documents"
        assert settings["train-data-paths"] == [str(folder / "web-all"), str(folder / "code-all")]
        assert settings["train-data-weights"] == [
            pytest.approx(plan_weights(build)[source, "all"]) for source in ("web", "code")
        ]
        assert sum(settings["train-data-weights"]) == pytest.approx(1)
        assert settings["data-impl"] == "mmap"
        assert settings["seq-length"] == 24

    def test_held_out_documents_validate_in_proportion_to_their_tokens(
        self, build: SmallBuild, exported: Path
    ) -> None:
        settings = yaml.safe_load((exported / "gpt-neox-documents.yml").read_text())
        tokens = {s: sum(map(len, build.documents(s, "holdout"))) for s in ("web", "code")}
        for split in ("valid", "test"):
            names = [Path(path).name for path in settings[f"{split}-data-paths"]]
            assert names == ["web-holdout", "code-holdout"]
            expected = [count / sum(tokens.values()) for count in tokens.values()]
            assert settings[f"{split}-data-weights"] == pytest.approx(expected)

    def test_megatron_core_is_told_the_same(self, exported: Path) -> None:
        neox = yaml.safe_load((exported / "gpt-neox-documents.yml").read_text())
        core = json.loads((exported / "megatron-core-documents.json").read_text())
        for split in ("train", "valid", "test"):
            assert core[split][1::2] == neox[f"{split}-data-paths"]
            assert [float(weight) for weight in core[split][::2]] == neox[f"{split}-data-weights"]

    def test_length_classes_are_pairs_with_weights_of_their_own(
        self, masked_build: SmallBuild, masked: Path
    ) -> None:
        settings = yaml.safe_load((masked / "gpt-neox-documents.yml").read_text())
        weights = plan_weights(masked_build)
        named = {Path(path).name: path for path in settings["train-data-paths"]}
        assert set(named) == {"web-short", "web-long", "code-short", "code-long"}
        for (source, length_class), weight in weights.items():
            place = settings["train-data-paths"].index(named[f"{source}-{length_class}"])
            assert settings["train-data-weights"][place] == pytest.approx(weight)
            pair = PairReader(named[f"{source}-{length_class}"])
            assert pair.type == np.uint16
            assert pair.sequences() == masked_build.documents(source, length_class)

    def test_without_held_out_documents_the_config_says_so(self, masked: Path) -> None:
        text = (masked / "gpt-neox-documents.yml").read_text()
        assert "# No documents are held out" in text
        assert yaml.safe_load(text)["valid-data-paths"] == yaml.safe_load(text)["train-data-paths"]
        assert json.loads((masked / "megatron-core-documents.json").read_text())["valid"] is None

    def test_a_source_with_too_many_documents_becomes_several_pairs(
        self, build: SmallBuild, tmp_path: Path
    ) -> None:
        settings = export(build, tmp_path / "out", layout="documents", max_documents=100)["documents"]
        web = [path for path in settings["train-data-paths"] if "/web-" in path]
        assert [Path(path).name for path in web] == [
            f"web-all-{i:05d}-of-{len(web):05d}" for i in range(len(web))
        ]
        assert len(web) >= 3
        pairs = [PairReader(path) for path in web]
        assert max(map(len, pairs)) <= 100
        assert [one for pair in pairs for one in pair.sequences()] == build.documents("web")
        sizes = [pair.sizes.sum() for pair in pairs]
        weights = settings["train-data-weights"][: len(web)]
        assert np.array(weights) / sum(weights) == pytest.approx(np.array(sizes) / sum(sizes))
        assert sum(settings["train-data-weights"]) == pytest.approx(1)


class TestRows:
    def test_sample_i_of_gpt_neox_is_row_i(self, build: SmallBuild, exported: Path) -> None:
        rows = stage_rows(build.stage())
        prefix = exported / "rows" / "main"
        dataset = NeoxDataset(PairReader(prefix), f"{prefix}_train_0_indexmap_Nonens_24sl_1234s_packedpi_ac")
        assert len(dataset) == len(rows) == 300
        assert [dataset[i].tolist() for i in range(300)] == rows.tokens.tolist()
        assert rows.tokens.max() == 100_288

    def test_a_run_of_one_epoch_needs_no_batch_size(self, exported: Path) -> None:
        settings = yaml.safe_load((exported / "gpt-neox-rows.yml").read_text())
        assert settings["train-data-paths"] == [str(exported / "rows" / "main")]
        assert settings["train-data-weights"] == [1.0]
        assert settings["train-epochs"] == 1
        assert settings["seed"] == 1234
        assert settings["pack-impl"] == "packed"
        assert "train-iters" not in settings
        assert "train-label-data-paths" not in settings
        assert [Path(path).name for path in settings["valid-data-paths"]] == ["web-holdout", "code-holdout"]

    @pytest.mark.parametrize("batch_rows", [1, 7, 64, 300])
    def test_index_maps_have_the_names_that_gpt_neox_looks_for(
        self, build: SmallBuild, tmp_path: Path, batch_rows: int
    ) -> None:
        run = NeoxRun(seed=7, batch_rows=batch_rows)
        settings = export(build, tmp_path / "out", layout="rows", run=run)["rows"]
        assert settings["train-iters"] == 300 // batch_rows
        assert settings["train-batch-size"] == batch_rows
        # As data_utils.py computes it: the samples of the run, times weight, times 1.005.
        samples = settings["train-iters"] * settings["train-batch-size"]
        num_samples = math.ceil(samples * settings["train-data-weights"][0] * 1.005)
        new = f"main_train_0_indexmap_{num_samples}ns_24sl_7s_packedpi_ac"
        old = f"main_train_0_indexmap_{num_samples}ns_24sl_7s"
        rows = stage_rows(build.stage())
        for stem in (new, old):
            dataset = NeoxDataset(
                PairReader(settings["train-data-paths"][0]), tmp_path / "out" / "rows" / stem
            )
            assert [dataset[i].tolist() for i in range(samples)] == rows.tokens[:samples].tolist()

    def test_index_maps_have_the_types_that_gpt_neox_makes(self, exported: Path) -> None:
        stem = exported / "rows" / "main_train_0_indexmap_Nonens_24sl_1234s_packedpi_ac"
        doc, sample, shuffle = (np.load(f"{stem}_{name}_idx.npy") for name in ("doc", "sample", "shuffle"))
        assert (doc.dtype, sample.dtype, shuffle.dtype) == (np.int32, np.int32, np.uint32)
        assert doc.tolist() == list(range(300))
        assert sample[:4].tolist() == [[0, 0], [0, 24], [1, 0], [1, 24]]
        assert shuffle.tolist() == [*range(0, 600, 2), 598]

    def test_a_batch_larger_than_the_stage_is_refused(self, build: SmallBuild) -> None:
        with pytest.raises(ConfigError, match=r"--train-batch-size 301: stage 'main' has only 300 rows"):
            MegatronExporter(build.stage(), MegatronOptions(run=NeoxRun(batch_rows=301)))

    def test_labels_are_where_loss_is(self, masked_build: SmallBuild, masked: Path) -> None:
        rows = stage_rows(masked_build.stage())
        settings = yaml.safe_load((masked / "gpt-neox-rows.yml").read_text())
        (tokens_path,), (labels_path,) = settings["train-data-paths"], settings["train-label-data-paths"]
        tokens, labels = PairReader(tokens_path), PairReader(labels_path)
        assert (tokens.type, labels.type) == (np.uint16, np.int32)
        assert tokens.sizes.tolist() == labels.sizes.tolist()
        padded = 0
        for row in range(len(rows)):
            expected = [-100] * 25
            place = 0
            for segment in range(int(rows.seg_starts[row]), int(rows.seg_starts[row + 1])):
                length = int(rows.seg_len[segment])
                # Within a document every token but its first is a target.
                inside = range(place + 1, place + length)
                for i in inside:
                    expected[i] = int(rows.tokens[row, i])
                place += length
            padded += place < 25
            assert labels.get(row).tolist() == expected
            assert sum(label >= 0 for label in expected) == rows.n_loss[row]
        assert padded > 0

    def test_splits_without_documents_name_the_rows_and_are_not_read(self, masked: Path) -> None:
        settings = yaml.safe_load((masked / "gpt-neox-rows.yml").read_text())
        for split in ("valid", "test"):
            assert settings[f"{split}-data-paths"] == settings["train-data-paths"]
            assert settings[f"{split}-label-data-paths"] == settings["train-label-data-paths"]
            assert (
                masked / "rows" / f"main_{split}_0_indexmap_0ns_24sl_1234s_packedpi_ac_doc_idx.npy"
            ).exists()
        assert settings["eval-iters"] == 0

    def test_labels_are_written_when_they_are_asked_for(self, build: SmallBuild, tmp_path: Path) -> None:
        settings = export(build, tmp_path / "out", layout="rows", labels="always")["rows"]
        (path,) = settings["train-label-data-paths"]
        labels = np.stack([PairReader(path).get(row) for row in range(300)])
        assert (labels[:, 0] == -100).all()
        assert labels[:, 1:].tolist() == stage_rows(build.stage()).tokens[:, 1:].tolist()

    def test_labels_can_be_left_out(self, masked_build: SmallBuild, tmp_path: Path) -> None:
        settings = export(masked_build, tmp_path / "out", layout="rows", labels="never")["rows"]
        assert "train-label-data-paths" not in settings
        assert not list((tmp_path / "out" / "rows").glob("*_label*"))


class TestRealReader:
    def test_megatron_core_reads_documents(self, build: SmallBuild, exported: Path, tmp_path: Path) -> None:
        read = read_with("megatron", tmp_path, exported / "documents" / "code-all")
        documents = build.documents("code")
        assert read["ids"].dtype == np.int32
        assert read["ids"].tolist() == [token for document in documents for token in document]
        assert read["sizes"].tolist() == [len(document) for document in documents]
        assert read["documents"].tolist() == list(range(len(documents) + 1))

    def test_megatron_core_reads_sample_i_as_row_i(
        self, masked_build: SmallBuild, masked: Path, tmp_path: Path
    ) -> None:
        prefix = masked / "rows" / "main"
        (stem,) = {
            str(path).removesuffix("_doc_idx.npy")
            for path in masked.glob("rows/main_train_0_*_ac_doc_idx.npy")
        }
        read = read_with("megatron", tmp_path, prefix, stem, "24")
        assert read["ids"].dtype == np.uint16
        assert read["samples"].tolist() == stage_rows(masked_build.stage()).tokens.tolist()


class TestRefusals:
    def test_a_type_that_ends_below_the_vocabulary(self, build: SmallBuild) -> None:
        with pytest.raises(
            ConfigError,
            match=r"--dtype uint16: the ids of arcade100k go up to 100,288, but uint16 ends at 65,535",
        ):
            MegatronExporter(build.stage(), MegatronOptions(dtype="uint16"))

    @pytest.mark.parametrize("dtype", ["uint32", "int64", "float32"])
    def test_a_type_that_readers_do_not_know(self, build: SmallBuild, dtype: str) -> None:
        with pytest.raises(ConfigError, match=rf"--dtype {dtype}: megatron files here hold uint16 or int32"):
            MegatronExporter(build.stage(), MegatronOptions(dtype=dtype))

    def test_a_wider_type_can_be_asked_for(self, masked_build: SmallBuild, tmp_path: Path) -> None:
        export(masked_build, tmp_path / "out", layout="documents", dtype="int32")
        assert PairReader(tmp_path / "out" / "documents" / "web-long").type == np.int32

    def test_documents_without_their_token_stores(self, tmp_path: Path) -> None:
        build = small_build(tmp_path / "build")
        (Path(build.output) / "tokens").rename(tmp_path / "elsewhere")
        with pytest.raises(ConfigError, match=r"tokens/arcade100k/web/.*: not there.*--layout rows"):
            MegatronExporter(build.stage())
        assert export(build, tmp_path / "out", layout="rows")["rows"]["train-epochs"] == 1

    @pytest.mark.parametrize("kind", ["tokens", "shards"])
    def test_a_flipped_byte_of_what_is_read_is_named(self, tmp_path: Path, kind: str) -> None:
        build = small_build(tmp_path / "build")
        pattern = {"tokens": "tokens/*/web/*/all/bin-*.arrow", "shards": "shards/*/main/*/*.arrow"}[kind]
        path = sorted(Path(build.output).glob(pattern))[0]
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
        with pytest.raises(ArtifactError, match=path.name):
            run_export(MegatronExporter(build.stage()), str(tmp_path / "out"))
        assert not (tmp_path / "out").exists()

    def test_more_pairs_than_gpt_neox_can_mix(
        self, build: SmallBuild, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dataprep.export.megatron.MAX_BLENDED", 1)
        with pytest.raises(ConfigError, match=r"2 pairs of documents, but GPT-NeoX mixes at most 1"):
            MegatronExporter(build.stage())


def test_two_exports_are_the_same_bytes(build: SmallBuild, exported: Path, tmp_path: Path) -> None:
    export(build, tmp_path / "again")
    names_of_places = (
        "manifest.json",
        "gpt-neox-rows.yml",
        "gpt-neox-documents.yml",
        "megatron-core-documents.json",
    )
    first, second = (file_bytes(folder, without=names_of_places) for folder in (exported, tmp_path / "again"))
    assert first == second
    assert len(first) == 4 * 2 + 2 + 3


def test_verify_reads_an_export(exported: Path) -> None:
    assert verify_output(str(exported)).ok


def test_the_stage_is_not_part_of_the_held_out_weights(build: SmallBuild) -> None:
    sets = find_document_sets(build.stage())
    assert [one.is_held_out for one in sets] == [False, False, True, True]
    assert sum(one.weight for one in sets if one.is_held_out) == pytest.approx(1)
