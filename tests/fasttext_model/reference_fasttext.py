"""What fastText 0.9.2 computes for a line, feature by feature in float32: slow, for comparison.

Each sum and product is rounded to float32 at once, in fastText's order. Exponentials are the C
library's for float32, logarithms its for float64, so that the results are the same to the last bit.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import math
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataprep.fasttext_model.file import ModelFile

Floats = npt.NDArray[np.float32]

_C = ctypes.CDLL(ctypes.util.find_library("m"))
_C.expf.restype, _C.expf.argtypes = ctypes.c_float, [ctypes.c_float]


def exp(number: np.float32) -> np.float32:
    return np.float32(_C.expf(float(number)))


def log(probability: np.float32) -> np.float32:
    return np.float32(math.log(float(probability) + 1e-5))


def fnv(data: bytes) -> int:
    """Return the hash of FNV-1a for 32 bits, with bytes that are signed."""
    hashed = 2166136261
    for byte in data:
        hashed = ((hashed ^ (byte | 0xFFFFFF00 if byte >= 0x80 else byte)) * 16777619) & 0xFFFFFFFF
    return hashed


@dataclass(frozen=True)
class Prediction:
    """All that a line gives: how many features, their mean, the label's place (or none) and its score."""

    num_features: int
    mean: Floats
    label: int | None
    score: np.float32


class Reference:
    """The model of a file."""

    def __init__(self, file: ModelFile) -> None:
        self._file = file
        self._entries = {word: number for number, word in enumerate(file.words)}
        self._bucket_rows = {bucket: file.num_words + k for k, bucket in enumerate(file.buckets.tolist())}
        self._tree = huffman(list(file.label_counts))
        self.features_of = functools.cache(self._features_of)

    def _features_of(self, word: bytes) -> tuple[int, ...]:
        """Return the rows of a word that is no end of line: its own, and those of its n-grams."""
        file, number = self._file, self._entries.get(word)
        if (number is not None and number >= file.num_words) or (
            number is None and word.startswith(b"__label__")
        ):
            return ()
        rows = [] if number is None else [number]
        marked = f"<{word.decode()}>"
        for first in range(len(marked)):
            for stop in range(first + 1, min(first + file.max_chars, len(marked)) + 1):
                is_mark = stop - first == 1 and (first == 0 or stop == len(marked))
                if stop - first < file.min_chars or is_mark:
                    continue
                row = self._bucket_rows.get(fnv(marked[first:stop].encode()) % file.num_buckets)
                rows += [] if row is None else [row]
        return tuple(rows)

    def predict(self, line: str) -> Prediction:
        """Return the prediction for a line; a line feed in it is a space."""
        features: list[int] = []
        for word in re.split(rb"[ \n\r\t\v\f\0]+", line.encode()):
            if word == b"</s>":
                break
            if word:
                features += self.features_of(word)
        end = self._entries.get(b"</s>", len(self._file.words))
        if end < self._file.num_words:
            features.append(end)
        mean = np.zeros(self._file.rows.shape[1], np.float32)
        for row in features:
            mean += self._file.rows[row]
        mean *= np.float32(1 / max(len(features), 1))
        label, score = self._by_tree(mean) if self._file.loss == "hs" else self._by_softmax(mean)
        if not features or label is None:
            return Prediction(len(features), mean, None, np.float32(np.nan))
        return Prediction(len(features), mean, label, min(exp(score), np.float32(1)))

    def _products(self, mean: Floats) -> Floats:
        """Return the products of all rows of the output with the mean, each summed in order."""
        products = np.zeros(len(self._file.output), np.float32)
        for k, number in enumerate(mean):
            products += self._file.output[:, k] * number
        return products

    def _by_softmax(self, mean: Floats) -> tuple[int | None, np.float32]:
        products = self._products(mean)
        powers = [exp(one - products.max()) for one in products]
        total = np.float32(0)
        for power in powers:
            total += power
        best, best_score = None, log(np.float32(0))
        for label, power in enumerate(powers):
            if log(power / total) >= best_score:
                best, best_score = label, log(power / total)
        return best, best_score

    def _by_tree(self, mean: Floats) -> tuple[int | None, np.float32]:
        products, num_labels = self._products(mean), len(self._file.labels)
        best: list[tuple[int | None, np.float32]] = [(None, log(np.float32(0)))]

        def visit(node: int, score: np.float32) -> None:
            if score < best[-1][1]:
                return
            if node < num_labels:
                best.append((node, score))
                return
            chance = np.float32(1 / float(np.float32(1) + exp(-products[node - num_labels])))
            left, right = self._tree[node]
            visit(left, score + log(np.float32(1 - float(chance))))
            visit(right, score + log(chance))

        visit(2 * num_labels - 2, np.float32(0))
        return best[-1]


def huffman(counts: list[int]) -> dict[int, tuple[int, int]]:
    """Return the children of every inner node: always the two that count least, the labels' last first.

    A label whose count is that of an inner node goes behind it.
    """
    waiting = [(count, 1, -label, label) for label, count in enumerate(counts)]
    children = {}
    for node in range(len(counts), 2 * len(counts) - 1):
        first, second, *waiting = sorted(waiting)
        children[node] = (first[3], second[3])
        waiting.append((first[0] + second[0], 0, node, node))
    return children
