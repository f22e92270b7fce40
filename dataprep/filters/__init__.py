"""Judgements: named thresholds over stored signals.

A filter is a frozen model whose fields are its thresholds; it never reads a text and never
changes one. A verdict is ``keep`` or one stable reason, which is at once a column value, a
counter and a row of the report.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.filters.code import Code
from dataprep.filters.license import License
from dataprep.filters.models import Perplexity, Quality
from dataprep.filters.notebook import Notebook
from dataprep.filters.presets import PRESETS, Filter, Preset, preset_identity, resolve_preset
from dataprep.filters.prose import (
    C4,
    FineWeb,
    GopherQuality,
    GopherRepetition,
    Language,
    LineCorrections,
    NotEmpty,
)
from dataprep.filters.rules import Rule, verdicts
from dataprep.filters.url import Url

__all__ = [
    "C4",
    "PRESETS",
    "Code",
    "Filter",
    "FineWeb",
    "GopherQuality",
    "GopherRepetition",
    "Language",
    "License",
    "LineCorrections",
    "NotEmpty",
    "Notebook",
    "Perplexity",
    "Preset",
    "Quality",
    "Rule",
    "Url",
    "judge",
    "preset_identity",
    "resolve_preset",
    "verdicts",
]


def judge(
    preset: Preset,
    signals: Mapping[str, npt.NDArray[np.float32]],
    *,
    prior: pa.Array,
    text: pa.LargeStringArray | None = None,
) -> pa.DictionaryArray:
    """Return the verdict of every document: dictionary<int32, string>[num_documents].

    Args:
        preset: Whose rules apply, in order; the first that fails gives the reason.
        signals: float32[num_documents] each; NaN passes.
        prior: Verdicts so far; one that is not ``keep`` stays.
        text: Not read: signals say all. Accepted so that callers may pass what they measured.
    """
    return verdicts(preset.rules(), signals, prior=prior)
