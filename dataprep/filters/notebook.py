"""Filters for notebooks."""

from __future__ import annotations

from typing import Literal

from dataprep.filters.rules import Rule, limits
from dataprep.yaml_models import Frozen


class Notebook(Frozen):
    """Rules for one notebook; outputs do not count, nor does white space."""

    kind: Literal["notebook"] = "notebook"
    min_code_chars: float | None = 1
    """Characters in code cells. StarCoder keeps notebooks that have code and text in turn: bigcode-dataset
    preprocessing/jupyter-structured."""
    min_text_chars: float | None = 1
    """Characters in text cells; see above."""
    min_chars: float | None = 100
    """Characters in both. Ours: a cell that says hello and a line that prints it teach nothing."""

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of this filter, in order."""
        return limits(
            ("notebook_code_chars", "notebook_without_code", self.min_code_chars, None),
            ("notebook_text_chars", "notebook_without_text", self.min_text_chars, None),
            ("notebook_chars", "notebook_near_empty", self.min_chars, None),
        )
