"""Spans cut document tables into tasks and find the way back to a document's part."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from dedup_documents import Row, publish_documents

from dataprep.dedup import DedupConfig
from dataprep.dedup.edges import rank_of
from dataprep.documents import document_ids
from pipelines import dedup_spans
from pipelines.dedup_spans import (
    Sizing,
    SpanIndex,
    bucket_of_key,
    num_buckets,
    plan_spans,
    read_members,
    read_span,
    scatter,
    write_spans,
)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Two collections, the one with the higher number first; file 1 of ``b`` has nothing to sign."""
    root = tmp_path_factory.mktemp("tables")
    rows = [Row(f"text {i}", subset="x" if i % 2 else "y") for i in range(10)]
    return [
        publish_documents(root, "b", [rows, [Row(None, "x")], rows[:3]], number=9, rows_per_part=4),
        publish_documents(root, "a", [rows[:5]], number=2),
    ]


RANKS = {("a", "x"): 1, ("b", "x"): 0, ("b", "y"): 2}


def test_parts_come_in_the_order_of_document_ids(tables):
    (span,) = plan_spans(tables, RANKS, sizing=Sizing())
    assert [(part.collection, part.name, part.num_kept) for part in span.parts] == [
        ("a", "part-00000-0000.parquet", 5),
        ("b", "part-00000-0000.parquet", 4),
        ("b", "part-00000-0001.parquet", 4),
        ("b", "part-00000-0002.parquet", 2),
        ("b", "part-00002-0000.parquet", 3),
    ]
    assert [part.ranks for part in span.parts[:2]] == [{"x": 1}, {"x": 0, "y": 2}]


def test_spans_hold_no_more_documents_than_asked_for_unless_a_part_does(tables):
    spans = plan_spans(tables, RANKS, sizing=Sizing(documents_per_span=6))
    assert [[part.num_kept for part in span.parts] for span in spans] == [[5], [4], [4, 2], [3]]
    assert [span.name for span in spans] == ["span-00000", "span-00001", "span-00002", "span-00003"]


def test_collections_that_no_source_selects_have_no_part(tables):
    (span,) = plan_spans(tables, {("a", "y"): 0}, sizing=Sizing())
    assert [part.collection for part in span.parts] == ["a"]
    assert plan_spans(tables, {("c", "x"): 0}, sizing=Sizing()) == ()


def test_every_document_finds_its_span(tables):
    spans = plan_spans(tables, RANKS, sizing=Sizing(documents_per_span=6))
    index = SpanIndex.of(spans)
    for span in spans:
        for part in span.parts:
            table, _ = read_members(part, [], config=DedupConfig())
            assert set(index(table.column("doc_id").to_numpy()).tolist()) <= {span.number}


def test_descriptions_of_spans_survive_on_disk(tables, tmp_path):
    spans = plan_spans(tables, RANKS, sizing=Sizing(documents_per_span=6))
    write_spans(spans, str(tmp_path))
    assert [read_span(span.path(str(tmp_path))) for span in spans] == list(spans)


def test_members_are_the_documents_of_selected_subsets_with_their_ranks(tables):
    (span,) = plan_spans(tables, {("b", "x"): 0, ("a", "x"): 7, ("a", "y"): 3}, sizing=Sizing())
    table, preference = read_members(span.parts[0], ["num_shingles"], config=DedupConfig())
    ids = document_ids(collection=2, file=0, first_row=0, num_rows=5)
    assert table.column("doc_id").to_pylist() == ids.tolist()
    assert rank_of(preference).tolist() == [3, 7, 3, 7, 3]
    table, preference = read_members(span.parts[1], [], config=DedupConfig())
    assert table.num_rows == 2
    assert rank_of(preference).tolist() == [0, 0]


def numbers(*values: int) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array(values, pa.int64())})


def test_scatter_keeps_the_order_of_rows_inside_a_bucket():
    batch = numbers(1, 2, 3, 4, 5)
    found = [(b, part.column("n").to_pylist()) for b, part in scatter(batch, np.array([7, 0, 7, 70_000, 0]))]
    assert found == [(0, [2, 5]), (7, [1, 3]), (70_000, [4])]


def test_scatter_of_one_bucket_and_of_nothing():
    assert [(b, p.num_rows) for b, p in scatter(numbers(1, 2), np.array([3, 3]))] == [(3, 2)]
    assert list(scatter(numbers(), np.zeros(0, dtype=np.int64))) == []


def test_scattered_batches_have_a_bounded_size(monkeypatch):
    monkeypatch.setattr(dedup_spans, "_SCATTERED_BYTES", 24)
    found = [
        (b, p.column("n").to_pylist()) for b, p in scatter(numbers(*range(8)), np.array([0] * 4 + [1] * 4))
    ]
    assert found == [(0, [0, 1, 2]), (0, [3]), (1, [4, 5, 6]), (1, [7])]


def test_keys_fall_into_all_buckets_evenly():
    keys = np.random.default_rng(3).integers(0, 1 << 64, 10_000, dtype=np.uint64)
    counts = np.bincount(bucket_of_key(keys, 7), minlength=7)
    assert len(counts) == 7
    assert counts.min() > 1_200


@pytest.mark.parametrize(("rows", "expected"), [(0, 1), (1, 1), (10, 1), (11, 2), (100, 10)])
def test_there_are_as_many_buckets_as_rows_need(rows, expected):
    assert num_buckets(rows, 10) == expected
