"""The parity guard: in production, a sample of documents is encoded by the reference as well."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.errors import ParityError
from dataprep.hashing import mix64
from dataprep.tokenizers.tokenizer import Tokenizer

SAMPLE_ONE_IN = 1000
"""How many documents there are for each one that is checked."""

MAX_TEXT_BYTES = 128 << 10
"""Longer documents are not sampled: the references are slow, and tiktoken 0.14 overflows its stack
on a run of a million spaces."""

_SAMPLE_KEY = 0x7061726974790001


class ParityGuard:
    """Compares the ids of a sample of documents with the reference's; one guard for each task.

    The sample is a function of the document ids, so a retry checks the same documents. A task
    checks one document at least, unless all of its documents are too long.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        sample_one_in: int = SAMPLE_ONE_IN,
        max_text_bytes: int = MAX_TEXT_BYTES,
    ) -> None:
        self._tokenizer = tokenizer
        self._sample_one_in = sample_one_in
        self._max_text_bytes = max_text_bytes
        self.num_checked = 0

    def check(
        self,
        text: pa.LargeStringArray,
        doc_id: npt.NDArray[np.uint64],
        offsets: npt.NDArray[np.int64],
        tokens: npt.NDArray[np.uint32],
        *,
        allow_tags: bool,
    ) -> None:
        """Check the sampled documents of one batch.

        Args:
            text: n texts.
            doc_id: uint64[n].
            offsets: int64[n + 1], as ``Tokenizer.encode_batch`` returned it for ``text``.
            tokens: uint32[offsets[n]], likewise.
            allow_tags: as it was for ``encode_batch``.

        Raises:
            ParityError: the ids of a document differ; the message has the first place.
        """
        for row in self._sample(text, doc_id):
            fast = tokens[offsets[row] : offsets[row + 1]]
            slow = np.asarray(
                self._tokenizer.reference.encode(text[row].as_py(), allow_tags=allow_tags), dtype=np.uint32
            )
            self.num_checked += 1
            if not np.array_equal(fast, slow):
                raise ParityError(self._difference(int(doc_id[row]), fast, slow))

    def _sample(self, text: pa.LargeStringArray, doc_id: npt.NDArray[np.uint64]) -> list[int]:
        if len(text) == 0:
            return []
        hashes = mix64(doc_id, key=_SAMPLE_KEY)
        rows = [
            int(row)
            for row in np.flatnonzero(hashes % np.uint64(self._sample_one_in) == 0)
            if self._is_short(text, int(row))
        ]
        if not rows and self.num_checked == 0:
            rows = [row for row in np.argsort(hashes, kind="stable").tolist() if self._is_short(text, row)][
                :1
            ]
        return rows

    def _is_short(self, text: pa.LargeStringArray, row: int) -> bool:
        return int(text[row].as_buffer().size) <= self._max_text_bytes

    def _difference(self, doc_id: int, fast: npt.NDArray[np.uint32], slow: npt.NDArray[np.uint32]) -> str:
        shared = min(len(fast), len(slow))
        unequal = np.flatnonzero(fast[:shared] != slow[:shared])
        position = int(unequal[0]) if len(unequal) else shared
        before = self._tokenizer.decode(slow[max(0, position - 8) : position])
        here = slice(position, position + 4)
        return (
            f"tokenizer {self._tokenizer.spec.name!r}: document {doc_id} differs from the reference at token "
            f"{position} of {len(slow)}, after {before!r}: fast {fast[here].tolist()}, reference "
            f"{slow[here].tolist()}. The build stops here; report the document, or install the gigatoken "
            "version that dataprep was tested with"
        )
