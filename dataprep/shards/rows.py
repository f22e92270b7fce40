"""Rows of tokens in memory, with the segments of documents that they are made of.

A row is ``sequence_length + 1`` tokens of one source; the last one exists so that a trainer's
shifted labels lose nothing. A segment is the part of a row that belongs to one document.
Segments follow each other without a gap from the start of the row and sum up to ``n_tok``; what
follows them is padding. Padding is known by these counts alone: a vocabulary may pad with an id
that also occurs in documents (Arcade100k pads with its end of document).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataprep.errors import ArtifactError

STARTS_DOCUMENT = 1
"""Segment flag: its first token is the first token of its document."""
ENDS_DOCUMENT = 2
"""Segment flag: its last token is the last token (end of document) of its document."""
TRUNCATED = 4
"""Segment flag: a part of its document lies outside this row."""
REPEATS_TOKEN = 8
"""Segment flag: its first token is also the last token of another row (the overlap by one that
gives every token of a stream to a trainer once as a label)."""


@dataclass(frozen=True)
class Rows:
    """Consecutive rows with their segments; n rows, s segments in all."""

    tokens: npt.NDArray[np.uint32]
    """uint32[n, L+1] token ids; ``pad_id`` after the last segment."""
    source: npt.NDArray[np.uint16]
    """uint16[n] source id (position of the source in the mixture)."""
    epoch: npt.NDArray[np.uint8]
    """uint8[n] how often the stream was used up before the row's first token."""
    n_tok: npt.NDArray[np.uint32]
    """uint32[n] tokens that are not padding."""
    n_loss: npt.NDArray[np.uint32]
    """uint32[n] targets that bear loss under the stage's boundary policy."""
    seg_starts: npt.NDArray[np.int64]
    """int64[n+1]; row r has the segments ``seg_starts[r]`` up to ``seg_starts[r+1]``."""
    seg_len: npt.NDArray[np.uint32]
    """uint32[s] tokens of each segment."""
    seg_doc: npt.NDArray[np.uint64]
    """uint64[s] document id of each segment."""
    seg_off: npt.NDArray[np.uint32]
    """uint32[s] place of the segment's first token inside its document, in tokens."""
    seg_flags: npt.NDArray[np.uint8]
    """uint8[s] the flags of this module, added up."""

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def sequence_length(self) -> int:
        """Positions that a trainer feeds: tokens in a row less one."""
        return int(self.tokens.shape[1]) - 1

    def part(self, start: int, stop: int) -> Rows:
        """Return rows ``start`` to ``stop`` as views, nothing is copied but ``seg_starts``."""
        first, last = int(self.seg_starts[start]), int(self.seg_starts[stop])
        starts = self.seg_starts[start : stop + 1] - first
        return self._with(slice(start, stop), starts, slice(first, last))

    def take(self, order: npt.NDArray[np.int64]) -> Rows:
        """Return the rows named by ``order`` (int64, any length), in that order, as copies."""
        counts = np.diff(self.seg_starts)[order]
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        shift = np.repeat(self.seg_starts[:-1][order] - starts[:-1], counts)
        segments = np.arange(starts[-1], dtype=np.int64) + shift
        return self._with(order, starts, segments)

    def _with(
        self,
        chosen: slice | npt.NDArray[np.int64],
        starts: npt.NDArray[np.int64],
        segments: slice | npt.NDArray[np.int64],
    ) -> Rows:
        return Rows(
            tokens=self.tokens[chosen],
            source=self.source[chosen],
            epoch=self.epoch[chosen],
            n_tok=self.n_tok[chosen],
            n_loss=self.n_loss[chosen],
            seg_starts=starts,
            seg_len=self.seg_len[segments],
            seg_doc=self.seg_doc[segments],
            seg_off=self.seg_off[segments],
            seg_flags=self.seg_flags[segments],
        )


def concat_rows(parts: Sequence[Rows]) -> Rows:
    """Return the rows of all parts, in order; there must be at least one part."""
    if len(parts) == 1:
        return parts[0]
    shifts = np.cumsum([0, *(int(part.seg_starts[-1]) for part in parts)])
    starts = [part.seg_starts[:-1] + shift for part, shift in zip(parts, shifts)]
    return Rows(
        tokens=np.concatenate([part.tokens for part in parts]),
        source=np.concatenate([part.source for part in parts]),
        epoch=np.concatenate([part.epoch for part in parts]),
        n_tok=np.concatenate([part.n_tok for part in parts]),
        n_loss=np.concatenate([part.n_loss for part in parts]),
        seg_starts=np.concatenate([*starts, shifts[-1:]]).astype(np.int64),
        seg_len=np.concatenate([part.seg_len for part in parts]),
        seg_doc=np.concatenate([part.seg_doc for part in parts]),
        seg_off=np.concatenate([part.seg_off for part in parts]),
        seg_flags=np.concatenate([part.seg_flags for part in parts]),
    )


def row_problems(rows: Rows, *, vocab_size: int, num_sources: int) -> list[str]:
    """Return one sentence for each rule of the format that some row breaks; empty is good.

    Cheap enough to run on every batch that is read: one pass over the ids and the segments.
    """
    problems: list[str] = []
    if len(rows) == 0:
        return problems
    highest = int(rows.tokens.max())
    if highest >= vocab_size:
        row = int(np.flatnonzero(rows.tokens.max(axis=1) >= vocab_size)[0])
        problems.append(f"row {row} of the batch: token id {highest} is outside of 0..{vocab_size - 1}")
    if int(rows.source.max()) >= num_sources:
        problems.append(f"source id {int(rows.source.max())}, but there are {num_sources} sources")
    totals = np.concatenate([[0], np.cumsum(rows.seg_len, dtype=np.int64)])
    sums = totals[rows.seg_starts[1:]] - totals[rows.seg_starts[:-1]]
    wrong = np.flatnonzero(sums != rows.n_tok)
    if len(wrong):
        row = int(wrong[0])
        problems.append(
            f"row {row} of the batch: segments add up to {int(sums[row])} tokens, "
            f"n_tok is {int(rows.n_tok[row])}"
        )
    if int(rows.n_tok.max()) > rows.tokens.shape[1] or (len(rows.seg_len) and int(rows.seg_len.min()) == 0):
        problems.append("a row counts more tokens than it holds, or a segment is empty")
    return problems


def check_rows(rows: Rows, *, vocab_size: int, num_sources: int, where: str) -> None:
    """Raise an ArtifactError that begins with ``where`` if ``row_problems`` finds any."""
    problems = row_problems(rows, vocab_size=vocab_size, num_sources=num_sources)
    if problems:
        raise ArtifactError(
            f"{where}: " + "; ".join(problems) + ": the shard was not written by this dataprep"
        )
