"""Columns to JSON: the same objects as Python's own encoder, without a Python object a row."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.sources.json_columns import as_strings, json_objects, time_text

NOON = datetime.datetime(2019, 6, 26, 12, 34, 56, 789000)


def _objects(**columns: pa.Array) -> list[Any]:
    texts = json_objects(pa.RecordBatch.from_pydict(columns))
    assert texts is not None
    return [None if text is None else json.loads(text) for text in texts.to_pylist()]


def test_every_kind_of_column_is_written() -> None:
    assert _objects(
        text=pa.array(['a"b\\c', "tab\there", None]),
        large=pa.array(["ä", "€", "😀"], pa.large_string()),
        whole=pa.array([1, -2, None], pa.int64()),
        real=pa.array([0.5, float("nan"), float("inf")]),
        yes=pa.array([True, False, None]),
        when=pa.array([NOON, None, None], pa.timestamp("ms")),
        day=pa.array([NOON.date(), None, None]),
        nested=pa.array([[{"a": 1}], [], None]),
        nothing=pa.nulls(3),
        kind=pa.array(["x", None, "x"]).dictionary_encode(),
    ) == [
        {
            "text": 'a"b\\c',
            "large": "ä",
            "whole": 1,
            "real": 0.5,
            "yes": True,
            "when": "2019-06-26T12:34:56",
            "day": "2019-06-26",
            "nested": [{"a": 1}],
            "kind": "x",
        },
        {"text": "tab\there", "large": "€", "whole": -2, "yes": False, "nested": []},
        {"large": "😀", "kind": "x"},
    ]


def test_a_row_without_any_value_has_no_object() -> None:
    assert _objects(a=pa.array([None, 1]), b=pa.array([None, None], pa.string())) == [None, {"a": 1}]


def test_no_column_is_no_object_at_all() -> None:
    assert json_objects(pa.RecordBatch.from_pydict({"a": pa.nulls(2)})) is None
    assert json_objects(pa.RecordBatch.from_pydict({})) is None


def test_a_key_is_escaped() -> None:
    assert _objects(**{'a"b\n': pa.array([1])}) == [{'a"b\n': 1}]


@given(
    st.lists(st.tuples(st.none() | st.text(), st.none() | st.integers(-(2**63), 2**63 - 1)), min_size=1),
    st.data(),
)
def test_any_text_and_number_reads_back(
    rows: list[tuple[str | None, int | None]], data: st.DataObject
) -> None:
    rows = [(t if t is None else t.encode("utf-8", "replace").decode(), n) for t, n in rows]
    start = data.draw(st.integers(0, len(rows) - 1))
    batch = pa.RecordBatch.from_pydict(
        {"t": pa.array([t for t, _ in rows], pa.string()), "n": pa.array([n for _, n in rows], pa.int64())}
    ).slice(start)
    texts = json_objects(batch)
    assert texts is not None
    for text, (t, n) in zip(texts.to_pylist(), rows[start:], strict=True):
        expected = {key: value for key, value in (("t", t), ("n", n)) if value is not None}
        assert (json.loads(text) if text is not None else {}) == expected


@given(st.lists(st.floats(), min_size=1))
def test_any_real_number_reads_back(numbers: list[float]) -> None:
    texts = as_strings(pa.array(numbers))
    for text, number in zip(texts.to_pylist(), numbers, strict=True):
        if number - number == 0:
            assert float(text) == json.loads(text) == number
        else:
            assert text is None


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_times_are_written_in_seconds(unit: str, zone: str | None) -> None:
    column = pa.array([NOON, None, datetime.datetime(1969, 12, 31, 23, 59, 59)], pa.timestamp("us")).cast(
        pa.timestamp(unit, zone), safe=False
    )
    assert time_text(column).to_pylist() == ["2019-06-26T12:34:56", None, "1969-12-31T23:59:59"]


def test_a_time_that_is_text_stays_as_it_is() -> None:
    assert time_text(pa.array(["2018/11/19 07:24:51"])).to_pylist() == ["2018/11/19 07:24:51"]
