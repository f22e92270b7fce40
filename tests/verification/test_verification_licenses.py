"""Verification judges the licence of every kept document again, by the list that the table was made with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from output_builder import Output, document_id, reseal, rewrite_part

from dataprep.filters import preset_identity, resolve_preset
from dataprep.signals import LicenseSignals
from dataprep.verification import verify_output

COLLECTION = "starcoderdata/python"
PART = "part-00000-0000.parquet"


def _listed(folder: Path, allowed: tuple[str, ...]) -> None:
    """Have a table made with a list of licences."""
    preset = resolve_preset("none").with_licenses(LicenseSignals(allowed=allowed))
    config = {
        "subsets": {"python": {"filters": "none", "preset": "none of python"}},
        "presets": {"none of python": preset_identity(preset)},
    }
    reseal(folder, lambda manifest: manifest["config"].update(config))


def _state(licenses: dict[int, str | None]) -> Any:
    def change(columns: dict[str, list[Any]]) -> None:
        stated = columns["license"]
        stated[:] = ["mit", "Apache-2.0 OR MIT"] * (len(stated) // 2)
        for row, value in licenses.items():
            stated[row] = value

    return change


def problems_of(output: Output) -> list[str]:
    report = verify_output(str(output.root), sample_rows=0)
    return [problem for check in report.checks for problem in check.problems]


def test_allowed_licences_are_no_problem(output: Output) -> None:
    folder = output.folder("documents", COLLECTION)
    rewrite_part(folder, PART, _state({}))
    _listed(folder, ("MIT",))
    assert problems_of(output) == []


@pytest.mark.parametrize("value", ["gpl-3.0", "MIT AND GPL-3.0-only", "MTI", None])
def test_a_kept_document_with_another_licence_is_found(output: Output, value: str | None) -> None:
    folder = output.folder("documents", COLLECTION)
    rewrite_part(folder, PART, _state({4: value}))
    assert problems_of(output) == [], "the table was made without a list"
    _listed(folder, ("MIT",))
    document = document_id(COLLECTION, 0, 4)
    expected = f"document {document}: kept although its licence is not allowed (1 rows of a batch)"
    (problem,) = problems_of(output)
    assert problem.endswith(expected)
