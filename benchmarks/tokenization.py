"""Tokenization: Arcade100k and NeoX, beside tiktoken and Hugging Face tokenizers."""

from __future__ import annotations

import functools
import os

from benchmarks.measuring import Amount, Case, Run
from benchmarks.texts import Texts
from dataprep.tokenizers import ARCADE100K, NEOX, Tokenizer, load_tokenizer

VOCABULARY_VARIABLE = "DATAPREP_TEST_VOCAB"
"""Folder with the real vocabularies; else the cache and the network are asked."""


def _load(name: str) -> Tokenizer:
    return load_tokenizer(name, vocab_path=os.environ.get(VOCABULARY_VARIABLE))


def fast(name: str, texts: Texts) -> Run:
    """Our encoder on one thread, its cache of words nearly cold."""
    tokenizer = _load(name)
    tokenizer.encode_batch(texts.few(), allow_tags=False)

    def run() -> Amount:
        tokens = 0
        for start in range(0, len(texts), 512):
            offsets, _ = tokenizer.encode_batch(texts.column[start : start + 512], allow_tags=False)
            tokens += int(offsets[-1])
        return Amount(texts.text_bytes, len(texts), tokens)

    return run


def reference(name: str, texts: Texts) -> Run:
    """The trusted tokenizer of the same ids, one text at a time."""
    encoder = _load(name).reference
    bodies = texts.column.to_pylist()
    encoder.encode(bodies[0], allow_tags=False)

    def run() -> Amount:
        tokens = sum(len(encoder.encode(body, allow_tags=False)) for body in bodies)
        return Amount(texts.text_bytes, len(bodies), tokens)

    return run


CASES = (
    Case("arcade100k", functools.partial(fast, ARCADE100K.name)),
    Case(
        "tiktoken: arcade100k",
        functools.partial(reference, ARCADE100K.name),
        "arcade100k",
        max_bytes=16_000_000,
    ),
    Case("neox", functools.partial(fast, NEOX.name)),
    Case("HF tokenizers: neox", functools.partial(reference, NEOX.name), "neox", max_bytes=4_000_000),
)
