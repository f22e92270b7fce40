"""Evaluation items never reach a shard: a build of all corpora with ``decontamination:``."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from built_tables import Built, read_truth

import mixtures
from dataprep.report import summarise
from dataprep.tokenizers import load_tokenizer
from dataprep.verification import verify_output
from dataprep.yaml_models import read_yaml
from pipelines.cli import main

pytestmark = [pytest.mark.corpus, pytest.mark.vocab]

CORPORA = ("refinedweb", "redpajama", "pile", "culturax")

MIXTURE = """
name: {name}
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
  action: {action}
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


@dataclass(frozen=True)
class Recipes:
    """Builds mixtures that share their document tables."""

    root: Path
    corpus: Path
    vocab: Path

    def build(self, name: str, *, action: str) -> Built:
        text = MIXTURE.format(name=name, path=self.corpus / "eval" / "benchmark.jsonl", action=action)
        (self.root / f"{name}.yaml").write_text(text)
        arguments = [f"--catalog={self.root / 'catalog.yaml'}", f"--data-root={self.corpus}"]
        arguments += [f"--output={self.root / 'out'}", f"--vocab={self.vocab / 'cl100k_base.tiktoken'}"]
        assert main(["build", str(self.root / f"{name}.yaml"), *arguments, "--workers=1"]) == 0
        return Built(self.root / "out", name)


@pytest.fixture(scope="module")
def recipes(corpus: Path, vocab: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipes:
    """All corpora that hold planted items; no filter hides one from the search."""
    root = tmp_path_factory.mktemp("clean")
    packaged = read_yaml(mixtures.packaged_path("catalog.yaml"))["corpora"]
    own = {name: packaged[name] | {"filters": "none", "max_bad_ratio": 0.01} for name in CORPORA}
    for entry in own.values():
        for subset in entry["subsets"].values():
            subset.pop("filters", None)
    (root / "catalog.yaml").write_text(yaml.safe_dump({"corpora": own}))
    return Recipes(root, corpus, vocab)


@pytest.fixture(scope="module")
def clean(recipes: Recipes) -> Built:
    """Contaminated documents are removed."""
    return recipes.build("clean", action="remove")


@pytest.fixture(scope="module")
def cut(recipes: Recipes, clean: Built) -> Built:
    """Items are cut out of them."""
    built = recipes.build("cut", action="cut")
    assert built.record["artifacts"]["documents"] == clean.record["artifacts"]["documents"]
    return built


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
    questions = _questions(corpus)
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


def test_the_build_verifies(clean: Built, cut: Built) -> None:
    report = verify_output(str(clean.output))
    assert report.ok, report.to_text()


def test_what_is_cut_keeps_its_documents_and_no_item(
    cut: Built, plants: Plants, trainable: set[int], corpus: Path, vocab: Path
) -> None:
    tokenized = np.unique(cut.token_documents)
    gone = np.setdiff1d(np.array(sorted(trainable), np.uint64), tokenized)
    assert set(gone) <= set(plants.contaminated), "only what held an item may go as a whole"
    left = np.intersect1d(plants.contaminated, tokenized)
    assert len(left) > 0.5 * len(plants.contaminated)
    manifest = cut.manifest(cut.record["artifacts"]["contamination"])
    assert (manifest["counts"]["cut"], manifest["counts"]["removed"]) == (len(left), len(gone))
    runs = {run for question in _questions(corpus).values() for run in _runs_of(question)}
    texts, stored = _texts_of(cut, left), _tokenized_texts(cut, left, vocab)
    for document in left.tolist():
        assert runs & _runs_of(texts[document]), "the item was there"
        assert not runs & _runs_of(stored[document])
        pieces = stored[document].split("\n\n")
        assert all(piece in texts[document] for piece in pieces), "and the rest is as it was"
        assert len(stored[document]) > 200
    assert "bytes cut out of" in summarise(str(cut.output), cut.mixture).to_text()


def _questions(corpus: Path) -> dict[str, str]:
    lines = (corpus / "eval/benchmark.jsonl").read_text().splitlines()
    return {item["id"]: item["question"] for item in map(json.loads, lines)}


def _runs_of(text: str) -> set[tuple[str, ...]]:
    """Return the runs of 13 words in a text: the rule as it is written."""
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[k : k + 13]) for k in range(len(words) - 12)}


def _tokenized_texts(built: Built, wanted: np.ndarray[Any, Any], vocab: Path) -> dict[int, str]:
    tokenizer = load_tokenizer("arcade100k", vocab_path=str(vocab / "cl100k_base.tiktoken"))
    texts = {}
    for relative in built.record["artifacts"]["tokens"].values():
        for part in sorted((built.output / relative).rglob("bin-*.arrow")):
            with pa.memory_map(str(part)) as source:
                table = pa.ipc.open_file(source).read_all()
            rows = np.isin(table.column("doc_id").to_numpy(), wanted)
            for row in table.filter(rows).to_pylist():
                texts[row["doc_id"]] = tokenizer.decode(row["tokens"][:-1])
    return texts


def _texts_of(clean: Built, wanted: np.ndarray[Any, np.dtype[np.uint64]]) -> dict[int, str]:
    texts = {}
    for relative in clean.record["artifacts"]["documents"].values():
        for part in sorted((clean.output / relative).glob("part-*.parquet")):
            table = pq.read_table(part, columns=["doc_id", "text"])
            rows = np.isin(table.column("doc_id").to_numpy(), wanted)
            texts.update((row["doc_id"], row["text"]) for row in table.filter(rows).to_pylist())
    return texts
