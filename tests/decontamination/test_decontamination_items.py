"""Evaluation items from JSON lines, Parquet and the hub's library are the same table."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataprep.decontamination import EvaluationSet, read_items, set_identity
from dataprep.errors import SourceError

ROWS = [
    {"id": "q1", "question": "Who rings?\u2028Twice", "choices": ["The keeper", "Nobody"], "answer": 1},
    {
        "id": "q2",
        "question": "Cafe\u0301 \u00e0 deux",
        "choices": {"label": ["A"], "text": ["3 p.m."]},
        "answer": 0,
    },
]
TEXTS = ["Who rings?\nTwice\nThe keeper\nNobody", "Caf\u00e9 \u00e0 deux\nA\n3 p.m."]


def _set(path: Path, **options: Any) -> EvaluationSet:
    values = {"name": "quiz", "path": str(path), "fields": ("question", "choices"), "id_field": "id"}
    return EvaluationSet(**(values | options))


def _write_jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n")
    return path


def test_fields_are_joined_and_normalised(tmp_path: Path) -> None:
    items = read_items(_set(_write_jsonl(tmp_path / "quiz.jsonl", ROWS)))
    assert items.to_pylist() == [
        {"set": "quiz", "item": "q1", "text": TEXTS[0]},
        {"set": "quiz", "item": "q2", "text": TEXTS[1]},
    ]


def test_gzip_is_read_and_a_pattern_takes_files_in_order(tmp_path: Path) -> None:
    plain = _write_jsonl(tmp_path / "b.jsonl", ROWS[1:])
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(ROWS[0]).encode()))
    items = read_items(_set(tmp_path / "*.jsonl*"))
    assert items.column("item").to_pylist() == ["q1", "q2"]
    assert set_identity(items) != set_identity(read_items(_set(plain)))


def test_parquet_gives_the_same_items(tmp_path: Path) -> None:
    rows = [{"id": row["id"], "question": row["question"]} for row in ROWS]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "quiz.parquet")
    parquet = read_items(_set(tmp_path / "quiz.parquet", fields=("question",)))
    jsonl = read_items(_set(_write_jsonl(tmp_path / "quiz.jsonl", rows), fields=("question",)))
    assert parquet.equals(jsonl)
    assert set_identity(parquet) == set_identity(jsonl)


def test_a_data_set_of_the_hub_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "quiz"
    folder.mkdir()
    rows = [{"id": row["id"], "question": row["question"]} for row in ROWS]
    pq.write_table(pa.Table.from_pylist(rows), folder / "test-00000-of-00001.parquet")
    hub = EvaluationSet(name="quiz", hub=str(folder), fields=("question",), id_field="id")
    assert read_items(hub).column("item").to_pylist() == ["q1", "q2"]
    with pytest.raises(SourceError, match="cannot be read"):
        read_items(hub.model_copy(update={"split": "nowhere"}))


def test_without_names_items_are_numbered(tmp_path: Path) -> None:
    items = read_items(_set(_write_jsonl(tmp_path / "quiz.jsonl", ROWS), id_field=None))
    assert items.column("item").to_pylist() == ["0", "1"]


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    quiz = _write_jsonl(tmp_path / "quiz.jsonl", ROWS)
    with pytest.raises(SourceError, match=r"item 0 has no field 'questoin'; did you mean 'question'"):
        read_items(_set(quiz, fields=("questoin",)))
    with pytest.raises(SourceError, match="no such file"):
        read_items(_set(tmp_path / "none.jsonl"))
    with pytest.raises(SourceError, match=r"not one of \.jsonl"):
        read_items(_set(_write_jsonl(tmp_path / "quiz.txt", ROWS)))
    with pytest.raises(SourceError, match="line 1 of evaluation set 'quiz' is a list"):
        read_items(_set(_write_jsonl(tmp_path / "list.jsonl", [["q1"]])))
    (tmp_path / "bad.jsonl").write_text("{}\n{")
    with pytest.raises(SourceError, match="line 2 is no JSON"):
        read_items(
            _set(tmp_path / "bad.jsonl", fields=("question",), id_field=None).model_copy(
                update={"fields": ()}
            )
        )
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(SourceError, match="holds no item"):
        read_items(_set(tmp_path / "empty.jsonl"))
