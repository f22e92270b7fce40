"""Measurements of texts, stored as columns so that thresholds can be judged again at no cost.

A family is a frozen config model that says what is measured; its kernels run on the UTF-8
bytes of a whole batch without the interpreter's lock. Signals never change a text and never
drop one: that is the business of ``dataprep.text`` and ``dataprep.filters``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from dataprep.signals.batch import Measured, TextBatch
from dataprep.signals.code import CodeSignals
from dataprep.signals.language import LanguageSignals
from dataprep.signals.license import LicenseSignals
from dataprep.signals.notebook import NotebookSignals
from dataprep.signals.perplexity import PerplexitySignals
from dataprep.signals.quality import QualitySignals
from dataprep.signals.size import SizeSignals
from dataprep.signals.url import UrlSignals
from dataprep.signals.web import WebTextSignals

__all__ = [
    "CodeSignals",
    "LanguageSignals",
    "LicenseSignals",
    "Measured",
    "NotebookSignals",
    "PerplexitySignals",
    "QualitySignals",
    "SignalFamily",
    "SizeSignals",
    "TextBatch",
    "UrlSignals",
    "WebTextSignals",
    "measure",
    "signal_names",
]

SignalFamily = Annotated[
    SizeSignals
    | WebTextSignals
    | CodeSignals
    | NotebookSignals
    | LanguageSignals
    | LicenseSignals
    | UrlSignals
    | QualitySignals
    | PerplexitySignals,
    Field(discriminator="kind"),
]


def signal_names(families: Sequence[SignalFamily]) -> tuple[str, ...]:
    """Return the names of all signals of ``families``, in column order."""
    return tuple(name for family in families for name in family.names())


def measure(
    families: Sequence[SignalFamily],
    text: pa.LargeStringArray,
    *,
    url: pa.Array | None = None,
    expected_language: str | None = None,
    subset: str | None = None,
    meta: pa.Array | None = None,
    license: pa.Array | None = None,
) -> Measured:
    """Return all signals of normalised texts; a null text has NaN signals and a null language.

    Args:
        families: What to measure; no two of a kind.
        text: Texts as ``normalize`` returns them, which is what makes them valid UTF-8.
        url: URL of each text, or None.
        expected_language: Code of the language that the corpus declares for these texts.
        subset: The subset that the texts belong to.
        meta: JSON object of the raw row's other columns, for each text, or None.
        license: What the corpus says of each text's licence, or None.
    """
    batch = TextBatch(
        text, url=url, expected_language=expected_language, subset=subset, meta=meta, license=license
    )
    measured = [family.measure(batch) for family in families]
    languages = [one.language for one in measured if one.language is not None]
    return Measured(
        signals={name: values for one in measured for name, values in one.signals.items()},
        language=languages[0] if languages else None,
    )
