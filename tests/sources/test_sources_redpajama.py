"""RedPajama-1T: three forms of ``meta``, and of its books only what is known to be PG-19."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_files import column, json_lines, read_all, write, write_parquet

from dataprep.sources.fields import CODE_OF
from dataprep.sources.redpajama import book_exclusion

C4_META = {"timestamp": "2020-01-12T09:37:46Z", "url": "http://a.example/", "language": "en", "source": "c4"}


def _rows(tmp_path: Path, subset: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    suffix = ".zst" if subset == "common_crawl" else ""
    write(tmp_path / "redpajama" / subset / f"x.jsonl{suffix}", json_lines(rows))
    return read_all("redpajama", subset, tmp_path)


@pytest.mark.parametrize("meta", [C4_META, json.dumps(C4_META)], ids=["object", "JSON string"])
def test_meta_is_read_as_object_and_as_json_string(tmp_path: Path, meta: object) -> None:
    (row,) = _rows(tmp_path, "c4", [{"text": "a", "meta": meta}])
    assert (row["url"], row["timestamp"], row["language"]) == (
        "http://a.example/",
        "2020-01-12T09:37:46Z",
        "en",
    )
    assert json.loads(row["meta"]) == {"source": "c4"}
    assert (row["source"], row["subset"], row["license"]) == ("redpajama", "c4", "ODC-By-1.0")
    assert row["verdict"] == "keep"


def test_common_crawl_has_its_fields_beside_the_text(tmp_path: Path) -> None:
    (row,) = _rows(
        tmp_path,
        "common_crawl",
        [
            {
                "pred_label": "__label__wiki",
                "pred_label_prob": 0.9,
                "text": "a",
                "source": "cc/2019-30/x/line0",
            }
        ],
    )
    assert json.loads(row["meta"]) == {
        "pred_label": "__label__wiki",
        "pred_label_prob": 0.9,
        "source": "cc/2019-30/x/line0",
    }
    assert (row["url"], row["timestamp"], row["language"]) == (None, None, "en")


def test_a_parquet_copy_is_read_like_the_json_lines(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a" / "redpajama" / "c4" / "x.jsonl.parquet", {"text": ["a"]})
    rows = [
        {"text": "a", "meta": json.dumps(C4_META)},
        {"text": None, "meta": "{}"},
        {"text": "b", "meta": None},
    ]
    from_lines = _rows(tmp_path, "c4", rows)
    from raw_files import CATALOG

    from dataprep.sources import WorkItem, read_batches, resolve_collection, split_collection

    own = CATALOG.corpus("redpajama").model_copy(
        update={
            "subsets": {
                **CATALOG.corpus("redpajama").subsets,
                "c4": CATALOG.corpus("redpajama")
                .subsets["c4"]
                .model_copy(update={"globs": ("c4/*.parquet",)}),
            }
        }
    )
    path = tmp_path / "b" / "redpajama" / "c4" / "x.parquet"
    write_parquet(path, {"text": [r["text"] for r in rows], "meta": [r["meta"] for r in rows]})
    collection = resolve_collection(own, "c4", data_root=str(tmp_path / "b"))
    items: list[WorkItem] = split_collection(collection, own)
    from_parquet = [row for item in items for batch in read_batches(item, own) for row in batch.to_pylist()]
    for one, other in zip(from_lines, from_parquet, strict=True):
        assert {**one, "origin": None} == {**other, "origin": None}


def test_of_github_the_language_of_most_bytes_and_the_license_are_taken(tmp_path: Path) -> None:
    languages = [{"name": "C", "bytes": "10"}, {"name": "Rust", "bytes": "1560"}]
    rows = _rows(
        tmp_path,
        "github",
        [
            {"text": "a", "meta": {"timestamp": "", "license": "mit", "language": languages, "size": "1560"}},
            {"text": "b", "meta": {"language": []}},
            {"text": "c", "meta": {"language": [{"name": None}, "x"]}},
            {"text": "d"},
        ],
    )
    assert column(rows, "language") == ["rust", None, None, None]
    assert column(rows, "timestamp") == [None] * 4
    assert column(rows, "license")[:2] == ["mit", "MIT, BSD or Apache-2.0 (each file its own)"]
    assert json.loads(rows[0]["meta"]) == {"languages": languages, "size": "1560"}


def test_wikipedia_keeps_each_row_s_language(tmp_path: Path) -> None:
    rows = _rows(
        tmp_path,
        "wikipedia",
        [
            {"text": "a", "meta": {"title": "T", "language": lang, "timestamp": "20230320"}}
            for lang in ("de", "fr")
        ],
    )
    assert column(rows, "language") == ["de", "fr"]
    assert column(rows, "timestamp") == ["20230320", "20230320"]


PG19 = {"short_book_title": "Emma", "publication_date": 1815, "url": "http://www.gutenberg.org/ebooks/158"}


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({"meta": PG19}, "keep"),
        ({"meta": json.dumps(PG19)}, "keep"),
        (PG19, "keep"),
        ({"meta": {"short_book_title": "Emma"}}, "keep"),
        ({"meta": {"title": "A Book"}}, "excluded_books3"),
        ({"meta": json.dumps({"title": "A Book"})}, "excluded_books3"),
        ({"title": "A Book"}, "excluded_books3"),
        ({"meta": {"title": "A Book", "short_book_title": None, "url": None}}, "excluded_books3"),
        ({"meta": {"title": "A Book", "author": "B"}}, "excluded_unknown_book"),
        ({"meta": {"short_book_title": None}}, "excluded_unknown_book"),
        ({"meta": {"short_book_title": ["Emma"]}}, "excluded_unknown_book"),
        ({"meta": {"Short_Book_Title": "Emma"}}, "excluded_unknown_book"),
        ({"meta": {}}, "excluded_unknown_book"),
        ({"meta": None}, "excluded_unknown_book"),
        ({"meta": "not JSON, short_book_title"}, "excluded_unknown_book"),
        ({"meta": ["short_book_title"]}, "excluded_unknown_book"),
        ({"meta": {"meta": {"short_book_title": "nested"}}}, "excluded_unknown_book"),
        ({}, "excluded_unknown_book"),
    ],
)
def test_a_book_is_kept_only_if_it_is_known_to_be_pg19(
    tmp_path: Path, row: dict[str, Any], verdict: str
) -> None:
    (read,) = _rows(tmp_path, "book", [{"text": "words", **row}])
    assert read["verdict"] == verdict
    assert (read["text"] == "words") is (verdict == "keep")


@given(st.dictionaries(st.text(max_size=10), st.none() | st.integers() | st.text(max_size=5), max_size=4))
def test_no_other_meta_lets_a_book_in(fields: dict[str, Any]) -> None:
    fields.pop("short_book_title", None)
    assert book_exclusion(fields) in (CODE_OF["excluded_books3"], CODE_OF["excluded_unknown_book"])


def test_a_number_becomes_text_and_an_odd_value_stays_in_meta(tmp_path: Path) -> None:
    rows = _rows(
        tmp_path,
        "arxiv",
        [
            {"text": "a", "meta": {"timestamp": 1623, "url": ["u"], "language": 3.5}},
            {"text": "b", "meta": {"url": ""}},
        ],
    )
    assert column(rows, "timestamp") == ["1623", None]
    assert column(rows, "url") == [None, None]
    assert json.loads(rows[0]["meta"]) == {"url": ["u"]}
    assert rows[1]["meta"] is None


def test_meta_nested_too_deep_to_write_does_not_stop_the_build(tmp_path: Path) -> None:
    nested: Any = 1
    for _ in range(300):
        nested = [nested]
    (row,) = _rows(tmp_path, "arxiv", [{"text": "a", "meta": {"deep": nested}}])
    assert row["verdict"] == "keep"
    assert json.loads(row["meta"]) == {"dropped": "nested deeper than 254 levels"}
