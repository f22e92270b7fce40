"""What a signal family reads and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.text.buffers import Utf8Buffers, utf8_buffers, valid_mask

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TextBatch:
    """Normalised texts of one subset and what is known beside them.

    ``text`` went through ``normalize``, which is what guarantees valid UTF-8; ``url``, ``meta`` (the raw
    row's other columns as JSON) and ``license`` (what the corpus says of it) are of the same length, or
    None where a corpus has none.
    """

    text: pa.LargeStringArray
    url: pa.Array | None = None
    expected_language: str | None = None
    subset: str | None = None
    meta: pa.Array | None = None
    license: pa.Array | None = None

    @property
    def buffers(self) -> Utf8Buffers:
        """The bytes of ``text``."""
        return utf8_buffers(self.text)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """bool[num_texts]: which texts are not null."""
        return valid_mask(self.text)

    def __len__(self) -> int:
        return len(self.text)


@dataclass(frozen=True)
class Measured:
    """Signals of a batch: float32[num_texts] each, NaN where a text is null or nothing can be said.

    ``language`` is the predicted label of each text (dictionary of strings, null where there is
    no text), or None when no family predicts it.
    """

    signals: dict[str, Float32Array] = field(default_factory=dict)
    language: pa.DictionaryArray | None = None
