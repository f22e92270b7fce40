"""Text to ids and back, for one named tokenizer."""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep import storage
from dataprep.errors import ArtifactError
from dataprep.text.composition import compose
from dataprep.tokenizers.encoder import FastEncoder, build_encoder
from dataprep.tokenizers.formats import parse_ranks, token_bytes
from dataprep.tokenizers.reference import ReferenceTokenizer, build_reference
from dataprep.tokenizers.specs import ARCADE100K, NEOX, TokenizerSpec, arcade_demo_spec
from dataprep.tokenizers.vocabulary import (
    VOCABULARY_FILES,
    Vocabulary,
    default_cache_folder,
    find_vocabulary,
)

TagPolicy = Literal["keep_text", "strip"]
"""What becomes of a tagged corpus's tags that the vocabulary lacks: text as it is, or line breaks."""


class Tokenizer:
    """A verified vocabulary with its fast encoder, its reference and its decoder.

    Build it once per process (``load_tokenizer`` does): the encoder's cache of words makes it
    several times faster after the first tens of megabytes.
    """

    def __init__(self, vocabulary: Vocabulary, *, cache_folder: str | None = None) -> None:
        self.spec = spec_of(vocabulary)
        self.vocabulary = vocabulary
        self._cache_folder = cache_folder or default_cache_folder()
        self._encoders: dict[bool, FastEncoder] = {}
        self._lock = threading.Lock()

    def encode_batch(
        self, text: pa.LargeStringArray, *, allow_tags: bool
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
        """Return the ids of every text, without end-of-text ids.

        Args:
            text: n texts, none of them null. They are brought to NFC first: ingest has done so
                for prose, but leaves code as it is.
            allow_tags: whether ``spec.tags`` in the texts become their ids; only for documents of
                ``specs.TAGGED_CORPORA``. No other special token ever comes from text.

        Returns:
            offsets int64[n + 1] and ids uint32[offsets[n]]; text i is ``ids[offsets[i]:offsets[i + 1]]``.
        """
        return self._encoder(with_tags=allow_tags and bool(self.spec.tags)).encode(compose(text))

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer]) -> str:
        """Return the text of ``ids``; special tokens appear by name, cut characters as U+FFFD.

        Raises:
            ArtifactError: an id stands for nothing in this vocabulary.
        """
        table = self._token_bytes
        pieces = []
        for index in np.asarray(ids).tolist():
            token = table[index] if 0 <= index < len(table) else None
            if token is None:
                raise ArtifactError(
                    f"token id {index} stands for nothing in {self.spec.name!r} (ids below "
                    f"{self.spec.vocab_size:,}): the tokens are damaged or of another tokenizer"
                )
            pieces.append(token)
        return b"".join(pieces).decode("utf-8", errors="replace")

    @functools.cached_property
    def reference(self) -> ReferenceTokenizer:
        """The trusted tokenizer of the same ids; built at first use."""
        return build_reference(self.spec, self.vocabulary.data)

    @functools.cached_property
    def _token_bytes(self) -> list[bytes | None]:
        return token_bytes(self.vocabulary.data, self.spec)

    def _encoder(self, *, with_tags: bool) -> FastEncoder:
        with self._lock:
            if with_tags not in self._encoders:
                self._encoders[with_tags] = build_encoder(
                    self.spec,
                    vocabulary_path=self._local_vocabulary(),
                    data=self.vocabulary.data,
                    with_tags=with_tags,
                )
            return self._encoders[with_tags]

    def _local_vocabulary(self) -> str:
        """Return a local file with the vocabulary; gigatoken reads ranks from nothing else."""
        if storage.is_local(self.vocabulary.path):
            return storage.local_path(self.vocabulary.path)
        digest = hashlib.sha256(self.vocabulary.data).hexdigest()
        path = storage.join(self._cache_folder, "vocabularies", digest)
        if not os.path.exists(path) or storage.read_bytes(path) != self.vocabulary.data:
            storage.write_bytes(path, self.vocabulary.data)
        return path


def spec_of(vocabulary: Vocabulary) -> TokenizerSpec:
    """Return the specification of a verified vocabulary."""
    for spec in (ARCADE100K, NEOX):
        if vocabulary.tokenizer == spec.name:
            return spec
    ranks = parse_ranks(vocabulary.data, place=vocabulary.path)
    return arcade_demo_spec(num_ranks=len(ranks), sha256=vocabulary.sha256)


@functools.lru_cache(maxsize=4)
def load_tokenizer(
    name: str,
    *,
    vocab_path: str | None = None,
    cache_folder: str | None = None,
    allow_network: bool = True,
) -> Tokenizer:
    """Return a tokenizer; a process that asks twice gets the same one, with its warm cache.

    Args:
        name: ``arcade100k``, ``neox`` or ``arcade-demo``.
        vocab_path: vocabulary file, or a folder with it; a URL is possible.
        cache_folder: where downloads are kept; ``$DATAPREP_CACHE`` or ``~/.cache/dataprep`` if None.
        allow_network: whether a vocabulary that is nowhere else may be downloaded.

    Raises:
        ConfigError: no such tokenizer, no vocabulary, or the wrong one.
    """
    vocabulary = find_vocabulary(
        name, vocab_path=vocab_path, cache_folder=cache_folder, allow_network=allow_network
    )
    return Tokenizer(vocabulary, cache_folder=cache_folder)


def record_tokenizer(tokenizer: Tokenizer, *, output_root: str) -> dict[str, Any]:
    """Keep a copy of the vocabulary with a build; return what manifests say of the tokenizer.

    Workers and later readers (decoding, verification) load it from there, wherever they run.

    Returns:
        ``TokenizerSpec.to_json`` and ``vocabulary``, the copy's path under ``output_root``.
    """
    spec = tokenizer.spec
    file_name = VOCABULARY_FILES[spec.name].file_names[0]
    relative = f"tokenizers/{spec.name}/{spec.sha256[:12]}/{file_name}"
    path = storage.join(output_root, relative)
    if not storage.exists(path):
        storage.write_bytes(path, tokenizer.vocabulary.data)
    return {**spec.to_json(), "vocabulary": relative}


def load_recorded_tokenizer(recorded: Mapping[str, Any], *, output_root: str) -> Tokenizer:
    """Return the tokenizer that an artifact was made with, from the vocabulary kept beside it.

    Args:
        recorded: what ``record_tokenizer`` returned; ``details["tokenizer"]`` of a tokens manifest.
        output_root: folder of the build, to which ``recorded["vocabulary"]`` is relative.

    Raises:
        ConfigError: the vocabulary is gone or damaged.
        ArtifactError: it is another one than was recorded.
    """
    path = storage.join(output_root, recorded["vocabulary"])
    tokenizer = load_tokenizer(recorded["name"], vocab_path=path, allow_network=False)
    if tokenizer.spec.sha256 != recorded["sha256"]:
        raise ArtifactError(
            f"{path}: SHA-256 {tokenizer.spec.sha256}, but the tokens were made with {recorded['sha256']}; "
            "the vocabulary was changed or damaged: put the right file there, or build the tokens again"
        )
    return tokenizer
