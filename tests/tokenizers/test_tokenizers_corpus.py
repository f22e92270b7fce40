"""Every document of the test corpus has the reference's ids, under both vocabularies."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import zstandard

from dataprep.documents import KEEP
from dataprep.sources import load_catalog, read_batches, resolve_collections, split_collection
from dataprep.text.normalize import normalize
from dataprep.tokenizers import TAGGED_CORPORA, Tokenizer, load_tokenizer
from dataprep.tokenizers.specs import CODE_TAGS

pytestmark = [pytest.mark.corpus, pytest.mark.vocab, pytest.mark.slow]

CORPORA = ("refinedweb", "redpajama", "pile", "starcoderdata", "culturax")


@dataclass(frozen=True)
class Batch:
    """Kept documents as ingest hands them on."""

    corpus: str
    files: list[str]
    rows: list[int]
    text: pa.LargeStringArray

    @property
    def is_tagged(self) -> bool:
        return self.corpus in TAGGED_CORPORA


@pytest.fixture(scope="module")
def batches(corpus: Path) -> list[Batch]:
    return list(read_corpus(corpus))


def read_corpus(root: Path) -> Iterator[Batch]:
    catalog = load_catalog()
    for name in CORPORA:
        entry = catalog.corpus(name)
        for collection in resolve_collections(entry, None, data_root=str(root)):
            for item in split_collection(collection, entry):
                file = str(Path(item.path).relative_to(root))
                for batch in read_batches(item, entry):
                    kept = batch.filter(pc.equal(batch.column("verdict").cast(pa.string()), KEEP))
                    text = normalize(kept.column("text"), code=name in TAGGED_CORPORA)
                    rows = kept.column("origin_row").to_pylist()
                    yield Batch(name, [file] * len(rows), rows, text)


def differing(tokenizer: Tokenizer, batches: list[Batch]) -> tuple[int, list[str]]:
    """Return how many documents were compared, and the names of those whose ids differ."""
    compared, differ = 0, []
    with ThreadPoolExecutor() as threads:  # the references release the GIL
        for batch in batches:
            encode = partial(tokenizer.reference.encode, allow_tags=batch.is_tagged)
            offsets, ids = tokenizer.encode_batch(batch.text, allow_tags=batch.is_tagged)
            for row, expected in enumerate(threads.map(encode, batch.text.to_pylist())):
                compared += 1
                if not np.array_equal(ids[offsets[row] : offsets[row + 1]], np.asarray(expected, np.uint32)):
                    differ.append(f"{batch.files[row]} row {batch.rows[row]}")
    return compared, differ


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["arcade100k", "neox"])
def test_ids_are_the_references_on_every_document(vocab, batches, name):
    compared, differ = differing(load_tokenizer(name, vocab_path=str(vocab)), batches)
    assert compared > 20_000
    assert differ == []


def test_planted_special_tokens_give_no_special_id_except_tags_in_code(vocab, corpus, batches):
    """StarCoder's tags in StarCoder rows, each as often as it stands there, and nothing else are special."""
    data = (corpus / "truth" / "special_tokens.jsonl.zst").read_bytes()
    truth = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    planted = {(r["file"], r["row"]): r["tokens"] for r in map(json.loads, truth.splitlines())}
    arcade = load_tokenizer("arcade100k", vocab_path=str(vocab))
    name_of = {index: name for name, index in arcade.spec.special_tokens.items()}
    seen: Counter[str] = Counter()
    planted_seen = 0
    for batch in batches:
        offsets, ids = arcade.encode_batch(batch.text, allow_tags=batch.is_tagged)
        for row, text in enumerate(batch.text.to_pylist()):
            place = (batch.files[row], batch.rows[row])
            own = ids[offsets[row] : offsets[row + 1]]
            found = Counter(name_of[index] for index in own[own >= 100_256].tolist())
            there = Counter({tag: text.count(tag) for tag in CODE_TAGS if batch.is_tagged and tag in text})
            assert found == there, place
            if place in planted:
                planted_seen += 1
                expected = {t: n for t, n in planted[place].items() if t in CODE_TAGS and batch.is_tagged}
                assert {tag: found[tag] for tag in expected} == expected, place
            seen += found
    assert planted_seen > 900
    assert {"<reponame>", "<filename>", "<gh_stars>", "<jupyter_start>", "<issue_comment>"} <= set(seen)
