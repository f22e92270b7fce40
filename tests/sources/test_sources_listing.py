"""Listing: which files a collection has, in which order, and what is said when there is none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from raw_files import json_lines, write, write_parquet

from dataprep.errors import MissingSourceError, SourceError
from dataprep.sources import load_catalog, resolve_collection, resolve_collections

CATALOG = load_catalog()
PILE = CATALOG.corpus("pile")
REDPAJAMA = CATALOG.corpus("redpajama")
ROWS = json_lines([{"text": "a", "meta": {"pile_set_name": "ArXiv"}}])


def _pile(root: Path) -> Path:
    for name in ("train/10.jsonl.zst", "train/02.jsonl.zst", "val.jsonl.zst", "test.jsonl.zst"):
        write(root / "pile" / name, ROWS)
    return root


def test_files_are_numbered_by_their_path_below_the_corpus(tmp_path: Path) -> None:
    collection = resolve_collection(PILE, None, data_root=str(_pile(tmp_path)))
    assert [(file.number, file.origin, file.held_out) for file in collection.files] == [
        (0, "test.jsonl.zst", True),
        (1, "train/02.jsonl.zst", False),
        (2, "train/10.jsonl.zst", False),
        (3, "val.jsonl.zst", True),
    ]
    assert (collection.name, collection.number, collection.subset) == ("pile", 2, None)


@pytest.mark.parametrize("spelling", ["{root}", "{root}/", "file://{root}", "{root}/./"])
def test_how_the_root_is_spelled_does_not_matter(tmp_path: Path, spelling: str) -> None:
    _pile(tmp_path)
    plain = resolve_collection(PILE, None, data_root=str(tmp_path))
    other = resolve_collection(PILE, None, data_root=spelling.format(root=tmp_path))
    assert [(f.origin, f.identity) for f in other.files] == [(f.origin, f.identity) for f in plain.files]


def test_a_relative_root_and_one_with_glob_characters_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pile(tmp_path / "raw [1] *")
    monkeypatch.chdir(tmp_path)
    collection = resolve_collection(PILE, None, data_root="raw [1] *")
    assert [file.origin for file in collection.files][1] == "train/02.jsonl.zst"


def test_a_copy_elsewhere_with_other_times_is_the_same_listing(tmp_path: Path) -> None:
    _pile(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b" / "deeper")
    for path in (tmp_path / "b").rglob("*.zst"):
        os.utime(path, (1, 1))
    first = resolve_collection(PILE, None, data_root=str(tmp_path / "a"))
    second = resolve_collection(PILE, None, data_root=str(tmp_path / "b" / "deeper"))
    assert [(f.number, f.origin, f.size_bytes, f.identity) for f in first.files] == [
        (f.number, f.origin, f.size_bytes, f.identity) for f in second.files
    ]


def test_unfinished_files_and_strangers_are_not_listed(tmp_path: Path) -> None:
    _pile(tmp_path)
    (tmp_path / "pile" / "train" / ".tmp-03.jsonl.zst").write_bytes(b"x")
    (tmp_path / "pile" / "train" / "README").write_bytes(b"x")
    (tmp_path / "pile" / "train" / "04.jsonl.zst").mkdir()
    assert len(resolve_collection(PILE, None, data_root=str(tmp_path)).files) == 4


def test_a_file_that_two_globs_match_is_listed_once(tmp_path: Path) -> None:
    write_parquet(tmp_path / "pg19" / "data" / "train-0.parquet", {"text": ["a"]})
    write_parquet(tmp_path / "pg19" / "b.parquet", {"text": ["a"]})
    collection = resolve_collection(CATALOG.corpus("pg19"), None, data_root=str(tmp_path))
    assert [file.origin for file in collection.files] == ["b.parquet", "data/train-0.parquet"]


def test_all_folders_means_those_that_are_there(tmp_path: Path) -> None:
    for language in ("rust", "c"):
        write_parquet(tmp_path / "starcoderdata" / language / "train-0.parquet", {"content": ["a"]})
    entry = CATALOG.corpus("starcoderdata")
    found = resolve_collections(entry, None, data_root=str(tmp_path))
    assert [collection.name for collection in found] == ["starcoderdata/c", "starcoderdata/rust"]
    with pytest.raises(MissingSourceError, match="starcoderdata/go"):
        resolve_collections(entry, ["c", "go"], data_root=str(tmp_path))
    with pytest.raises(MissingSourceError, match="starcoderdata/ada"):
        resolve_collections(entry, None, data_root=str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            "redpyjama/arxiv/x.jsonl",
            r"no folder 'redpajama', it holds redpyjama \(did you mean 'redpyjama'\?\)",
        ),
        ("redpajama/arxvi/x.jsonl", r"no folder 'arxiv', it holds arxvi \(did you mean 'arxvi'\?\)"),
        (
            "redpajama/arxiv/x.json.zip",
            r"arxiv holds x.json.zip. Put the files there, or leave --data-root away",
        ),
    ],
)
def test_what_was_looked_for_what_is_there_and_the_nearest_are_named(
    tmp_path: Path, made: str, message: str
) -> None:
    write(tmp_path / made, ROWS)
    with pytest.raises(MissingSourceError, match=message) as caught:
        resolve_collection(REDPAJAMA, "arxiv", data_root=str(tmp_path))
    assert f"looked in {tmp_path}/redpajama for arxiv/*.jsonl" in str(caught.value)


def test_a_root_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingSourceError, match="nowhere is not there"):
        resolve_collection(REDPAJAMA, "arxiv", data_root=str(tmp_path / "nowhere"))


def test_a_corpus_without_hub_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingSourceError, match="its original host is gone"):
        resolve_collection(PILE, None, data_root=None)
    with pytest.raises(MissingSourceError, match="There is no hub location: its original host is gone"):
        resolve_collection(PILE, None, data_root=str(tmp_path))


def test_a_collection_that_the_corpus_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="did you mean 'arxiv'"):
        resolve_collection(REDPAJAMA, "arxvi", data_root=str(tmp_path))
    with pytest.raises(SourceError, match="one collection for each subset"):
        resolve_collection(REDPAJAMA, None, data_root=str(tmp_path))
    with pytest.raises(SourceError, match="read whole"):
        resolve_collection(PILE, "ArXiv", data_root=str(tmp_path))
