"""Signatures: content hash, 128 permutations over word 5-grams and band keys, beside datasketch."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from benchmarks.measuring import Amount, Case, Run
from benchmarks.texts import Texts
from dataprep.dedup import SignatureConfig, sign


def signatures(texts: Texts) -> Run:
    """All columns of a signature file."""
    config = SignatureConfig()

    def work(column: pa.LargeStringArray) -> None:
        ids = np.arange(len(column), dtype=np.uint64)
        subset = pa.array(["web"] * len(column))
        sign(column, url=None, doc_id=ids, subset=subset, config=config, web=False)

    work(texts.few())

    def run() -> Amount:
        for start in range(0, len(texts), 1024):
            work(texts.column[start : start + 1024])
        return Amount(texts.text_bytes, len(texts))

    return run


def datasketch_signatures(texts: Texts) -> Run:
    """The signature alone, with datasketch's defaults of hash function and scheme."""
    from datasketch import MinHash

    bodies = texts.column.to_pylist()
    words = re.compile(r"\w+")

    def run() -> Amount:
        for body in bodies:
            found = words.findall(body.lower())
            shingles = {" ".join(found[i : i + 5]).encode() for i in range(max(1, len(found) - 4))}
            MinHash(num_perm=128).update_batch(shingles)
        return Amount(texts.text_bytes, len(bodies))

    return run


CASES = (
    Case("signatures", signatures),
    Case("datasketch: MinHash", datasketch_signatures, "signatures", max_bytes=4_000_000),
)
