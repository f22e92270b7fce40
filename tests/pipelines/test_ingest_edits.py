"""Edits from the catalogue to the document table: what is stored, counted, shown, and made anew."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dataprep.artifacts import Artifact
from dataprep.cleaning import CleaningConfig
from dataprep.errors import ConfigError
from dataprep.sources import load_catalog, resolve_collection
from dataprep.verification.document_tables import check_document_table
from dataprep.verification.report import Findings
from pipelines.engine import Engine
from pipelines.ingest import ingest

CATALOG = """
corpora:
  notes:
    number: 2048
    title: Notes and code
    homepage: https://example.org
    adapter: generic
    layout: folders
    reserved: 4
    local_name: notes
    no_hub: ours alone
    globs: ["{subset}/*.jsonl"]
    filters: curated
    license: ours
    %s
    subsets:
      mail: {}
      code: {code: true}
      lines: {edits: [{kind: refinedweb_lines, min_words: 3}, {kind: pii, kinds: [phone]}]}
"""
TEXTS = [
    f"Hello number {k}.\nToo short\nWrite to jo{k}@example.org or call 202-555-01{k:02}." for k in range(20)
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for subset in ("mail", "code", "lines"):
        (tmp_path / "raw" / "notes" / subset).mkdir(parents=True)
        for place, texts in (("a", TEXTS[:12]), ("b", TEXTS[12:])):
            rows = "".join(json.dumps({"text": text}) + "\n" for text in texts)
            (tmp_path / "raw" / "notes" / subset / f"{place}.jsonl").write_text(rows)
    return tmp_path


def _ingested(root: Path, subset: str, edits: str = "", **config: int) -> Artifact:
    (root / "catalog.yaml").write_text(CATALOG % edits)
    entry = load_catalog(str(root / "catalog.yaml")).corpus("notes")
    collection = resolve_collection(entry, subset, data_root=str(root / "raw"))
    return ingest(
        [(collection, entry)],
        config=CleaningConfig(**config),
        skip_bad_files=False,
        output=str(root / "out"),
        engine=Engine(),
    )[f"notes/{subset}"]


def _texts(table: Artifact) -> list[str]:
    parts = sorted(entry.path for entry in table.manifest.files if entry.path.endswith(".parquet"))
    return [text for part in parts for text in pq.read_table(table.path(part)).column("text").to_pylist()]


def test_prose_is_redacted_and_counted(root: Path) -> None:
    table = _ingested(root, "mail")
    assert _texts(table)[3] == "Hello number 3.\nToo short\nWrite to <EMAIL> or call <PHONE_NUMBER>."
    counts = table.manifest.details["subsets"]["mail"]
    assert (counts["edited"], counts["edit:pii_email"], counts["edit:pii_phone"]) == (20, 20, 20)
    gone = sum(len(f"jo{k}@example.org") + len("202-555-0100") for k in range(20))
    assert counts["edited_bytes"] == table.manifest.counts["edited_bytes"] == gone
    examples = table.manifest.details["edit_examples"]
    assert [one["kind"] for one in examples] == ["pii_email"] * 3 + ["pii_phone"] * 3
    assert "@example.org" not in json.dumps(table.manifest.details)


def test_code_stays_as_it_is(root: Path) -> None:
    table = _ingested(root, "code", "edits: [{kind: pii}]")
    assert _texts(table) == TEXTS
    assert "edited" not in table.manifest.counts
    assert table.manifest.details["edit_examples"] == []


def test_a_subset_has_its_own_edits_before_its_corpus_s(root: Path) -> None:
    table = _ingested(root, "lines", "edits: []")
    assert _texts(table)[0] == "Hello number 0.\nWrite to jo0@example.org or call <PHONE_NUMBER>."
    assert {"removed_word_ratio", "num_redactions"} <= set(table.manifest.details["signals"])
    assert _texts(_ingested(root, "mail", "edits: []")) == TEXTS


def test_other_edits_make_the_table_anew_and_other_batches_show_the_same_examples(root: Path) -> None:
    first = _ingested(root, "mail")
    assert _ingested(root, "mail").folder == first.folder
    assert _ingested(root, "mail", "edits: [{kind: pii}]").folder == first.folder
    assert _ingested(root, "mail", "edits: [{kind: pii, kinds: [email]}]").folder != first.folder
    small = _ingested(root, "mail", batch_bytes=100, max_split_bytes=300)
    assert len(small.manifest.files) > len(first.manifest.files)
    assert small.manifest.details["edit_examples"] == first.manifest.details["edit_examples"]
    assert small.manifest.details["subsets"] == first.manifest.details["subsets"]


def test_an_unknown_kind_of_edit_is_named_with_its_place(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"notes.*edits"):
        _ingested(root, "mail", "edits: [{kind: pii, kinds: [iban]}]")


def test_verification_counts_the_redactions_again(root: Path) -> None:
    table = _ingested(root, "mail")
    assert _problems(table) == []
    files = tuple(
        replace(entry, counts={**entry.counts, "edit:pii_email": entry.counts["edit:pii_email"] + 1})
        if "edit:pii_email" in entry.counts
        else entry
        for entry in table.manifest.files
    )
    problems = _problems(replace(table, manifest=replace(table.manifest, files=files)))
    assert any("num_redactions: found 24, expected 25" in problem for problem in problems)


def _problems(table: Artifact) -> list[str]:
    findings = Findings("table", "rows")
    with ThreadPoolExecutor(1) as executor:
        check_document_table(
            table, findings, damaged=(), wanted_texts=np.zeros(0, np.uint64), texts={}, executor=executor
        )
    return list(findings.to_check().problems)
