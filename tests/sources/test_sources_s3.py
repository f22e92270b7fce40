"""Corpora on S3 (moto's server on the loopback interface), and on any filesystem that fsspec knows."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from raw_files import CATALOG, column, json_lines, read_all, write, write_parquet

from dataprep.errors import MissingExtraError, MissingSourceError, SourceError
from dataprep.sources import ReadReport, resolve_collection, resolve_collections


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The URL of an empty bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        fsspec.filesystem("s3").mkdir("corpora")
        yield "s3://corpora/raw"
        fsspec.filesystem("s3").clear_instance_cache()
    server.stop()


def _upload(local: Path, url: str) -> None:
    fs = fsspec.filesystem("s3")
    fs.put(f"{local}/", url.removeprefix("s3://") + "/", recursive=True)
    fs.invalidate_cache()


def _write_two_corpora(root: Path) -> None:
    rows = [
        {"text": f"{i} " * 200, "meta": {"pile_set_name": "ArXiv" if i % 3 else "Books3"}} for i in range(500)
    ]
    write(root / "pile" / "train" / "00.jsonl.zst", json_lines(rows))
    write(root / "pile" / "val.jsonl.zst", json_lines(rows[:5]))
    columns = {"text": [f"{i} " * 200 for i in range(500)], "source": ["OSCAR-2301"] * 500}
    write_parquet(root / "culturax" / "de" / "de_part_00000.parquet", columns, row_group_size=100)
    write(root / "redpajama" / "arxiv" / "x.jsonl", json_lines({"text": str(i)} for i in range(2000)))


def test_a_bucket_is_read_like_a_folder(bucket: str, tmp_path: Path) -> None:
    _write_two_corpora(tmp_path)
    _upload(tmp_path, bucket)
    for corpus, subset in (("pile", None), ("culturax", "de"), ("redpajama", "arxiv")):
        entry = CATALOG.corpus(corpus)
        local = resolve_collection(entry, subset, data_root=str(tmp_path))
        remote = resolve_collection(entry, subset, data_root=bucket)
        assert [(f.number, f.origin, f.size_bytes, f.identity, f.held_out) for f in remote.files] == [
            (f.number, f.origin, f.size_bytes, f.identity, f.held_out) for f in local.files
        ]
        assert remote.files[0].path.startswith("s3://corpora/raw/")
        for max_split_bytes in (256 << 20, 5_000):
            rows = read_all(corpus, subset, bucket, max_split_bytes=max_split_bytes)
            assert rows == read_all(corpus, subset, tmp_path)
            assert len(rows) > 500 - 1


def test_what_a_bucket_holds_instead_is_named(bucket: str, tmp_path: Path) -> None:
    write(tmp_path / "culturx" / "de" / "x", b"x")
    _upload(tmp_path, bucket + "-other")
    with pytest.raises(
        MissingSourceError, match=r"has no folder 'culturax', it holds culturx \(did you mean 'culturx'"
    ):
        resolve_collection(CATALOG.corpus("culturax"), "de", data_root=bucket + "-other")
    with pytest.raises(MissingSourceError, match="no raw file for culturax/en"):
        resolve_collections(CATALOG.corpus("culturax"), None, data_root=bucket + "-nothing")


def test_a_damaged_file_in_a_bucket_is_counted(bucket: str, tmp_path: Path) -> None:
    path = write(
        tmp_path / "redpajama" / "common_crawl" / "a.jsonl.zst", json_lines([{"text": "a" * 99}] * 99)
    )
    path.write_bytes(path.read_bytes()[:-5])
    write(tmp_path / "redpajama" / "common_crawl" / "b.jsonl.zst", json_lines([{"text": "b"}]))
    (tmp_path / "redpajama" / "common_crawl" / "c.jsonl").write_bytes(b"")
    _upload(tmp_path, bucket + "-damaged")
    report = ReadReport()
    rows = read_all("redpajama", "common_crawl", bucket + "-damaged", report=report, skip_bad_files=True)
    assert column(rows, "text") == ["b"]
    assert [file.reason for file in report.skipped_files] == ["truncated_file", "empty_file"]


def test_a_bucket_that_is_not_there_is_no_traceback(bucket: str) -> None:
    with pytest.raises(SourceError, match="s3://no-such-bucket/culturax"):
        resolve_collection(CATALOG.corpus("culturax"), "de", data_root="s3://no-such-bucket")


def test_another_filesystem_of_fsspec_is_read_the_same_way(tmp_path: Path) -> None:
    _write_two_corpora(tmp_path)
    memory = fsspec.filesystem("memory")
    memory.put(f"{tmp_path}/", "/raw/", recursive=True)
    for corpus, subset in (("pile", None), ("culturax", "de"), ("redpajama", "arxiv")):
        assert read_all(corpus, subset, "memory://raw") == read_all(corpus, subset, tmp_path)


def test_a_filesystem_whose_package_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    # Where an earlier test has imported it. `fsspec.registry` is also the name of a mapping in there.
    imported = importlib.import_module("fsspec.registry")._registry
    for protocol in ("gs", "gcs"):
        monkeypatch.delitem(imported, protocol, raising=False)
    with pytest.raises(MissingExtraError, match=r"reading gs://bucket/culturax\S* needs .*'dataprep\[gcs\]'"):
        resolve_collection(CATALOG.corpus("culturax"), "de", data_root="gs://bucket")
    assert os.environ.get("GOOGLE_APPLICATION_CREDENTIALS") is None
