"""RefinedWeb, CulturaX, StarCoderData and corpora of one's own: columns by name."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from raw_files import column, json_lines, read_all, write, write_parquet

from dataprep.errors import SourceError
from dataprep.sources import load_catalog
from dataprep.sources.culturax import exclusion_of
from dataprep.sources.fields import VERDICTS

NOON = datetime.datetime(2019, 6, 26, 12, 34, 56)


def _meta(rows: list[dict[str, Any]]) -> list[Any]:
    return [None if text is None else json.loads(text) for text in column(rows, "meta")]


# RefinedWeb


def test_refinedweb_s_columns_find_their_places(tmp_path: Path) -> None:
    write_parquet(
        tmp_path / "refinedweb" / "data" / "train-00000-of-05534-b8fc5348cbe605a5.parquet",
        {
            "content": ["a page", None],
            "url": ["http://a.example/", "http://b.example/"],
            "timestamp": pa.array([NOON, None], pa.timestamp("s")),
            "dump": ["CC-MAIN-2014-01"] * 2,
            "segment": ["1562540649588", None],
            "image_urls": [[["http://a.example/i.png", "alt"]], []],
        },
    )
    rows = read_all("refinedweb", None, tmp_path)
    assert column(rows, "text") == ["a page", None]
    assert column(rows, "verdict") == ["keep", "null_text"]
    assert column(rows, "url") == ["http://a.example/", "http://b.example/"]
    assert column(rows, "timestamp") == ["2019-06-26T12:34:56", None]
    assert _meta(rows) == [
        {"dump": "CC-MAIN-2014-01", "segment": "1562540649588"},
        {"dump": "CC-MAIN-2014-01"},
    ]
    assert {(row["source"], row["subset"], row["language"]) for row in rows} == {("refinedweb", "web", "en")}


def test_a_file_with_more_or_fewer_columns_is_read(tmp_path: Path) -> None:
    data = tmp_path / "refinedweb" / "data"
    write_parquet(data / "0.parquet", {"content": ["a"], "score": [0.5], "url": ["u"]})
    write_parquet(data / "1.parquet", {"content": ["b"]})
    rows = read_all("refinedweb", None, tmp_path)
    assert column(rows, "url") == ["u", None]
    assert _meta(rows) == [{"score": 0.5}, None]


def test_a_file_without_the_text_column_stops_before_any_work(tmp_path: Path) -> None:
    data = tmp_path / "refinedweb" / "data"
    write_parquet(data / "0.parquet", {"content": ["a"]})
    write_parquet(data / "1.parquet", {"contents": ["a"], "url": ["u"]})
    with pytest.raises(
        SourceError, match=r"1.parquet: no text column 'content'; found 'contents', 'url'; did you mean"
    ):
        read_all("refinedweb", None, tmp_path)


# CulturaX


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("OSCAR-2019", "keep"),
        ("OSCAR-2301", "keep"),
        ("oscar-2109", "keep"),
        ("Oscar", "keep"),
        ("mC4", "excluded_mc4"),
        ("MC4", "excluded_mc4"),
        ("mc4-3.1", "excluded_mc4"),
        ("not OSCAR", "excluded_unknown_source"),
        (" OSCAR-2019", "excluded_unknown_source"),
        ("", "excluded_unknown_source"),
        (None, "excluded_unknown_source"),
        (3, "excluded_unknown_source"),
    ],
)
def test_of_culturax_only_oscar_is_kept(source: object, verdict: str) -> None:
    assert VERDICTS[exclusion_of(source)] == verdict


def test_culturax_rows_are_judged_by_their_source(tmp_path: Path) -> None:
    columns = {
        "text": ["a", "b", "c", None, "e"],
        "timestamp": ["2018/11/19 07:24:51"] * 5,
        "url": ["u"] * 5,
        "source": ["OSCAR-2109", "mC4", None, "mC4", "oscar"],
    }
    write_parquet(tmp_path / "culturax" / "de" / "de_part_00000.parquet", columns)
    rows = read_all("culturax", "de", tmp_path)
    assert column(rows, "verdict") == ["keep", "excluded_mc4", "excluded_unknown_source", "null_text", "keep"]
    assert column(rows, "text") == ["a", None, None, None, "e"]
    assert column(rows, "timestamp") == ["2018/11/19 07:24:51"] * 5
    assert column(rows, "language") == ["de"] * 5
    assert _meta(rows)[:3] == [{"source": "OSCAR-2109"}, {"source": "mC4"}, None]


def test_culturax_without_the_source_column_is_refused_row_by_row(tmp_path: Path) -> None:
    write_parquet(tmp_path / "culturax" / "de" / "x.parquet", {"text": ["a", "b"]})
    assert column(read_all("culturax", "de", tmp_path), "verdict") == ["excluded_unknown_source"] * 2


# StarCoderData


@pytest.mark.parametrize(
    ("stars", "written"),
    [
        (pa.array([3, None, 0], pa.int64()), [3, None, 0]),
        (pa.array([3.0, None, float("nan")]), [3, None, None]),
        (pa.array([float("inf"), 0.5, 1e15]), [None, None, 10**15]),
        (pa.nulls(3), [None] * 3),
        (pa.array(["3", None, "many"]), ["3", None, "many"]),
    ],
)
def test_stars_are_whole_numbers_whatever_the_file_stores(
    tmp_path: Path, stars: pa.Array, written: list[Any]
) -> None:
    tagged = "<reponame>a/b<filename>x.py<gh_stars>10-100\nimport os\n"
    write_parquet(
        tmp_path / "starcoderdata" / "python" / "train-0.parquet",
        {
            "max_stars_repo_path": ["x.py"] * 3,
            "max_stars_count": stars,
            "id": ["1"] * 3,
            "content": [tagged] * 3,
        },
    )
    rows = read_all("starcoderdata", "python", tmp_path)
    assert column(rows, "text") == [tagged] * 3
    assert [meta.get("max_stars_count") for meta in _meta(rows)] == written
    assert {row["language"] for row in rows} == {"python"}
    assert {row["subset"] for row in rows} == {"python"}


@pytest.mark.parametrize(
    ("folder", "columns", "meta", "license_name"),
    [
        (
            "github-issues-filtered-structured",
            {"repo": ["a/b"], "issue_id": ["7"], "issue_number": [3], "content": ["<issue_start>x"]},
            {"repo": "a/b", "issue_id": "7", "issue_number": 3},
            None,
        ),
        (
            "git-commits-cleaned",
            {
                "commit": ["c0"],
                "old_file": ["x"],
                "new_file": ["x"],
                "license": ["mit"],
                "content": ["<commit_before>"],
            },
            {"commit": "c0", "old_file": "x", "new_file": "x"},
            "mit",
        ),
        (
            "jupyter-structured-clean-dedup",
            {
                "content": ["<jupyter_start>"],
                "license": ["apache-2.0"],
                "path": ["x.ipynb"],
                "chain_length": [4],
            },
            {"path": "x.ipynb", "chain_length": 4},
            "apache-2.0",
        ),
        ("jupyter-scripts-dedup-filtered", {"path": ["x"], "content": ["import os"]}, {"path": "x"}, None),
    ],
)
def test_each_special_folder_is_read_by_its_own_columns(
    tmp_path: Path, folder: str, columns: dict[str, Any], meta: dict[str, Any], license_name: str | None
) -> None:
    write_parquet(tmp_path / "starcoderdata" / folder / "train-0.parquet", columns)
    (row,) = read_all("starcoderdata", folder, tmp_path)
    assert row["text"] == columns["content"][0]
    assert json.loads(row["meta"]) == meta
    assert row["license"] == (license_name or "permissive (each file its own), The Stack terms of use")
    assert (row["language"], row["subset"]) == (None, folder)


# corpora of one's own


OWN = """
corpora:
  minutes:
    number: 2048
    title: Minutes
    homepage: https://example.org
    adapter: generic
    layout: folders
    reserved: 16
    local_name: minutes
    no_hub: ours alone
    globs: ["{subset}/*"]
    columns: {text: body, url: link, timestamp: day, language: lang, license: terms, ignored: [raw]}
    filters: curated
    language: en
    license: ours
    subsets:
      board: {}
      club: {language: de, license: club's}
"""


def test_a_corpus_of_one_s_own_needs_a_column_map_only(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    catalog = load_catalog(str(tmp_path / "own.yaml"))
    rows = [
        {"body": "a", "link": "u", "day": "2024-01-01", "lang": "fr", "terms": "CC0", "raw": "x", "n": 1},
        {"body": "b", "link": None, "day": 2024, "lang": None},
    ]
    write(tmp_path / "minutes" / "club" / "x.ndjson.gz", json_lines(rows))
    (tmp_path / "minutes" / "board").mkdir()
    write_parquet(
        tmp_path / "minutes" / "board" / "x.parquet",
        {
            "body": ["a", "b"],
            "link": ["u", None],
            "day": [NOON.date(), None],
            "lang": ["fr", None],
            "terms": ["CC0", None],
            "raw": ["x", "y"],
            "n": [1, None],
        },
    )
    club = read_all("minutes", "club", tmp_path, catalog=catalog)
    assert column(club, "text") == ["a", "b"]
    assert column(club, "url") == ["u", None]
    assert column(club, "timestamp") == ["2024-01-01", "2024"]
    assert column(club, "language") == ["fr", "de"]
    assert column(club, "license") == ["CC0", "club's"]
    assert _meta(club) == [{"n": 1}, None]
    board = read_all("minutes", "board", tmp_path, catalog=catalog)
    assert column(board, "language") == ["fr", "en"]
    assert column(board, "license") == ["CC0", "ours"]
    assert column(board, "timestamp") == ["2019-06-26", None]
    assert _meta(board) == [{"n": 1}, None]
    assert {row["doc_id"] >> 52 for row in board} == {2048}
    assert {row["doc_id"] >> 52 for row in club} == {2049}


@pytest.mark.parametrize(
    ("corpus", "name", "text_key"),
    [
        ("peS2o", "x.json.gz", "text"),
        ("pileoflaw", "data/train.atticus.jsonl.xz", "text"),
        ("fanfics", "x.jsonl.zst", "TEXT"),
        ("amps", "x.jsonl", "text"),
        ("restruct", "x.jsonl", "text"),
        ("europarl", "x.jsonl", "text"),
    ],
)
def test_the_further_corpora_are_read_from_a_folder(
    tmp_path: Path, corpus: str, name: str, text_key: str
) -> None:
    write(tmp_path / corpus / name, json_lines([{text_key: "a", "created": "2020"}, {text_key: "b"}]))
    assert column(read_all(corpus, None, tmp_path), "text") == ["a", "b"]
