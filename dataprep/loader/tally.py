"""What was delivered of each source, counted when somebody asks.

A trainer asks for its state every few hundred steps and reads rows all the time, so rows are
noted down as they come and counted many at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]

_MAX_WAITING_ROWS = 1 << 16
"""Rows noted down and not counted yet: 1.5 MB."""


class Tally:
    """Counts rows, tokens and targets by source, up to any of the rows that were noted down last.

    Args:
        counts: int64[3, sources] to begin with.
    """

    def __init__(self, counts: Int64Array) -> None:
        self._counts = counts
        self._waiting: list[Int64Array] = []
        self._num_done = 0

    def note(self, rows: Sequence[Int64Array]) -> None:
        """Note down rows that were read: int64[3, n] arrays of their sources, tokens and targets."""
        self._waiting.extend(rows)

    def deliver(self, num_rows: int) -> None:
        """Say that so many more of the noted rows were delivered."""
        self._num_done += num_rows
        if self._num_done > _MAX_WAITING_ROWS:
            self.counts()

    def counts(self) -> Int64Array:
        """Return int64[3, sources]: what was delivered."""
        if self._num_done:
            noted = np.concatenate(self._waiting, axis=1)
            source, tokens, targets = noted[:, : self._num_done]
            num_sources = self._counts.shape[1]
            added = [np.bincount(source, what, num_sources) for what in (None, tokens, targets)]
            self._counts = self._counts + np.stack(added).astype(np.int64)
            self._waiting = [noted[:, self._num_done :]]
            self._num_done = 0
        return self._counts
