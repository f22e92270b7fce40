"""The planted evaluation items of the test corpus: all are found, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zstandard

from dataprep.decontamination import (
    DecontaminationConfig,
    EvaluationSet,
    ItemIndex,
    Match,
    OverlapRule,
    read_items,
)
from dataprep.sources import load_catalog, read_batches, resolve_collections, split_collection
from dataprep.text.normalize import normalize

pytestmark = pytest.mark.corpus

CORPORA = ("refinedweb", "redpajama", "pile", "culturax", "starcoderdata")


def _planted(corpus: Path) -> list[dict[str, Any]]:
    packed = (corpus / "truth" / "planted.jsonl.zst").read_bytes()
    lines = zstandard.ZstdDecompressor().stream_reader(packed).read().decode().splitlines()
    rows = [json.loads(line) for line in lines]
    return [row for row in rows if row["case"] == "g_benchmark"]


@dataclass(frozen=True)
class Found:
    """One match in a raw row."""

    file: str
    row: int
    item: str
    text: str
    match: Match


@dataclass(frozen=True)
class Search:
    """What a search through every raw row of the corpus found."""

    found: list[Found]
    excluded: set[tuple[str, int]]
    """Rows of subsets that are never trained on: their text is not read."""

    def places(self, rule: str) -> set[tuple[str, int, str]]:
        return {(one.file, one.row, one.item) for one in self.found if one.match.rule == rule}


@pytest.fixture(scope="module")
def search(corpus: Path) -> Search:
    """Both rules at once, over all five corpora."""
    path = str(corpus / "eval" / "benchmark.jsonl")
    evaluation = EvaluationSet(name="planted", path=path, fields=("question",), id_field="id")
    items = read_items(evaluation)
    index = ItemIndex(items, DecontaminationConfig(sets=(evaluation,), overlap=OverlapRule()))
    names, catalog = items.column("item").to_pylist(), load_catalog(None)
    result = Search([], set())
    for name in CORPORA:
        entry = catalog.corpus(name)
        for collection in resolve_collections(entry, None, data_root=str(corpus)):
            for work in split_collection(collection, entry, max_split_bytes=1 << 28):
                for batch in read_batches(work, entry, batch_bytes=8 << 20):
                    text = normalize(batch.column("text"), code=False)
                    rows = batch.column("origin_row").to_pylist()
                    files = [f"{name}/{origin}" for origin in batch.column("origin").to_pylist()]
                    result.excluded.update(
                        (file, row)
                        for file, row, verdict in zip(
                            files, rows, batch.column("verdict").to_pylist(), strict=True
                        )
                        if verdict.startswith("excluded_")
                    )
                    for match in index.find(text):
                        shown = text[match.text].as_py()
                        file, row = files[match.text], rows[match.text]
                        result.found.append(Found(file, row, names[match.item], shown, match))
    return result


@pytest.mark.parametrize("rule", ["ngram", "overlap"])
def test_all_planted_items_are_found_and_none_invented(corpus: Path, search: Search, rule: str) -> None:
    planted = [row for row in _planted(corpus) if row["kind"] != "control_scrambled"]
    assert len(planted) == 27
    places = {(row["at"][0]["file"], row["at"][0]["row"], row["item"]) for row in planted}
    readable = {place for place in places if place[:2] not in search.excluded}
    assert len(readable) >= 24
    assert search.places(rule) == readable


def test_spans_lie_where_the_items_were_planted(corpus: Path, search: Search) -> None:
    planted = {
        (row["at"][0]["file"], row["at"][0]["row"], row["item"]): (row["start"], row["end"])
        for row in _planted(corpus)
    }
    for one in search.found:
        start, stop = planted[one.file, one.row, one.item]
        data = one.text.encode()
        for first, last in one.match.spans:
            inside = len(data[:first].decode()), len(data[:last].decode())
            # Normalising shifts the places of a few documents by the characters that it takes out.
            assert start - 20 <= inside[0] < inside[1] <= stop + 20, (one.file, one.row)
