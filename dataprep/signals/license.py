"""What a document's own licence says: whether it is one of those that the user allows."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from dataprep.errors import ConfigError
from dataprep.kernels import KernelFunction
from dataprep.licenses import UNKNOWN, judge_license, spdx_index
from dataprep.signals.batch import Float32Array, Measured, TextBatch
from dataprep.yaml_models import Frozen


class LicenseSignals(Frozen):
    """``license_allowed``: 1 where the stated licence is allowed, 0 where it is not, -1 where none is known.

    NaN only where there is no text; a document of which no licence is stated has -1.
    """

    kind: Literal["license"] = "license"
    allowed: tuple[str, ...] = Field(min_length=1)
    """Identifiers as SPDX spells them: what ``dataprep.licenses.allowed_license`` returns."""
    index_sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    """Digest of the index of identifiers; another one is refused. Empty: any."""

    def names(self) -> tuple[str, ...]:
        """Return the names of the signals, in column order."""
        return ("license_allowed",)

    def kernels(self) -> tuple[KernelFunction, ...]:
        """Return the kernels that measure."""
        return ()

    def measure(self, batch: TextBatch) -> Measured:
        """Return the signals of a batch; every distinct value is judged once.

        Raises:
            ConfigError: the installed index of identifiers is not that of ``index_sha256``.
            MissingExtraError: no index is installed.
        """
        if self.index_sha256 not in ("", spdx_index().sha256):
            raise ConfigError(
                f"licenses: the installed license-expression has the index {spdx_index().sha256}, and not "
                f"{self.index_sha256} by which this build judges: install the same version everywhere"
            )
        judged = np.full(len(batch), UNKNOWN, np.float32)
        if batch.license is not None:
            judged = judge_licenses(batch.license, frozenset(self.allowed))
        judged[~batch.present] = np.nan
        return Measured({"license_allowed": judged})


def judge_licenses(stated: pa.Array, allowed: frozenset[str]) -> Float32Array:
    """Return what ``judge_license`` says of each row, by looking at every distinct value once.

    Args:
        stated: What the corpus says of each row's licence: strings, or a dictionary of strings.
        allowed: As for ``judge_license``.
    """
    encoded = stated if pa.types.is_dictionary(stated.type) else stated.dictionary_encode()
    # Raw columns may hold bytes that are no UTF-8: what replaces them is in no identifier.
    values = encoded.dictionary.cast(pa.large_binary()).to_pylist()
    texts = [None if value is None else value.decode("utf-8", "replace") for value in values]
    # The last element serves code -1, the rows that state nothing.
    by_code = np.array([*(judge_license(text, allowed) for text in texts), UNKNOWN], np.float32)
    codes = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    return by_code[codes]
