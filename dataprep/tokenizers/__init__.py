"""Tokenizers: named, verified by checksum, fast, and watched by their references."""

from __future__ import annotations

from dataprep.tokenizers.parity import ParityGuard
from dataprep.tokenizers.reference import ReferenceTokenizer
from dataprep.tokenizers.specs import ARCADE100K, NEOX, TAGGED_CORPORA, TOKENIZER_NAMES, TokenizerSpec
from dataprep.tokenizers.tags import strip_tags
from dataprep.tokenizers.tokenizer import (
    TagPolicy,
    Tokenizer,
    load_recorded_tokenizer,
    load_tokenizer,
    record_tokenizer,
)
from dataprep.tokenizers.training import train_demo_vocabulary
from dataprep.tokenizers.vocabulary import VOCABULARY_FILES, find_vocabulary

__all__ = [
    "ARCADE100K",
    "NEOX",
    "TAGGED_CORPORA",
    "TOKENIZER_NAMES",
    "VOCABULARY_FILES",
    "ParityGuard",
    "ReferenceTokenizer",
    "TagPolicy",
    "Tokenizer",
    "TokenizerSpec",
    "find_vocabulary",
    "load_recorded_tokenizer",
    "load_tokenizer",
    "record_tokenizer",
    "strip_tags",
    "train_demo_vocabulary",
]
