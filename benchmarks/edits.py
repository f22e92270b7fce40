"""Edits: lines of raw crawls and redaction, and datatrove's redaction of e-mail and IPv4 addresses."""

from __future__ import annotations

from benchmarks.measuring import Amount, Case, Run
from benchmarks.texts import Texts
from dataprep.text.lines import C4Lines, RefinedWebLines
from dataprep.text.pii import Pii


def redaction(texts: Texts) -> Run:
    """Every kind of personal data and key."""
    return _run(Pii(), texts)


def addresses(texts: Texts) -> Run:
    """What datatrove redacts: e-mail and public IPv4 addresses."""
    return _run(Pii(kinds=("email", "ipv4")), texts)


def refinedweb_lines(texts: Texts) -> Run:
    """RefinedWeb's line-wise corrections."""
    return _run(RefinedWebLines(), texts)


def c4_lines(texts: Texts) -> Run:
    """C4's rules about lines."""
    return _run(C4Lines(), texts)


def _run(edit: Pii | RefinedWebLines | C4Lines, texts: Texts) -> Run:
    edit.apply(texts.few())

    def run() -> Amount:
        for start in range(0, len(texts), 1024):
            edit.apply(texts.column[start : start + 1024])
        return Amount(texts.text_bytes, len(texts))

    return run


def datatrove_redaction(texts: Texts) -> Run:
    """Its formatter, one text at a time."""
    from datatrove.pipeline.formatters.pii import PIIFormatter

    formatter = PIIFormatter()
    documents = texts.column.to_pylist()
    formatter.format(documents[0])

    def run() -> Amount:
        for document in documents:
            formatter.format(document)
        return Amount(texts.text_bytes, len(documents))

    return run


CASES = (
    Case("redaction of every kind", redaction),
    Case("redaction of e-mail and IPv4", addresses),
    Case("refinedweb_lines", refinedweb_lines),
    Case("c4_lines", c4_lines),
    Case("datatrove: PIIFormatter", datatrove_redaction, "redaction of e-mail and IPv4", max_bytes=4_000_000),
)
