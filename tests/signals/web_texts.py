"""What prose is made of, and what is to be measured of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from reference_web import web_signals

from dataprep.signals import WebTextSignals, measure

PIECES = [
    "the", "be", "have", "The", "cat", "sat", "a", "of", "und", "naïve", "Straße", "слово", "漢字", "e\u0301",
    " ", " ", " ", " ", "\n", "\n", "\n\n", "\t", "\u00a0", "\r", "\r\n", "\x1c", "\u2028", "\x85", "\x0b",
    ".", ".", ",", "...", "..", "…", "!", "?", "-", "--", "—", "'", "’s", "'t", "l'", "#", "•", "*", "_",
    "(", ")", "[", "]", "{", "}", "[1]", "[]", "[٣]", "[edit]", "[citation needed]", "\"", "«", "»", "/", ":",
    "://", "@", "=", "<", ">", "+", "^", "~", "%", "$", "€", "§", "😀", "™", "1", "42", "3.14", "9,000",
    "lorem ipsum", "Lorem Ipsum", "JavaScript", "java[2]script", "use cookies", "use coo\u212aies", "İpsum",
    "Terms of Use", "terms  of use", "privacy policy", "U.S.", "J.R.", "Mr.", "e.g.", "don't", "O'Brien",
    "well-known", "a.", "x.", "5$", "$S$", "است.", "and/or", "x" * 1001, "\u0661", "\U0001d54f",
    "\U00010f55", "\u3002", "\x00", "\x7f",
]  # fmt: skip


def assert_as_reference(
    column: pa.LargeStringArray,
    texts: Sequence[str | None],
    family: WebTextSignals,
    language: str | None = None,
) -> None:
    """Compare every measure with the reference, rounded to float32."""
    signals = measure([family], column, expected_language=language).signals
    for row, text in enumerate(texts):
        if text is None:
            assert np.isnan([values[row] for values in signals.values()]).all()
            continue
        expected = web_signals(
            text,
            kind=family.words,
            short_line_chars=family.short_line_chars,
            terminal_punct=family.c4_terminal_punct,
            min_line_words=family.c4_min_line_words,
            stop_words=family.stop_words,
            language=language if family.words_by_language else None,
        )
        assert list(expected) == list(signals)
        for name, value in expected.items():
            got = signals[name][row]
            same = got == np.float32(value) or (math.isnan(value) and math.isnan(got))
            assert same, f"{name} of {text!r:.300} is {got}, the reference says {value}"


def assert_all_as_reference(
    texts: Sequence[str], family: WebTextSignals, language: str | None = None
) -> None:
    """Do the same for a whole column without nulls."""
    assert_as_reference(pa.array(texts, pa.large_string()), texts, family, language)
