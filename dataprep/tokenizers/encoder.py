"""The fast path: gigatoken on Arrow buffers, with a bound on the memory of its word cache."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.errors import MissingExtraError
from dataprep.text.buffers import utf8_buffers
from dataprep.tokenizers.formats import without_normalizer, without_special_tokens
from dataprep.tokenizers.specs import TokenizerSpec

MAX_CACHE_BYTES = 256 << 20
"""Growth of the process after which an encoder starts again with an empty cache of words.

155 MB of web text, books and code in seven languages grow it by 80 MB. A rebuild costs an eighth
of a second and, until the cache is warm again, half of the speed.
"""

_CHECK_EVERY_BYTES = 8 << 20
"""Text between two looks at the memory; the cache passes its bound by what so much text can add."""

_REBUILD_EVERY_BYTES = 1 << 30
"""Text between two rebuilds on systems that do not tell a process its size."""


class FastEncoder:
    """Texts to ids, one call for a batch; safe to use from several threads.

    gigatoken remembers the ids of every distinct word and never forgets one: 170 MB of random
    letters grow it by 1.3 GB. Its size is not readable, so the growth of the whole process
    stands for it; when something else grew, one rebuild is wasted and the new size is the base.
    """

    def __init__(self, build: Callable[[], Any], *, max_cache_bytes: int = MAX_CACHE_BYTES) -> None:
        self._build = build
        self._max_cache_bytes = max_cache_bytes
        self._lock = threading.Lock()
        self.num_rebuilds = 0
        self._start()

    def _start(self) -> None:
        self._backend = self._build()
        self._base_bytes = resident_bytes()
        self._bytes_since_check = 0

    def encode(self, text: pa.LargeStringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
        """Return offsets int64[n + 1] and ids uint32[offsets[n]].

        The ids of text i are ``ids[offsets[i]:offsets[i + 1]]``.

        Args:
            text: n texts, none of them null.
        """
        import awkward

        assert text.null_count == 0, "texts to encode must not be null"
        buffers = utf8_buffers(text)
        characters = awkward.contents.NumpyArray(buffers.data, parameters={"__array__": "char"})
        strings = awkward.contents.ListOffsetArray(
            awkward.index.Index64(buffers.offsets), characters, parameters={"__array__": "string"}
        )
        # parallel=False: Beam runs a process for each core, and gigatoken's own threads would fight them.
        layout = self._backend.encode_batch(awkward.Array(strings), parallel=False).layout
        self._bound_memory(int(buffers.offsets[-1] - buffers.offsets[0]))
        return np.asarray(layout.offsets.data), np.asarray(layout.content.data)

    def _bound_memory(self, num_bytes: int) -> None:
        with self._lock:
            self._bytes_since_check += num_bytes
            if self._bytes_since_check < _CHECK_EVERY_BYTES:
                return
            size = resident_bytes()
            if size == 0:
                if self._bytes_since_check < _REBUILD_EVERY_BYTES:
                    return
            elif size - self._base_bytes <= self._max_cache_bytes:
                self._bytes_since_check = 0
                return
            self.num_rebuilds += 1
            self._start()


def resident_bytes() -> int:
    """Return the memory that this process holds, 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def build_encoder(spec: TokenizerSpec, *, vocabulary_path: str, data: bytes, with_tags: bool) -> FastEncoder:
    """Return the encoder of a tokenizer for text in NFC; special tokens in text are plain text.

    Args:
        spec: the tokenizer.
        vocabulary_path: local path of the vocabulary file.
        data: content of that file.
        with_tags: whether ``spec.tags`` in text become their ids.
    """
    try:
        import awkward  # noqa: F401 - its absence is reported here, once
        import gigatoken
    except ImportError as error:
        raise MissingExtraError(
            module=error.name or "gigatoken", extra="pipeline", purpose="tokenization"
        ) from error
    if spec.format == "ranks":
        tags = {tag: spec.special_tokens[tag] for tag in sorted(spec.tags)} if with_tags else None
        # gigatoken's name for Arcade100k's split pattern; the Qwen models share it.
        return FastEncoder(lambda: gigatoken.Tokenizer.from_tiktoken(vocabulary_path, "qwen2", tags).backend)
    tokenizer_json = without_normalizer(without_special_tokens(data, spec))
    return FastEncoder(lambda: gigatoken.Tokenizer.from_json(tokenizer_json).backend)
