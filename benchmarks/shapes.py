"""What ingest costs when texts are not like most: the same bytes in other documents.

Each case is ingest's whole task on about the same text, so that its MB/s can be compared with those
of the first: cost must follow the bytes, whatever the length of a document or of a line.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from benchmarks.ingest import whole_ingest
from benchmarks.measuring import Case, Run
from benchmarks.texts import Texts

LONG_LINE_BYTES = 3_000_000
TINY_BYTES = 120


def as_they_come(texts: Texts) -> Run:
    """Documents of the corpora."""
    return whole_ingest(texts)


def long_lines(texts: Texts) -> Run:
    """Documents of 3 MB that are one line each."""
    return whole_ingest(_cut(texts, LONG_LINE_BYTES, lambda text: " ".join(text.split())))


def no_spaces(texts: Texts) -> Run:
    """Documents of 3 MB that are one word each."""
    return whole_ingest(_cut(texts, LONG_LINE_BYTES, lambda text: "".join(text.split())))


def many_lines(texts: Texts) -> Run:
    """Documents of 3 MB with every word on a line of its own."""
    return whole_ingest(_cut(texts, LONG_LINE_BYTES, lambda text: "\n".join(text.split())))


def one_line_again_and_again(texts: Texts) -> Run:
    """Documents of 3 MB that repeat one line."""
    line = " ".join(texts.column[0].as_py().split())[:80] + "\n"
    text = line * (LONG_LINE_BYTES // len(line))
    count = max(1, texts.text_bytes // len(text.encode()))
    return whole_ingest(_texts([text] * count))


def tiny(texts: Texts) -> Run:
    """Documents of 120 characters, 100,000 of them in 12 MB."""
    return whole_ingest(_cut(texts, TINY_BYTES, lambda text: text))


def _cut(texts: Texts, size: int, edit: Callable[[str], str]) -> Texts:
    """Return all text as one, edited, in documents of ``size`` characters."""
    whole = edit("\n\n".join(texts.column.to_pylist()))
    return _texts([whole[start : start + size] for start in range(0, len(whole), size)])


def _texts(documents: list[str]) -> Texts:
    return Texts(pa.array(documents, pa.large_string()), sum(len(text.encode()) for text in documents))


CASES = (
    Case("as they come", as_they_come),
    Case("3 MB in one line", long_lines),
    Case("3 MB in one word", no_spaces),
    Case("3 MB, a word to a line", many_lines),
    Case("3 MB, one line repeated", one_line_again_and_again),
    Case("120 characters each", tiny),
)
