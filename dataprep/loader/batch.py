"""What a trainer gets: rows of tokens with everything that is known about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from dataprep.loader import boundaries, cutting
from dataprep.loader.cutting import LengthSchedule
from dataprep.loader.lazy import lazy
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


@dataclass(eq=False)
class Batch:
    """n rows of one rank's part of a global batch. Its arrays may be views of larger ones."""

    tokens: npt.NDArray[np.integer]
    """[n, L+1] token ids; inputs are the first L, their labels the last L."""
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
    read: PreparedRows = field(repr=False)
    """The rows that were read together with these."""
    first: int = field(repr=False)
    """Which of them is the first of these."""

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def inputs(self) -> npt.NDArray[np.integer]:
        """[n, L] token ids to feed, a view."""
        return self.tokens[:, :-1]

    @lazy
    def rows(self) -> Rows:
        """The same rows with source, counts and segments; its ``tokens`` are those of the batch."""
        return self.read.rows.part(self.first, self.first + len(self))

    @property
    def row_numbers(self) -> npt.NDArray[np.int64]:
        """int64[n] number of each row in its stage: what ``dataprep trace --row`` takes."""
        return self.read.row_numbers[self.first : self.first + len(self)]

    @property
    def source_ids(self) -> npt.NDArray[np.uint16]:
        """uint16[n] source of each row, as numbered by the stage's manifest."""
        return self.read.rows.source[self.first : self.first + len(self)]

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


class BatchPlace(NamedTuple):
    """Where a batch stands in its stream; see the fields of ``Batch``."""

    stage: str
    stage_index: int
    epoch: int
    step: int
    ends_step: bool


class PreparedRows:
    """Rows that were read together, with the arrays that were asked for; batches are parts of it.

    What a trainer may never look at is made when it is looked at.

    Args:
        tokens: [n, L+1] of the type that was asked for.
        annotations: gives the rows with all but their tokens.
        row_numbers: gives the number in the stage of each row.
        length: sequence length to cut the rows to.
        policy: what happens between documents.
        options: which arrays to make.
    """

    def __init__(
        self,
        tokens: npt.NDArray[np.integer],
        annotations: Callable[[], Rows],
        row_numbers: Callable[[], npt.NDArray[np.int64]],
        *,
        length: int,
        policy: Boundaries,
        options: BatchOptions,
    ) -> None:
        self.tokens = tokens
        self.pieces = (tokens.shape[1] - 1) // length
        """Into how many each row is cut."""
        self.policy = policy
        self._length = length
        self._annotations = annotations
        self._row_numbers = row_numbers
        self._recount = options.boundaries is not None
        if self.pieces > 1:
            self.tokens = self.rows.tokens
        crossing = policy.cross_document_loss
        self.labels = self.position_ids = self.run_starts = None
        if options.labels:
            self.labels = boundaries.make_labels(self.rows, self.tokens, cross_document_loss=crossing)
        if options.position_ids:
            self.position_ids = boundaries.make_position_ids(
                self.rows, reset_positions=policy.reset_positions
            )
        if options.cu_seqlens:
            self.run_starts = boundaries.run_starts(self.rows, reset_attention=policy.reset_attention)

    @lazy
    def rows(self) -> Rows:
        """The rows, cut if they are to be, with counts under the policy in force."""
        crossing = self.policy.cross_document_loss
        # Rows are typed by how they are stored; here the ids are as wide as the trainer wants them.
        rows = replace(self._annotations(), tokens=cast("npt.NDArray[np.uint32]", self.tokens))
        if self.pieces > 1:
            return cutting.cut_rows(rows, self._length, cross_document_loss=crossing)
        if not self._recount:
            return rows
        segments = np.diff(rows.seg_starts)
        n_loss = boundaries.count_targets(rows.n_tok, segments, cross_document_loss=crossing)
        return replace(rows, n_loss=n_loss.astype(np.uint32))

    @lazy
    def row_numbers(self) -> npt.NDArray[np.int64]:
        """int64[n * pieces] number in the stage of the row that each row is (a piece of)."""
        return np.repeat(self._row_numbers(), self.pieces)

    def batch(self, start: int, stop: int, place: BatchPlace) -> Batch:
        """Return rows ``start`` to ``stop`` (counted before cutting) as a batch."""
        start, stop = start * self.pieces, stop * self.pieces
        cu_seqlens = None
        if self.run_starts is not None:
            bounds = (start * self._length, stop * self._length)
            first, last = np.searchsorted(self.run_starts, bounds)
            cu_seqlens = (np.append(self.run_starts[first:last], bounds[1]) - bounds[0]).astype(np.int32)
        return Batch(
            tokens=self.tokens[start:stop],
            stage=place.stage,
            stage_index=place.stage_index,
            epoch=place.epoch,
            step=place.step,
            ends_step=place.ends_step,
            boundaries=self.policy,
            labels=None if self.labels is None else self.labels[start:stop],
            position_ids=None if self.position_ids is None else self.position_ids[start:stop],
            cu_seqlens=cu_seqlens,
            read=self,
            first=start,
        )
