"""Artifacts are whole or invisible, and know their own bytes."""

from __future__ import annotations

import pytest

from dataprep import artifacts, storage
from dataprep.artifacts import Manifest
from dataprep.errors import ArtifactError


def publish_one(folder: str) -> artifacts.Artifact:
    storage.write_bytes(f"{folder}/data.bin", b"abc")
    manifest = Manifest(
        kind="plan",
        name="n",
        fingerprint="f" * 64,
        inputs={},
        config={},
        seed=1,
        counts={"rows": 1},
        files=(artifacts.describe_file(folder, "data.bin", rows=1),),
    )
    return artifacts.publish(folder, manifest)


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    (tmp_path / "data.bin").write_bytes(b"abc")
    with pytest.raises(ArtifactError, match="not a finished artifact"):
        artifacts.open_artifact(str(tmp_path))


def test_what_is_published_is_read_back(tmp_path):
    published = publish_one(str(tmp_path))
    opened = artifacts.open_artifact(str(tmp_path), kind="plan")
    assert opened == published
    assert artifacts.damaged_files(opened) == []


@pytest.mark.parametrize("position", range(0, 600, 7))
def test_any_flipped_byte_of_a_manifest_is_found(tmp_path, position):
    publish_one(str(tmp_path))
    path = tmp_path / "manifest.json"
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError):
        artifacts.open_artifact(str(tmp_path))


def test_a_flipped_byte_of_a_file_is_named(tmp_path):
    artifact = publish_one(str(tmp_path))
    (tmp_path / "data.bin").write_bytes(b"abd")
    (problem,) = artifacts.damaged_files(artifact)
    assert "data.bin" in problem


def test_a_missing_file_keeps_the_manifest_from_being_written(tmp_path):
    artifact = publish_one(str(tmp_path / "a"))
    with pytest.raises(ArtifactError, match="expected 3 bytes"):
        artifacts.publish(str(tmp_path / "b"), artifact.manifest)
    assert not artifacts.is_published(str(tmp_path / "b"))


def test_publishing_sweeps_what_killed_writers_left(tmp_path):
    (tmp_path / "signatures").mkdir()
    left = tmp_path / "signatures" / f"{storage.TEMPORARY_PREFIX}part.arrow-123"
    left.write_bytes(b"half")
    publish_one(str(tmp_path))
    assert not left.exists()


def write_half(path: str) -> None:
    with storage.atomic_output(path) as sink:
        sink.write(b"half")
        raise RuntimeError("no luck")


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="no luck"):
        write_half(str(tmp_path / "x"))
    assert list(tmp_path.iterdir()) == []


def test_another_version_is_refused_with_a_way_out(tmp_path):
    artifact = publish_one(str(tmp_path))
    value = artifact.manifest.to_json() | {"format_version": 99}
    artifacts.write_sealed_json(str(tmp_path / "manifest.json"), value)
    with pytest.raises(ArtifactError, match="format version 99.*build the artifact again"):
        artifacts.open_artifact(str(tmp_path))


def test_a_fingerprint_depends_on_kind_config_and_inputs():
    def one(kind="a", config=1, source="x"):
        return artifacts.fingerprint_of(kind, config={"c": config}, inputs={"i": source})

    assert one() == one()
    assert len({one(), one(kind="b"), one(config=2), one(source="y")}) == 4
