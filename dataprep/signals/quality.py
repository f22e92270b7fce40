"""The quality of a text, as a fastText classifier of the user's sees it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataprep import storage
from dataprep.artifacts import read_sealed_json
from dataprep.errors import ConfigError, MissingExtraError, nearest
from dataprep.kernels import KernelFunction
from dataprep.model_files import QualityModel
from dataprep.signals.batch import Measured, TextBatch
from dataprep.text.single_line import LABEL_PREFIX, single_line

DESCRIPTION_KIND = "fasttext-classifier"
"""The kind of sealed JSON that lies beside a model that was trained here."""

_ALL_LABELS = -1
_NO_THRESHOLD = -1.0
"""Also keeps labels whose probability a hierarchical softmax finds to be nearly 0."""


class QualitySignals(QualityModel):
    """``quality_score``: the probability of ``label``, from 0 to 1.

    The model is shown the text's first ``max_chars`` characters as one line (``single_line``). NaN
    where fastText knows no word of a text. fastText leaves the interpreter's lock while it reads, and
    takes time in proportion to the characters that it is shown.
    """

    kind: Literal["quality"] = "quality"

    def names(self) -> tuple[str, ...]:
        """Return the names of the signals, in column order."""
        return ("quality_score",)

    def kernels(self) -> tuple[KernelFunction, ...]:
        """Return the kernels that measure."""
        return ()

    def measure(self, batch: TextBatch) -> Measured:
        """Return the signals of a batch.

        Raises:
            ConfigError: the model is missing, has changed, or does not know the label.
        """
        model = self._loaded()
        score = np.full(len(batch), np.nan, np.float32)
        present = np.flatnonzero(batch.present)
        shown = pc.utf8_slice_codeunits(batch.text.take(pa.array(present)), 0, self.max_chars)
        for row, text in zip(present, shown.to_pylist(), strict=True):
            score[row] = model.probability(self.label, single_line(text, lower_case=self.lower_case))
        return Measured({"quality_score": score})

    def check(self) -> None:
        """Load the model and see whether it fits, before any work.

        Raises:
            MissingExtraError: fastText is not installed.
            ConfigError: the model is missing or none of fastText's, does not know the label, or was
                trained on texts that were prepared in another way.
        """
        self._loaded()
        self._check_preparation()

    def _loaded(self) -> FastTextModel:
        model = load_fasttext(self.model, self.sha256, 0 if self.sha256 else self.size_bytes())
        if self.label not in model.labels:
            raise ConfigError(
                f"quality model {self.model} has no label {self.label!r}: {nearest(self.label, model.labels)}"
            )
        return model

    def _check_preparation(self) -> None:
        """Compare with what ``dataprep train-classifier`` wrote beside its model."""
        place = description_path(self.model)
        if not _is_description(place):
            return
        described = read_sealed_json(place)
        if described["model"]["sha256"] != self.pinned().sha256:
            raise ConfigError(
                f"{place} describes another model than {self.model}, which was written later: remove it if "
                "that model is yours, or train again"
            )
        trained = described["preparation"]["lower_case"]
        if trained != self.lower_case:
            raise ConfigError(
                f"quality model {self.model} was trained with lower_case: {str(trained).lower()} "
                f"({place}): say so here, too"
            )


def _is_description(place: str) -> bool:
    return storage.exists(place) and f'"kind": "{DESCRIPTION_KIND}"'.encode() in storage.read_bytes(place)


def description_path(model: str) -> str:
    """Return where the description of a trained model lies: beside it.

    >>> description_path("models/quality.bin")
    'models/quality.bin.json'
    """
    return f"{model}.json"


@dataclass(frozen=True)
class FastTextModel:
    """A supervised fastText model in memory."""

    predict: Any
    """``predict(line, k, threshold)`` returns labels and their probabilities."""
    labels: tuple[str, ...]
    """Without ``__label__``."""

    def probability(self, label: str, line: str) -> float:
        """Return the probability of ``label`` for one line; NaN where no word of it is known."""
        found, probabilities = self.predict(line, _ALL_LABELS, _NO_THRESHOLD)
        for name, probability in zip(found, probabilities, strict=True):
            if name == LABEL_PREFIX + label:
                return min(float(probability), 1.0)  # fastText adds 0.00001 to every probability
        return float("nan")


@functools.lru_cache(maxsize=8)
def load_fasttext(path: str, sha256: str = "", _size_bytes: int = 0) -> FastTextModel:
    """Return a model, read once by every worker process.

    Raises:
        MissingExtraError: fastText is not installed.
        ConfigError: the file is missing, has another digest, or is no supervised fastText model.
    """
    try:
        import fasttext
    except ImportError as error:
        raise MissingExtraError(
            module="fasttext-predict", extra="pipeline", purpose="a quality model"
        ) from error
    with QualityModel(model=path, sha256=sha256).local_file() as local:
        try:
            predict = fasttext.load_model(local).predict
            labels = predict("", _ALL_LABELS, _NO_THRESHOLD)[0]
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ConfigError(
                f"quality model {path} is no fastText classifier ({error}): train one with "
                "'dataprep train-classifier', or give a .bin or .ftz file of supervised fastText"
            ) from error
    return FastTextModel(predict, tuple(sorted(name.removeprefix(LABEL_PREFIX) for name in labels)))
