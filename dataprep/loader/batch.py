"""What a trainer gets: rows of tokens with everything that is known about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from dataprep.loader import boundaries, cutting
from dataprep.loader.cutting import LengthSchedule
from dataprep.shards import Boundaries, Rows

TokenType = Literal["int64", "int32", "uint32"]


@dataclass(frozen=True)
class BatchOptions:
    """Which arrays a batch has, and in which form."""

    dtype: TokenType = "int64"
    """Type of the token ids."""
    labels: bool = False
    position_ids: bool = False
    cu_seqlens: bool = False
    boundaries: Boundaries | None = None
    """What happens between documents; None: as each stage's manifest says."""
    sequence_lengths: LengthSchedule = ()
    """Warm-up of the sequence length: ``[(rows delivered, length from then on), ...]``."""

    @property
    def bytes_per_token(self) -> int:
        """Bytes of all arrays of a batch for each token, about."""
        return np.dtype(self.dtype).itemsize + 8 * self.labels + 8 * self.position_ids


@dataclass(frozen=True)
class Batch:
    """n rows of one rank's part of a global batch."""

    tokens: npt.NDArray[np.integer]
    """[n, L+1] token ids; inputs are the first L, their labels the last L."""
    rows: Rows
    """The same rows with source, counts and segments; its ``tokens`` is the array above."""
    row_numbers: npt.NDArray[np.int64]
    """int64[n] number of each row in its stage: what ``dataprep trace --row`` takes."""
    stage: str
    stage_index: int
    epoch: int
    """Times that the stage was read before, by this stream."""
    step: int
    """Number of the global batch in the stream, from 0."""
    ends_step: bool
    """Whether it is the rank's last one of its global batch: the time for an optimizer step."""
    boundaries: Boundaries
    """The policy that labels, positions and cu_seqlens follow."""
    labels: npt.NDArray[np.int64] | None = None
    """int64[n, L]; -100 where no loss is taken."""
    position_ids: npt.NDArray[np.int64] | None = None
    """int64[n, L]."""
    cu_seqlens: npt.NDArray[np.int32] | None = None
    """int32[runs + 1] cumulated lengths of what attends to itself, over n * L positions."""

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def inputs(self) -> npt.NDArray[np.integer]:
        """[n, L] token ids to feed, a view."""
        return self.tokens[:, :-1]

    @property
    def source_ids(self) -> npt.NDArray[np.uint16]:
        """uint16[n] source of each row, as numbered by the stage's manifest."""
        return self.rows.source

    def segment_ids(self) -> npt.NDArray[np.int32]:
        """Return int32[n, L]: segment of its row that each position belongs to; padding: -1."""
        return boundaries.make_segment_ids(self.rows)

    def document_ids(self) -> npt.NDArray[np.uint64]:
        """Return uint64[n, L]: id of each position's document; padding: 2**64 - 1."""
        segments = self.segment_ids()
        found = np.full(segments.shape, np.iinfo(np.uint64).max, dtype=np.uint64)
        used = segments >= 0
        row = np.nonzero(used)[0]
        found[used] = self.rows.seg_doc[self.rows.seg_starts[:-1][row] + segments[used]]
        return found

    def attention_mask(self) -> npt.NDArray[np.bool_]:
        """Return bool[n, L, L], causal, block diagonal if attention is reset between documents."""
        return boundaries.make_attention_mask(self.rows, reset_attention=self.boundaries.reset_attention)


@dataclass(frozen=True)
class BatchPlace:
    """Where a batch stands in its stream."""

    stage: str
    stage_index: int
    epoch: int
    step: int
    """Number of the global batch."""
    ends_step: bool
    rows_before: int
    """Rows that the stream delivered before the global batch."""


def make_batch(
    rows: Rows,
    row_numbers: npt.NDArray[np.int64],
    place: BatchPlace,
    *,
    policy: Boundaries,
    options: BatchOptions,
) -> Batch:
    """Return a batch of rows whose tokens already have the type that was asked for."""
    length = cutting.scheduled_length(
        options.sequence_lengths, rows_delivered=place.rows_before, sequence_length=rows.sequence_length
    )
    if length < rows.sequence_length:
        row_numbers = np.repeat(row_numbers, rows.sequence_length // length)
        rows = cutting.cut_rows(rows, length, cross_document_loss=policy.cross_document_loss)
    if options.boundaries is not None:
        n_loss = boundaries.count_targets(
            rows.n_tok, np.diff(rows.seg_starts), cross_document_loss=policy.cross_document_loss
        )
        rows = replace(rows, n_loss=n_loss.astype(np.uint32))
    return Batch(
        tokens=rows.tokens,
        rows=rows,
        row_numbers=row_numbers,
        stage=place.stage,
        stage_index=place.stage_index,
        epoch=place.epoch,
        step=place.step,
        ends_step=place.ends_step,
        boundaries=policy,
        labels=boundaries.make_labels(rows, rows.tokens, cross_document_loss=policy.cross_document_loss)
        if options.labels
        else None,
        position_ids=boundaries.make_position_ids(rows, reset_positions=policy.reset_positions)
        if options.position_ids
        else None,
        cu_seqlens=boundaries.make_cu_seqlens(rows, reset_attention=policy.reset_attention)
        if options.cu_seqlens
        else None,
    )
