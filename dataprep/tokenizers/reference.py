"""Reference tokenizers: the libraries that the models were published with, slow and trusted."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Protocol

from dataprep.errors import MissingExtraError
from dataprep.tokenizers.formats import parse_ranks, without_special_tokens
from dataprep.tokenizers.specs import ARCADE_PATTERN, TokenizerSpec


class ReferenceTokenizer(Protocol):
    """Encodes one text as the fast path must."""

    def encode(self, text: str, *, allow_tags: bool) -> Sequence[int]:
        """Return the ids of ``text``, without an end-of-text id."""
        ...


class TiktokenReference:
    """Arcade100k and its demo stand-in on tiktoken, as in Stability AI's tokenizer class.

    That class turns every special token found in text into its id; here only ``spec.tags`` do,
    and only where the caller allows them.
    """

    def __init__(self, spec: TokenizerSpec, data: bytes) -> None:
        try:
            import tiktoken
        except ImportError as error:
            raise MissingExtraError(module="tiktoken", extra="pipeline", purpose="checking ids") from error
        self._spec = spec
        self._encoding = tiktoken.Encoding(
            spec.name,
            pat_str=ARCADE_PATTERN,
            mergeable_ranks=parse_ranks(data, place=f"the vocabulary of {spec.name}"),
            special_tokens=dict(spec.special_tokens),
        )

    def encode(self, text: str, *, allow_tags: bool) -> Sequence[int]:
        """Return the ids of ``text``, without an end-of-text id."""
        allowed = set(self._spec.tags) if allow_tags else set()
        normalized = unicodedata.normalize("NFC", text)
        return self._encoding.encode(normalized, allowed_special=allowed, disallowed_special=())


class HuggingFaceReference:
    """GPT-NeoX-20B's tokenizer on Hugging Face tokenizers, with its own NFC normaliser."""

    def __init__(self, spec: TokenizerSpec, data: bytes) -> None:
        try:
            import tokenizers
        except ImportError as error:
            raise MissingExtraError(module="tokenizers", extra="pipeline", purpose="checking ids") from error
        self._tokenizer = tokenizers.Tokenizer.from_str(without_special_tokens(data, spec))

    def encode(self, text: str, *, allow_tags: bool) -> Sequence[int]:
        """Return the ids of ``text``; this vocabulary has no tags, so ``allow_tags`` changes nothing."""
        # Without the characters' offsets, which `encode` works out and nobody asks for.
        (encoding,) = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)
        ids: list[int] = encoding.ids
        return ids


def build_reference(spec: TokenizerSpec, data: bytes) -> ReferenceTokenizer:
    """Return the reference of a tokenizer.

    Args:
        spec: the tokenizer.
        data: content of its vocabulary file.
    """
    return TiktokenReference(spec, data) if spec.format == "ranks" else HuggingFaceReference(spec, data)
