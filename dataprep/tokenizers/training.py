"""Train the demo vocabulary: a small byte-pair encoding with Arcade100k's rules."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from dataprep import storage
from dataprep.errors import ConfigError, MissingExtraError
from dataprep.tokenizers.formats import byte_of_character, format_ranks
from dataprep.tokenizers.specs import ARCADE_PATTERN, TokenizerSpec, arcade_demo_spec

NUM_SPECIAL_TOKENS = 32


def train_demo_vocabulary(texts: Iterable[str], path: str, vocab_size: int) -> TokenizerSpec:
    """Train a vocabulary on ``texts`` and write it to ``path`` as a tiktoken rank file.

    Split pattern, digits, NFC and special tokens are Arcade100k's, so that everything that
    holds for the demo's shards holds for real ones. The same texts give the same file.

    Args:
        texts: a few megabytes are enough.
        path: where the file goes; name it ``arcade-demo.tiktoken``.
        vocab_size: ids in all: 256 bytes, the merges, and 32 special tokens.

    Raises:
        ConfigError: ``vocab_size`` leaves no room for a merge.
    """
    try:
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
    except ImportError as error:
        raise MissingExtraError(
            module="tokenizers", extra="pipeline", purpose="training the demo vocabulary"
        ) from error
    num_ranks = vocab_size - NUM_SPECIAL_TOKENS
    if num_ranks <= 256:
        raise ConfigError(
            f"vocab_size {vocab_size} is too small: 256 bytes and {NUM_SPECIAL_TOKENS} special tokens come "
            "before the first merge; 8192 is a good size for a demo"
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(ARCADE_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=num_ranks,
        initial_alphabet=sorted(byte_of_character()),
        special_tokens=[],
        show_progress=False,
    )
    tokenizer.train_from_iterator((unicodedata.normalize("NFC", text) for text in texts), trainer=trainer)
    byte_of = byte_of_character()
    ranks = {
        bytes(byte_of[character] for character in token): rank
        for token, rank in tokenizer.get_vocab(with_added_tokens=False).items()
    }
    data = format_ranks(ranks)
    storage.write_bytes(path, data)
    return arcade_demo_spec(num_ranks=len(ranks), sha256=storage.sha256_of(path))
