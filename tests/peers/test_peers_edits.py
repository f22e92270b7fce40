"""Our edits beside datatrove's: C4's lines character by character, redaction match by match."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

if importlib.util.find_spec("datatrove") is None or importlib.util.find_spec("spacy") is None:
    pytest.skip("datatrove is not installed: pip install '.[peers]'", allow_module_level=True)

from datatrove.data import Document as TheirDocument
from datatrove.pipeline.filters.c4_filters import C4QualityFilter
from datatrove.pipeline.formatters.pii import PIIFormatter

from benchmarks.agreement.sample import Document, draw_documents
from dataprep.text.edited import KIND, ROW, START, STOP
from dataprep.text.lines import C4Lines
from dataprep.text.pii import PII_KINDS, Pii

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # datatrove warns about its own affairs when it is imported
    pytest.mark.timeout(600),
]

ONLY_CITATIONS = re.compile(r"^\s*(?:\[\d*\]\s*|\[edit\]\s*|\[citation needed\]\s*)+$", re.MULTILINE)
MIN_SAME_TEXTS = 0.95


@pytest.fixture(scope="module")
def documents(corpus: Path) -> list[Document]:
    return [
        document
        for document in draw_documents(str(corpus), per_stratum=300, max_bytes=60_000)
        if "\x00" not in document.text
    ]


def column(documents: Sequence[Document]) -> pa.LargeStringArray:
    return pa.array([document.text for document in documents], pa.large_string())


@pytest.mark.parametrize("terminal_punct", [True, False])
def test_c4_keeps_the_same_lines(documents: list[Document], terminal_punct: bool) -> None:
    theirs = C4QualityFilter(
        min_num_sentences=-1,
        filter_lorem_ipsum=False,
        filter_curly_bracket=False,
        filter_no_terminal_punct=terminal_punct,
    )
    # Lines that tell against the whole document are looked at by their filter, and left to ours.
    chosen = [d for d in documents if "lorem ipsum" not in d.text.lower() and "{" not in d.text]
    ours = C4Lines(terminal_punct=terminal_punct).apply(column(chosen)).text.to_pylist()
    assert len(chosen) > 1000
    for document, text in zip(chosen, ours, strict=True):
        edited = TheirDocument(text=document.text, id=document.place)
        theirs.filter(edited)
        # Of a line of citations they leave the spaces, and we nothing.
        assert text == edited.text or ONLY_CITATIONS.search(document.text), document.place


def test_redaction_differs_only_by_what_looks_like_versions_and_by_paths(documents: list[Document]) -> None:
    theirs = PIIFormatter(email_replacement="<EMAIL>", ip_replacement="<IP_ADDRESS>")
    edited = Pii(kinds=("email", "ipv4")).apply(column(documents))
    texts = [document.text for document in documents]
    same = [theirs.format(text) == ours for text, ours in zip(texts, edited.text.to_pylist(), strict=True)]
    assert sum(same) >= MIN_SAME_TEXTS * len(same)
    for row, kind, start, stop in edited.pieces[:, [ROW, KIND, START, STOP]].tolist():
        data = texts[row].encode()
        place, end = len(data[:start].decode()), len(data[:stop].decode())
        if not texts[row][place:end].isascii():
            continue  # they know no letters with marks
        replacer = theirs.emails_replacer if PII_KINDS[kind] == "email" else theirs.ip_replacer
        assert any(
            found.start() < end and found.end() > place for found in replacer.regex.finditer(texts[row])
        ), texts[row][place:end]
