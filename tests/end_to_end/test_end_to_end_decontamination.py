"""Evaluation items never reach a shard: a build of all corpora with ``decontamination:``."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from built_tables import Built, read_truth

import mixtures
from dataprep.report import summarise
from dataprep.verification import verify_output
from dataprep.yaml_models import read_yaml
from pipelines.cli import main

pytestmark = [pytest.mark.corpus, pytest.mark.vocab]

CORPORA = ("refinedweb", "redpajama", "pile", "culturax")

MIXTURE = """
name: clean
tokenizer: arcade100k
holdout_fraction: 0.01
sources:
  refinedweb: {{from: refinedweb, subsets: all}}
  redpajama: {{from: redpajama, subsets: [c4, common_crawl]}}
  pile: {{from: pile, subsets: all}}
  culturax: {{from: culturax, subsets: [en]}}
stages:
  - name: main
    tokens: 4M
    sequence_length: 512
    sources:
      {{refinedweb: {{weight: 1}}, redpajama: {{weight: 1}}, pile: {{weight: 1}}, culturax: {{weight: 1}}}}
decontamination:
  sets: [{{name: planted, path: {path}, fields: [question], id_field: id}}]
  overlap: {{ngram: 8, min_share: 0.7}}
"""


@dataclass(frozen=True)
class Plants:
    """Documents that would be trained on, into which an item was planted."""

    items: dict[tuple[int, str], str]
    """(document, item) to how the item was disguised."""
    controls: set[int]
    """Documents that hold the words of an item in another order."""

    @property
    def contaminated(self) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Ids of the documents that hold an item, sorted, once each."""
        return np.array(sorted({document for document, _ in self.items}), np.uint64)


@pytest.fixture(scope="module")
def clean(corpus: Path, vocab: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A mixture of all corpora that hold planted items; no filter hides one from the search."""
    root = tmp_path_factory.mktemp("clean")
    packaged = read_yaml(mixtures.packaged_path("catalog.yaml"))["corpora"]
    own = {name: packaged[name] | {"filters": "none", "max_bad_ratio": 0.01} for name in CORPORA}
    for entry in own.values():
        for subset in entry["subsets"].values():
            subset.pop("filters", None)
    (root / "catalog.yaml").write_text(yaml.safe_dump({"corpora": own}))
    (root / "clean.yaml").write_text(MIXTURE.format(path=corpus / "eval" / "benchmark.jsonl"))
    status = main(
        [
            *("build", str(root / "clean.yaml"), f"--catalog={root / 'catalog.yaml'}"),
            *(f"--data-root={corpus}", f"--output={root / 'out'}"),
            *(f"--vocab={vocab / 'cl100k_base.tiktoken'}", "--workers=1"),
        ]
    )
    assert status == 0
    return Built(root / "out", "clean")


@pytest.fixture(scope="module")
def trainable(clean: Built) -> set[int]:
    """Ids of the documents that a build without decontamination would train on."""
    kept = {row["doc_id"] for row in clean.documents.values() if row["verdict"] == "keep"}
    return kept - set(clean.removed)


@pytest.fixture(scope="module")
def plants(clean: Built, trainable: set[int], corpus: Path) -> Plants:
    """The planted items in documents that are neither excluded nor copies."""
    found = Plants({}, set())
    for row in read_truth(corpus / "truth" / "planted.jsonl.zst"):
        if row["case"] != "g_benchmark":
            continue
        document = clean.documents[row["at"][0]["file"], row["at"][0]["row"]]["doc_id"]
        if document in trainable and row["kind"] == "control_scrambled":
            found.controls.add(document)
        elif document in trainable:
            found.items[document, row["item"]] = row["kind"]
    assert len(found.items) >= 20
    assert len(set(found.items.values())) == 5, "each disguise"
    assert len(found.controls) >= 2
    return found


def _contamination(clean: Built) -> Path:
    return clean.output / clean.record["artifacts"]["contamination"]


@pytest.mark.parametrize("rule", ["ngram", "overlap"])
def test_all_planted_items_are_found_and_none_invented(clean: Built, plants: Plants, rule: str) -> None:
    hits = [
        hit
        for part in sorted(_contamination(clean).glob("hits/**/*.parquet"))
        for hit in pq.read_table(part).to_pylist()
        if hit["rule"] == rule
    ]
    assert sorted((hit["doc_id"], hit["item"]) for hit in hits) == sorted(plants.items)


def test_a_hit_names_the_raw_row_and_the_words(clean: Built, plants: Plants, corpus: Path) -> None:
    questions = {
        item["id"]: item["question"]
        for item in map(json.loads, (corpus / "eval/benchmark.jsonl").read_text().splitlines())
    }
    ids = {place: row["doc_id"] for place, row in clean.documents.items()}
    texts = _texts_of(clean, plants.contaminated)
    for part in sorted(_contamination(clean).glob("hits/**/*.parquet")):
        corpus_name = part.relative_to(_contamination(clean) / "hits").parts[0]
        for hit in pq.read_table(part).to_pylist():
            assert ids[f"{corpus_name}/{hit['origin']}", hit["origin_row"]] == hit["doc_id"]
            data = texts[hit["doc_id"]].encode()
            found = " ".join(data[a:b].decode() for a, b in zip(hit["starts"], hit["stops"], strict=True))
            words = set(questions[hit["item"]].lower().replace(",", " ").replace(";", " ").split())
            assert len(words & set(found.lower().split())) > 0.5 * len(words)


def test_every_item_is_reported(clean: Built, plants: Plants) -> None:
    items = pq.read_table(_contamination(clean) / "items.parquet").to_pylist()
    expected = Counter(item for _, item in plants.items)
    assert len(items) == 30
    assert {row["item"]: row["documents"] for row in items if row["documents"]} == expected
    assert all(row["searched"] for row in items)
    manifest = clean.manifest(clean.record["artifacts"]["contamination"])
    assert manifest["details"]["sets"]["planted"] == {
        "items": 30,
        "too_short": 0,
        "items_found": len(expected),
        "documents": len(plants.contaminated),
    }
    shown = summarise(str(clean.output), clean.mixture).to_text()
    assert "planted" in shown


def test_contaminated_documents_are_in_no_shard_and_all_others_stay(
    clean: Built, plants: Plants, trainable: set[int]
) -> None:
    tokenized = np.unique(clean.token_documents)
    expected = np.setdiff1d(np.array(sorted(trainable), np.uint64), plants.contaminated)
    assert np.array_equal(tokenized, expected)
    assert not np.isin(clean.shard_documents, plants.contaminated).any()
    assert len(clean.shard_documents) > 0.25 * len(tokenized), "else it would be chance"


def test_the_build_verifies(clean: Built) -> None:
    report = verify_output(str(clean.output))
    assert report.ok, report.to_text()


def _texts_of(clean: Built, wanted: np.ndarray[Any, np.dtype[np.uint64]]) -> dict[int, str]:
    texts = {}
    for relative in clean.record["artifacts"]["documents"].values():
        for part in sorted((clean.output / relative).glob("part-*.parquet")):
            table = pq.read_table(part, columns=["doc_id", "text"])
            rows = np.isin(table.column("doc_id").to_numpy(), wanted)
            texts.update((row["doc_id"], row["text"]) for row in table.filter(rows).to_pylist())
    return texts
