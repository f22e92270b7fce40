"""A stage that left another one in the middle is exported like any other: its first rows are the parent's.

The child has 300 rows and left its parent at row 192: its first shard (128 rows) is a file of the parent,
its second begins with a copy of 64 of the parent's rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import datasets
import fsspec
import numpy as np
import pytest
from export_builder import SmallBuild, forked_build, small_build, stage_rows
from foreign_readers import read_with
from mds_reader import read_mds
from mmap_reader import NeoxDataset, PairReader

from dataprep.export import MdsExporter, MegatronExporter, ParquetExporter, find_stage, run_export
from dataprep.loader import CacheOptions, open_stream
from dataprep.shards import Rows
from dataprep.verification import verify_output

FORK_ROW = 192
STAGE = {"boundaries": {"cross_document_loss": True}}


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> SmallBuild:
    return small_build(tmp_path_factory.mktemp("parent"), stages=[STAGE])


@pytest.fixture(scope="module")
def child(parent: SmallBuild) -> SmallBuild:
    """Mostly code where the parent went on with web text."""
    return forked_build(parent, at_row=FORK_ROW, web=1, code=2)


@pytest.fixture(scope="module")
def rows(parent: SmallBuild, child: SmallBuild) -> Rows:
    """The child's rows, which are what they should be."""
    found, before = stage_rows(child.stage()), stage_rows(parent.stage())
    assert len(found) == len(before) == 300
    assert (found.tokens[:FORK_ROW] == before.tokens[:FORK_ROW]).all()
    assert not (found.tokens[FORK_ROW:] == before.tokens[FORK_ROW:]).all()
    assert child.stage().artifact.manifest.files[0].path.startswith("../"), "a borrowed file"
    shares = [np.bincount(found.source[part], minlength=2) for part in (slice(0, 192), slice(192, 300))]
    assert [share.tolist() for share in shares] == [[144, 48], [36, 72]]
    assert found.tokens[FORK_ROW:].max() == found.tokens[:128].max() == 100_288
    return found


@pytest.fixture(scope="module")
def exported(child: SmallBuild, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The child in every format, each in a folder of its name."""
    to = tmp_path_factory.mktemp("exported")
    for name, exporter in {
        "megatron": MegatronExporter,
        "mds": MdsExporter,
        "parquet": ParquetExporter,
    }.items():
        run_export(exporter(child.stage()), str(to / name))
    return to


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"key": "testing", "secret": "testing", "client_kwargs": {"region_name": "eu-west-1"}}
    with pytest.MonkeyPatch.context() as patch:
        settings = {"endpoint_url": f"http://{host}:{port}", "use_listings_cache": False, **keys}
        patch.setitem(fsspec.config.conf, "s3", settings)
        fsspec.filesystem("s3").mkdir("forks")
        yield "s3://forks"
        fsspec.filesystem("s3").clear_instance_cache()
    server.stop()


def map_stem(exported: Path) -> str:
    return f"{exported}/megatron/rows/main_train_0_indexmap_Nonens_24sl_1234s_packedpi_ac"


def test_gpt_neox_replays_a_fork(exported: Path, rows: Rows) -> None:
    dataset = NeoxDataset(PairReader(exported / "megatron" / "rows" / "main"), map_stem(exported))
    assert [dataset[i].tolist() for i in range(len(dataset))] == rows.tokens.tolist()


def test_megatron_core_reads_a_fork(exported: Path, rows: Rows, tmp_path: Path) -> None:
    prefix = exported / "megatron" / "rows" / "main"
    read = read_with("megatron", tmp_path, prefix, map_stem(exported), "24")
    assert read["ids"].dtype == np.int32
    assert read["samples"].tolist() == rows.tokens.tolist()


def test_mds_holds_a_fork(exported: Path, rows: Rows) -> None:
    assert [sample["tokens"] for sample in read_mds(exported / "mds")] == rows.tokens.tolist()


def test_mosaicml_streaming_reads_a_fork(exported: Path, rows: Rows, tmp_path: Path) -> None:
    read = read_with("streaming", tmp_path, exported / "mds")
    assert read["tokens"].tolist() == rows.tokens.tolist()
    assert read["seg_doc"].tolist() == rows.seg_doc.tolist()


def test_datasets_loads_a_fork(exported: Path, rows: Rows, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(exported / "parquet"), split="train", cache_dir=str(tmp_path))
    assert loaded["input_ids"][:] == rows.tokens.tolist()


def files_below(folder: str) -> dict[str, bytes]:
    """The content of every file below a folder or URL, by its path there."""
    fs, root = fsspec.core.url_to_fs(folder)
    return {path.removeprefix(root): fs.cat_file(path) for path in fs.find(root)}


def test_a_fork_has_the_same_bytes_there(
    bucket: str, child: SmallBuild, exported: Path, rows: Rows, tmp_path: Path
) -> None:
    """Parent and child on S3 (moto): written, verified, streamed and exported from there."""
    parent = small_build(f"{bucket}/out", stages=[STAGE])
    remote = forked_build(parent, at_row=FORK_ROW, web=1, code=2)
    folder = remote.stages["main"].folder
    assert folder.startswith("s3://")
    with fsspec.open(f"{folder}/manifest.json", "rb") as stream:
        assert stream.read() == Path(child.stages["main"].folder, "manifest.json").read_bytes()
    report = verify_output(folder)
    assert report.ok, report.to_text()

    cache = CacheOptions(str(tmp_path / "shards"), prefetch_shards=1)
    state = None
    streamed = []
    for stage, steps in ((parent, 6), (remote, 4)):
        with open_stream(stage.stages["main"].folder).batches(30, start=state, cache=cache) as batches:
            streamed += [next(batches).tokens for _ in range(steps)]
            state = batches.state()
    assert (np.concatenate(streamed) == rows.tokens).all(), "180 rows of the parent, then the child"

    for name, exporter in {"mds": MdsExporter, "parquet": ParquetExporter}.items():
        run_export(exporter(find_stage(folder)), f"{bucket}/{name}")
        assert files_below(f"{bucket}/{name}") == files_below(str(exported / name))
