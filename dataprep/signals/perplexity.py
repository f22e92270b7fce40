"""How surprised a KenLM language model of the user's is by a text."""

from __future__ import annotations

import functools
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.errors import ConfigError, MissingExtraError
from dataprep.kernels import KernelFunction
from dataprep.model_files import PerplexityModel
from dataprep.signals.batch import Measured, TextBatch

_MAX_EXPONENT = 38.0
"""Of ten, so that the perplexity of a text of unknown words is still a float32."""
_NO_COMPLAINTS = 2
"""KenLM's ``ARPALoadComplain::NONE``."""
_HEADS = (b"\\data\\", b"mmap lm ")
"""First bytes of an ARPA file (after blank lines) and of KenLM's binary format."""


class PerplexitySignals(PerplexityModel):
    """``perplexity`` of the text's first ``max_chars`` characters; NaN where they have no word.

    Every line that has a word is a sentence; its words stand between white space, in lower case
    unless told otherwise. As in CCNet (Wenzek et al. 2020, "CCNet") the text's perplexity is
    ``10 ** (-log10(p) / n)`` over all sentences together, ends of sentences counted as words. CCNet's
    own models are not of words but of SentencePiece's pieces: they do not fit here.
    """

    kind: Literal["perplexity"] = "perplexity"

    def names(self) -> tuple[str, ...]:
        """Return the names of the signals, in column order."""
        return ("perplexity",)

    def kernels(self) -> tuple[KernelFunction, ...]:
        """Return the kernels that measure."""
        return ()

    def measure(self, batch: TextBatch) -> Measured:
        """Return the signals of a batch.

        Raises:
            ConfigError: the model is missing or has changed.
        """
        model = self._loaded()
        perplexity = np.full(len(batch), np.nan, np.float32)
        present = np.flatnonzero(batch.present)
        shown = pc.utf8_slice_codeunits(batch.text.take(pa.array(present)), 0, self.max_chars)
        for row, text in zip(present, shown.to_pylist(), strict=True):
            perplexity[row] = self._perplexity(model, text)
        return Measured({"perplexity": perplexity})

    def check(self) -> None:
        """Load the model and see whether it is one, before any work.

        Raises:
            MissingExtraError: KenLM is not installed.
            ConfigError: the model is missing or none of KenLM's.
        """
        self._loaded()

    def sentences(self, text: str) -> list[list[str]]:
        """Return the words of each line that has some, as they are looked up."""
        text = text.lower() if self.lower_case else text
        # Signs of the model itself: in a text they are a word that it does not know.
        text = text.replace("<s>", "< s>").replace("</s>", "< /s>")
        return [words for line in text.split("\n") if (words := line.split())]

    def _perplexity(self, model: Any, text: str) -> float:
        log10, num_words = 0.0, 0
        for words in self.sentences(text):
            log10 += model.score(" ".join(words), bos=True, eos=True)
            num_words += len(words) + 1
        if not num_words:
            return float("nan")
        return float(10.0 ** min(-log10 / num_words, _MAX_EXPONENT))

    def _loaded(self) -> Any:
        return _load_kenlm(self.model, self.sha256, 0 if self.sha256 else self.size_bytes())


@functools.lru_cache(maxsize=8)
def _load_kenlm(path: str, sha256: str, _size_bytes: int) -> Any:
    """Return a model, read once by every worker process."""
    try:
        import kenlm
    except ImportError as error:
        raise MissingExtraError(module="kenlm", extra="perplexity", purpose="perplexity") from error
    settings = kenlm.Config()
    settings.show_progress = False
    settings.arpa_complain = _NO_COMPLAINTS
    with PerplexityModel(model=path, sha256=sha256).local_file() as local:
        with open(local, "rb") as stream:
            is_model = stream.read(4096).lstrip().startswith(_HEADS)
        try:
            # KenLM writes to the terminal what is wrong with a file: what is no model need not get there.
            return kenlm.Model(local, settings) if is_model else _refuse(path, "neither ARPA nor binary")
        except (OSError, RuntimeError) as error:
            return _refuse(path, str(error).rpartition(" threw ")[2].removesuffix(")"))


def _refuse(path: str, detail: str) -> Any:
    raise ConfigError(
        f"language model {path} is none of KenLM's ({detail}): give an ARPA file or what KenLM's "
        "build_binary made of one"
    )
