"""Search for evaluation items by shared runs of words, beside datatrove's filter for the same.

The items are like those of a large benchmark: 10,000 of 40 words, of which 100 were cut out of
documents and must be found, and 9,900 are words in an order that no document has. Reading and
writing are left out on both sides.
"""

from __future__ import annotations

import os
import tempfile

import numpy as np
import pyarrow as pa

from benchmarks.measuring import Amount, Case, Run
from benchmarks.texts import Texts
from dataprep.decontamination import (
    ITEM_SCHEMA,
    DecontaminationConfig,
    EvaluationSet,
    ItemIndex,
    OverlapRule,
)
from dataprep.decontamination.matching import words_of

NUM_ITEMS = 10_000
NUM_PLANTED = 100
ITEM_WORDS = 40
NGRAM = 13
_BATCH_ROWS = 1024


def _items(texts: Texts) -> tuple[list[str], set[int]]:
    """Return the items' texts, and the documents that the first of them were cut out of."""
    draw = np.random.default_rng(1)
    planted: dict[int, str] = {}
    vocabulary: list[str] = []
    for row in draw.permutation(len(texts)).tolist():
        words = words_of(texts.column[row].as_py())
        if len(words) < 3 * ITEM_WORDS:
            continue
        vocabulary += words[:ITEM_WORDS]
        planted[row] = " ".join(words[ITEM_WORDS : 2 * ITEM_WORDS])
        if len(planted) == NUM_PLANTED:
            break
    invented = [" ".join(draw.choice(vocabulary, ITEM_WORDS)) for _ in range(NUM_ITEMS - len(planted))]
    return [*planted.values(), *invented], set(planted)


def _search(texts: Texts, *, overlap: OverlapRule | None) -> Run:
    items, planted = _items(texts)
    names = [str(number) for number in range(len(items))]
    table = pa.table([["made"] * len(items), names, items], schema=ITEM_SCHEMA)
    sets = (EvaluationSet(name="made", path="made.jsonl", fields=("text",)),)
    index = ItemIndex(table, DecontaminationConfig(sets=sets, ngram=NGRAM, overlap=overlap))
    index.find(texts.few())

    def run() -> Amount:
        found: set[int] = set()
        for start in range(0, len(texts), _BATCH_ROWS):
            matches = index.find(texts.column[start : start + _BATCH_ROWS])
            found.update(start + match.text for match in matches)
        assert planted <= found
        return Amount(texts.text_bytes, len(texts))

    return run


def ngrams(texts: Texts) -> Run:
    """Any shared run of 13 words; which items, and where, is found as well."""
    return _search(texts, overlap=None)


def ngrams_and_overlap(texts: Texts) -> Run:
    """That, and 70 % of an item's runs of 8 words."""
    return _search(texts, overlap=OverlapRule())


def datatrove_filter(texts: Texts) -> Run:
    """Any shared run of 13 words; stops at a document's first."""
    from datatrove.data import Document
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
    from datatrove.utils.text import ngrams as word_ngrams
    from datatrove.utils.text import simplify_text

    items, planted = _items(texts)
    config = NGramsDecontConfig(n_grams=NGRAM)
    with tempfile.TemporaryDirectory(prefix="dataprep-benchmark-") as folder:
        check = NGramsDecontFilter(folder, config)
        # Its own indexer computes these, but only with another package that downloads the evaluation sets.
        hashes = {
            check.hash_func(" ".join(run))
            for item in items
            for run in word_ngrams(
                check.tokenizer.word_tokenize(simplify_text(item, config.norm_config)), NGRAM
            )
        }
        index = np.array(sorted(hashes), config.hash_config.np_descr)
        index.tofile(os.path.join(folder, "made.index.hashes"))
        check.load_index_hashes()
    documents = [Document(text=text, id=str(row)) for row, text in enumerate(texts.column.to_pylist())]
    check.filter(documents[0])

    def run() -> Amount:
        found = {row for row, document in enumerate(documents) if check.filter(document) is not True}
        assert len(planted & found) > 0.9 * len(planted)
        return Amount(texts.text_bytes, len(documents))

    return run


CASES = (
    Case("13-grams of 10,000 items", ngrams),
    Case("13-grams and 70 % of 8-grams", ngrams_and_overlap),
    Case("datatrove: NGramsDecontFilter", datatrove_filter, "13-grams of 10,000 items", max_bytes=4_000_000),
)
