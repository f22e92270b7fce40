"""Packing: rows by hand, then against a slow reference that walks token by token."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.packing import RowFormat, pack_best_fit, pack_concat
from dataprep.shards import ENDS_DOCUMENT, REPEATS_TOKEN, STARTS_DOCUMENT, TRUNCATED, Rows, row_problems
from dataprep.tokens import TokenSpan

PAD = 0
WHOLE = STARTS_DOCUMENT | ENDS_DOCUMENT


def form(sequence_length: int, *, cross_document_loss: bool = False) -> RowFormat:
    return RowFormat(sequence_length=sequence_length, pad_id=PAD, cross_document_loss=cross_document_loss)


def span_of(
    lengths: list[int], *, start: int = 0, stop: int | None = None, epochs: list[int] | None = None
) -> TokenSpan:
    """Return tokens ``start`` to ``stop`` of documents 100, 101, ...; token p of d is 1000 * d + p + 1."""
    walked = [
        (document, place, epochs[document] if epochs else 0)
        for document, length in enumerate(lengths)
        for place in range(length)
    ][start:stop]
    segments: list[list[int]] = []
    for document, place, epoch in walked:
        if not segments or segments[-1][0] != document:
            segments.append([document, place, 0, epoch])
        segments[-1][2] += 1
    return TokenSpan(
        tokens=np.array([1000 * document + place + 1 for document, place, _ in walked], dtype=np.uint32),
        doc_id=np.array([100 + segment[0] for segment in segments], dtype=np.uint64),
        epoch=np.array([segment[3] for segment in segments], dtype=np.int64),
        offset=np.array([segment[1] for segment in segments], dtype=np.int64),
        length=np.array([segment[2] for segment in segments], dtype=np.int64),
        starts=np.array([segment[1] == 0 for segment in segments], dtype=bool),
        ends=np.array([segment[1] + segment[2] == lengths[segment[0]] for segment in segments], dtype=bool),
    )


def segments_of(rows: Rows, row: int) -> list[tuple[int, int, int, int]]:
    """Return (document, offset, length, flags) of a row's segments."""
    span = slice(rows.seg_starts[row], rows.seg_starts[row + 1])
    columns = (rows.seg_doc[span], rows.seg_off[span], rows.seg_len[span], rows.seg_flags[span])
    return list(zip(*(column.tolist() for column in columns)))


def labels_of(rows: Rows, *, cross_document_loss: bool) -> list[tuple[int, int]]:
    """Return (token, next token) of every position that bears loss, by walking through the segments."""
    labels = []
    for row in range(len(rows)):
        place = 0
        segment_of = []
        for index, (_, _, length, _) in enumerate(segments_of(rows, row)):
            segment_of += [index] * length
        for place in range(len(segment_of) - 1):
            if cross_document_loss or segment_of[place] == segment_of[place + 1]:
                labels.append((int(rows.tokens[row, place]), int(rows.tokens[row, place + 1])))
    return labels


class TestConcat:
    def test_three_documents_over_two_rows(self) -> None:
        # Documents of 3, 4 and 6 tokens; rows of 4 + 1; the row edges lie at tokens 0-4 and 4-8.
        rows = pack_concat(span_of([3, 4, 6], stop=9), form(4), source=2, repeats_first=False)
        assert rows.tokens.tolist() == [[1, 2, 3, 1001, 1002], [1002, 1003, 1004, 2001, 2002]]
        assert segments_of(rows, 0) == [(100, 0, 3, WHOLE), (101, 0, 2, STARTS_DOCUMENT | TRUNCATED)]
        assert segments_of(rows, 1) == [
            (101, 1, 3, ENDS_DOCUMENT | TRUNCATED | REPEATS_TOKEN),
            (102, 0, 2, STARTS_DOCUMENT | TRUNCATED),
        ]
        assert rows.source.tolist() == [2, 2]
        assert rows.n_tok.tolist() == [5, 5]
        assert rows.n_loss.tolist() == [3, 3]

    def test_the_loss_over_a_document_end_is_a_policy(self) -> None:
        rows = pack_concat(
            span_of([3, 4, 6], stop=9), form(4, cross_document_loss=True), source=0, repeats_first=True
        )
        assert rows.n_loss.tolist() == [4, 4]
        assert segments_of(rows, 0)[0] == (100, 0, 3, WHOLE | REPEATS_TOKEN)

    def test_the_epoch_of_a_row_is_that_of_its_first_token(self) -> None:
        span = span_of([3, 3, 3], epochs=[0, 1, 1])
        rows = pack_concat(span, form(2), source=0, repeats_first=False)
        assert rows.epoch.tolist() == [0, 0, 1, 1]

    @given(
        lengths=st.lists(st.integers(1, 12), min_size=1, max_size=20),
        sequence_length=st.integers(1, 9),
        start=st.integers(0, 30),
        cross=st.booleans(),
    )
    def test_it_equals_a_walk_token_by_token(
        self, lengths: list[int], sequence_length: int, start: int, cross: bool
    ) -> None:
        num_rows = (sum(lengths) - start - 1) // sequence_length
        if num_rows < 1:
            return
        span = span_of(lengths, start=start, stop=start + num_rows * sequence_length + 1)
        rows = pack_concat(
            span, form(sequence_length, cross_document_loss=cross), source=0, repeats_first=start > 0
        )
        assert row_problems(rows, vocab_size=1 << 20, num_sources=1) == []
        for row in range(num_rows):
            first = start + row * sequence_length
            alone = span_of(lengths, start=first, stop=first + sequence_length + 1)
            assert rows.tokens[row].tolist() == alone.tokens.tolist()
            expected = [
                (
                    document,
                    offset,
                    length,
                    starts + 2 * ends + 4 * (not (starts and ends)) + 8 * (index == 0 and first > 0),
                )
                for index, (document, offset, length, starts, ends) in enumerate(
                    zip(alone.doc_id, alone.offset, alone.length, alone.starts, alone.ends)
                )
            ]
            assert segments_of(rows, row) == expected
        assert rows.n_loss.sum() == len(labels_of(rows, cross_document_loss=cross))


def reference_best_fit(lengths: list[int], capacity: int) -> list[list[int]]:
    """Return the pieces of each row, by looking at every open row; the latest of the fullest wins."""
    rows: list[list[int]] = []
    touched: list[int] = []
    for now, piece in enumerate(sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))):
        rooms = [capacity - sum(lengths[i] for i in row) for row in rows]
        fitting = [r for r in range(len(rows)) if rooms[r] >= lengths[piece]]
        if fitting:
            row = min(fitting, key=lambda r: (rooms[r], -touched[r]))
        else:
            row = len(rows)
            rows.append([])
            touched.append(0)
        rows[row].append(piece)
        touched[row] = now
    return [sorted(row) for row in rows]


class TestBestFit:
    def test_documents_stay_whole_and_rows_are_filled_up(self) -> None:
        # Rows of 10. Longest first: 7 | 6 | 4 goes to the 6 | 3 to the 7 | 2 to a new row.
        rows = pack_best_fit(span_of([3, 6, 2, 7, 4]), form(9), source=1)
        assert [segments_of(rows, r) for r in range(3)] == [
            [(100, 0, 3, WHOLE), (103, 0, 7, WHOLE)],
            [(101, 0, 6, WHOLE), (104, 0, 4, WHOLE)],
            [(102, 0, 2, WHOLE)],
        ]
        assert rows.tokens[2].tolist() == [2001, 2002] + [PAD] * 8
        assert rows.n_tok.tolist() == [10, 10, 2]
        assert rows.n_loss.tolist() == [8, 8, 1]

    def test_a_long_document_is_cut_into_pieces_that_share_a_token(self) -> None:
        # 11 tokens in rows of 4 + 1: tokens 0-4, 4-8 and 8-10; the last piece shares its row.
        rows = pack_best_fit(span_of([11, 2]), form(4), source=0)
        assert [segments_of(rows, r) for r in range(3)] == [
            [(100, 0, 5, STARTS_DOCUMENT | TRUNCATED)],
            [(100, 4, 5, TRUNCATED | REPEATS_TOKEN)],
            [(100, 8, 3, ENDS_DOCUMENT | TRUNCATED | REPEATS_TOKEN), (101, 0, 2, WHOLE)],
        ]

    @pytest.mark.parametrize(
        ("length", "pieces"), [(1, [1]), (4, [4]), (5, [5]), (6, [5, 2]), (9, [5, 5]), (10, [5, 5, 2])]
    )
    def test_pieces_at_the_edges(self, length: int, pieces: list[int]) -> None:
        rows = pack_best_fit(span_of([length]), form(4), source=0)
        assert sorted(rows.seg_len.tolist(), reverse=True) == pieces

    def test_no_document_gives_no_row(self) -> None:
        rows = pack_best_fit(span_of([]), form(4), source=0)
        assert len(rows) == 0
        assert rows.tokens.shape == (0, 5)
        assert rows.seg_starts.tolist() == [0]

    @given(lengths=st.lists(st.integers(1, 40), max_size=40), sequence_length=st.integers(1, 30))
    def test_it_equals_the_plain_search_and_loses_nothing(
        self, lengths: list[int], sequence_length: int
    ) -> None:
        rows = pack_best_fit(span_of(lengths), form(sequence_length), source=0)
        assert row_problems(rows, vocab_size=1 << 20, num_sources=1) == []
        pieces = [
            (100 + document, offset, min(sequence_length + 1, length - offset))
            for document, length in enumerate(lengths)
            for offset in range(0, max(1, length - 1), sequence_length)
        ]
        expected = reference_best_fit([piece[2] for piece in pieces], sequence_length + 1)
        got = [[segment[:3] for segment in segments_of(rows, row)] for row in range(len(rows))]
        assert got == [[pieces[i] for i in row] for row in expected]
        # Every token that has a predecessor in its document is a label once.
        wanted = Counter(
            (1000 * d + p, 1000 * d + p + 1) for d, length in enumerate(lengths) for p in range(1, length)
        )
        assert Counter(labels_of(rows, cross_document_loss=False)) == wanted
        assert rows.n_loss.sum() == sum(wanted.values())
        # Every token is in some row, and the flag tells which are there twice.
        repeated = np.count_nonzero(rows.seg_flags & REPEATS_TOKEN)
        assert rows.n_tok.sum() - repeated == sum(lengths)
        for row in range(len(rows)):
            assert (rows.tokens[row, rows.n_tok[row] :] == PAD).all()
