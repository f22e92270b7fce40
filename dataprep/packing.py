"""Documents to rows: a span of a source's stream in, rows of ``sequence_length + 1`` tokens out.

``concat`` cuts the stream as it comes. Row j of a stream is its tokens j*L to (j+1)*L, both
included: L + 1 tokens, of which the last is also the first of row j + 1. So every token is a
label once, nothing is padded and nothing is lost.

``best_fit`` keeps documents whole where they fit into a row: best-fit decreasing (Ding et al.
2024, "Fewer truncations improve language modeling") over the documents that begin in the span.
A document longer than a row is cut as ``concat`` would cut it, into pieces that share one
token. Rows are filled up with padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataprep.kernels import kernel, read, write
from dataprep.shards import ENDS_DOCUMENT, REPEATS_TOKEN, STARTS_DOCUMENT, TRUNCATED, Rows
from dataprep.tokens import TokenSpan, TokenStore

Int64Array = npt.NDArray[np.int64]

_READ_ON_TOKENS = 1 << 16
"""First guess of how far a document goes on behind the range in which it begins."""


@dataclass(frozen=True)
class RowFormat:
    """What all rows of a stage have in common."""

    sequence_length: int
    pad_id: int
    cross_document_loss: bool
    """Whether the last token of a document is asked to predict the first of the next."""


def pack_concat(span: TokenSpan, form: RowFormat, *, source: int, repeats_first: bool) -> Rows:
    """Cut a span of a stream into consecutive rows.

    Args:
        span: n * L + 1 tokens of one stream, for n >= 1 rows.
        form: the stage's row format.
        source: source id of the rows.
        repeats_first: whether the span's first token is also the last of an earlier row; false
            only at the very start of the stream.

    Returns: the rows; their ``tokens`` are a read-only view of the span, where rows overlap.
    """
    length = form.sequence_length
    num_rows, rest = divmod(len(span.tokens) - 1, length)
    assert num_rows >= 1, "a span without a row"
    assert rest == 0, f"a span of {len(span.tokens)} tokens is no whole number of rows of {length}"
    tokens = np.ascontiguousarray(span.tokens, dtype=np.uint32)
    windows = np.lib.stride_tricks.as_strided(
        tokens,
        shape=(num_rows, length + 1),
        strides=(length * tokens.itemsize, tokens.itemsize),
        writeable=False,
    )
    edges = np.concatenate([[0], np.cumsum(span.length, dtype=np.int64)])
    row_start = np.arange(num_rows, dtype=np.int64) * length
    row_stop = row_start + length + 1
    first = np.searchsorted(edges, row_start, side="right") - 1
    last = np.searchsorted(edges, row_stop - 1, side="right") - 1
    counts = last - first + 1
    seg_starts = np.concatenate([[0], np.cumsum(counts)])
    row_of = np.repeat(np.arange(num_rows), counts)
    piece = np.arange(seg_starts[-1]) - np.repeat(seg_starts[:-1] - first, counts)
    start = np.maximum(edges[piece], row_start[row_of])
    stop = np.minimum(edges[piece + 1], row_stop[row_of])
    repeats = np.zeros(len(piece), dtype=bool)
    repeats[seg_starts[:-1]] = True
    repeats[0] = repeats_first
    n_tok = np.full(num_rows, length + 1, dtype=np.uint32)
    return Rows(
        tokens=windows,
        source=np.full(num_rows, source, dtype=np.uint16),
        epoch=span.epoch[first].astype(np.uint8),
        n_tok=n_tok,
        n_loss=count_targets(n_tok, counts, form),
        seg_starts=seg_starts,
        seg_len=(stop - start).astype(np.uint32),
        seg_doc=span.doc_id[piece],
        seg_off=(span.offset[piece].astype(np.int64) + start - edges[piece]).astype(np.uint32),
        seg_flags=_flags(
            starts=span.starts[piece] & (start == edges[piece]),
            ends=span.ends[piece] & (stop == edges[piece + 1]),
            repeats=repeats,
        ),
    )


def pack_best_fit(span: TokenSpan, form: RowFormat, *, source: int) -> Rows:
    """Pack whole documents into as few rows as best-fit decreasing finds.

    The documents of a row stand in the order of the stream; rows are in the order in which they
    were opened, longest documents first, so the caller has to permute them.

    Args:
        span: whole documents of one stream; may be empty.
        form: the stage's row format.
        source: source id of the rows.
    """
    pieces = _assign_rows(span, form)
    by_row = np.argsort(pieces.row_of, kind="stable")
    document, offset, length = pieces.document[by_row], pieces.offset[by_row], pieces.length[by_row]
    counts = np.bincount(pieces.row_of, minlength=pieces.num_rows)
    seg_starts = np.concatenate([[0], np.cumsum(counts)])
    edges = np.concatenate([[0], np.cumsum(span.length, dtype=np.int64)])
    tokens = np.full((pieces.num_rows, form.sequence_length + 1), form.pad_id, dtype=np.uint32)
    _copy_pieces(
        np.ascontiguousarray(span.tokens, dtype=np.uint32),
        edges[document] + offset,
        length,
        seg_starts,
        tokens,
    )
    totals = np.concatenate([[0], np.cumsum(length)])
    n_tok = (totals[seg_starts[1:]] - totals[seg_starts[:-1]]).astype(np.uint32)
    return Rows(
        tokens=tokens,
        source=np.full(pieces.num_rows, source, dtype=np.uint16),
        epoch=span.epoch[document[seg_starts[:-1]]].astype(np.uint8),
        n_tok=n_tok,
        n_loss=count_targets(n_tok, counts, form),
        seg_starts=seg_starts,
        seg_len=length.astype(np.uint32),
        seg_doc=span.doc_id[document],
        seg_off=offset.astype(np.uint32),
        seg_flags=_flags(
            starts=offset == 0,
            ends=offset + length == span.length[document],
            repeats=offset > 0,
        ),
    )


def count_best_fit_rows(span: TokenSpan, form: RowFormat) -> int:
    """Return how many rows ``pack_best_fit`` makes of a span, without making them."""
    return _assign_rows(span, form).num_rows


def read_documents(store: TokenStore, class_name: str, start: int, stop: int) -> TokenSpan:
    """Return, whole, the documents whose first token is at a virtual position in [start, stop).

    Consecutive ranges hold every document once, wherever they are cut.
    """
    span = store.read_tokens(class_name, start, stop)
    begins = np.flatnonzero(span.starts)
    if len(begins) == 0:
        return store.read_tokens(class_name, start, start)
    first = int(begins[0])
    skipped = int(span.length[:first].sum())
    rest = np.zeros(0, dtype=span.tokens.dtype)
    step = _READ_ON_TOKENS
    while not span.ends[-1] and len(rest) == 0:
        further = store.read_tokens(class_name, stop, stop + step)
        if further.ends[0]:
            rest = further.tokens[: further.length[0]]
        step *= 2
    length = span.length[first:].copy()
    length[-1] += len(rest)
    ends = span.ends[first:].copy()
    ends[-1] = True
    return TokenSpan(
        tokens=np.concatenate([span.tokens[skipped:], rest]),
        doc_id=span.doc_id[first:],
        epoch=span.epoch[first:],
        offset=span.offset[first:],
        length=length,
        starts=span.starts[first:],
        ends=ends,
    )


def count_targets(
    n_tok: npt.NDArray[np.uint32], num_segments: Int64Array, form: RowFormat
) -> npt.NDArray[np.uint32]:
    """Return uint32[n] targets that bear loss in rows of ``n_tok`` tokens and ``num_segments`` segments.

    Position i is asked for token i + 1 of the row. It bears loss unless token i + 1 is padding
    or (without ``cross_document_loss``) belongs to another segment than token i.
    """
    targets = n_tok.astype(np.int64) - (1 if form.cross_document_loss else num_segments)
    return targets.astype(np.uint32)


def _flags(
    *, starts: npt.NDArray[np.bool_], ends: npt.NDArray[np.bool_], repeats: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    flags = np.zeros(len(starts), dtype=np.uint8)
    flags[starts] |= STARTS_DOCUMENT
    flags[ends] |= ENDS_DOCUMENT
    flags[~(starts & ends)] |= TRUNCATED
    flags[repeats] |= REPEATS_TOKEN
    return flags


@dataclass(frozen=True)
class _Pieces:
    """Pieces of documents, in the order of the stream, and the row of each."""

    document: Int64Array
    offset: Int64Array
    length: Int64Array
    row_of: Int64Array
    num_rows: int


def _assign_rows(span: TokenSpan, form: RowFormat) -> _Pieces:
    assert bool(span.starts.all()), "best-fit packing takes whole documents"
    assert bool(span.ends.all()), "best-fit packing takes whole documents"
    document, offset, length = _cut_documents(span.length.astype(np.int64), form.sequence_length)
    # Longest first; of equal length, first in the stream first.
    order = np.argsort(-length, kind="stable")
    rows_of_ordered = np.empty(len(order), dtype=np.int64)
    num_rows = _best_fit_decreasing(length[order], form.sequence_length + 1, rows_of_ordered)
    row_of = np.empty_like(rows_of_ordered)
    row_of[order] = rows_of_ordered
    return _Pieces(document, offset, length, row_of, num_rows)


def _cut_documents(lengths: Int64Array, sequence_length: int) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Return document, offset and length of each piece, in the order of the stream.

    A document of at most L + 1 tokens is one piece, a longer one is cut every L tokens into
    pieces of L + 1, so that no token is lost as a label.
    """
    counts = np.maximum(1, -((1 - lengths) // sequence_length))
    document = np.repeat(np.arange(len(lengths), dtype=np.int64), counts)
    first = np.concatenate([[0], np.cumsum(counts)])[:-1].astype(np.int64)
    offset = (np.arange(len(document), dtype=np.int64) - first[document]) * sequence_length
    return document, offset, np.minimum(lengths[document] - offset, sequence_length + 1)


@kernel("int64", read("int64"), "int64", write("int64"))
def _best_fit_decreasing(lengths: Int64Array, capacity: int, row_of: Int64Array) -> int:
    """Put each piece into the open row with the least room that is enough; return the rows used.

    Rows with the same room left form a list (last one in, first one out). A binary tree over
    the rooms 0..capacity tells which lists are not empty, so a piece costs O(log capacity).

    Args:
        lengths: lengths of the pieces, falling, each at most ``capacity``.
        capacity: tokens of an empty row.
        row_of: filled with the row of each piece.
    """
    leaves = 1
    while leaves <= capacity:
        leaves *= 2
    holds = np.zeros(2 * leaves, dtype=np.int64)
    newest = np.full(capacity + 1, -1, dtype=np.int64)
    older = np.empty(lengths.size, dtype=np.int64)
    num_rows = 0
    for i in range(lengths.size):
        node = leaves + lengths[i]
        # Up until a right sibling holds rows, then down to the leftmost of it.
        if holds[node] == 0:
            while node > 1 and (node % 2 == 1 or holds[node + 1] == 0):
                node //= 2
            if node > 1:
                node += 1
                while node < leaves:
                    node *= 2
                    if holds[node] == 0:
                        node += 1
        if node == 1:
            row, room = num_rows, capacity
            num_rows += 1
        else:
            room = node - leaves
            row = newest[room]
            newest[room] = older[row]
            while node >= 1:
                holds[node] -= 1
                node //= 2
        row_of[i] = row
        room -= lengths[i]
        older[row] = newest[room]
        newest[room] = row
        node = leaves + room
        while node >= 1:
            holds[node] += 1
            node //= 2
    return num_rows


@kernel("none", read("uint32"), read("int64"), read("int64"), read("int64"), write("uint32", 2))
def _copy_pieces(
    tokens: npt.NDArray[np.uint32],
    piece_start: Int64Array,
    piece_length: Int64Array,
    seg_starts: Int64Array,
    rows: npt.NDArray[np.uint32],
) -> None:
    """Copy the pieces ``seg_starts[r]`` to ``seg_starts[r+1]`` one after the other into row r."""
    for row in range(rows.shape[0]):
        place = 0
        for piece in range(seg_starts[row], seg_starts[row + 1]):
            start = piece_start[piece]
            for i in range(piece_length[piece]):
                rows[row, place + i] = tokens[start + i]
            place += piece_length[piece]
