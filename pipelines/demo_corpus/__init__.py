"""Raw files for the demo: all five corpora in their published layouts, from what is on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from dataprep import storage
from pipelines.demo_corpus import layouts
from pipelines.demo_corpus.corpora import CORPORA
from pipelines.demo_corpus.gather import sample
from pipelines.demo_corpus.material import Material, collect

__all__ = ["CorpusSize", "DemoCorpus", "write_demo_corpus"]

_TRAINING_BYTES = 3_000_000
"""Enough text for a small vocabulary."""


@dataclass(frozen=True)
class CorpusSize:
    """What was written of one corpus."""

    corpus: str
    num_files: int
    num_rows: int
    text_bytes: int


@dataclass(frozen=True)
class DemoCorpus:
    """The raw files, and texts of all kinds to train a small vocabulary on."""

    sizes: tuple[CorpusSize, ...]
    training_texts: tuple[str, ...]


def write_demo_corpus(folder: str) -> DemoCorpus:
    """Write raw files of all five corpora below ``folder``.

    The same machine with the same packages gives the same rows. Files that are there are
    replaced by equal ones, so that a stopped demo can be started again.
    """
    material = collect()
    sizes = []
    for corpus in CORPORA:
        num_rows = text_bytes = 0
        files = corpus(material)
        for path, (rows, schema) in files.items():
            target = storage.join(folder, path)
            if schema is None:
                layouts.write_jsonl(target, rows)
            else:
                layouts.write_parquet(target, rows, schema)
            num_rows += len(rows)
            text_bytes += sum(len((row.get("content") or row.get("text") or "").encode()) for row in rows)
        sizes.append(CorpusSize(corpus.__name__, len(files), num_rows, text_bytes))
    return DemoCorpus(tuple(sizes), tuple(_training_texts(material)))


def _training_texts(material: Material) -> list[str]:
    own = [text for texts in material.own.values() for text in texts]
    everything = material.pages + material.library + material.packages + material.reference
    return [text.body for text in own + sample(everything, max_bytes=_TRAINING_BYTES, salt="training")]
