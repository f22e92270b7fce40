"""Ingest: normalise, measure and judge, and the filters of datatrove that do the same."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from benchmarks.measuring import Amount, Case, Run
from benchmarks.texts import Texts
from dataprep.documents import KEEP
from dataprep.filters import judge, resolve_preset
from dataprep.signals import measure
from dataprep.text.normalize import normalize


def normalization(texts: Texts) -> Run:
    """Unicode NFC, newlines, control characters."""
    normalize(texts.few(), code=False)

    def run() -> Amount:
        normalize(texts.column, code=False)
        return Amount(texts.text_bytes, len(texts))

    return run


def web_filters(texts: Texts) -> Run:
    """Gopher, C4 and FineWeb rules and the language of English web text."""
    return _preset("web_en", texts)


def code_filters(texts: Texts) -> Run:
    """StarCoder-like rules."""
    return _preset("code", texts)


def _preset(name: str, texts: Texts) -> Run:
    preset = resolve_preset(name)

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
    """The four filters of datatrove whose rules web_en has."""
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
    Case("datatrove: four filters", datatrove_filters, "web_en: signals and filters", max_bytes=1_000_000),
)
CODE_CASES = (Case("code: signals and filters", code_filters),)
