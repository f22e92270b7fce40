"""Texts to measure on: real documents of the raw corpora under a data root."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from dataprep.documents import KEEP
from dataprep.errors import SourceError
from dataprep.sources import load_catalog, read_batches, resolve_collections, split_collection

WEB = ("refinedweb", "redpajama")
PROSE = ("refinedweb", "redpajama", "culturax")
CODE = ("starcoderdata",)


@dataclass(frozen=True)
class TextsSpec:
    """Which texts a case wants; small enough to send to another process."""

    data_root: str
    corpora: tuple[str, ...]
    max_bytes: int

    def up_to(self, max_bytes: int) -> TextsSpec:
        """Return the same texts, but no more than ``max_bytes``."""
        return replace(self, max_bytes=min(self.max_bytes, max_bytes))


@dataclass(frozen=True)
class Texts:
    """Documents in memory."""

    column: pa.LargeStringArray
    text_bytes: int

    def __len__(self) -> int:
        return len(self.column)

    def few(self) -> pa.LargeStringArray:
        """Return some documents to warm up on."""
        return self.column[:64]


def load_texts(spec: TextsSpec) -> Texts:
    """Read documents in equal parts from every corpus of the spec that is there.

    Raises:
        SourceError: none of the corpora is there.
    """
    share = spec.max_bytes // len(spec.corpora)
    parts, sizes = [], 0
    for corpus in spec.corpora:
        used = 0
        for column in _columns(spec.data_root, corpus):
            lengths = pc.binary_length(column).to_numpy()
            count = int((lengths.cumsum() <= share - used).sum())
            parts.append(column[:count])
            used += int(lengths[:count].sum())
            if count < len(column):
                break
        sizes += used
    if not sizes:
        raise SourceError(f"{spec.data_root}: holds none of {', '.join(spec.corpora)}; give --data-root")
    return Texts(pa.chunked_array(parts, pa.large_string()).combine_chunks(), sizes)


def _columns(data_root: str, corpus: str) -> Iterator[pa.LargeStringArray]:
    entry = load_catalog().corpus(corpus)
    try:
        collections = resolve_collections(entry, None, data_root=data_root)
    except SourceError:
        return
    for collection in collections:
        for item in split_collection(collection, entry, max_split_bytes=256 << 20):
            for batch in read_batches(item, entry, batch_bytes=4 << 20):
                kept = pc.equal(batch.column("verdict").cast(pa.string()), KEEP)
                yield batch.column("text").filter(kept)
