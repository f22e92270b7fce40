"""The heuristics for prose: Gopher, C4, FineWeb and repetition, all from one pass."""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dataprep.kernels import KernelFunction
from dataprep.signals import web_kernel
from dataprep.signals.batch import Measured, TextBatch
from dataprep.signals.web_scan import (
    C4_MIN_LINE_WORDS,
    C4_TERMINAL_PUNCT,
    MODE,
    NUM_COUNTS,
    SHORT_LINE_CHARS,
    UNICODE,
    WHITESPACE,
)
from dataprep.text.c4_lines import c4_phrases
from dataprep.text.words import word_table
from dataprep.yaml_models import Frozen

ENGLISH_STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""Gopher's stop words (Rae et al. 2021, "Scaling language models", A1.1)."""


class WebTextSignals(Frozen):
    """Words, lines, repetition and C4's lines of a text.

    A changed field changes what is measured, so it needs a new ingest; thresholds do not.
    """

    kind: Literal["web_text"] = "web_text"
    words: Literal["unicode", "whitespace"] = "unicode"
    """What a word is, see :mod:`dataprep.text.words`. With ``whitespace`` (dolma, DCLM) marks stick
    to words: a text has fewer and longer words, and fewer repeat."""
    stop_words: tuple[str, ...] = ENGLISH_STOP_WORDS
    """Counted once each, case as given (datatrove 0.10.0 gopher_quality_filter.py)."""
    words_by_language: bool = True
    """Whether the expected language has its say in where a ``unicode`` word ends, as in spaCy's rules
    (:data:`dataprep.text.words.MARKS`). False, and where no language is expected: as in English."""
    short_line_chars: int = Field(default=30, ge=0)
    """A line of at most so many characters is short (datatrove 0.10.0 fineweb_quality_filter.py)."""
    c4_terminal_punct: bool = False
    """Whether a line must end in ``. ? ! " '`` to count for C4. False as in FineWeb's recipe (datatrove
    examples/fineweb.py); True as in C4."""
    c4_min_line_words: int = Field(default=3, ge=0)
    """Words that a line needs to count for C4: 3 in datatrove and the paper's wording, 5 in TFDS's code."""

    def names(self) -> tuple[str, ...]:
        """Return the names of the signals, in column order."""
        return web_kernel.SIGNALS

    def kernels(self) -> tuple[KernelFunction, ...]:
        """Return the kernels that measure."""
        return (web_kernel.measure_scratch, web_kernel.measure_texts)

    def measure(self, batch: TextBatch) -> Measured:
        """Return the signals of a batch."""
        buffers, phrases = batch.buffers, c4_phrases()
        table = word_table(batch.expected_language if self.words_by_language else None)
        stop_data, stop_ends = _packed(self.stop_words)
        out = np.empty((len(batch), len(web_kernel.SIGNALS)), np.float32)
        settings = np.empty(4, np.int64)
        settings[MODE] = UNICODE if self.words == "unicode" else WHITESPACE
        settings[SHORT_LINE_CHARS] = self.short_line_chars
        settings[C4_TERMINAL_PUNCT] = self.c4_terminal_punct
        settings[C4_MIN_LINE_WORDS] = self.c4_min_line_words
        sizes = np.empty(3, np.int64)
        web_kernel.measure_scratch(buffers.data, buffers.offsets, sizes)
        num_words, num_lines, num_bytes = map(int, sizes)
        most = max(num_words, num_lines)
        web_kernel.measure_texts(
            buffers.data,
            buffers.offsets,
            settings,
            stop_data,
            stop_ends,
            phrases.step,
            phrases.found,
            table.first,
            table.blocks,
            np.empty((num_words, 4), np.int32),
            np.empty((most, 4), np.int32),
            np.empty((num_lines, 3), np.int32),
            np.empty((7, num_words + 1), np.int32),
            np.empty(most, np.uint64),
            np.empty(4 * most + 16, np.int32),
            np.empty(num_bytes, np.uint8),
            np.empty(NUM_COUNTS, np.int64),
            out,
        )
        out[~batch.present] = np.nan
        columns = np.ascontiguousarray(out.T)
        return Measured(dict(zip(web_kernel.SIGNALS, columns)))


@functools.cache
def _packed(words: tuple[str, ...]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    encoded = [word.encode() for word in dict.fromkeys(words)]
    ends = np.cumsum([0] + [len(word) for word in encoded], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), ends
