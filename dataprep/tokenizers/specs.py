"""Named tokenizers: which id means what, and how raw text is read.

A specification fixes everything that shapes ids, down to the checksum of the vocabulary file,
so a name in a manifest always means the same numbers. Special tokens never come from text;
the one exception are StarCoder's tags, in documents of corpora that use them as markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dataprep.errors import ConfigError, nearest

TokenArray = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]

ARCADE_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Arcade100k cuts text before merging: cl100k's pattern with every digit alone.

Source: Stability AI's tokenization_arcade100k.py, published with stablelm-2-1_6b.
"""

CODE_TAGS = (
    "<gh_stars>",
    "<filename>",
    "<issue_start>",
    "<issue_comment>",
    "<issue_closed>",
    "<jupyter_start>",
    "<jupyter_text>",
    "<jupyter_code>",
    "<jupyter_output>",
    "<empty_output>",
    "<commit_before>",
    "<commit_msg>",
    "<commit_after>",
    "<reponame>",
)
"""StarCoderData's markup, in the order of Arcade100k's ids."""

TAGGED_CORPORA = frozenset({"starcoderdata"})
"""Corpora whose texts carry ``CODE_TAGS`` as markup; everywhere else these strings are plain text."""

END_OF_TEXT = "<|endoftext|>"

_ARCADE_SPECIAL_TOKENS = (
    END_OF_TEXT,
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    *CODE_TAGS,
    "<|endofprompt|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|pause|>",
    *(f"<|reg{i}|>" for i in range(8)),
    "<|extra0|>",
)

_PADDING_MULTIPLE = 128
"""Embedding rows are padded to a multiple of this; Arcade100k's 100,289 become 100,352."""


@dataclass(frozen=True)
class TokenizerSpec:
    """A tokenizer: its ids, its special tokens and the vocabulary it stands on."""

    name: str
    format: Literal["ranks", "huggingface"]
    """Format of the vocabulary file: tiktoken ranks, or a Hugging Face tokenizer.json."""
    vocab_size: int
    """One more than the largest id."""
    padded_vocab_size: int
    """Rows of the embedding matrix that models of this tokenizer are trained with."""
    eos_id: int
    """Ends every document in the token store."""
    pad_id: int
    """Fills rows; may equal ``eos_id``, so padding is told from counts and never from values."""
    special_tokens: Mapping[str, int]
    """Ids that text never becomes, by name; ``tags`` are the exception."""
    tags: frozenset[str]
    """Special tokens that the text of a tagged corpus becomes."""
    sha256: str
    """Checksum of the vocabulary file as published."""
    nfc: bool = True
    """Whether text is brought to Unicode NFC first, as the model's own tokenizer class does."""

    @property
    def dtype(self) -> Literal["uint16", "uint32"]:
        """The smallest unsigned type that holds every id."""
        return "uint16" if self.vocab_size <= 1 << 16 else "uint32"

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """``dtype`` for numpy."""
        return np.dtype(self.dtype)

    def to_json(self) -> dict[str, Any]:
        """Return what a manifest says of the tokenizer."""
        return {
            "name": self.name,
            "format": self.format,
            "vocab_size": self.vocab_size,
            "padded_vocab_size": self.padded_vocab_size,
            "eos_id": self.eos_id,
            "pad_id": self.pad_id,
            "dtype": self.dtype,
            "special_tokens": dict(self.special_tokens),
            "sha256": self.sha256,
            "nfc": self.nfc,
        }


def _numbered(names: tuple[str, ...], *, first_id: int) -> Mapping[str, int]:
    return {name: first_id + position for position, name in enumerate(names)}


ARCADE100K = TokenizerSpec(
    name="arcade100k",
    format="ranks",
    # cl100k_base has ranks 0..100255; 100256 is not used.
    vocab_size=100_289,
    padded_vocab_size=100_352,
    eos_id=100_257,
    # Arcade100kTokenizer sets pad_token to the end-of-text token.
    pad_id=100_257,
    special_tokens=_numbered(_ARCADE_SPECIAL_TOKENS, first_id=100_257),
    tags=frozenset(CODE_TAGS),
    sha256="223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
)
"""Stable LM 2's tokenizer: cl100k_base's ranks, single digits, 32 special tokens."""

NEOX = TokenizerSpec(
    name="neox",
    format="huggingface",
    # 50,254 in the model's vocabulary and 23 added tokens for runs of 2 to 24 spaces.
    vocab_size=50_277,
    # GPT-NeoX-20B's and StableLM-Base-Alpha-7B's own (multiple of 128 x 2 model-parallel ranks).
    # StableLM-3B-4E1T has 50,304 and StableLM-Base-Alpha-3B 50,688 rows; ids are the same.
    padded_vocab_size=50_432,
    eos_id=0,
    pad_id=1,
    special_tokens={END_OF_TEXT: 0, "<|padding|>": 1},
    tags=frozenset(),
    sha256="43c7ea4f3b64948b7669a4bcce44ecd9f1460fa43bf132e21df3621ef898dc93",
)
"""GPT-NeoX-20B's tokenizer, of all StableLM models before Stable LM 2."""

ARCADE_DEMO_NAME = "arcade-demo"
"""A small stand-in for Arcade100k, trained on demo text; its ids fit no published model."""

TOKENIZER_NAMES = (ARCADE100K.name, NEOX.name, ARCADE_DEMO_NAME)


def arcade_demo_spec(*, num_ranks: int, sha256: str) -> TokenizerSpec:
    """Return the specification of a demo vocabulary with Arcade100k's pattern and special tokens."""
    special_tokens = _numbered(_ARCADE_SPECIAL_TOKENS, first_id=num_ranks)
    vocab_size = num_ranks + len(special_tokens)
    return TokenizerSpec(
        name=ARCADE_DEMO_NAME,
        format="ranks",
        vocab_size=vocab_size,
        padded_vocab_size=-(-vocab_size // _PADDING_MULTIPLE) * _PADDING_MULTIPLE,
        eos_id=special_tokens[END_OF_TEXT],
        pad_id=special_tokens[END_OF_TEXT],
        special_tokens=special_tokens,
        tags=frozenset(CODE_TAGS),
        sha256=sha256,
    )


def check_tokenizer_name(name: str) -> None:
    """Accept a known tokenizer name.

    Raises:
        ConfigError: the name is unknown; the message has the nearest ones.
    """
    if name not in TOKENIZER_NAMES:
        raise ConfigError(f"unknown tokenizer {name!r}: {nearest(name, TOKENIZER_NAMES)}")
