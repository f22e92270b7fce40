"""What a trainer is told about where documents begin and end: labels, positions, segments.

Everything is over the L input positions of a row of L + 1 tokens; the label of position i is
token i + 1. A run is a stretch of input positions that attend to each other: the part of a
document in a row or, as one run, the padding after the last one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dataprep.arrays import empty_array
from dataprep.shards import Rows

IGNORED_LABEL = -100
"""The label of a position without loss: the default ``ignore_index`` of PyTorch's cross entropy."""

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]


def make_labels(
    rows: Rows, tokens: npt.NDArray[np.integer], *, cross_document_loss: bool
) -> npt.NDArray[np.int64]:
    """Return int64[n, L] labels: the next token, or ``IGNORED_LABEL``.

    A label is ignored where the next token is padding and, without ``cross_document_loss``,
    where the next token belongs to another document.
    """
    labels = empty_array((len(tokens), tokens.shape[1] - 1), np.int64)
    labels[...] = tokens[:, 1:]
    short = np.flatnonzero(rows.n_tok < tokens.shape[1])
    if len(short):
        last = rows.n_tok[short].astype(np.int64) - 1
        labels[short] = np.where(
            np.arange(labels.shape[1]) >= last[:, np.newaxis], IGNORED_LABEL, labels[short]
        )
    if not cross_document_loss:
        row, _, stop = _segment_spans(rows)
        inner = stop < rows.n_tok[row]
        labels[row[inner], stop[inner] - 1] = IGNORED_LABEL
    return labels


def count_targets(
    n_tok: npt.NDArray[np.uint32], num_segments: Int64Array, *, cross_document_loss: bool
) -> Int64Array:
    """Return int64[n]: how many labels of each row bear loss."""
    pairs = np.maximum(n_tok.astype(np.int64) - 1, 0)
    return pairs if cross_document_loss else np.maximum(n_tok.astype(np.int64) - num_segments, 0)


def run_starts(rows: Rows, *, reset_attention: bool = True) -> Int64Array:
    """Return the first position of each run in the n * L positions of a batch: int64, ascending.

    Without ``reset_attention`` every row is one run.
    """
    length = rows.sequence_length
    if not reset_attention:
        return np.arange(len(rows), dtype=np.int64) * length
    row, start, _ = _segment_spans(rows)
    inside = start < length
    padded = np.flatnonzero(rows.n_tok < length)
    padding = padded * length + rows.n_tok[padded].astype(np.int64)
    return np.sort(np.concatenate([row[inside] * length + start[inside], padding]))


def make_cu_seqlens(rows: Rows, *, reset_attention: bool) -> Int32Array:
    """Return the cumulated lengths of the runs, as varlen attention takes them: int32[runs + 1].

    They begin with 0 and end with n * L; the batch is flattened to n * L positions.
    """
    starts = run_starts(rows, reset_attention=reset_attention)
    return np.append(starts, len(rows) * rows.sequence_length).astype(np.int32)


def make_position_ids(rows: Rows, *, reset_positions: bool) -> Int64Array:
    """Return int64[n, L] positions, which begin at 0 in each row or, if reset, in each run."""
    shape = len(rows), rows.sequence_length
    starts = run_starts(rows, reset_attention=reset_positions)
    # One array, summed up where it lies, for the reason that ``empty_array`` gives.
    steps = empty_array((shape[0] * shape[1],), np.int64)
    steps[...] = 1
    steps[starts[1:]] -= np.diff(starts)
    steps[:1] = 0
    return np.cumsum(steps, out=steps).reshape(shape)


def make_segment_ids(rows: Rows) -> Int32Array:
    """Return int32[n, L]: which segment of its row a position belongs to, from 0; padding: -1.

    The document of segment s of row r is ``rows.seg_doc[rows.seg_starts[r] + s]``.
    """
    length = rows.sequence_length
    row, start, stop = _segment_spans(rows)
    inside = start < length
    segment = np.arange(len(row)) - rows.seg_starts[:-1][row]
    ids = np.full((len(rows), length), -1, dtype=np.int32)
    lengths = np.minimum(stop, length)[inside] - start[inside]
    used = np.arange(length) < rows.n_tok.astype(np.int64)[:, np.newaxis]
    ids[used] = np.repeat(segment[inside], lengths)
    return ids


def make_attention_mask(rows: Rows, *, reset_attention: bool) -> npt.NDArray[np.bool_]:
    """Return bool[n, L, L]: position i may attend to position j. Causal, and block diagonal if reset.

    n * L * L bytes: for tests and small models. Trainers take ``cu_seqlens``.
    """
    length = rows.sequence_length
    causal = np.tril(np.ones((length, length), dtype=np.bool_))
    if not reset_attention:
        return np.broadcast_to(causal, (len(rows), length, length)).copy()
    ids = make_segment_ids(rows)
    mask: npt.NDArray[np.bool_] = causal & (ids[:, :, np.newaxis] == ids[:, np.newaxis, :])
    return mask


def _segment_spans(rows: Rows) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Return row, first token and token after the last of each segment: int64[s] each."""
    counts = np.diff(rows.seg_starts)
    row = np.repeat(np.arange(len(rows), dtype=np.int64), counts)
    ends = np.concatenate([[0], np.cumsum(rows.seg_len, dtype=np.int64)])
    first_of_row = ends[rows.seg_starts[:-1]]
    return row, ends[:-1] - first_of_row[row], ends[1:] - first_of_row[row]
