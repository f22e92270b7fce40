"""Damaged raw files: one clear error that names the file, or counted rows; never a silent loss."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipelines.cli import main

pytestmark = [pytest.mark.corpus, pytest.mark.vocab]

MIXTURE = """
name: one-corpus
tokenizer: arcade100k
seed: 1
sources:
  only: {{from: {corpus}, subsets: [{subset}]}}
stages:
  - {{name: main, tokens: 20k, sequence_length: 64, sources: {{only: {{weight: 1}}}}}}
"""

#: file -> corpus, subset, exit status, what the message must hold besides the file's name
STOPS = {
    "pile/train/00.jsonl.zst": ("pile", "Pile-CC", 1, "cut"),
    "pile/train/01.jsonl.zst": ("pile", "Pile-CC", 1, ""),
    "pile/val.jsonl.zst": ("pile", "Pile-CC", 1, "empty"),
    "refinedweb/data/train-00000-of-00003.parquet": ("refinedweb", "web", 1, ""),
    "refinedweb/data/train-00001-of-00003.parquet": ("refinedweb", "web", 2, "content"),
    "refinedweb/data/train-00002-of-00003.parquet": ("refinedweb", "web", 1, "empty"),
    "culturax/de/de_part_00000.parquet": ("culturax", "de", 2, "text"),
    "starcoderdata/python/train-00000-of-00001.parquet": ("starcoderdata", "python", 1, ""),
    "redpajama/c4/c4-train.00000-of-01024.jsonl": ("redpajama", "c4", 1, "max_bad_ratio"),
    "redpajama/arxiv/arxiv_00000000-0000-4000-8000-000000000000.jsonl": ("redpajama", "arxiv", 1, "empty"),
    "redpajama/stackexchange/stackexchange.jsonl": ("redpajama", "stackexchange", 1, "max_bad_ratio"),
}
READS = {
    "redpajama/c4/c4-train.00001-of-01024.jsonl": ("redpajama", "c4", 20),
    "pile/train/02.jsonl.zst": ("pile", "Pile-CC", 30),
}


def build_one(
    tmp_path: Path, raw: Path, name: str, corpus: str, subset: str, vocab: Path, *extra: str
) -> int:
    """Build a mixture whose only raw file is ``name``."""
    target = tmp_path / "raw" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(raw / name, target)
    mixture = tmp_path / "one-corpus.yaml"
    mixture.write_text(MIXTURE.format(corpus=corpus, subset=subset))
    paths = [f"--data-root={tmp_path / 'raw'}", f"--output={tmp_path / 'out'}"]
    return main(
        ["build", str(mixture), *paths, f"--vocab={vocab / 'cl100k_base.tiktoken'}", "--workers=1", *extra]
    )


@pytest.mark.parametrize("name", STOPS)
def test_a_damaged_file_stops_the_build_and_is_named(name, tmp_path, corpus, vocab, capfd):
    source, subset, status, reason = STOPS[name]
    assert build_one(tmp_path, corpus / "broken", name, source, subset, vocab) == status
    said = capfd.readouterr().err
    named = f"source {source!r}" if reason == "max_bad_ratio" else name
    assert named in said
    assert reason in said
    assert "Traceback" not in said
    assert not (tmp_path / "out" / "builds").exists()
    assert not list((tmp_path / "out").rglob("manifest.json"))


@pytest.mark.parametrize(
    "name", [n for n, (_, _, status, reason) in STOPS.items() if status == 1 and not reason]
)
def test_a_damaged_file_is_counted_when_it_may_be_skipped(name, tmp_path, corpus, vocab, capfd):
    source, subset, _, _ = STOPS[name]
    status = build_one(tmp_path, corpus / "broken", name, source, subset, vocab, "--skip-bad-files")
    said = capfd.readouterr().err
    # Nothing is left to train on, which is said as well.
    assert status == 2
    assert "no document is left" in said
    (manifest,) = (tmp_path / "out" / "documents").rglob("manifest.json")
    assert json.loads(manifest.read_text())["counts"]["skipped_files"] == 1


@pytest.mark.parametrize("name", READS)
def test_odd_but_whole_files_are_read(name, tmp_path, corpus, vocab):
    source, subset, rows = READS[name]
    build_one(tmp_path, corpus / "broken", name, source, subset, vocab)
    (manifest,) = (tmp_path / "out" / "documents").rglob("manifest.json")
    assert json.loads(manifest.read_text())["counts"]["rows"] == rows


def test_bad_lines_are_counted_by_reason_where_the_catalogue_allows_them(tmp_path, corpus, vocab):
    from dataprep.sources import load_catalog

    entry = load_catalog().corpora["redpajama"].model_dump(mode="json", exclude={"name"}, exclude_none=True)
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text(json.dumps({"corpora": {"redpajama": {**entry, "max_bad_ratio": 0.5}}}))
    name = "redpajama/c4/c4-train.00000-of-01024.jsonl"
    build_one(tmp_path, corpus / "broken", name, "redpajama", "c4", vocab, f"--catalog={catalog}")
    (manifest,) = (tmp_path / "out" / "documents").rglob("manifest.json")
    counts = json.loads(manifest.read_text())["counts"]
    truth = json.loads((corpus / "truth" / "broken.json").read_text())
    bad = next(one for one in truth if one["file"] == f"broken/{name}")
    assert counts["rows"] == bad["lines"]
    unreadable = {
        "reason:invalid_json", "reason:not_an_object", "reason:blank_line", "reason:invalid_utf8",
        "reason:missing_text", "reason:null_text", "reason:text_not_a_string",
    }  # fmt: skip
    assert sum(number for reason, number in counts.items() if reason in unreadable) == len(bad["bad"])


def test_a_table_without_rows_is_no_damage_but_leaves_nothing(tmp_path, corpus, vocab, capfd):
    name = "culturax/es/es_part_00000.parquet"
    assert build_one(tmp_path, corpus / "broken", name, "culturax", "es", vocab) == 2
    assert "no document is left" in capfd.readouterr().err


def test_a_missing_corpus_is_named_with_what_was_looked_for(tmp_path, vocab, capfd):
    (tmp_path / "raw").mkdir()
    mixture = tmp_path / "m.yaml"
    mixture.write_text(MIXTURE.format(corpus="pile", subset="Pile-CC"))
    status = main(
        [
            "build",
            str(mixture),
            f"--data-root={tmp_path / 'raw'}",
            f"--output={tmp_path / 'out'}",
            f"--vocab={vocab}",
        ]
    )
    said = capfd.readouterr().err
    assert status == 2
    assert "only" in said
    assert "pile/train" in said
    assert "--missing skip" in said
