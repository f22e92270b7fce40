"""The two formats of vocabulary files: tiktoken ranks and Hugging Face's tokenizer.json."""

from __future__ import annotations

import base64
import binascii
import functools
import json
from collections.abc import Mapping

from dataprep.errors import ConfigError
from dataprep.tokenizers.specs import TokenizerSpec


def parse_ranks(data: bytes, *, place: str) -> dict[bytes, int]:
    """Return the bytes and rank of every token of a tiktoken file.

    Args:
        data: lines of base64 bytes, a space and the rank.
        place: what errors call the file.

    Raises:
        ConfigError: a line has another form, or the ranks are not 0, 1, 2, ...
    """
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            token, rank = line.split()
            ranks[binascii.a2b_base64(token, strict_mode=True)] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise ConfigError(
                f"{place}, line {number}: expected '<base64> <rank>' of a tiktoken file, got {line[:60]!r}"
            ) from error
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise ConfigError(
            f"{place}: the ranks are not 0 to {len(ranks) - 1}, each once; is the file complete?"
        )
    missing = [value for value in range(256) if bytes([value]) not in ranks]
    if missing:
        raise ConfigError(
            f"{place}: {len(missing)} single bytes have no rank, so not every text can be encoded"
        )
    return ranks


def format_ranks(ranks: Mapping[bytes, int]) -> bytes:
    """Return the tiktoken file of ``ranks``, in order of rank."""
    ordered = sorted(ranks.items(), key=lambda item: item[1])
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ordered)


def without_special_tokens(data: bytes, spec: TokenizerSpec) -> str:
    """Return a tokenizer.json that reads ``spec.special_tokens`` in text as plain text.

    The file as published turns ``<|endoftext|>`` in a web page into the end of a document.
    Other added tokens stay: GPT-NeoX-20B's runs of spaces are ordinary text.
    """
    value = json.loads(data)
    special = set(spec.special_tokens.values())
    value["added_tokens"] = [token for token in value["added_tokens"] if token["id"] not in special]
    return json.dumps(value, ensure_ascii=False)


def without_normalizer(tokenizer_json: str) -> str:
    """Return a tokenizer.json for text that is in NFC already."""
    return json.dumps({**json.loads(tokenizer_json), "normalizer": None}, ensure_ascii=False)


def token_bytes(data: bytes, spec: TokenizerSpec) -> list[bytes | None]:
    """Return what each id stands for, special tokens by their name; None for ids without meaning."""
    table: list[bytes | None] = [None] * spec.vocab_size
    if spec.format == "ranks":
        for token, rank in parse_ranks(data, place=f"the vocabulary of {spec.name}").items():
            table[rank] = token
    else:
        value = json.loads(data)
        byte_of = byte_of_character()
        for text, index in value["model"]["vocab"].items():
            if all(character in byte_of for character in text):
                table[index] = bytes(byte_of[character] for character in text)
        for added in value["added_tokens"]:
            table[added["id"]] = str(added["content"]).encode("utf-8")
    for name, index in spec.special_tokens.items():
        table[index] = name.encode("utf-8")
    return table


@functools.lru_cache(maxsize=1)
def byte_of_character() -> Mapping[str, int]:
    """Return GPT-2's mapping of visible characters to bytes, which byte-level tokenizer files use."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [value for value in range(256) if value not in visible]
    shifted = {chr(256 + position): value for position, value in enumerate(hidden)}
    return {**{chr(value): value for value in visible}, **shifted}
