"""Words, shingles, their hashes and signatures in plain Python that knows nothing of the code tested."""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Iterable

import numpy as np
from datasketch import MinHash

MASK = 2**64 - 1


def words_of(text: str | None) -> list[str]:
    """The words of a text, in small letters; a null has none."""
    return re.findall(r"\w+", (text or "").lower().replace("ς", "σ"))


@functools.lru_cache(maxsize=1 << 18)
def word_hash(word: str) -> int:
    """The hash of blocks of eight bytes, the last one filled up with zeros."""
    data = word.encode()
    state = 0x6A09E667F3BCC9FF
    for (block,) in struct.iter_unpack("<Q", data + bytes(-len(data) % 8)):
        state = (state ^ block) * 0xBB67AE8584CAA73B & MASK
        state ^= state >> 32
    return state


@functools.lru_cache(maxsize=1 << 18)
def shingle_hash(words: tuple[str, ...]) -> int:
    """The hashes of the words as the digits of one number, mixed."""
    state = 0
    for word in words:
        state = (state * 0x3C6EF372FE94F82B + word_hash(word)) & MASK
    state ^= state >> 32
    state = state * 0xA54FF53A5F1D36F1 & MASK
    return state ^ state >> 29


def shingle_hashes(text: str | None, ngram: int) -> list[int]:
    """The hash of every shingle of a text, in order, repeats included."""
    words = words_of(text)
    return [shingle_hash(tuple(words[i : i + ngram])) for i in range(len(words) - ngram + 1)]


def signature_of(hashes: Iterable[int], *, num_perm: int, seed: int) -> np.ndarray:
    """datasketch's signature of the upper halves of hashes."""
    sketch = MinHash(num_perm=num_perm, seed=seed, scheme="affine32", hashfunc=lambda half: half)
    halves = [number >> 32 for number in hashes]
    for start in range(0, len(halves), 4096):
        sketch.update_batch(halves[start : start + 4096])
    return sketch.hashvalues
