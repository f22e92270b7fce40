"""The documents to compare on: a fixed sample of every corpus of prose, and the planted edge cases."""

from __future__ import annotations

import heapq
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from dataprep.documents import KEEP
from dataprep.errors import SourceError
from dataprep.hashing import hash64
from dataprep.sources import CorpusEntry, load_catalog, read_batches, resolve_collections, split_collection
from dataprep.text.normalize import normalize

ENGLISH = "en"
LANGUAGES = (ENGLISH, "de", "es", "fr", "it", "nl", "pt")
CORPORA = ("refinedweb", "redpajama", "pile", "culturax")
LONGEST_EDGE_CASE_BYTES = 1_000_000
"""The two planted texts of 3 MB take datatrove minutes each."""


@dataclass(frozen=True)
class Document:
    """One normalised text that both sides judge."""

    place: str
    """Corpus, raw file and row."""
    stratum: str
    """Corpus, or corpus and language where a corpus declares one."""
    language: str
    """Language that the text is cut into words by; what the corpus declares, else English."""
    text: str
    url: str | None


def draw_documents(data_root: str, *, per_stratum: int | None, max_bytes: int) -> list[Document]:
    """Return the documents with the smallest hashes of each stratum, and all planted edge cases.

    Args:
        data_root: Folder of the raw corpora; those that are not there are left out.
        per_stratum: Number of documents of each corpus or language; None for all.
        max_bytes: Longer texts are not drawn.

    Raises:
        SourceError: none of the corpora is there.
    """
    edge_cases = _edge_cases(data_root)
    drawn: list[Document] = []
    for corpus in CORPORA:
        drawn += _draw_corpus(data_root, corpus, edge_cases, per_stratum, max_bytes)
    if not drawn:
        raise SourceError(f"{data_root}: holds none of {', '.join(CORPORA)}; give --data-root")
    return drawn


def _draw_corpus(
    data_root: str, corpus: str, edge_cases: set[tuple[str, int]], per_stratum: int | None, max_bytes: int
) -> list[Document]:
    chosen: list[Document] = []
    strata: dict[str, list[tuple[int, Document]]] = {}
    entry = load_catalog().corpus(corpus)
    for document, key in _read(data_root, entry):
        size = len(document.text.encode())
        if key in edge_cases and size <= LONGEST_EDGE_CASE_BYTES:
            chosen.append(document)
        elif size <= max_bytes:
            # Negative: the heap gives up its smallest, and the documents with the smallest hashes stay.
            item = (-hash64("agreement", document.place), document)
            heap = strata.setdefault(document.stratum, [])
            if per_stratum is None or len(heap) < per_stratum:
                heapq.heappush(heap, item)
            else:
                heapq.heappushpop(heap, item)
    for heap in strata.values():
        chosen += [document for _, document in heap]
    return sorted(chosen, key=lambda document: (document.stratum, document.place))


def _read(data_root: str, entry: CorpusEntry) -> Iterator[tuple[Document, tuple[str, int]]]:
    """Yield the normalised prose of a corpus, each text with its raw file under the data root and row."""
    try:
        collections = resolve_collections(entry, None, data_root=data_root)
    except SourceError:
        return
    for collection in collections:
        folder = os.path.relpath(collection.root, data_root)
        for item in split_collection(collection, entry, max_split_bytes=256 << 20):
            for batch in read_batches(item, entry, batch_bytes=4 << 20):
                kept = batch.filter(pc.equal(batch.column("verdict").cast(pa.string()), KEEP))
                texts = normalize(kept.column("text"), code=False)
                names = ("origin", "origin_row", "subset", "language", "url")
                columns = [kept.column(name).to_pylist() for name in names]
                for text, origin, row, subset, language, url in zip(texts.to_pylist(), *columns):
                    if entry.settings(subset).code:
                        continue
                    declared = language if language in LANGUAGES else None
                    stratum = f"{entry.name}/{declared}" if entry.name == "culturax" else entry.name
                    place = f"{collection.name}/{origin}:{row}"
                    yield (
                        Document(place, stratum, declared or ENGLISH, text, url),
                        (os.path.normpath(os.path.join(folder, origin)), row),
                    )


def _edge_cases(data_root: str) -> set[tuple[str, int]]:
    """Return raw file and row of every planted edge case, where the corpora come with their truth."""
    path = os.path.join(data_root, "truth", "planted.jsonl.zst")
    if not os.path.exists(path):
        return set()
    with open(path, "rb") as source:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(source), encoding="utf-8")
        planted = [json.loads(line) for line in lines]
    return {
        (place["file"], place["row"]) for one in planted if one["case"] == "e_edge" for place in one["at"]
    }
