"""The Pile: subsets told by ``meta.pile_set_name``, Books3 and everything unknown refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_files import CATALOG, column, json_lines, read_all, write, write_parquet

from dataprep.errors import SourceError
from dataprep.sources.adapters import adapter_of
from dataprep.sources.fields import VERDICTS

PILE = CATALOG.corpus("pile")
NAMES = list(PILE.subsets)


def _rows(
    tmp_path: Path, rows: list[dict[str, Any]], name: str = "train/00.jsonl.zst"
) -> list[dict[str, Any]]:
    write(tmp_path / "pile" / name, json_lines(rows))
    return read_all("pile", None, tmp_path)


def test_every_subset_is_recognised_and_books3_refused(tmp_path: Path) -> None:
    rows = _rows(tmp_path, [{"text": name, "meta": {"pile_set_name": name}} for name in NAMES])
    assert column(rows, "subset") == NAMES
    assert [row["subset"] for row in rows if row["verdict"] != "keep"] == ["Books3"]
    assert {row["verdict"] for row in rows} == {"keep", "excluded_books3"}
    assert [row["text"] for row in rows if row["subset"] == "Books3"] == [None]
    assert column(rows, "meta") == [None] * len(rows)


def test_language_and_license_are_those_of_the_subset(tmp_path: Path) -> None:
    rows = _rows(
        tmp_path, [{"text": "a", "meta": {"pile_set_name": n}} for n in ("ArXiv", "Github", "nothing")]
    )
    assert column(rows, "language") == ["en", None, None]
    assert column(rows, "license") == [PILE.license] * 3


@pytest.mark.parametrize(
    ("row", "subset", "verdict"),
    [
        ({"meta": {"pile_set_name": "UPSTO Backgrounds"}}, "USPTO Backgrounds", "keep"),
        ({"meta": json.dumps({"pile_set_name": "ArXiv"})}, "ArXiv", "keep"),
        ({"meta": json.dumps({"pile_set_name": "Books3"})}, "Books3", "excluded_books3"),
        ({"pile_set_name": "ArXiv"}, "ArXiv", "keep"),
        ({"pile_set_name": "Books3"}, "Books3", "excluded_books3"),
        ({"meta": {"pile_set_name": "books3"}}, None, "excluded_unknown_subset"),
        ({"meta": {"pile_set_name": "Books3 "}}, None, "excluded_unknown_subset"),
        ({"meta": {"pile_set_name": ""}}, None, "excluded_unknown_subset"),
        ({"meta": {"pile_set_name": None}}, None, "excluded_unknown_subset"),
        ({"meta": {"pile_set_name": ["ArXiv"]}}, None, "excluded_unknown_subset"),
        ({"meta": {"set": "ArXiv"}}, None, "excluded_unknown_subset"),
        ({"meta": "{'pile_set_name': 'ArXiv'}"}, None, "excluded_unknown_subset"),
        ({"meta": {}}, None, "excluded_unknown_subset"),
        ({"meta": None}, None, "excluded_unknown_subset"),
        ({"meta": 3}, None, "excluded_unknown_subset"),
    ],
)
def test_a_row_is_kept_only_if_its_subset_is_known(
    tmp_path: Path, row: dict[str, Any], subset: str | None, verdict: str
) -> None:
    (read,) = _rows(tmp_path, [{"text": "words", **row}])
    assert (read["subset"], read["verdict"]) == (subset, verdict)
    assert (read["text"] == "words") is (verdict == "keep")


@given(st.text(max_size=30))
def test_no_other_name_lets_a_row_in(name: str) -> None:
    if name in NAMES or name == "UPSTO Backgrounds":
        return
    fields = adapter_of(PILE, None).fields_of_rows([{"meta": {"pile_set_name": name}}])
    assert fields.exclusion is not None
    assert VERDICTS[fields.exclusion[0]] == "excluded_unknown_subset"


def test_what_meta_has_beside_the_name_is_kept(tmp_path: Path) -> None:
    (row,) = _rows(tmp_path, [{"text": "a", "meta": {"pile_set_name": "ArXiv", "id": 7}, "extra": True}])
    assert json.loads(row["meta"]) == {"meta": {"id": 7}, "extra": True}


def test_rows_of_the_validation_and_test_files_are_held_out(tmp_path: Path) -> None:
    write(
        tmp_path / "pile" / "val.jsonl.zst",
        json_lines([{"text": "v", "meta": {"pile_set_name": "ArXiv"}}, {"text": None}]),
    )
    write(
        tmp_path / "pile" / "test.jsonl.zst", json_lines([{"text": "t", "meta": {"pile_set_name": "Books3"}}])
    )
    rows = _rows(tmp_path, [{"text": "a", "meta": {"pile_set_name": "ArXiv"}}])
    assert [(row["origin"], row["verdict"], row["text"]) for row in rows] == [
        ("test.jsonl.zst", "held_out_split", None),
        ("train/00.jsonl.zst", "keep", "a"),
        ("val.jsonl.zst", "held_out_split", None),
        ("val.jsonl.zst", "null_text", None),
    ]


@pytest.mark.parametrize("skip_bad_files", [False, True])
def test_a_copy_with_text_only_is_refused(tmp_path: Path, skip_bad_files: bool) -> None:
    message = (
        r"no column 'meta', only 'text'. .*Books3 cannot be recognised.*EleutherAI/the_pile_deduplicated"
    )
    write_parquet(tmp_path / "a" / "pile" / "data" / "train-00000-of-01650-ab12.parquet", {"text": ["a"]})
    with pytest.raises(SourceError, match=message):
        read_all("pile", None, tmp_path / "a", skip_bad_files=skip_bad_files)
    write(tmp_path / "b" / "pile" / "train" / "00.jsonl.zst", json_lines([{"text": "a"}]))
    with pytest.raises(SourceError, match=message):
        read_all("pile", None, tmp_path / "b", skip_bad_files=skip_bad_files)


def test_a_parquet_copy_that_kept_meta_is_read(tmp_path: Path) -> None:
    meta = pa.array([{"pile_set_name": "ArXiv"}, {"pile_set_name": "Books3"}, None])
    write_parquet(tmp_path / "pile" / "data" / "train-0.parquet", {"text": ["a", "b", "c"], "meta": meta})
    rows = read_all("pile", None, tmp_path)
    assert column(rows, "verdict") == ["keep", "excluded_books3", "excluded_unknown_subset"]
    assert column(rows, "text") == ["a", None, None]
