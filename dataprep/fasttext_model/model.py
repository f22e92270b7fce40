"""A fastText model in memory, and its predictions for whole batches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataprep.fasttext_model.features import (
    END_OF_LINE,
    MAX_CHARS,
    MEMO_FEATURES,
    MEMO_SLOTS,
    MIN_CHARS,
    NUM_BUCKETS,
    NUM_FEATURES,
    NUM_SETTINGS,
    NUM_WORDS,
)
from dataprep.fasttext_model.file import ModelFile, read_model_file, tree_of_labels
from dataprep.fasttext_model.prediction import average_features, index_words, search_tree, take_softmax
from dataprep.kernels import KernelFunction
from dataprep.text.buffers import Utf8Buffers

PREDICTION_KERNELS: tuple[KernelFunction, ...] = (index_words, average_features, search_tree)
"""What loads and applies a model of the usual kind, with a tree of labels."""


@dataclass(frozen=True)
class FastTextModel:
    """Tables of a model, which are only read; 4 MB for lid.176.ftz, 0.2 GB for lid.176.bin."""

    labels: tuple[str, ...]
    """As they were trained, ``__label__`` included."""
    settings: npt.NDArray[np.int64]
    inverse: float
    """A little more than 1 / number of buckets."""
    table: npt.NDArray[np.int32]
    """Hash table of a power of two places: numbers of the entries of the dictionary, -1 for none."""
    words: npt.NDArray[np.uint8]
    word_ends: npt.NDArray[np.int64]
    """Entry k of the dictionary is ``words[word_ends[k]:word_ends[k + 1]]``; words first, then labels."""
    buckets: npt.NDArray[np.uint64]
    """uint64[2 * (num_buckets / 64)], by turns: which of 64 buckets have a row (the others were pruned),
    and how many rows there are before theirs."""
    rows: npt.NDArray[np.float32]
    """float32[num_rows, padded]: rows of words, then of buckets."""
    output: npt.NDArray[np.float32]
    """float32[num_labels, padded]."""
    children: npt.NDArray[np.int32]
    """int32[2 * num_labels - 1, 2]: the tree of labels; of no length where the loss is softmax."""

    def predict(self, texts: Utf8Buffers) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Return what fastText predicts for each text, line feeds taken for spaces.

        Returns:
            Places in :attr:`labels`, int32[num_texts], -1 where fastText predicts nothing; and scores,
            float32[num_texts], at most 1, NaN where there is no label.
        """
        num_texts = len(texts.offsets) - 1
        hidden = np.empty((num_texts, self.rows.shape[1]), np.float32)
        num_features = np.empty(num_texts, np.int64)
        average_features(
            texts.data,
            texts.offsets,
            self.settings,
            self.inverse,
            self.table,
            self.words,
            self.word_ends,
            self.buckets,
            self.rows,
            np.empty(NUM_FEATURES, np.int32),
            np.zeros(MEMO_SLOTS, np.uint64),
            np.zeros(MEMO_SLOTS, np.int64),
            np.empty(MEMO_SLOTS * MEMO_FEATURES, np.int32),
            hidden,
            num_features,
        )
        found, scores = np.empty(num_texts, np.int32), np.empty(num_texts, np.float32)
        products = np.empty(len(self.labels) + 1, np.float32)
        if len(self.children):
            stack = np.empty(len(self.labels) + 1, np.int32)
            search_tree(hidden, self.output, self.children, stack, products, found, scores)
        else:
            take_softmax(hidden, self.output, products, found, scores)
        nothing = (num_features == 0) | (found < 0)
        found[nothing], scores[nothing] = -1, np.nan
        return found, np.minimum(scores, 1, dtype=np.float32)


def load_model(path: str) -> FastTextModel:
    """Read a model.

    Raises:
        ConfigError: see :func:`read_model_file`.
    """
    return _with_tables(read_model_file(path))


def _with_tables(file: ModelFile) -> FastTextModel:
    words = np.frombuffer(b"".join(file.words), np.uint8)
    word_ends = np.cumsum([0, *map(len, file.words)], dtype=np.int64)
    table = np.full(1 << (2 * len(file.words)).bit_length(), -1, np.int32)
    index_words(words, word_ends, table)
    settings = np.zeros(NUM_SETTINGS, np.int64)
    settings[MIN_CHARS], settings[MAX_CHARS] = file.min_chars, file.max_chars
    settings[NUM_BUCKETS], settings[NUM_WORDS] = file.num_buckets, file.num_words
    ends = {word: number for number, word in enumerate(file.words[: file.num_words])}
    settings[END_OF_LINE] = ends.get(b"</s>", -1)
    children = tree_of_labels(file.label_counts) if file.loss == "hs" else np.empty((0, 2), np.int32)
    return FastTextModel(
        labels=file.labels,
        settings=settings,
        inverse=math.nextafter(1 / max(file.num_buckets, 1), 1),
        table=table,
        words=words,
        word_ends=word_ends,
        buckets=_bucket_table(file),
        rows=file.rows,
        output=file.output,
        children=children,
    )


def _bucket_table(file: ModelFile) -> npt.NDArray[np.uint64]:
    table = np.zeros((-(-file.num_buckets // 64), 2), np.uint64)
    group, place = np.divmod(file.buckets, 64)
    np.bitwise_or.at(table[:, 0], group, np.uint64(1) << place.astype(np.uint64))
    in_group = np.bincount(group, minlength=len(table))
    table[:, 1] = file.num_words + np.cumsum(in_group) - in_group
    return table.reshape(-1)
