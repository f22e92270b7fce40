"""Exports of real text, from raw corpora to what the readers of other projects see."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pytest
import yaml
from export_builder import stage_rows
from foreign_readers import read_with
from mds_reader import read_mds
from mmap_reader import NeoxDataset, PairReader

from dataprep.export import find_stage
from dataprep.output import open_build
from dataprep.shards import Rows, ShardStage
from dataprep.tokens import HOLDOUT, TokenStore
from pipelines.cli import main

pytestmark = [pytest.mark.corpus, pytest.mark.vocab, pytest.mark.slow]

VOCABULARIES = {"arcade100k": "cl100k_base.tiktoken", "neox": "gpt-neox-20b.tokenizer.json"}

MIXTURE = """
name: small
tokenizer: {tokenizer}
seed: 1
holdout_fraction: 0.02
sources:
  prose: {{from: redpajama, subsets: [stackexchange]}}
  code: {{from: starcoderdata, subsets: [rust]}}
stages:
  - name: main
    tokens: 150k
    sequence_length: 256
    packing: best_fit
    boundaries: {{cross_document_loss: false}}
    sources: {{prose: {{weight: 3}}, code: {{weight: 1}}}}
"""


@pytest.fixture(scope="module", params=VOCABULARIES)
def output(
    request: pytest.FixtureRequest, corpus: Path, vocab: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A build of real prose and code, with padding and masked targets."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "small.yaml").write_text(MIXTURE.format(tokenizer=request.param))
    arguments = [f"--data-root={corpus}", f"--vocab={vocab / VOCABULARIES[request.param]}", "--workers=1"]
    assert main(["build", str(folder / "small.yaml"), f"--output={folder / 'out'}", *arguments]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def stage(output: Path) -> ShardStage:
    return find_stage(str(output))


@pytest.fixture(scope="module")
def rows(stage: ShardStage) -> Rows:
    return stage_rows(stage)


def export(output: Path, name: str, to: Path) -> None:
    assert main(["export", str(output), f"--format={name}", f"--to={to}", "--workers=1"]) == 0


def test_megatron(output: Path, stage: ShardStage, rows: Rows, tmp_path: Path) -> None:
    to = tmp_path / "out"
    export(output, "megatron", to)
    kind = np.uint16 if stage.header.tokenizer == "neox" else np.int32
    prefix = to / "rows" / "main"
    stem = f"{prefix}_train_0_indexmap_Nonens_256sl_1234s_packedpi_ac"
    dataset = NeoxDataset(PairReader(prefix), stem)
    assert [dataset[i].tolist() for i in range(len(dataset))] == rows.tokens.tolist()
    labels = PairReader(f"{prefix}_label")
    masked = np.stack([labels.get(row) for row in range(len(rows))])
    assert ((masked >= 0).sum(axis=1) == rows.n_loss).all()
    build = open_build(str(output))
    settings = yaml.safe_load((to / "gpt-neox-documents.yml").read_text())
    named = {
        Path(path).name: path for split in ("train", "valid") for path in settings[f"{split}-data-paths"]
    }
    documents = 0
    for source, folder in build.tokens.items():
        with TokenStore.open(folder) as store:
            for length_class in ("all", HOLDOUT):
                index = store.stream(length_class)
                span = store.read_tokens(length_class, 0, index.num_tokens)
                pair = PairReader(named[f"{source}-{length_class}"])
                assert pair.type == kind
                assert pair.data == span.tokens.astype(kind).tobytes()
                assert len(pair) == index.num_docs
                documents += len(pair)
    assert documents > 500
    read = read_with("megatron", tmp_path, prefix, stem, "256")
    assert read["samples"].tolist() == rows.tokens.tolist()


def test_mds(output: Path, rows: Rows, tmp_path: Path) -> None:
    export(output, "mds", tmp_path / "out")
    samples = read_mds(tmp_path / "out")
    assert [sample["tokens"] for sample in samples] == rows.tokens.tolist()
    read = read_with("streaming", tmp_path, tmp_path / "out")
    assert read["tokens"].tolist() == rows.tokens.tolist()
    assert read["doc_lens"].tolist() == rows.seg_len.tolist()
    assert read["seg_doc"].tolist() == rows.seg_doc.tolist()


def test_parquet(output: Path, stage: ShardStage, rows: Rows, tmp_path: Path) -> None:
    export(output, "parquet", tmp_path / "out")
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["input_ids"][:] == rows.tokens.tolist()
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"Tokenizer: `{stage.header.tokenizer}`" in card
    assert "permissive (each file its own), The Stack terms of use" in card
