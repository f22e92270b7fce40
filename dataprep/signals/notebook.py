"""How much code and how much text a notebook holds."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from dataprep.kernels import KernelFunction
from dataprep.signals.batch import Measured, TextBatch
from dataprep.signals.notebook_kernel import count_notebook_characters
from dataprep.text.characters import character_table
from dataprep.yaml_models import Frozen


class NotebookSignals(Frozen):
    """Characters of a notebook's code cells, of its text cells, and of both, white space not counted.

    A notebook is a text that begins with ``<jupyter_start>``, perhaps behind StarCoder's tags for the
    repository and the file; cells begin with ``<jupyter_code>``, ``<jupyter_text>`` and ``<jupyter_output>``.
    Outputs and tags do not count. NaN for any other text.
    """

    NAMES: ClassVar[tuple[str, ...]] = ("notebook_code_chars", "notebook_text_chars", "notebook_chars")
    kind: Literal["notebook"] = "notebook"

    def names(self) -> tuple[str, ...]:
        """Return the names of the signals, in column order."""
        return self.NAMES

    def kernels(self) -> tuple[KernelFunction, ...]:
        """Return the kernels that measure."""
        return (count_notebook_characters,)

    def measure(self, batch: TextBatch) -> Measured:
        """Return the signals of a batch."""
        table, buffers = character_table(), batch.buffers
        counts = np.empty((2, len(batch)), np.int64)
        count_notebook_characters(buffers.data, buffers.offsets, table.first, table.blocks, counts)
        signals = np.vstack([counts, counts.sum(axis=0)]).astype(np.float32)
        signals[:, ~batch.present | (counts[0] < 0)] = np.nan
        return Measured(dict(zip(self.NAMES, signals)))
