"""A language model from the catalogue to the document table."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dataprep.cleaning import CleaningConfig
from dataprep.errors import ConfigError
from dataprep.sources import load_catalog, resolve_collections
from pipelines.engine import Engine
from pipelines.ingest import ingest

#: Words are as likely as their share of four: a text of n times "a" has perplexity 2, of "b" 4.
ARPA = """\\data\\
ngram 1=5
ngram 2=1

\\1-grams:
-0.30103\ta
-0.60206\tb
-0.30103\t</s>
0\t<s>
-2\t<unk>

\\2-grams:
-0.30103\ta a

\\end\\
"""

CATALOG = """
corpora:
  notes:
    number: 2048
    title: Notes
    homepage: https://example.org
    adapter: generic
    layout: folders
    local_name: notes
    no_hub: ours alone
    globs: ["{subset}.jsonl"]
    filters: none
    license: ours
    reserved: 2
    subsets:
      plain: {}
      judged:
        perplexity: {model: MODEL, minimum: 2.1, maximum: 10, reason_above: strange}
"""

TEXTS = ["a a a", "b b b b b b b b b", "z", "A b"]
"""Perplexities 2 (too low), 10 ** (0.1 * (9 * 0.60206 + 0.30103)) = 3.73, 10 ** 1.1505 = 14.14 (too high) and
10 ** (1.20412 / 3) = 2.52."""


def test_documents_are_judged_by_the_limits_of_their_subset(tmp_path: Path) -> None:
    pytest.importorskip("kenlm", reason="KenLM is not installed (pip install 'dataprep[perplexity]')")
    (tmp_path / "model.arpa").write_text(ARPA)
    tables = _ingested(tmp_path)
    assert tables["notes/judged"].manifest.counts["reason:low_perplexity"] == 1
    assert tables["notes/judged"].manifest.counts["reason:strange"] == 1
    table = pq.read_table(tables["notes/judged"].path("part-00000-0000.parquet"))
    assert table.column("verdict").to_pylist() == ["low_perplexity", "keep", "strange", "keep"]
    assert table.column("perplexity").to_pylist() == pytest.approx([2, 3.7321, 14.1421, 2.5198], rel=1e-3)
    assert tables["notes/plain"].manifest.counts["kept"] == 4
    assert "perplexity" not in tables["notes/plain"].manifest.details["signals"]
    first = {name: table.folder for name, table in tables.items()}
    (tmp_path / "model.arpa").write_text(ARPA.replace("-2\t<unk>", "-3\t<unk>"))
    again = _ingested(tmp_path)
    assert again["notes/judged"].folder != first["notes/judged"]
    assert again["notes/plain"].folder == first["notes/plain"]


def test_a_missing_model_stops_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model .*model.arpa' cannot be read"):
        _ingested(tmp_path)
    assert not (tmp_path / "out").exists()


def _ingested(root: Path):
    (root / "catalog.yaml").write_text(CATALOG.replace("MODEL", str(root / "model.arpa")))
    (root / "raw" / "notes").mkdir(parents=True, exist_ok=True)
    for subset in ("plain", "judged"):
        rows = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
        (root / "raw" / "notes" / f"{subset}.jsonl").write_text(rows)
    entry = load_catalog(str(root / "catalog.yaml")).corpus("notes")
    collections = resolve_collections(entry, None, data_root=str(root / "raw"))
    return ingest(
        [(collection, entry) for collection in collections],
        config=CleaningConfig(),
        skip_bad_files=False,
        output=str(root / "out"),
        engine=Engine(),
    )
