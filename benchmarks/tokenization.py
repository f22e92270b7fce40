"""Tokenization: Arcade100k and NeoX, beside tiktoken and Hugging Face tokenizers."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa

from benchmarks.measuring import Amount, Case, Run
from benchmarks.texts import Texts
from dataprep.documents import KEEP
from dataprep.text.normalize import normalize
from dataprep.tokenizers import ARCADE100K, NEOX, Tokenizer, find_vocabulary, load_tokenizer
from dataprep.tokens import DOCUMENT_COLUMNS, EVERY_SUBSET, DocumentEncoder, Routes
from dataprep.tokens.keys import Layout

VOCABULARY_VARIABLE = "DATAPREP_TEST_VOCAB"
"""Folder with the real vocabularies; else the cache and the network are asked."""


def _load(name: str) -> Tokenizer:
    return load_tokenizer(name, vocab_path=os.environ.get(VOCABULARY_VARIABLE))


def fast(name: str, texts: Texts) -> Run:
    """What a tokenization task does with a document table, on one thread, its cache of words nearly cold.

    Documents in, normalised as ingest leaves them; out: ids with ends of documents, keys and bins, one
    document in a thousand checked against the reference.
    """
    tokenizer = _load(name)
    layout = Layout(holdout_fraction=0.001, min_long_tokens=None, num_bins=8, num_holdout_bins=1)
    routes = Routes("web", "refinedweb", {EVERY_SUBSET: 0}, (layout,))
    removed = np.empty(0, dtype=np.uint64)

    def encode(batches: Iterable[pa.RecordBatch]) -> int:
        encoder = DocumentEncoder(tokenizer, routes, seed=1, tags="keep_text", removed=removed)
        done = (rows for batch in batches for _, rows in encoder.add(batch))
        rest = (rows for _, rows in encoder.flush())
        return sum(len(rows.column("tokens").values) for rows in itertools.chain(done, rest))

    encode([_documents(texts.few())])
    column = normalize(texts.column, code=False)
    batches = [_documents(column[start : start + 1024]) for start in range(0, len(texts), 1024)]

    def run() -> Amount:
        return Amount(texts.text_bytes, len(texts), encode(batches))

    return run


def _documents(texts: pa.LargeStringArray) -> pa.RecordBatch:
    """Return texts as rows of a document table."""
    count = len(texts)

    def one(value: str) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), pa.array([value]))

    values = {
        "doc_id": pa.array(np.arange(count, dtype=np.uint64)),
        "text": texts,
        "subset": one("web"),
        "origin": one("file"),
        "origin_row": pa.array(np.arange(count, dtype=np.int64)),
        "verdict": one(KEEP),
    }
    return pa.record_batch([values[name] for name in DOCUMENT_COLUMNS], names=list(DOCUMENT_COLUMNS))


def reference(name: str, texts: Texts) -> Run:
    """The trusted tokenizer of the same ids, one text at a time."""
    encoder = _load(name).reference
    return _one_by_one(lambda text: len(encoder.encode(text, allow_tags=False)), texts)


def hugging_face(texts: Texts) -> Run:
    """``Tokenizer.encode``, as most code calls it; our reference asks for ids alone."""
    import tokenizers

    path = find_vocabulary(NEOX.name, vocab_path=os.environ.get(VOCABULARY_VARIABLE)).path
    encoder = tokenizers.Tokenizer.from_file(path)
    return _one_by_one(lambda text: len(encoder.encode(text, add_special_tokens=False).ids), texts)


def _one_by_one(count: Callable[[str], int], texts: Texts) -> Run:
    bodies = normalize(texts.column, code=False).to_pylist()
    count(bodies[0])

    def run() -> Amount:
        return Amount(texts.text_bytes, len(bodies), sum(map(count, bodies)))

    return run


CASES = (
    Case("arcade100k", functools.partial(fast, ARCADE100K.name)),
    Case(
        "tiktoken: arcade100k",
        functools.partial(reference, ARCADE100K.name),
        "arcade100k",
        max_bytes=64_000_000,
    ),
    Case("neox", functools.partial(fast, NEOX.name)),
    Case("HF tokenizers: neox", hugging_face, "neox", max_bytes=4_000_000),
    Case("HF, ids alone: neox", functools.partial(reference, NEOX.name), "neox", max_bytes=4_000_000),
)
