"""A list of allowed licences, from the catalogue to verdicts, statistics, new thresholds and verification."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataprep.artifacts import Artifact, open_artifact
from dataprep.output import open_build
from dataprep.tokenizers import train_demo_vocabulary
from dataprep.verification import verify_output
from pipelines.cli import main

CATALOG = """
corpora:
  code:
    number: 2048
    reserved: 4
    title: Files under many licences
    homepage: https://example.org
    adapter: generic
    layout: folders
    local_name: code
    no_hub: made by the test
    globs: ["{subset}/*.jsonl"]
    columns: {text: text, license: terms}
    filters: none
    license: MIT
    max_bad_ratio: 0.1
    subsets:
      free:
        licenses: {allowed: [MIT, Apache-2.0, "GPL-2.0-only WITH Classpath-exception-2.0"]}
      any: {}
"""

MIXTURE = """
name: own
tokenizer: arcade-demo
sources:
  free: {from: code, subsets: [free]}
  any: {from: code, subsets: [any]}
stages:
  - {name: main, tokens: 2K, sequence_length: 32, sources: {free: {weight: 1}, any: {weight: 1}}}
"""

ABSENT = object()
ROWS: list[tuple[Any, str]] = [
    ("MIT", "keep"),
    ("apache-2.0", "keep"),
    ("GPL-3.0-only OR MIT", "keep"),
    ("MIT AND Apache-2.0", "keep"),
    ("gpl-2.0 with classpath-exception-2.0", "keep"),
    ("Apache-2.0 WITH LLVM-exception", "keep"),
    (["mit", "apache-2.0"], "keep"),
    ("['MIT']", "keep"),
    ("gpl-2.0", "license_not_allowed"),
    ("MIT AND GPL-3.0-only", "license_not_allowed"),
    ("Zlib OR GPL-3.0-only", "license_not_allowed"),
    (["mit", "gpl-3.0"], "license_not_allowed"),
    ("MIT WITH LicenseRef-scancode-commons-clause", "license_not_allowed"),
    (None, "license_unknown"),
    (ABSENT, "license_unknown"),
    ("", "license_unknown"),
    ("other", "license_unknown"),
    ("NOASSERTION", "license_unknown"),
    ("MTI", "license_unknown"),
    (["mit", "MTI"], "license_unknown"),
    ([], "license_unknown"),
    ({"name": "MIT"}, "license_unknown"),
]
"""What a raw row says of its licence, and the verdict."""
COPIES = 5


def _write_rows(path: Path, *, seed: int) -> None:
    rng = random.Random(seed)
    path.parent.mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    for stated, _ in ROWS * COPIES:
        row = {"text": " ".join(rng.choice(["sun", "moon", "sea", "hill", "tree"]) for _ in range(60))}
        rows.append(row if stated is ABSENT else {**row, "terms": stated})
    # Nothing but space: a refused licence is the reason even where another rule would refuse as well.
    rows += [{"text": "  ", "terms": "gpl-2.0"}, {"text": "  ", "terms": "MIT"}, {"terms": "MIT"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


EXPECTED = [verdict for _, verdict in ROWS] * COPIES + ["license_not_allowed", "empty_text", "missing_text"]


@dataclass(frozen=True)
class Built:
    """A build, and what it is made from."""

    root: Path

    def build(self, catalog: str = CATALOG) -> dict[str, str]:
        """Build with a catalogue; return the folders of the document tables."""
        (self.root / "catalog.yaml").write_text(catalog)
        arguments = [
            *("build", str(self.root / "own.yaml"), f"--catalog={self.root / 'catalog.yaml'}"),
            *(f"--data-root={self.root / 'raw'}", f"--output={self.root / 'built'}"),
            *(f"--vocab={self.root / 'arcade-demo.tiktoken'}", "--workers=1"),
        ]
        assert main(arguments) == 0
        return dict(open_build(str(self.root / "built")).documents)

    def said(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
        capsys.readouterr()
        assert main([*arguments, "--json"]) == 0
        value: dict[str, Any] = json.loads(capsys.readouterr().out)
        return value

    def table(self, subset: str) -> Artifact:
        return open_artifact(
            open_build(str(self.root / "built")).documents[f"code/{subset}"], kind="documents"
        )


def _rows_of(table: Artifact) -> pa.Table:
    return pq.read_table(table.path("part-00000-0000.parquet"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    root = tmp_path_factory.mktemp("licences")
    for seed, subset in enumerate(("free", "any")):
        _write_rows(root / "raw" / "code" / subset / "0.jsonl", seed=seed)
    train_demo_vocabulary(["sun moon sea hill tree"] * 200, str(root / "arcade-demo.tiktoken"), 300)
    (root / "own.yaml").write_text(MIXTURE)
    made = Built(root)
    made.build()
    return made


def test_every_row_is_judged_by_its_own_licence(built: Built) -> None:
    table = _rows_of(built.table("free"))
    assert table.column("verdict").to_pylist() == EXPECTED
    worth = {
        "keep": 1,
        "license_not_allowed": 0,
        "license_unknown": -1,
        "empty_text": 1,
        "missing_text": None,
    }
    assert table.column("license_allowed").to_pylist() == [worth[verdict] for verdict in EXPECTED]
    counts = built.table("free").manifest.counts
    reasons = Counter(EXPECTED)
    assert {name: counts[f"reason:{name}"] for name in reasons if name != "keep"} == {
        "license_not_allowed": 5 * COPIES + 1,
        "license_unknown": 9 * COPIES,
        "empty_text": 1,
        "missing_text": 1,
    }
    assert counts["kept"] == reasons["keep"] == 8 * COPIES


def test_a_subset_without_a_list_takes_every_licence(built: Built) -> None:
    table = _rows_of(built.table("any"))
    assert table.column("verdict").to_pylist().count("keep") == len(ROWS) * COPIES
    assert "license_allowed" not in table.column_names
    assert "licenses" not in json.dumps(built.table("any").manifest.config)


def test_the_reasons_are_in_the_statistics(built: Built, capsys: pytest.CaptureFixture[str]) -> None:
    sources = {
        one["source"]: one for one in built.said(capsys, "stats", str(built.root / "built"))["sources"]
    }
    assert sources["free"]["reasons"]["license_unknown"] == 9 * COPIES
    assert sources["free"]["reasons"]["license_not_allowed"] == 5 * COPIES + 1
    assert "license_unknown" not in sources["any"]["reasons"]


def test_judging_again_keeps_the_list(built: Built, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(built.root / "built")
    assert built.said(capsys, "judge", folder)["changed"] == 0
    for text in ("{code: none}", "{code: {filters: [{kind: not_empty, min_visible_chars: 1}]}}"):
        (built.root / "thresholds.yaml").write_text(f"filters: {text}")
        filters = f"--filters={built.root / 'thresholds.yaml'}"
        assert built.said(capsys, "judge", folder, filters)["changed"] == 0


def test_the_build_is_verified(built: Built) -> None:
    report = verify_output(str(built.root / "built"))
    assert report.ok, report.to_text()


def test_a_changed_list_makes_its_own_table_anew_and_no_other(built: Built) -> None:
    first = built.build()
    respelled = CATALOG.replace(
        '[MIT, Apache-2.0, "GPL-2.0-only WITH Classpath-exception-2.0"]',
        "[apache-2.0, gpl-2.0 with CLASSPATH-exception-2.0, mit, MIT]",
    )
    assert respelled != CATALOG
    assert built.build(respelled) == first
    changed = built.build(CATALOG.replace("[MIT, ", "[MIT, Zlib, "))
    assert changed["code/any"] == first["code/any"]
    assert changed["code/free"] != first["code/free"]
    verdicts = _rows_of(built.table("free")).column("verdict").to_pylist()
    assert [ROWS[row][0] for row in range(len(ROWS)) if verdicts[row] != EXPECTED[row]] == [
        "Zlib OR GPL-3.0-only"
    ]
    without = built.build(CATALOG.replace("licenses: {", "notes: x #"))
    assert without["code/any"] == first["code/any"]
    assert _rows_of(built.table("free")).column("verdict").to_pylist().count("keep") == len(ROWS) * COPIES
    assert built.build() == first


def test_a_misspelled_licence_stops_before_any_work(built: Built, capsys: pytest.CaptureFixture[str]) -> None:
    (built.root / "catalog.yaml").write_text(CATALOG.replace("Apache-2.0,", "Apache2.0,"))
    capsys.readouterr()
    folder = built.root / "nowhere"
    options = [f"--catalog={built.root / 'catalog.yaml'}", f"--data-root={built.root / 'raw'}"]
    assert main(["build", str(built.root / "own.yaml"), *options, f"--output={folder}"]) == 2
    message = capsys.readouterr().err
    assert "corpora.code.subsets.free.licenses.allowed.1: SPDX has no licence 'Apache2.0'" in message
    assert "did you mean 'Apache-2.0'" in message
    assert not folder.exists()
