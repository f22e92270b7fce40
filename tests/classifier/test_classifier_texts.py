"""Files of texts: what is read from each format, and what a mistake is answered with."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from dataprep.classifier import list_inputs, read_texts
from dataprep.errors import SourceError

TEXTS = ["One line", "Zwei – \u2028 Zeilen\nhier", None, ""]


def _read(path: Path | str, *columns: str) -> list[str | None]:
    return [
        text
        for file in list_inputs([str(path)], option="--positive")
        for text in read_texts(file, columns=columns or ("text", "content"))
    ]


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_json_lines_whatever_the_compression(tmp_path: Path, ending: str) -> None:
    data = "".join(json.dumps({"id": 1, "text": text}) + "\n" for text in TEXTS).encode() + b"\n"
    packed = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}.get(ending[6:], bytes)(data)
    (tmp_path / f"a{ending}").write_bytes(packed)
    assert _read(tmp_path / f"a{ending}") == TEXTS


def test_parquet_and_plain_lines(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"body": pa.array(TEXTS).dictionary_encode(), "n": range(4)}), tmp_path / "a.parquet"
    )
    assert _read(tmp_path / "a.parquet", "body") == TEXTS
    (tmp_path / "b.txt").write_text("one\ntwo\r\n\nlast", newline="")
    assert _read(tmp_path / "b.txt") == ["one", "two\r", "", "last"]


def test_files_come_in_the_order_of_their_content_and_once(tmp_path: Path) -> None:
    for name, text in (("a", "first"), ("b", "second"), ("c", "first")):
        (tmp_path / f"{name}.txt").write_text(text)
    found = list_inputs([f"{tmp_path}/*.txt", f"{tmp_path}/a.txt"], option="--positive")
    (tmp_path / "a.txt").rename(tmp_path / "z.txt")
    again = list_inputs([f"{tmp_path}/*.txt"], option="--positive")
    assert len(found) == 3
    assert [file.sha256 for file in found] == [file.sha256 for file in again]


def test_texts_from_memory_and_other_file_systems() -> None:
    import fsspec

    fsspec.filesystem("memory").pipe("/classifier/good.txt", b"remote text")
    assert _read("memory://classifier/*.txt") == ["remote text"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"x", r"a.csv: not one of .txt \(one text a line\), .jsonl, .parquet"),
        (
            "a.jsonl",
            b'{"text": "x"}\n{"txet": "y"}',
            r"line 2: no text column 'text' or 'content'; did you mean 'txet'\?",
        ),
        ("a.jsonl", b'{"text": "x"}\n{', "line 2 is no JSON"),
        ("a.jsonl", b'["x"]', "line 1 is a list, not an object"),
        ("a.jsonl", b'{"text": 5}', "line 1: 'text' is a int, not a string"),
        ("a.parquet", b"PAR1 nothing", "a.parquet: no Parquet file"),
        ("a.txt", b"\xff\xfe", "line 1 is not UTF-8"),
        ("a.txt.zst", zstandard.ZstdCompressor().compress(b"cut " * 999)[:-3], "a.txt.zst: "),
    ],
)
def test_a_mistake_names_file_and_place(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        _read(tmp_path / name)


def test_columns_of_parquet_are_checked(tmp_path: Path) -> None:
    pq.write_table(pa.table({"body": ["x"], "text": [1]}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"text column 'text' holds int64, not strings; .* 'body'"):
        _read(tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"no text column 'bodi'; did you mean 'body'\? \(--text-column"):
        _read(tmp_path / "a.parquet", "bodi")


def test_an_empty_glob_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"--negative .*\*.jsonl: no such file"):
        list_inputs([f"{tmp_path}/*.jsonl"], option="--negative")
