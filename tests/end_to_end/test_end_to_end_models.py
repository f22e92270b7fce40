"""A user's own classifier, from two sets of texts to verdicts, and back to other thresholds."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataprep.output import open_build
from dataprep.signals import QualitySignals, measure
from dataprep.tokenizers import train_demo_vocabulary
from dataprep.verification import verify_output
from pipelines.cli import main

pytest.importorskip("floret", reason="floret is not installed (pip install 'dataprep[classifier]')")

CATALOG = """
corpora:
  pages:
    number: 2048
    title: Pages of two kinds
    homepage: https://example.org
    adapter: generic
    layout: folders
    reserved: 4
    local_name: pages
    no_hub: made by the test
    globs: ["{subset}/*.jsonl"]
    filters: none
    license: ours
    quality: {model: MODEL, label: positive, threshold: 0.5}
    subsets:
      crawl: {}
      strict:
        quality: {model: MODEL, label: positive, threshold: 0.9, reason: not_sure}
"""

MIXTURE = """
name: own
tokenizer: arcade-demo
sources:
  crawl: {from: pages, subsets: [crawl]}
  strict: {from: pages, subsets: [strict]}
stages:
  - {name: main, tokens: 4K, sequence_length: 64, sources: {crawl: {weight: 1}, strict: {weight: 1}}}
"""

KINDS = {
    "wanted": ["river", "history", "university", "research", "century", "island", "evidence"],
    "unwanted": ["click", "buy", "cheap", "offer", "deal", "win", "casino"],
}
WORDS = ["the", "of", "and", "to", "in", "a", "is", "that", "it", "for", "with", "on", "was"]


def _texts(kind: str, count: int, *, seed: int) -> list[str]:
    draw = random.Random(seed)
    own = KINDS[kind]
    return [
        " ".join(draw.choice(own if draw.random() < 0.25 else WORDS) for _ in range(40)) for _ in range(count)
    ]


def _write(path: Path, texts: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))


@dataclass(frozen=True)
class Chain:
    """Where everything lies."""

    root: Path

    @property
    def model(self) -> Path:
        return self.root / "models" / "q.bin"

    def build(self) -> int:
        return main(
            [
                *("build", str(self.root / "own.yaml"), f"--catalog={self.root / 'catalog.yaml'}"),
                *(f"--data-root={self.root / 'raw'}", f"--output={self.root / 'built'}"),
                *(f"--vocab={self.root / 'arcade-demo.tiktoken'}", "--workers=1"),
            ]
        )

    def judged(self, thresholds: str, capsys: pytest.CaptureFixture[str]) -> dict[str, dict]:
        (self.root / "thresholds.yaml").write_text(thresholds)
        filters = f"--filters={self.root / 'thresholds.yaml'}"
        capsys.readouterr()
        assert main(["judge", str(self.root / "built"), filters, "--json"]) == 0
        return {one["source"]: one for one in json.loads(capsys.readouterr().out)["sources"]}

    def table(self, collection: str) -> pa.Table:
        folder = open_build(str(self.root / "built")).documents[collection]
        return pq.read_table(Path(folder) / "part-00000-0000.parquet")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    root = tmp_path_factory.mktemp("models")
    for number, kind in enumerate(KINDS):
        for part in range(2):
            _write(root / kind / f"{part}.jsonl", _texts(kind, 150, seed=10 * number + part))
    made = Chain(root)
    assert (
        main(
            [
                *("train-classifier", f"--positive={root / 'wanted'}/*.jsonl"),
                *(f"--negative={root / 'unwanted'}/*.jsonl", f"--output={made.model}"),
                *("--dim=8", "--buckets=1000", "--epochs=10"),
            ]
        )
        == 0
    )
    for number, subset in enumerate(("crawl", "strict")):
        mixed = _texts("wanted", 90, seed=50 + number) + _texts("unwanted", 60, seed=60 + number)
        _write(root / "raw" / "pages" / subset / "0.jsonl", mixed)
    vocabulary = str(root / "arcade-demo.tiktoken")
    train_demo_vocabulary(_texts("wanted", 200, seed=1) + _texts("unwanted", 200, seed=2), vocabulary, 400)
    (root / "catalog.yaml").write_text(CATALOG.replace("MODEL", str(made.model)))
    (root / "own.yaml").write_text(MIXTURE)
    assert made.build() == 0
    return made


@pytest.mark.parametrize(
    ("subset", "threshold", "reason"), [("crawl", 0.5, "low_quality"), ("strict", 0.9, "not_sure")]
)
def test_documents_are_judged_by_the_model(chain: Chain, subset: str, threshold: float, reason: str) -> None:
    table = chain.table(f"pages/{subset}")
    scores = table.column("quality_score").to_numpy()
    verdicts = table.column("verdict").to_pylist()
    assert verdicts == [reason if score < np.float32(threshold) else "keep" for score in scores]
    raw = (chain.root / "raw" / "pages" / subset / "0.jsonl").read_text().splitlines()
    texts = pa.array([json.loads(line)["text"] for line in raw], pa.large_string())
    family = QualitySignals(model=str(chain.model), label="positive")
    assert measure([family], texts).signals["quality_score"].tolist() == scores.tolist()
    assert verdicts[90:].count(reason) > 55, "60 documents are unwanted"
    assert verdicts[:90].count("keep") > (80 if subset == "crawl" else 40)


def test_the_build_is_whole_and_counts_the_reasons(chain: Chain) -> None:
    assert verify_output(str(chain.root / "built")).ok
    record = open_build(str(chain.root / "built"))
    for subset, reason in (("crawl", "low_quality"), ("strict", "not_sure")):
        table = chain.table(f"pages/{subset}")
        manifest = json.loads((Path(record.documents[f"pages/{subset}"]) / "manifest.json").read_text())
        counted = manifest["counts"][f"reason:{reason}"]
        assert counted == table.column("verdict").to_pylist().count(reason) > 0
        assert str(chain.root) not in json.dumps(manifest["config"])


def test_other_thresholds_are_judged_from_the_stored_scores(chain: Chain, capsys) -> None:
    scores = {
        subset: chain.table(f"pages/{subset}").column("quality_score").to_numpy()
        for subset in ("crawl", "strict")
    }
    thresholds = "filters: {pages: {filters: [{kind: quality, threshold: 0.75}]}}"
    moved = chain.judged(thresholds, capsys)
    for subset, own in scores.items():
        assert moved[subset]["kept_after"] == int((own >= np.float32(0.75)).sum())
        assert moved[subset]["kept_after"] != moved[subset]["kept_before"]
    off = chain.judged("filters: {pages/strict: {without: [quality]}}", capsys)
    assert off["strict"]["kept_after"] == 150
    assert off["crawl"]["kept_after"] == off["crawl"]["kept_before"]


def test_without_thresholds_nothing_changes(chain: Chain, capsys) -> None:
    capsys.readouterr()
    assert main(["judge", str(chain.root / "built"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] == 0


def test_another_preset_keeps_the_corpus_s_model(chain: Chain, capsys) -> None:
    same = chain.judged("filters: {pages: none}", capsys)
    for one in same.values():
        assert one["kept_after"] == one["kept_before"] < 150


def test_another_model_makes_the_tables_anew_and_a_moved_one_does_not(chain: Chain) -> None:
    first = open_build(str(chain.root / "built")).documents
    catalog = chain.root / "catalog.yaml"
    before = catalog.read_text()
    moved = chain.root / "elsewhere.bin"
    moved.write_bytes(chain.model.read_bytes())
    catalog.write_text(before.replace(str(chain.model), str(moved)))
    assert chain.build() == 0
    assert open_build(str(chain.root / "built")).documents == first
    catalog.write_text(before.replace("threshold: 0.5", "threshold: 0.4"))
    assert chain.build() == 0
    changed = open_build(str(chain.root / "built")).documents
    assert changed["pages/crawl"] != first["pages/crawl"]
    assert changed["pages/strict"] == first["pages/strict"]
    catalog.write_text(before)
    assert chain.build() == 0


def test_what_does_not_fit_stops_before_any_work(chain: Chain, tmp_path: Path, capsys) -> None:
    other = Chain(tmp_path)
    (tmp_path / "raw").symlink_to(chain.root / "raw")
    (tmp_path / "own.yaml").write_text(MIXTURE)
    (tmp_path / "arcade-demo.tiktoken").symlink_to(chain.root / "arcade-demo.tiktoken")
    for catalog, message in (
        (CATALOG.replace("MODEL", "no.bin"), "model 'no.bin' cannot be read"),
        (
            CATALOG.replace("MODEL", str(chain.model)).replace("label: positive", "label: hq"),
            "has no label 'hq'",
        ),
        (CATALOG.replace("threshold: 0.5", "treshold: 0.5"), "quality.treshold: unknown key; did you mean"),
    ):
        (tmp_path / "catalog.yaml").write_text(catalog)
        assert other.build() == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "built").exists()
