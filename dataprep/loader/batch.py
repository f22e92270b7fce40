"""What a trainer gets: rows of tokens with everything that is known about them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
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
    """n rows of one rank's part of a global batch. Its arrays may be views of larger ones."""

    tokens: npt.NDArray[np.integer]
    """[n, L+1] token ids; inputs are the first L, their labels the last L."""
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
    labels: npt.NDArray[np.int64] | None
    """int64[n, L]; -100 where no loss is taken."""
    position_ids: npt.NDArray[np.int64] | None
    """int64[n, L]."""
    cu_seqlens: npt.NDArray[np.int32] | None
    """int32[runs + 1] cumulated lengths of what attends to itself, over n * L positions."""
    _read: PreparedRows = field(repr=False)
    """The rows that were read together with these, and the number of the first of these."""
    _first: int = field(repr=False)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def inputs(self) -> npt.NDArray[np.integer]:
        """[n, L] token ids to feed, a view."""
        return self.tokens[:, :-1]

    @cached_property
    def rows(self) -> Rows:
        """The same rows with source, counts and segments; its ``tokens`` are those of the batch."""
        return self._read.rows.part(self._first, self._first + len(self))

    @property
    def source_ids(self) -> npt.NDArray[np.uint16]:
        """uint16[n] source of each row, as numbered by the stage's manifest."""
        return self._read.rows.source[self._first : self._first + len(self)]

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
    """Where a batch stands in its stream; see the fields of ``Batch``."""

    stage: str
    stage_index: int
    epoch: int
    step: int
    ends_step: bool


@dataclass(frozen=True)
class PreparedRows:
    """Rows that were read together, with the arrays that were asked for; batches are parts of it."""

    rows: Rows
    """Its tokens have the type that was asked for."""
    row_numbers: npt.NDArray[np.int64]
    pieces: int
    """Into how many each row was cut; ``rows`` are the pieces."""
    policy: Boundaries
    labels: npt.NDArray[np.int64] | None
    position_ids: npt.NDArray[np.int64] | None
    run_starts: npt.NDArray[np.int64] | None
    """First position of each run of all rows."""

    def batch(self, start: int, stop: int, place: BatchPlace) -> Batch:
        """Return rows ``start`` to ``stop`` (counted before cutting) as a batch."""
        start, stop = start * self.pieces, stop * self.pieces
        cu_seqlens = None
        if self.run_starts is not None:
            length = self.rows.sequence_length
            first, last = np.searchsorted(self.run_starts, (start * length, stop * length))
            cu_seqlens = np.append(self.run_starts[first:last], stop * length) - start * length
        return Batch(
            tokens=self.rows.tokens[start:stop],
            row_numbers=self.row_numbers[start:stop],
            stage=place.stage,
            stage_index=place.stage_index,
            epoch=place.epoch,
            step=place.step,
            ends_step=place.ends_step,
            boundaries=self.policy,
            labels=None if self.labels is None else self.labels[start:stop],
            position_ids=None if self.position_ids is None else self.position_ids[start:stop],
            cu_seqlens=None if cu_seqlens is None else cu_seqlens.astype(np.int32),
            _read=self,
            _first=start,
        )


def prepare_rows(
    rows: Rows,
    row_numbers: npt.NDArray[np.int64],
    *,
    length: int,
    policy: Boundaries,
    options: BatchOptions,
) -> PreparedRows:
    """Return rows with the arrays that ``options`` asks for, cut to ``length`` positions.

    Args:
        rows: with tokens of the type that was asked for.
    """
    pieces = rows.sequence_length // length
    crossing = policy.cross_document_loss
    if pieces > 1:
        row_numbers = np.repeat(row_numbers, pieces)
        rows = cutting.cut_rows(rows, length, cross_document_loss=crossing)
    if options.boundaries is not None:
        n_loss = boundaries.count_targets(rows.n_tok, np.diff(rows.seg_starts), cross_document_loss=crossing)
        rows = replace(rows, n_loss=n_loss.astype(np.uint32))
    labels = positions = starts = None
    if options.labels:
        labels = boundaries.make_labels(rows, rows.tokens, cross_document_loss=crossing)
    if options.position_ids:
        positions = boundaries.make_position_ids(rows, reset_positions=policy.reset_positions)
    if options.cu_seqlens:
        starts = boundaries.run_starts(rows, reset_attention=policy.reset_attention)
    return PreparedRows(rows, row_numbers, pieces, policy, labels, positions, starts)
