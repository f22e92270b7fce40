"""The export for MosaicML Streaming: the same rows in the same order, read by two readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_builder import SmallBuild, file_bytes, stage_rows
from foreign_readers import read_with
from hypothesis import given
from hypothesis import strategies as st
from mds_reader import read_mds, read_shard

from dataprep.errors import ArtifactError, ConfigError
from dataprep.export import MdsExporter, run_export
from dataprep.export import mds as mds_module
from dataprep.export.mds import encode_shard, shard_columns
from dataprep.shards import Rows


def make_rows(tokens: list[list[int]], segments: list[list[tuple[int, int]]], source: list[int]) -> Rows:
    """Rows with (length, document) for each segment."""
    flat = [segment for row in segments for segment in row]
    zeros = np.zeros(len(tokens))
    return Rows(
        tokens=np.array(tokens, dtype=np.uint32),
        source=np.array(source, dtype=np.uint16),
        epoch=zeros.astype(np.uint8),
        n_tok=zeros.astype(np.uint32),
        n_loss=zeros.astype(np.uint32),
        seg_starts=np.cumsum([0, *map(len, segments)]).astype(np.int64),
        seg_len=np.array([length for length, _ in flat], dtype=np.uint32),
        seg_doc=np.array([document for _, document in flat], dtype=np.uint64),
        seg_off=np.zeros(len(flat), dtype=np.uint32),
        seg_flags=np.zeros(len(flat), dtype=np.uint8),
    )


#: What mosaicml-streaming 0.13.0 writes for the two rows below.
GOLDEN_CONFIG = (
    b'{"column_encodings": ["ndarray:uint32", "ndarray:uint64", "str", "ndarray:uint32:3"], '
    b'"column_names": ["doc_lens", "seg_doc", "source", "tokens"], "column_sizes": [null, null, null, 12], '
    b'"compression": "zstd:1", "format": "mds", "hashes": ["sha256"], "size_limit": null, "version": 2}'
)


def test_two_rows_by_hand() -> None:
    rows = make_rows([[100_288, 1, 2], [3, 4, 100_257]], [[(1, 1 << 60), (2, 7)], [(3, 9)]], source=[1, 0])
    raw = encode_shard(rows, names=["web", "a/b"], id_type="uint32", columns=shard_columns("uint32", 3))
    head = 4 * 4 + len(GOLDEN_CONFIG)
    first = bytes.fromhex(
        "0a000000 12000000 03000000"  # sizes of doc_lens, seg_doc, source
        "04 02 01000000 02000000"  # one axis, two values
        "04 02 0000000000000010 0700000000000000"
        "612f62"
        "c0870100 01000000 02000000"
    )
    second = bytes.fromhex(
        "06000000 0a000000 03000000 04 01 03000000 04 01 0900000000000000 776562 03000000 04000000 a1870100"
    )
    offsets = [head, head + len(first), head + len(first) + len(second)]
    assert raw == b"".join([np.array([2, *offsets], dtype="<u4").tobytes(), GOLDEN_CONFIG, first, second])


@given(
    counts=st.lists(st.sampled_from([1, 2, 3, 254, 255, 256, 257, 70_000]), min_size=1, max_size=4),
    kind=st.sampled_from(["uint16", "uint32", "int32"]),
    seed=st.integers(0, 1000),
)
def test_any_rows_come_back(counts: list[int], kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 1 << 16, (len(counts), 5)).tolist()
    segments = [
        list(zip(rng.integers(1, 99, n).tolist(), rng.integers(0, 1 << 63, n).tolist())) for n in counts
    ]
    source = rng.integers(0, 2, len(counts)).tolist()
    columns = shard_columns(kind, 5)
    raw = encode_shard(
        make_rows(tokens, segments, source), names=["web", "köln"], id_type=kind, columns=columns
    )
    for row, sample in enumerate(read_shard(raw, columns)):
        assert sample["tokens"] == tokens[row]
        assert sample["source"] == ["web", "köln"][source[row]]
        assert sample["doc_lens"] == [length for length, _ in segments[row]]
        assert sample["seg_doc"] == [document for _, document in segments[row]]


@pytest.fixture(scope="module")
def exported(build: SmallBuild, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("export") / "mds"
    run_export(MdsExporter(build.stage()), str(to))
    return to


def assert_rows(samples: list[dict[str, Any]], build: SmallBuild) -> None:
    stage = build.stage()
    rows = stage_rows(stage)
    assert len(samples) == len(rows)
    for row, sample in enumerate(samples):
        segments = slice(int(rows.seg_starts[row]), int(rows.seg_starts[row + 1]))
        assert sample["tokens"] == rows.tokens[row].tolist()
        assert sample["source"] == stage.source_names[rows.source[row]]
        assert sample["doc_lens"] == rows.seg_len[segments].tolist()
        assert sample["seg_doc"] == rows.seg_doc[segments].tolist()


def test_rows_come_back_in_their_order(build: SmallBuild, exported: Path) -> None:
    samples = read_mds(exported)
    assert_rows(samples, build)
    assert max(max(sample["tokens"]) for sample in samples) == 100_288


def test_padding_is_what_documents_do_not_fill(masked_build: SmallBuild, tmp_path: Path) -> None:
    run_export(MdsExporter(masked_build.stage()), str(tmp_path / "out"))
    samples = read_mds(tmp_path / "out")
    assert_rows(samples, masked_build)
    assert {len(sample["tokens"]) for sample in samples} == {25}
    assert min(sum(sample["doc_lens"]) for sample in samples) < 25


def test_ids_that_fit_take_two_bytes(masked_build: SmallBuild, tmp_path: Path) -> None:
    run_export(MdsExporter(masked_build.stage()), str(tmp_path / "out"))
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert {shard["column_encodings"][3] for shard in index["shards"]} == {"ndarray:uint16:25"}


def test_shards_end_where_their_size_does(
    build: SmallBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mds_module, "MAX_SHARD_BYTES", 40 * 25 * 4)
    run_export(MdsExporter(build.stage()), str(tmp_path / "out"))
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    # 300 rows in shards of 128: each is cut into files of 32 rows.
    assert [shard["samples"] for shard in index["shards"]] == [32] * 9 + [12]
    names = [shard["zip_data"]["basename"] for shard in index["shards"]]
    assert names == [f"shard.{number:05d}.mds.zstd" for number in range(10)]
    assert_rows(read_mds(tmp_path / "out"), build)


def test_two_exports_are_the_same_bytes(build: SmallBuild, exported: Path, tmp_path: Path) -> None:
    run_export(MdsExporter(build.stage()), str(tmp_path / "again"))
    assert file_bytes(tmp_path / "again") == file_bytes(exported)


def test_the_real_reader_yields_the_same_rows(build: SmallBuild, exported: Path, tmp_path: Path) -> None:
    read = read_with("streaming", tmp_path, exported)
    stage = build.stage()
    rows = stage_rows(stage)
    assert read["tokens"].dtype == np.uint32
    assert read["tokens"].tolist() == rows.tokens.tolist()
    assert read["source"].tolist() == [stage.source_names[number] for number in rows.source]
    assert read["num_segments"].tolist() == np.diff(rows.seg_starts).tolist()
    assert read["doc_lens"].tolist() == rows.seg_len.tolist()
    assert read["seg_doc"].tolist() == rows.seg_doc.tolist()


def test_the_real_writer_writes_the_same_shard(build: SmallBuild, tmp_path: Path) -> None:
    stage = build.stage("validation")
    run_export(MdsExporter(stage), str(tmp_path / "out"))
    (line,) = json.loads((tmp_path / "out" / "index.json").read_text())["shards"]
    read = read_with("streaming", tmp_path, tmp_path / "out", "write")
    assert str(read["raw_sha256"]) == line["raw_data"]["hashes"]["sha256"]


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        ("uint16", "the ids of arcade100k go up to 100,288, but uint16 ends at 65,535"),
        ("int8", "mds files here hold uint16 or uint32 or int32"),
    ],
)
def test_types_that_cannot_hold_the_ids_are_refused(build: SmallBuild, dtype: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MdsExporter(build.stage(), dtype=dtype)


def test_a_shard_that_vanished_is_named(build: SmallBuild, tmp_path: Path) -> None:
    class Forgetful(MdsExporter):
        def finish(self, folder: str, results):  # type: ignore[no-untyped-def]
            (Path(folder) / "shard.00001.mds.zstd").unlink()
            return super().finish(folder, results)

    with pytest.raises(ArtifactError, match=r"shard\.00001\.mds\.zstd"):
        run_export(Forgetful(build.stage()), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
