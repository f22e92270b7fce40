"""Writes files of fastText models with random numbers, of every kind that the format has."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

HS, NS, SOFTMAX, OVA = 1, 2, 3, 4
SUPERVISED, SKIPGRAM = 3, 2
WORDS = (
    "</s>",
    "the",
    "und",
    "де",
    "a",
    "wort",
    "日本",
    "word-that-is-longer-than-eight",
    "__label__",
    "x<y>",
)


@dataclass(frozen=True)
class RandomModel:
    """What a file is to hold; the numbers follow from the seed."""

    loss: int = HS
    dim: int = 8
    min_chars: int = 2
    max_chars: int = 4
    buckets: int = 500
    words: Sequence[str] = WORDS
    num_labels: int = 7
    quantised: bool = False
    norms: bool = False
    part: int = 2
    pruned_to: int | None = None
    word_ngrams: int = 1
    quantised_output: bool = False
    model: int = SUPERVISED
    version: int = 12
    magic: int = 793712314
    spread: float = 2
    """Of the numbers in both matrices; 0 makes all labels equal."""
    seed: int = 1

    def to_bytes(self) -> bytes:
        """Return the bytes of the file."""
        random = np.random.default_rng(self.seed)
        counts = sorted(random.integers(1, 1000, self.num_labels).tolist(), reverse=True)
        layout = (self.dim, 5, 5, 1, 5, self.word_ngrams, self.loss, self.model, self.buckets)
        out = struct.pack("<2i", self.magic, self.version)
        out += struct.pack("<12id", *layout, self.min_chars, self.max_chars, 100, 1e-4)
        pruned = -1 if self.pruned_to is None else self.pruned_to
        out += struct.pack(
            "<iiiqq", len(self.words) + self.num_labels, len(self.words), self.num_labels, 99, pruned
        )
        for word in self.words:
            out += word.encode() + b"\0" + struct.pack("<qb", 9, 0)
        for number, count in enumerate(counts):
            out += f"__label__l{number}".encode() + b"\0" + struct.pack("<qb", count, 1)
        num_rows = len(self.words) + self.buckets
        if self.pruned_to is not None:
            chosen = random.permutation(self.buckets)[: self.pruned_to]
            out += np.stack([chosen, random.permutation(self.pruned_to)], 1).astype("<i4").tobytes()
            num_rows = len(self.words) + self.pruned_to
        out += struct.pack("<?", self.quantised)
        out += self._quantised(random, num_rows) if self.quantised else self._dense(random, num_rows)
        out += struct.pack("<?", self.quantised_output)
        as_codes = self.quantised and self.quantised_output
        return out + (
            self._quantised(random, self.num_labels) if as_codes else self._dense(random, self.num_labels)
        )

    def _dense(self, random: np.random.Generator, num_rows: int) -> bytes:
        return struct.pack("<qq", num_rows, self.dim) + self._floats(random, num_rows * self.dim).tobytes()

    def _quantised(self, random: np.random.Generator, num_rows: int) -> bytes:
        num_parts = -(-self.dim // self.part)
        codes = random.integers(0, 256, num_rows * num_parts).astype(np.uint8)
        out = struct.pack("<?qqi", self.norms, num_rows, self.dim, len(codes)) + codes.tobytes()
        last = self.dim - self.part * (num_parts - 1)
        out += struct.pack("<4i", self.dim, num_parts, self.part, last)
        out += self._floats(random, self.dim * 256).tobytes()
        if self.norms:
            out += random.integers(0, 256, num_rows).astype(np.uint8).tobytes()
            out += struct.pack("<4i", 1, 1, 1, 1) + np.abs(self._floats(random, 256)).tobytes()
        return out

    def _floats(self, random: np.random.Generator, count: int) -> npt.NDArray[np.float32]:
        return random.normal(0, self.spread, count).astype("<f4")


MODELS = {
    "dense": RandomModel(),
    "quantised": RandomModel(quantised=True, pruned_to=200),
    "quantised with norms": RandomModel(quantised=True, norms=True, pruned_to=499, dim=16),
    "last part shorter": RandomModel(quantised=True, part=3, dim=40, pruned_to=100),
    "all n-grams pruned": RandomModel(quantised=True, pruned_to=0),
    "softmax": RandomModel(loss=SOFTMAX, dim=33),
    "n-grams of one character": RandomModel(min_chars=1, max_chars=3, buckets=64),
    "no shortest n-gram": RandomModel(min_chars=0, max_chars=2, buckets=65),
    "long n-grams": RandomModel(min_chars=3, max_chars=9, buckets=1 << 16),
    "words only": RandomModel(min_chars=0, max_chars=0, buckets=0),
    "one label": RandomModel(num_labels=1),
    "two labels": RandomModel(num_labels=2, loss=SOFTMAX),
    "many labels": RandomModel(num_labels=300),
    "no end of line": RandomModel(words=("the", "日本")),
    "one bucket": RandomModel(buckets=1),
    "equal labels in a tree": RandomModel(spread=0),
    "equal labels": RandomModel(spread=0, loss=SOFTMAX),
}
"""One of every kind that the kernels predict."""
