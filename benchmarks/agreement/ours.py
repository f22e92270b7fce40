"""Our side: one filter at a time, every document judged by its own signals."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.agreement.sample import Document
from dataprep.documents import KEEP
from dataprep.filters import C4, FineWeb, GopherQuality, GopherRepetition, Language, NotEmpty, Rule, verdicts
from dataprep.kernels import kernel, read, write
from dataprep.signals import (
    LanguageSignals,
    SignalFamily,
    SizeSignals,
    WebTextSignals,
    measure,
    signal_names,
)
from dataprep.text.c4_lines import num_sentences
from dataprep.text.words import WORD_FLAGS, WORD_START, WORD_STOP, split_text, word_table

Signals = Mapping[str, npt.NDArray[np.float32]]

FILTERS = ("gopher_repetition", "gopher_quality", "c4", "c4_any_line_end", "fineweb_quality", "language")
"""What is compared; ``c4_any_line_end`` is C4 as FineWeb runs it, without the rule about line ends."""

_RULES: dict[str, tuple[Rule, ...]] = {
    "gopher_repetition": GopherRepetition().rules(),
    "gopher_quality": GopherQuality().rules(),
    "c4": C4().rules(),
    "c4_any_line_end": C4().rules(),
    "fineweb_quality": FineWeb().rules(),
    "language": Language().rules(),
}
_PROSE = WebTextSignals()


def rules_of(name: str) -> tuple[Rule, ...]:
    """Return the rules of one filter, in order."""
    return _RULES[name]


def judge_ours(documents: Sequence[Document]) -> tuple[dict[str, list[str]], dict[str, Signals]]:
    """Return, for every filter, the verdict of each document, and the signals they come from."""
    prose = _measured(documents, [SizeSignals(), _PROSE])
    strict_c4 = _measured(documents, [WebTextSignals(c4_terminal_punct=True)])
    by_language = _measured(documents, [LanguageSignals()])
    signals: dict[str, Signals] = dict.fromkeys(FILTERS, prose) | {"c4": strict_c4, "language": by_language}
    prior = pa.array([KEEP] * len(documents)).dictionary_encode()
    judged = {
        name: verdicts(_RULES[name], signals[name], prior=prior).cast(pa.string()).to_pylist()
        for name in FILTERS
    }
    return judged, signals


def is_empty(documents: Sequence[Document]) -> list[bool]:
    """Return which documents our presets drop as empty before any other rule."""
    text = pa.array([document.text for document in documents], pa.large_string())
    (rule,) = NotEmpty().rules()
    return [bool(failed) for failed in rule.fails(measure([SizeSignals()], text).signals[rule.signal])]


def _measured(documents: Sequence[Document], families: Sequence[SignalFamily]) -> Signals:
    """Return signals, measured as in a corpus that declares each document's language."""
    out = {name: np.full(len(documents), np.nan, np.float32) for name in signal_names(families)}
    for language in sorted({document.language for document in documents}):
        rows = [row for row, document in enumerate(documents) if document.language == language]
        text = pa.array([documents[row].text for row in rows], pa.large_string())
        measured = measure(families, text, expected_language=language)
        for name, values in measured.signals.items():
            out[name][rows] = values
    return out


@kernel("int64", read("uint8"), read("uint16"), read("uint16"), write("int32", 2))
def cut_words(data: Any, first: Any, blocks: Any, words: Any) -> int:
    """Write the table of words of one text; return how many there are."""
    return int(split_text(data, 0, len(data), first, blocks, words))


@kernel("int64", "int64", write("int32", 2))
def count_sentences(num_words: int, words: Any) -> int:
    """Return the sentences of a text that :func:`cut_words` has cut."""
    return int(num_sentences(0, num_words, words))


@functools.lru_cache(maxsize=4)
def our_words(text: str, language: str) -> list[str]:
    """Return the words that our signals are made of."""
    data, words = text.encode(), _cut(text, language)
    return [data[start:stop].decode() for start, stop in words[:, [WORD_START, WORD_STOP]].tolist()]


def our_sentence_count(text: str, language: str) -> int:
    """Return how many sentences our C4 signals count in a line."""
    words = _cut(text, language)
    return int(count_sentences(len(words), words))


def _cut(text: str, language: str) -> npt.NDArray[np.int32]:
    table = word_table(language)
    data = np.frombuffer(text.encode(), np.uint8)
    words = np.empty((len(data) + 1, WORD_FLAGS + 1), np.int32)
    return words[: int(cut_words(data, table.first, table.blocks, words))]
