"""How long a text is: every preset needs it, if only to tell an empty text."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from dataprep.kernels import KernelFunction, kernel, read, write
from dataprep.signals.batch import Measured, TextBatch
from dataprep.text.characters import SPACE, character_table
from dataprep.text.utf8 import bits_of, decode
from dataprep.yaml_models import Frozen


class SizeSignals(Frozen):
    """Characters of a text, all and those that are no white space."""

    NAMES: ClassVar[tuple[str, ...]] = ("num_chars", "num_visible_chars")
    kind: Literal["size"] = "size"

    def names(self) -> tuple[str, ...]:
        """Return the names of the signals, in column order."""
        return self.NAMES

    def kernels(self) -> tuple[KernelFunction, ...]:
        """Return the kernels that measure."""
        return (count_characters,)

    def measure(self, batch: TextBatch) -> Measured:
        """Return the signals of a batch."""
        table, buffers = character_table(), batch.buffers
        out = np.zeros((2, len(batch)), np.int64)
        count_characters(buffers.data, buffers.offsets, table.first, table.blocks, out)
        signals = out.astype(np.float32)
        signals[:, ~batch.present] = np.nan
        return Measured(dict(zip(self.NAMES, signals)))


@kernel("none", read("uint8"), read("int64"), read("uint16"), read("uint16"), write("int64", 2))
def count_characters(data: Any, offsets: Any, first: Any, blocks: Any, out: Any) -> None:
    """Write the number of characters to ``out[0]`` and of visible ones to ``out[1]``."""
    for row in range(len(offsets) - 1):
        start, stop = offsets[row], offsets[row + 1]
        continuations, ascii_spaces, wide = 0, 0, False
        for k in range(start, stop):
            b = data[k]
            continuations += (b & 0xC0) == 0x80
            ascii_spaces += (b == 0x20) | ((b >= 0x09) & (b < 0x0E)) | ((b >= 0x1C) & (b < 0x20))
            wide |= b >= 0x80
        spaces, i = ascii_spaces, start
        while wide and i < stop:
            if data[i] < 0x80:
                i += 1
                continue
            code_point, i = decode(data, i, stop)
            spaces += bits_of(code_point, first, blocks) & SPACE != 0
        out[0, row] = stop - start - continuations
        out[1, row] = stop - start - continuations - spaces
