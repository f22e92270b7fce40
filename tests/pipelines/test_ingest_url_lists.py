"""URL lists from the catalogue to the document table, and what a changed list means for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataprep.artifacts import Artifact
from dataprep.cleaning import CleaningConfig
from dataprep.errors import ConfigError
from dataprep.sources import load_catalog, resolve_collection
from pipelines.engine import Engine
from pipelines.ingest import ingest

CATALOG = """
corpora:
  pages:
    number: 2048
    title: Three pages
    homepage: https://example.org
    adapter: generic
    layout: whole
    local_name: pages
    no_hub: ours alone
    globs: ["*.jsonl"]
    columns: {{text: text, url: url}}
    filters: none
    web: true
    license: ours
    url_lists: {{domains: ["{folder}/domains"], soft_words: ["{folder}/soft"]}}
    subsets: {{all: {{}}}}
"""


def _ingested(root: Path, lists: str = "lists") -> Artifact:
    (root / "catalog.yaml").write_text(CATALOG.format(folder=root / lists))
    entry = load_catalog(str(root / "catalog.yaml")).corpus("pages")
    collection = resolve_collection(entry, None, data_root=str(root / "raw"))
    tables = ingest(
        [(collection, entry)],
        config=CleaningConfig(),
        skip_bad_files=False,
        output=str(root / "out"),
        engine=Engine(),
    )
    return tables["pages"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "raw" / "pages").mkdir(parents=True)
    urls = ["https://www.bad.com/", "https://ok.org/free-bonus", "https://ok.org/free"]
    rows = [json.dumps({"text": f"Page number {k}.", "url": url}) + "\n" for k, url in enumerate(urls)]
    (tmp_path / "raw" / "pages" / "a.jsonl").write_text("".join(rows))
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "domains").write_text("bad.com\n")
    (tmp_path / "lists" / "soft").write_text("free\nbonus\n")
    return tmp_path


def test_a_changed_list_makes_the_table_anew_and_a_moved_one_does_not(root: Path):
    first = _ingested(root)
    counts = {name: number for name, number in first.manifest.counts.items() if "reason" in name}
    assert counts == {"reason:url_domain": 1, "reason:url_soft_words": 1}
    assert str(root) not in json.dumps(first.manifest.config)

    (root / "lists").rename(root / "moved")
    assert _ingested(root, "moved").folder == first.folder

    (root / "moved" / "domains").write_text("bad.com\nok.org\n")
    second = _ingested(root, "moved")
    assert second.folder != first.folder
    assert second.manifest.counts["reason:url_domain"] == 3


def test_a_missing_list_stops_before_any_work(root: Path):
    (root / "lists" / "soft").unlink()
    with pytest.raises(ConfigError, match=r"url_lists.soft_words: the list .*soft cannot be read"):
        _ingested(root)
    assert not (root / "out").exists()
