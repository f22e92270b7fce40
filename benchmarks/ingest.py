"""Ingest: normalise, measure and judge, and the filters of datatrove that do the same."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from benchmarks.measuring import Amount, Case, Run
from benchmarks.texts import Texts
from dataprep.documents import KEEP
from dataprep.filters import (
    C4,
    FineWeb,
    GopherQuality,
    GopherRepetition,
    Preset,
    judge,
    resolve_preset,
)
from dataprep.signals import SizeSignals, WebTextSignals, measure
from dataprep.text.normalize import normalize


def normalization(texts: Texts) -> Run:
    """Unicode NFC, newlines, control characters."""
    normalize(texts.few(), code=False)

    def run() -> Amount:
        normalize(texts.column, code=False)
        return Amount(texts.text_bytes, len(texts))

    return run


def web_filters(texts: Texts) -> Run:
    """Rules and language of English web text."""
    return _run(resolve_preset("web_en"), texts)


def heuristics(texts: Texts) -> Run:
    """The four filters that datatrove's case runs, with all their signals; no language."""
    rules = (GopherRepetition(), GopherQuality(), C4(), FineWeb())
    return _run(Preset(name="heuristics", families=(SizeSignals(), WebTextSignals()), filters=rules), texts)


def code_filters(texts: Texts) -> Run:
    """StarCoder-like rules."""
    return _run(resolve_preset("code"), texts)


def _run(preset: Preset, texts: Texts) -> Run:
    def work(column: pa.LargeStringArray) -> None:
        measured = measure(preset.families, column, expected_language="en")
        prior = pa.DictionaryArray.from_arrays(np.zeros(len(column), np.int32), pa.array([KEEP]))
        judge(preset, measured.signals, prior=prior, text=column)

    work(texts.few())

    def run() -> Amount:
        for start in range(0, len(texts), 1024):
            work(texts.column[start : start + 1024])
        return Amount(texts.text_bytes, len(texts))

    return run


def datatrove_filters(texts: Texts) -> Run:
    """Its four filters for prose, as FineWeb runs them."""
    from datatrove.data import Document
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )

    filters = [
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
    ]
    documents = [
        Document(text=text, id=str(i)) for i, text in enumerate(texts.column.to_pylist()) if text.strip()
    ]
    for one in filters:
        one.filter(Document(text=documents[0].text, id="warm"))

    def run() -> Amount:
        for document in documents:
            for one in filters:
                one.filter(Document(text=document.text, id=document.id))
        return Amount(texts.text_bytes, len(documents))

    return run


PROSE_CASES = (
    Case("normalise", normalization),
    Case("web_en: signals and filters", web_filters),
    Case("heuristics: signals and four filters", heuristics),
    Case(
        "datatrove: four filters",
        datatrove_filters,
        "heuristics: signals and four filters",
        max_bytes=1_000_000,
    ),
)
CODE_CASES = (Case("code: signals and filters", code_filters),)
