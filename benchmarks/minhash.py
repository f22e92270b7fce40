"""Signatures: content hash, 128 permutations over word 5-grams and band keys, beside peers.

The peers hash shingles that their user makes: a regular expression and a join, as their
examples do.
"""

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


_WORDS = re.compile(r"\w+")


def _shingles(text: str) -> list[str]:
    found = _WORDS.findall(text.lower())
    return [" ".join(found[i : i + 5]) for i in range(max(1, len(found) - 4))]


def datasketch_signatures(texts: Texts) -> Run:
    """The signature alone, with datasketch's defaults of hash function and scheme."""
    from datasketch import MinHash

    bodies = texts.column.to_pylist()

    def run() -> Amount:
        for body in bodies:
            MinHash(num_perm=128).update_batch({shingle.encode() for shingle in _shingles(body)})
        return Amount(texts.text_bytes, len(bodies))

    return run


def rensa_signatures(texts: Texts) -> Run:
    """The signature alone."""
    from rensa import RMinHash

    bodies = texts.column.to_pylist()

    def run() -> Amount:
        for body in bodies:
            sketch = RMinHash(num_perm=128, seed=1)
            sketch.update(_shingles(body))
            sketch.digest()
        return Amount(texts.text_bytes, len(bodies))

    return run


CASES = (
    Case("signatures", signatures),
    Case("datasketch: MinHash", datasketch_signatures, "signatures", max_bytes=4_000_000),
    Case("rensa: RMinHash", rensa_signatures, "signatures", max_bytes=16_000_000),
)
