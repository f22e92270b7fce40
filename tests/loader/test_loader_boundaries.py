"""Labels, positions and runs on rows that can be checked by eye, then against slow loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.errors import UsageError
from dataprep.loader import boundaries, cutting
from dataprep.shards import ENDS_DOCUMENT, REPEATS_TOKEN, STARTS_DOCUMENT, TRUNCATED, Rows

X = boundaries.IGNORED_LABEL


def rows_of(*lengths: list[int], length: int, cross: bool = False) -> Rows:
    """Rows whose segments have these lengths; tokens count up from 100 * (row + 1); pad is 0."""
    tokens = np.zeros((len(lengths), length + 1), dtype=np.uint32)
    n_tok = np.array([sum(row) for row in lengths], dtype=np.uint32)
    for r, n in enumerate(n_tok.tolist()):
        tokens[r, :n] = 100 * (r + 1) + np.arange(n)
    counts = np.array([len(row) for row in lengths], dtype=np.int64)
    flat = [n for row in lengths for n in row]
    n_loss = boundaries.count_targets(n_tok, counts, cross_document_loss=cross)
    return Rows(
        tokens=tokens,
        source=np.arange(len(lengths), dtype=np.uint16),
        epoch=np.zeros(len(lengths), dtype=np.uint8),
        n_tok=n_tok,
        n_loss=n_loss.astype(np.uint32),
        seg_starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        seg_len=np.array(flat, dtype=np.uint32),
        seg_doc=np.arange(len(flat), dtype=np.uint64) + 1000,
        seg_off=np.zeros(len(flat), dtype=np.uint32),
        seg_flags=np.full(len(flat), STARTS_DOCUMENT | ENDS_DOCUMENT, dtype=np.uint8),
    )


@st.composite
def random_rows(draw: st.DrawFn, *, length: int = 12) -> Rows:
    lengths = []
    for _ in range(draw(st.integers(1, 4))):
        row: list[int] = []
        while sum(row) < length + 1 and draw(st.booleans() if len(row) > 3 else st.just(True)):
            row.append(draw(st.integers(1, length + 1 - sum(row))))
        lengths.append(row)
    return rows_of(*lengths, length=length)


def segments_of(rows: Rows, row: int) -> list[int]:
    """Segment of each of the row's L + 1 tokens; padding: -1."""
    lengths = rows.seg_len[rows.seg_starts[row] : rows.seg_starts[row + 1]].tolist()
    flat = [s for s, n in enumerate(lengths) for _ in range(n)]
    return flat + [-1] * (rows.sequence_length + 1 - len(flat))


def test_a_row_of_two_documents_and_one_that_is_padded() -> None:
    rows = rows_of([3, 2], [2, 1], length=4)
    labels = boundaries.make_labels(rows, rows.tokens, cross_document_loss=False)
    assert labels.tolist() == [[101, 102, X, 104], [201, X, X, X]]
    crossing = boundaries.make_labels(rows, rows.tokens, cross_document_loss=True)
    assert crossing.tolist() == [[101, 102, 103, 104], [201, 202, X, X]]
    assert boundaries.make_position_ids(rows, reset_positions=True).tolist() == [[0, 1, 2, 0], [0, 1, 0, 0]]
    assert boundaries.make_position_ids(rows, reset_positions=False).tolist() == [[0, 1, 2, 3]] * 2
    assert boundaries.make_cu_seqlens(rows, reset_attention=True).tolist() == [0, 3, 4, 6, 7, 8]
    assert boundaries.make_cu_seqlens(rows, reset_attention=False).tolist() == [0, 4, 8]
    assert boundaries.make_segment_ids(rows).tolist() == [[0, 0, 0, 1], [0, 0, 1, -1]]
    assert rows.n_loss.tolist() == [3, 1]


@given(rows=random_rows(), cross=st.booleans())
def test_labels_equal_a_loop_and_the_stored_count(rows: Rows, cross: bool) -> None:
    labels = boundaries.make_labels(rows, rows.tokens, cross_document_loss=cross)
    counts = boundaries.count_targets(rows.n_tok, np.diff(rows.seg_starts), cross_document_loss=cross)
    for r in range(len(rows)):
        segments = segments_of(rows, r)
        expected = [
            int(rows.tokens[r, i + 1])
            if segments[i + 1] >= 0 and (cross or segments[i] == segments[i + 1])
            else X
            for i in range(rows.sequence_length)
        ]
        assert labels[r].tolist() == expected
        assert counts[r] == sum(label != X for label in expected)


@given(rows=random_rows())
def test_runs_positions_and_masks_tell_the_same_story(rows: Rows) -> None:
    length = rows.sequence_length
    ids = boundaries.make_segment_ids(rows)
    assert ids.tolist() == [segments_of(rows, r)[:length] for r in range(len(rows))]
    cu_seqlens = boundaries.make_cu_seqlens(rows, reset_attention=True)
    assert cu_seqlens.dtype == np.int32
    assert cu_seqlens[0] == 0
    assert cu_seqlens[-1] == len(rows) * length
    changes = [
        r * length + i
        for r in range(len(rows))
        for i in range(length)
        if i == 0 or ids[r, i] != ids[r, i - 1]
    ]
    assert cu_seqlens[:-1].tolist() == changes
    positions = boundaries.make_position_ids(rows, reset_positions=True).reshape(-1)
    for first, stop in itertools.pairwise(cu_seqlens.tolist()):
        assert positions[first:stop].tolist() == list(range(stop - first))
    mask = boundaries.make_attention_mask(rows, reset_attention=True)
    for r in range(len(rows)):
        for i in range(length):
            assert mask[r, i].tolist() == [j <= i and ids[r, i] == ids[r, j] for j in range(length)]
    causal = boundaries.make_attention_mask(rows, reset_attention=False)
    assert (causal == np.tril(np.ones((length, length), dtype=bool))).all()


@given(rows=random_rows(), length=st.sampled_from([1, 2, 3, 4, 6, 12]), cross=st.booleans())
def test_cut_rows_keep_every_pair_of_tokens_once(rows: Rows, length: int, cross: bool) -> None:
    cut = cutting.cut_rows(rows, length, cross_document_loss=cross)
    pieces = rows.sequence_length // length
    labels = boundaries.make_labels(rows, rows.tokens, cross_document_loss=cross)
    cut_labels = boundaries.make_labels(cut, cut.tokens, cross_document_loss=cross)
    assert cut_labels.reshape(len(rows), -1).tolist() == labels.tolist()
    assert cut.tokens[:, :-1].reshape(len(rows), -1).tolist() == rows.tokens[:, :-1].tolist()
    assert (cut_labels != X).sum(axis=1).tolist() == cut.n_loss.tolist()
    assert np.minimum(cut.n_tok, length).sum() == np.minimum(rows.n_tok, rows.sequence_length).sum()
    for r in range(len(rows)):
        whole = segments_of(rows, r)
        for p in range(pieces):
            inside = segments_of(cut, r * pieces + p)
            documents = cut.seg_doc[cut.seg_starts[r * pieces + p] :]
            for i, segment in enumerate(inside):
                expected = whole[p * length + i]
                assert (segment >= 0) == (expected >= 0)
                if segment >= 0:
                    assert documents[segment] == rows.seg_doc[rows.seg_starts[r] + expected]
    sums = np.add.reduceat(np.append(cut.seg_len, 0), cut.seg_starts[:-1]) * (np.diff(cut.seg_starts) > 0)
    assert sums.tolist() == cut.n_tok.tolist()


def test_cut_segments_say_what_they_are() -> None:
    rows = rows_of([3, 6], length=8)
    cut = cutting.cut_rows(rows, 4, cross_document_loss=False)
    assert cut.tokens.tolist() == [[100, 101, 102, 103, 104], [104, 105, 106, 107, 108]]
    assert cut.seg_len.tolist() == [3, 2, 5]
    assert cut.seg_doc.tolist() == [1000, 1001, 1001]
    assert cut.seg_off.tolist() == [0, 0, 1]
    assert cut.seg_flags.tolist() == [
        STARTS_DOCUMENT | ENDS_DOCUMENT,
        STARTS_DOCUMENT | TRUNCATED,
        ENDS_DOCUMENT | TRUNCATED | REPEATS_TOKEN,
    ]
    assert cut.source.tolist() == [0, 0]


def test_schedules_are_checked_before_anything_is_read() -> None:
    cutting.check_schedule([(0, 512), (100, 2048)], [2048, 4096])
    cutting.check_schedule([(0, 4096)], [2048, 4096])
    with pytest.raises(UsageError, match="must ascend from 0"):
        cutting.check_schedule([(1, 512)], [2048])
    with pytest.raises(UsageError, match=r"500 from row 0 on: it must divide .*2048"):
        cutting.check_schedule([(0, 500)], [2048])
    schedule = [(0, 512), (100, 2048)]
    lengths = [
        cutting.scheduled_length(schedule, rows_delivered=n, sequence_length=1024) for n in (0, 99, 100)
    ]
    assert lengths == [512, 512, 1024]
    assert cutting.scheduled_length([], rows_delivered=5, sequence_length=1024) == 1024
