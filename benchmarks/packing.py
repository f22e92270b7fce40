"""Packing and shards: spans of a stream to rows, rows to a shard file and back."""

from __future__ import annotations

import os
import tempfile

import numpy as np

from benchmarks.measuring import Amount, Case, Run
from benchmarks.texts import Texts
from dataprep.packing import RowFormat, pack_best_fit, pack_concat
from dataprep.shards import RowLayout, Rows, ShardReader, write_shard
from dataprep.tokens import TokenSpan

SEQUENCE_LENGTH = 4096
NUM_ROWS = 2048
VOCABULARY_SIZE = 100_289
_FORM = RowFormat(sequence_length=SEQUENCE_LENGTH, pad_id=100_257, cross_document_loss=False)


def _span(num_tokens: int) -> TokenSpan:
    """Return documents of log-normal lengths (median 600 tokens) with Zipf-like ids, fixed by a seed."""
    rng = np.random.Generator(np.random.PCG64(1))
    lengths = np.minimum(rng.lognormal(6.4, 1.2, num_tokens // 300).astype(np.int64) + 2, 60_000)
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), num_tokens)) + 1]
    lengths[-1] -= int(lengths.sum()) - num_tokens
    ids = np.minimum(rng.zipf(1.2, num_tokens), VOCABULARY_SIZE - 1).astype(np.uint32)
    count = len(lengths)
    return TokenSpan(
        tokens=ids,
        doc_id=np.arange(count, dtype=np.uint64),
        epoch=np.zeros(count, dtype=np.int64),
        offset=np.zeros(count, dtype=np.int64),
        length=lengths,
        starts=np.ones(count, dtype=bool),
        ends=np.ones(count, dtype=bool),
    )


def concat(texts: Texts) -> Run:
    """Cut a stream as it comes."""
    span = _span(NUM_ROWS * SEQUENCE_LENGTH + 1)

    def run() -> Amount:
        return _amount(pack_concat(span, _FORM, source=0, repeats_first=False))

    return run


def best_fit(texts: Texts) -> Run:
    """Keep documents whole where they fit."""
    pack_best_fit(_span(8 * SEQUENCE_LENGTH), _FORM, source=0)
    span = _span(NUM_ROWS * SEQUENCE_LENGTH)

    def run() -> Amount:
        return _amount(pack_best_fit(span, _FORM, source=0))

    return run


def writing(texts: Texts) -> Run:
    """Encode, compress, checksum and write a shard."""
    rows = _rows()
    folder = tempfile.mkdtemp(prefix="dataprep-bench-")

    def run() -> Amount:
        _write(folder, rows)
        return _amount(rows)

    return run


def reading(texts: Texts) -> Run:
    """Read a shard, check it and decode all of its rows."""
    folder = tempfile.mkdtemp(prefix="dataprep-bench-")
    rows = _rows()
    path = _write(folder, rows)

    def run() -> Amount:
        reader = ShardReader(path)
        for batch in range(reader.num_batches):
            reader.read_rows(batch)
        return _amount(rows)

    return run


def _rows() -> Rows:
    return pack_concat(_span(NUM_ROWS * SEQUENCE_LENGTH + 1), _FORM, source=0, repeats_first=False)


def _write(folder: str, rows: Rows) -> str:
    path = os.path.join(folder, "shard-00000.arrow")
    layout = RowLayout(sequence_length=SEQUENCE_LENGTH, vocab_size=VOCABULARY_SIZE)
    write_shard(path, [rows], layout=layout, first_row=0, num_sources=1)
    return path


def _amount(rows: Rows) -> Amount:
    return Amount(tokens=int(rows.n_tok.sum()))


CASES = (
    Case("pack concat", concat),
    Case("pack best_fit", best_fit),
    Case("write a shard", writing),
    Case("read a shard", reading),
)
