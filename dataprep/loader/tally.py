"""What was delivered of each source, counted when somebody asks.

A trainer asks for its state every few hundred steps and reads rows all the time, so rows are
noted down as they come and counted many at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]

_MAX_WAITING_ROWS = 1 << 16
"""Rows noted down and not counted yet: about 1 MB."""


class NotedRows(NamedTuple):
    """Rows of a record batch with what they count."""

    source: npt.NDArray[np.uint16]
    """Source ids of the stage."""
    n_tok: npt.NDArray[np.uint32]
    """Tokens that are not padding."""
    n_loss: npt.NDArray[np.integer]
    """Targets that bear loss."""
    source_numbers: Int64Array
    """Number in the stream of each source id."""
    sequence_length: int

    def part(self, rows: slice | Int64Array, num_rows: int) -> NotedRows:
        """Return some of the rows, in their order: all of a later epoch's are permuted, too."""
        if isinstance(rows, slice) and num_rows == len(self.source):
            return self
        return self._replace(source=self.source[rows], n_tok=self.n_tok[rows], n_loss=self.n_loss[rows])

    def columns(self) -> Int64Array:
        """Return int64[3, n]: source in the stream, input positions that hold a token, targets."""
        inputs = np.minimum(self.n_tok, self.sequence_length)
        return np.stack([self.source_numbers[self.source], inputs, self.n_loss]).astype(np.int64)


class Tally:
    """Counts rows, tokens and targets by source, up to any of the rows that were noted down last.

    Args:
        counts: int64[3, sources] to begin with.
    """

    def __init__(self, counts: Int64Array) -> None:
        self._counts = counts
        self._noted: list[NotedRows] = []
        self._rest = np.empty((3, 0), dtype=np.int64)
        """Columns of rows that were noted down, looked at and not delivered then."""
        self._num_done = 0

    def note(self, rows: Sequence[NotedRows]) -> None:
        """Note down rows that were read."""
        self._noted.extend(rows)

    def deliver(self, num_rows: int) -> None:
        """Say that so many more of the noted rows were delivered."""
        self._num_done += num_rows
        if self._num_done > _MAX_WAITING_ROWS:
            self.counts()

    def counts(self) -> Int64Array:
        """Return int64[3, sources]: what was delivered."""
        if self._num_done:
            columns = np.concatenate([self._rest, *(rows.columns() for rows in self._noted)], axis=1)
            source, tokens, targets = columns[:, : self._num_done]
            num_sources = self._counts.shape[1]
            added = [np.bincount(source, what, num_sources) for what in (None, tokens, targets)]
            self._counts = self._counts + np.stack(added).astype(np.int64)
            self._rest = columns[:, self._num_done :]
            self._noted = []
            self._num_done = 0
        return self._counts
