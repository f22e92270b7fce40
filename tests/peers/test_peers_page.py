"""The published table of agreement: complete, and without a difference that nobody can explain."""

from __future__ import annotations

from pathlib import Path

from benchmarks.agreement.ours import FILTERS
from benchmarks.agreement.sample import LANGUAGES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "peer-agreement.md"


def _rows() -> list[list[str]]:
    lines = PAGE.read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in rows]


def test_every_filter_and_language_is_on_the_page() -> None:
    rows = _rows()
    assert rows[0] == ["filter", *LANGUAGES]
    assert [row[0].strip("`") for row in rows[1 : len(FILTERS) + 1]] == list(FILTERS)
    assert all(len(row) == len(LANGUAGES) + 1 for row in rows[1 : len(FILTERS) + 1])


def test_every_difference_has_a_cause() -> None:
    differences = [row for row in _rows() if len(row) == 7 and row[0] != "filter"]
    assert differences
    assert {row[1] for row in differences} <= {"definition", "tie", "bug of theirs"}
