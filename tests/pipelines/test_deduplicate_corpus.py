"""Deduplication of the real texts of the test corpus, against its truth files."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from dedup_documents import Row, publish_documents, removals

from dataprep.dedup import DedupConfig
from dataprep.dedup.bands import band_keys
from dataprep.dedup.candidates import candidate_groups
from dataprep.dedup.edges import preferences
from dataprep.dedup.minhash import minhash, shingle_sets
from dataprep.dedup.verify import verified_edges
from dataprep.documents import document_ids
from pipelines.deduplicate import deduplicate
from pipelines.engine import Engine

pytestmark = pytest.mark.corpus

PRIORITY = ["starcoderdata", "pile", "redpajama", "culturax", "refinedweb"]


def read_rows(path: Path) -> Iterator[tuple[str | None, str | None]]:
    """Yield text and URL of every row of a raw file."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        text = table.column("content" if "content" in table.column_names else "text").to_pylist()
        url = table.column("url").to_pylist() if "url" in table.column_names else [None] * len(text)
        yield from zip(text, url, strict=True)
        return
    data = path.read_bytes()
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()
    for line in data.removesuffix(b"\n").split(b"\n"):
        yield orjson.loads(line)["text"], None


def truth(corpus: Path, name: str) -> list[dict[str, Any]]:
    data = (corpus / "truth" / name).read_bytes()
    lines = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()
    return [json.loads(line) for line in lines.splitlines()]


@dataclass(frozen=True)
class Deduplicated:
    texts: Mapping[int, str]
    ids: Mapping[tuple[str, int], int]
    removed: Mapping[int, tuple[str, int]]

    def at(self, place: Mapping[str, Any]) -> int:
        return self.ids[place["file"], place["row"]]

    def survivor(self, doc_id: int) -> int:
        return self.removed[doc_id][1] if doc_id in self.removed else doc_id


@pytest.fixture(scope="module")
def deduplicated(corpus, tmp_path_factory) -> Deduplicated:
    root = tmp_path_factory.mktemp("corpus")
    documents, ranks, ids, texts = [], {}, {}, {}
    for number, name in enumerate(PRIORITY):
        files = sorted(p for p in (corpus / name).rglob("*") if p.is_file())
        rows = [[Row(text or None, "all", url) for text, url in read_rows(path)] for path in files]
        documents.append(
            publish_documents(root, name, rows, number=number, web=name in ("culturax", "refinedweb"))
        )
        ranks[name, "all"] = number
        for file, path in enumerate(files):
            relative = str(path.relative_to(corpus))
            first = int(document_ids(collection=number, file=file, first_row=0, num_rows=1)[0])
            for row, one in enumerate(rows[file]):
                ids[relative, row] = first + row
                if one.text is not None:
                    texts[first + row] = one.text
    duplicates = deduplicate(
        "corpus",
        documents=documents,
        ranks=ranks,
        sources=PRIORITY,
        config=DedupConfig(),
        output=str(root),
        engine=Engine(),
    )
    assert len(ids) == 25_778
    assert duplicates.manifest.counts["documents"] == len(texts) == 25_764
    return Deduplicated(texts, ids, removals(duplicates))


def rank_of(doc_id: int) -> int:
    return doc_id >> 52


def test_exact_copies_have_one_survivor_of_the_best_source(deduplicated, corpus):
    groups = [group for group in truth(corpus, "exact_dups.jsonl.zst") if group["chars"] > 0]
    assert len(groups) > 330
    for group in groups:
        copies = [deduplicated.at(place) for place in group["at"]]
        (survivor,) = {deduplicated.survivor(copy) for copy in copies}
        assert sum(copy not in deduplicated.removed for copy in copies) <= 1
        best = min(copies, key=rank_of)
        assert rank_of(survivor) <= rank_of(best)
        # All but the best copy were removed as exact copies of it.
        kinds = [deduplicated.removed[c][0] for c in copies if c in deduplicated.removed]
        assert kinds.count("exact") == len(copies) - 1


def test_no_text_is_left_twice(deduplicated):
    left = [text for doc_id, text in deduplicated.texts.items() if doc_id not in deduplicated.removed]
    assert len(left) == len(set(left))


def test_of_pages_with_the_same_url_one_is_left(deduplicated, corpus):
    cases = [c for c in truth(corpus, "planted.jsonl.zst") if c["case"] == "a_url_duplicate"]
    assert len(cases) == 55
    for case in cases:
        assert sum(deduplicated.at(place) not in deduplicated.removed for place in case["at"]) <= 1
    by_url = [kind for kind, _ in deduplicated.removed.values() if kind == "url"]
    assert len(by_url) >= 50


@pytest.mark.parametrize("name", ["near_dups.jsonl.zst", "natural_near_dups.jsonl.zst"])
def test_near_duplicates_of_jaccard_090_are_found(deduplicated, corpus, name):
    pairs = [
        (deduplicated.at(pair["a"]), deduplicated.at(pair["b"]))
        for pair in truth(corpus, name)
        if pair["jaccard_w5"] >= 0.9
    ]
    assert len(pairs) > 100
    assert np.mean([deduplicated.survivor(a) == deduplicated.survivor(b) for a, b in pairs]) >= 0.99
    assert np.mean([a in deduplicated.removed or b in deduplicated.removed for a, b in pairs]) >= 0.99


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def jaccard(a: str, b: str) -> float:
    return len(shingles(a) & shingles(b)) / max(1, len(shingles(a) | shingles(b)))


@pytest.mark.parametrize("verify", ["signature", "exact"])
def test_no_edge_joins_documents_of_a_jaccard_below_one_half(deduplicated, verify):
    config = DedupConfig(verify=verify)
    doc_id = np.array(sorted(deduplicated.texts), dtype=np.uint64)
    texts = pa.array([deduplicated.texts[int(d)] for d in doc_id], pa.large_string())
    signed = minhash(texts, num_perm=config.num_perm, ngram=config.ngram, seed=config.seed)
    keys = band_keys(signed.values, num_bands=config.num_bands, rows_per_band=config.rows_per_band)
    has_shingles = signed.num_shingles > 0
    group, member = candidate_groups(
        keys[has_shingles].reshape(-1), np.repeat(doc_id[has_shingles], config.num_bands), max_members=10_000
    )
    rows = np.searchsorted(doc_id, member)
    sets = shingle_sets(texts.take(pa.array(rows)), ngram=config.ngram) if verify == "exact" else None
    edges = verified_edges(
        group=group,
        preference=preferences(rank=np.zeros(len(rows), np.int64), num_bytes=np.zeros(len(rows), np.int64)),
        doc_id=member,
        signatures=signed.values[rows],
        threshold=config.threshold,
        shingles=sets,
    )
    assert len(edges) > 600
    similarities = [
        jaccard(deduplicated.texts[a], deduplicated.texts[b])
        for a, b in zip(edges.better.tolist(), edges.worse.tolist(), strict=True)
    ]
    assert min(similarities) >= (0.75 if verify == "exact" else 0.5)


def test_everything_that_was_removed_has_a_survivor(deduplicated):
    survivors = {cluster for _, cluster in deduplicated.removed.values()}
    assert not survivors & set(deduplicated.removed)
    assert survivors <= set(deduplicated.texts)
