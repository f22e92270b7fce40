"""Cutting rows into shorter ones, for a warm-up of the sequence length.

A row of L + 1 tokens becomes L / l rows of l + 1, each of which begins with the last token of
the one before: every pair (token, next token) of the row is in exactly one of them, so a
trainer sees the same tokens and the same targets whatever the length is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dataprep.errors import UsageError
from dataprep.loader.boundaries import count_targets
from dataprep.shards import ENDS_DOCUMENT, REPEATS_TOKEN, STARTS_DOCUMENT, TRUNCATED, Rows

LengthSchedule = Sequence[tuple[int, int]]
"""(rows of the stream delivered, sequence length from then on), ascending."""


def check_schedule(schedule: LengthSchedule, sequence_lengths: Sequence[int]) -> None:
    """Check a schedule against the sequence lengths of the stages.

    Raises:
        UsageError: it does not start at 0, is not ascending, or a length divides no stage's.
    """
    rows = [row for row, _ in schedule]
    if rows[:1] != [0] or rows != sorted(set(rows)):
        raise UsageError(
            f"sequence length schedule {list(schedule)}: its rows must ascend from 0, "
            "e.g. [(0, 512), (4096, 2048)]"
        )
    for row, length in schedule:
        if length < 1 or any(full % min(length, full) for full in sequence_lengths):
            raise UsageError(
                f"sequence length {length} from row {row} on: it must divide the stages' lengths, "
                f"{sorted(set(sequence_lengths))}"
            )


def scheduled_length(schedule: LengthSchedule, *, rows_delivered: int, sequence_length: int) -> int:
    """Return the length in force, at most that of the stage."""
    lengths = [length for row, length in schedule if row <= rows_delivered]
    return min(lengths[-1], sequence_length) if lengths else sequence_length


def cut_tokens(tokens: npt.NDArray[np.integer], length: int) -> npt.NDArray[np.integer]:
    """Return tokens[n, L+1] cut into [n * L/length, length+1]."""
    pieces = (tokens.shape[1] - 1) // length
    windows = np.lib.stride_tricks.sliding_window_view(tokens, length + 1, axis=1)[:, ::length]
    return windows.reshape(len(tokens) * pieces, length + 1)


def cut_rows(rows: Rows, length: int, *, cross_document_loss: bool) -> Rows:
    """Return each row cut into ``sequence_length / length`` rows, in order."""
    pieces = rows.sequence_length // length
    counts = np.diff(rows.seg_starts)
    row = np.repeat(np.arange(len(rows)), counts)
    ends = np.concatenate([[0], np.cumsum(rows.seg_len, dtype=np.int64)])
    start = ends[:-1] - ends[rows.seg_starts[:-1]][row]
    stop = start + rows.seg_len

    # A segment reaches from the piece of its first token (the piece before, if that token is
    # also the last one of it) to the piece of its last token.
    first = np.maximum(start - 1, 0) // length
    last = np.minimum((stop - 1) // length, pieces - 1)
    repeats = last - first + 1
    segment = np.repeat(np.arange(len(row)), repeats)
    offset = np.arange(len(segment)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    piece = first[segment] + offset
    piece_start = np.maximum(start[segment], piece * length)
    piece_stop = np.minimum(stop[segment], (piece + 1) * length + 1)

    whole = rows.seg_flags[segment]
    at_start, at_end = piece_start == start[segment], piece_stop == stop[segment]
    flags = whole & np.where(at_start, STARTS_DOCUMENT | REPEATS_TOKEN, 0).astype(np.uint8)
    flags |= whole & np.where(at_end, ENDS_DOCUMENT, 0).astype(np.uint8)
    flags |= np.where(at_start & at_end, whole & TRUNCATED, TRUNCATED).astype(np.uint8)
    flags |= np.where(~at_start, REPEATS_TOKEN, 0).astype(np.uint8)

    per_piece = np.bincount(row[segment] * pieces + piece, minlength=len(rows) * pieces)
    order = np.argsort(row[segment] * pieces + piece, kind="stable")
    n_tok = np.clip(rows.n_tok.astype(np.int64)[:, np.newaxis] - np.arange(pieces) * length, 0, length + 1)
    n_tok = n_tok.reshape(-1).astype(np.uint32)
    return Rows(
        tokens=cut_tokens(rows.tokens, length).astype(rows.tokens.dtype),
        source=np.repeat(rows.source, pieces),
        epoch=np.repeat(rows.epoch, pieces),
        n_tok=n_tok,
        n_loss=count_targets(n_tok, per_piece, cross_document_loss=cross_document_loss).astype(np.uint32),
        seg_starts=np.concatenate([[0], np.cumsum(per_piece)]).astype(np.int64),
        seg_len=(piece_stop - piece_start)[order].astype(np.uint32),
        seg_doc=rows.seg_doc[segment][order],
        seg_off=(rows.seg_off[segment] + (piece_start - start[segment])).astype(np.uint32)[order],
        seg_flags=flags[order],
    )
