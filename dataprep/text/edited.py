"""What an edit returns: the new texts, and every piece that it took out of the old ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.text.buffers import Utf8Buffers, utf8_buffers, valid_mask

ROW, KIND, START, STOP = 0, 1, 2, 3
"""Columns of a table of pieces, int64[pieces, 4]: text, kind, and the bytes of the old text, from the
text's own start."""


@dataclass(frozen=True)
class Edited:
    """Texts after one edit.

    ``text`` is the column itself where nothing was changed; nulls stay null. ``pieces`` is
    int64[pieces, 4] in the order of the texts, ``kinds`` names the numbers in its column KIND, and
    ``signals`` are float32[num_texts], NaN for a null.
    """

    text: pa.LargeStringArray
    kinds: tuple[str, ...]
    pieces: npt.NDArray[np.int64]
    signals: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)

    def counts(self) -> npt.NDArray[np.int64]:
        """Return the removed pieces of each text by kind: int64[num_texts, kinds]."""
        counts = np.zeros((len(self.text), len(self.kinds)), np.int64)
        np.add.at(counts, (self.pieces[:, ROW], self.pieces[:, KIND]), 1)
        return counts


@dataclass(frozen=True)
class EditInput:
    """A column as the kernels of edits read it, and room for what they write.

    Texts whose ``present`` is False are null; their bytes, if any, mean nothing.
    """

    column: pa.LargeStringArray
    buffers: Utf8Buffers
    present: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, column: pa.LargeStringArray) -> EditInput:
        """Return the input for a column of normalised texts."""
        return cls(column, utf8_buffers(column), valid_mask(column))

    @property
    def num_bytes(self) -> int:
        """Bytes of all texts."""
        return int(self.buffers.offsets[-1] - self.buffers.offsets[0]) if len(self.column) else 0

    def room_for_pieces(self, most: int) -> npt.NDArray[np.int64]:
        """Return an empty table of pieces; pages that are never written cost no memory."""
        return np.empty((most, 4), np.int64)

    def rebuilt(self, data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> pa.LargeStringArray:
        """Return a column of new bytes with the old nulls; ``offsets`` is int64[num_texts + 1]."""
        validity = None if self.column.null_count == 0 else pa.array(self.present).buffers()[1]
        return pa.LargeStringArray.from_buffers(
            len(self.column),
            pa.py_buffer(offsets),
            pa.py_buffer(data[: int(offsets[-1])]),
            validity,
            self.column.null_count,
        )
