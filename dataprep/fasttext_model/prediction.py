"""fastText's prediction (Joulin et al. 2016, "Bag of tricks for efficient text classification").

Follows fastText 0.9.2 in every step: the mean of the rows of all features, then a search through the
tree of labels or softmax, in float32 summed in the same order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dataprep.fasttext_model.features import (
    Scratch,
    Tables,
    find_word,
    hash_word,
    some_bytes,
    sum_features,
)
from dataprep.kernels import borrowed, int64, kernel, read, subroutine, write

_LOG_OFFSET = 1e-5


@kernel("none", read("uint8"), read("int64"), write("int32"))
def index_words(words: Any, word_ends: Any, table: Any) -> None:
    """Write the number of every word ``words[word_ends[k]:word_ends[k + 1]]`` into a hash table.

    ``table`` has a power of two places, more than there are words, each -1 at first. No two words are equal.
    """
    data = borrowed(words)
    for k in range(len(word_ends) - 1):
        start, stop = word_ends[k], word_ends[k + 1]
        hashed = hash_word(data, start, stop, some_bytes(data, start, min(stop - start, 8)))
        place = find_word(data, start, stop, hashed, table, data, word_ends)
        table[-1 - place] = k


@kernel(
    "none",
    read("uint8"),
    read("int64"),
    read("int64"),
    "float64",
    read("int32"),
    read("uint8"),
    read("int64"),
    read("uint64"),
    read("float32", 2),
    write("int32"),
    write("uint64"),
    write("int64"),
    write("int32"),
    write("float32", 2),
    write("int64"),
)
def average_features(
    data: Any,
    offsets: Any,
    settings: Any,
    inverse: float,
    table: Any,
    words: Any,
    word_ends: Any,
    buckets: Any,
    rows: Any,
    features: Any,
    memo_keys: Any,
    memo_entries: Any,
    memo: Any,
    hidden: Any,
    num_features: Any,
) -> None:
    """Write the mean of the rows of every text's features.

    Args:
        data: uint8, UTF-8 of all texts.
        offsets: int64[num_texts + 1].
        settings: See ``features.NUM_SETTINGS``.
        inverse: A little more than 1 / number of buckets.
        table, words, word_ends, buckets, rows: See ``FastTextModel``.
        features, memo_keys, memo_entries, memo: Scratch; the keys and entries are 0 at first.
        hidden: Written, float32[num_texts, padded]: the mean, 0 where a text has no feature.
        num_features: Written, int64[num_texts].
    """
    view = borrowed(data)
    tables = Tables(
        borrowed(settings),
        inverse,
        borrowed(table),
        borrowed(words),
        borrowed(word_ends),
        borrowed(buckets),
        borrowed(rows),
    )
    scratch = Scratch(borrowed(features), borrowed(memo_keys), borrowed(memo_entries), borrowed(memo))
    for text in range(len(offsets) - 1):
        total = hidden[text]
        count = sum_features(view, offsets[text], offsets[text + 1], tables, scratch, total)
        num_features[text] = count
        share = np.float32(1 / float(max(count, 1)))
        for k in range(len(total)):
            total[k] *= share


@subroutine
def dot(rows: Any, row: int, hidden: Any, text: int) -> Any:
    """Return the product of two rows, float32 summed in order."""
    result = np.float32(0)
    for k in range(hidden.shape[1]):
        result += rows[row, k] * hidden[text, k]
    return result


@subroutine
def log_of(probability: Any) -> Any:
    """Return fastText's logarithm of a float32, which is finite for 0."""
    return np.float32(math.log(float(probability) + _LOG_OFFSET))


@kernel(
    "none",
    read("float32", 2),
    read("float32", 2),
    read("int32", 2),
    write("int32"),
    write("float32"),
    write("int32"),
    write("float32"),
)
def search_tree(
    hidden: Any, output: Any, children: Any, stack: Any, stack_scores: Any, labels: Any, scores: Any
) -> None:
    """Write the best label and its score for every text, by hierarchical softmax.

    Args:
        hidden: float32[num_texts, padded].
        output: float32[num_labels, padded].
        children: int32[2 * num_labels - 1, 2], left and right of every node of the tree of labels.
        stack, stack_scores: Scratch for num_labels + 1 nodes.
        labels, scores: Written, the label -1 where all score less than fastText's least; of equal scores
            the last counts, as in fastText.
    """
    num_labels = len(output)
    for text in range(len(hidden)):
        best, best_score = int64(-1), log_of(np.float32(0))
        stack[0], stack_scores[0], depth = 2 * num_labels - 2, 0, 1
        while depth:
            depth -= 1
            node, score = int64(stack[depth]), stack_scores[depth]
            if score < best_score:
                continue
            if node < num_labels:
                best, best_score = node, score
                continue
            product = dot(output, node - num_labels, hidden, text)
            right = np.float32(1 / float(np.float32(np.float32(1) + np.float32(math.exp(-product)))))
            stack[depth], stack_scores[depth] = children[node, 1], score + log_of(right)
            left = log_of(np.float32(1 - float(right)))
            stack[depth + 1], stack_scores[depth + 1] = children[node, 0], score + left
            depth += 2
        labels[text], scores[text] = best, math.exp(best_score)


@kernel("none", read("float32", 2), read("float32", 2), write("float32"), write("int32"), write("float32"))
def take_softmax(hidden: Any, output: Any, products: Any, labels: Any, scores: Any) -> None:
    """Write the best label and its score for every text, by softmax.

    Args:
        hidden: float32[num_texts, padded].
        output: float32[num_labels, padded].
        products: Scratch for num_labels numbers.
        labels, scores: Written, the label -1 where all score less than fastText's least; of equal scores
            the last counts, as in fastText.
    """
    num_labels = len(output)
    for text in range(len(hidden)):
        largest = dot(output, 0, hidden, text)
        for k in range(num_labels):
            products[k] = dot(output, k, hidden, text)
            largest = max(largest, products[k])
        total = np.float32(0)
        for k in range(num_labels):
            products[k] = math.exp(products[k] - largest)
            total += products[k]
        best, best_score = int64(-1), log_of(np.float32(0))
        for k in range(num_labels):
            score = log_of(products[k] / total)
            if score >= best_score:
                best, best_score = int64(k), score
        labels[text], scores[text] = best, math.exp(best_score)
