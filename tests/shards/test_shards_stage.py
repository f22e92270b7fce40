"""A stage: the manifest's contract, and where each row lies."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from shards_builder import assert_same_rows, random_rows, stage_header

from dataprep import artifacts
from dataprep.artifacts import Artifact
from dataprep.errors import ArtifactError
from dataprep.shards import RowPlace, ShardStage, write_stage


@pytest.fixture
def stage(tmp_path: Path) -> ShardStage:
    rows = random_rows(500, 16, vocab_size=100_289)
    return ShardStage(write_stage(str(tmp_path), stage_header(), rows))


def test_rows_are_found_by_arithmetic(stage: ShardStage) -> None:
    assert [shard.num_rows for shard in stage.shards] == [192, 192, 116]
    assert stage.locate(0) == RowPlace(shard=0, batch=0, row_in_batch=0)
    assert stage.locate(192 + 64 + 5) == RowPlace(shard=1, batch=1, row_in_batch=5)
    with pytest.raises(IndexError, match="row 500 of stage 'main': it has rows 0 to 499"):
        stage.locate(500)
    rows = random_rows(500, 16, vocab_size=100_289)
    for row in (0, 191, 192, 383, 384, 499):
        assert_same_rows(stage.read_row(row), rows.part(row, row + 1))


def test_the_manifest_tells_a_trainer_what_it_has_to_know(stage: ShardStage) -> None:
    rows = random_rows(500, 16, vocab_size=100_289)
    details = stage.artifact.manifest.details
    for name in (
        "mixture",
        "stage",
        "sequence_length",
        "overlap",
        "vocab_size",
        "padded_vocab_size",
        "eos_id",
    ):
        assert details[name] == getattr(stage_header(), name)
    assert details["num_rows"] == 500
    assert details["boundaries"] == {
        "reset_attention": True,
        "reset_positions": True,
        "cross_document_loss": False,
    }
    assert [source["rows"] for source in details["sources"]] == np.bincount(rows.source).tolist()
    assert sum(source["targets"] for source in details["sources"]) == rows.n_loss.sum()
    assert stage.artifact.manifest.counts == {
        "rows": 500,
        "tokens": int(np.minimum(rows.n_tok, 16).sum()),
        "targets": int(rows.n_loss.sum()),
    }
    totals = dict.fromkeys(("rows", "tokens", "targets"), 0)
    assert (
        dataclasses.replace(
            stage.header,
            sources=tuple(dataclasses.replace(source, **totals) for source in stage.header.sources),
        )
        == stage_header()
    )


def test_a_published_stage_opens_from_its_folder(stage: ShardStage) -> None:
    again = ShardStage.open(stage.artifact.folder)
    assert again.header == stage.header
    assert list(again.shards) == list(stage.shards)
    assert again.source_names == ("source-0", "source-1", "source-2")


def test_shards_are_checked_when_read(stage: ShardStage) -> None:
    path = Path(stage.artifact.path("shard-00001.arrow"))
    first_byte, num_bytes = stage.open_shard(1).batch_span(2)
    data = bytearray(path.read_bytes())
    data[first_byte + num_bytes // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(
        ArtifactError, match=r"shard-00001.arrow: record batch 2 \(rows 320 to 383 of the stage\)"
    ):
        stage.read_row(321)


@pytest.mark.parametrize("missing", ["num_rows", "sources", "sequence_length", "boundaries"])
def test_a_manifest_without_what_a_stage_needs_is_refused(stage: ShardStage, missing: str) -> None:
    manifest = stage.artifact.manifest
    details = {name: value for name, value in manifest.details.items() if name != missing}
    with pytest.raises(ArtifactError, match="lacks what a stage needs"):
        ShardStage(Artifact(stage.artifact.folder, dataclasses.replace(manifest, details=details)))


def test_shards_that_do_not_add_up_are_refused(stage: ShardStage) -> None:
    manifest = stage.artifact.manifest
    details = {**manifest.details, "num_rows": 499}
    with pytest.raises(ArtifactError, match="do not add up to 499 rows"):
        ShardStage(Artifact(stage.artifact.folder, dataclasses.replace(manifest, details=details)))
    files = (manifest.files[2], *manifest.files[:2])
    with pytest.raises(ArtifactError, match="116 rows, not 192"):
        ShardStage(Artifact(stage.artifact.folder, dataclasses.replace(manifest, files=files)))


def test_another_kind_of_artifact_is_refused(stage: ShardStage) -> None:
    manifest = dataclasses.replace(stage.artifact.manifest, kind="tokens")
    with pytest.raises(ArtifactError, match="holds 'tokens', expected 'shards'"):
        ShardStage(Artifact(stage.artifact.folder, manifest))


def test_the_same_stage_has_the_same_bytes(tmp_path: Path, stage: ShardStage) -> None:
    rows = random_rows(500, 16, vocab_size=100_289)
    again = write_stage(str(tmp_path / "again"), stage_header(), rows)
    assert again.manifest == stage.artifact.manifest
    assert artifacts.damaged_files(again) == []
