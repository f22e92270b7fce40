"""Cleaning by licence: before every other rule, by each row's own word, and for its subset alone."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dataprep import documents
from dataprep.cleaning import CleaningConfig, PartCounts, clean, pinned, preset_of, signal_columns
from dataprep.errors import ConfigError
from dataprep.filters import resolve_preset
from dataprep.licenses import spdx_index
from dataprep.sources import CorpusEntry, load_catalog
from dataprep.sources.own_rules import LicenseRules

NOTEBOOKS = "jupyter-scripts-dedup-filtered"
CODE = "def area(width, height):\n    return width * height\n" * 9


def licensed(**licenses: LicenseRules) -> CorpusEntry:
    entry = load_catalog().corpus("starcoderdata")
    own = {
        name.replace("_", "-"): entry.subsets[name.replace("_", "-")].model_copy(update={"licenses": rules})
        for name, rules in licenses.items()
    }
    return entry.model_copy(update={"subsets": {**entry.subsets, **own}})


def raw_batch(subset: str, rows: list[tuple[str | None, str | None, str]]) -> pa.RecordBatch:
    """Return raw rows of (text, license, verdict)."""
    count = len(rows)
    values = {
        "doc_id": documents.document_ids(collection=1, file=0, first_row=0, num_rows=count),
        "text": [text for text, _, _ in rows],
        "source": ["starcoderdata"] * count,
        "subset": [subset] * count,
        "origin": ["raw.parquet"] * count,
        "origin_row": range(count),
        "license": [stated for _, stated, _ in rows],
        "verdict": [verdict for _, _, verdict in rows],
    }
    arrays = []
    for field in documents.RAW_SCHEMA:
        plain = pa.string() if pa.types.is_dictionary(field.type) else field.type
        arrays.append(pa.array(values.get(field.name, [None] * count), plain).cast(field.type))
    return pa.record_batch(arrays, schema=documents.RAW_SCHEMA)


def cleaned(
    entry: CorpusEntry, subset: str, rows: list[tuple[str | None, str | None, str]], **config: str
) -> pa.RecordBatch:
    columns = signal_columns(entry, subset)
    options = CleaningConfig(**config)
    return clean(
        raw_batch(subset, rows), entry, columns=columns, config=options, counts=PartCounts()
    ).documents


def test_licences_judge_before_the_preset_and_only_rows_with_a_text() -> None:
    entry = licensed(jupyter_scripts_dedup_filtered=LicenseRules(allowed=("mit", "Apache-2.0")))
    rows: list[tuple[str | None, str | None, str]] = [
        (CODE, "mit", "keep"),
        (CODE, "gpl-3.0 OR Apache-2.0", "keep"),
        (CODE, "gpl-3.0", "keep"),
        (CODE, None, "keep"),
        (" ", "gpl-3.0", "keep"),
        (" ", "mit", "keep"),
        (None, "gpl-3.0", "null_text"),
        (CODE, "['mit', 'gpl-3.0']", "keep"),
    ]
    table = cleaned(entry, NOTEBOOKS, rows)
    assert table.column("verdict").to_pylist() == [
        "keep",
        "keep",
        "license_not_allowed",
        "license_unknown",
        "license_not_allowed",
        "empty_text",
        "null_text",
        "license_not_allowed",
    ]
    assert table.column("license_allowed").to_pylist() == [1, 1, 0, -1, 0, 1, None, 0]
    assert table.column("license").to_pylist() == [stated for _, stated, _ in rows]


@pytest.mark.parametrize(("policy", "kept"), [("sample", False), ("none", False), ("all", True)])
def test_a_sample_has_no_text_that_was_refused_for_its_licence(policy: str, kept: bool) -> None:
    entry = licensed(jupyter_scripts_dedup_filtered=LicenseRules(allowed=("MIT",)))
    rows: list[tuple[str | None, str | None, str]] = [(CODE, "gpl-3.0", "keep"), (CODE, None, "keep")] * 200
    table = cleaned(entry, NOTEBOOKS, [*rows, ("  ", "mit", "keep")], keep_rejected_text=policy)
    assert [text is not None for text in table.column("text").to_pylist()[:400]] == [kept] * 400
    assert (table.column("text")[400].as_py() is not None) == (policy != "none")
    assert table.column("num_bytes").to_pylist()[:400] == [len(CODE)] * 400


def test_other_subsets_are_cleaned_as_before() -> None:
    entry = licensed(jupyter_scripts_dedup_filtered=LicenseRules(allowed=("MIT",)))
    plain = load_catalog().corpus("starcoderdata")
    for subset in ("git-commits-cleaned", "python"):
        assert preset_of(entry, subset) == preset_of(plain, subset)
        assert signal_columns(entry, subset) == signal_columns(plain, subset)
    assert {*signal_columns(entry, NOTEBOOKS)} - {*signal_columns(plain, NOTEBOOKS)} == {"license_allowed"}
    own = resolve_preset(entry.settings(NOTEBOOKS).filters)
    assert [rule.reason for rule in preset_of(entry, NOTEBOOKS).rules()] == [
        "license_unknown",
        "license_not_allowed",
        *(rule.reason for rule in own.rules()),
    ]


def test_a_corpus_is_pinned_to_the_index_that_judges() -> None:
    entry = licensed(jupyter_scripts_dedup_filtered=LicenseRules(allowed=("MIT",)))
    rules = pinned(entry).settings(NOTEBOOKS).licenses
    assert rules == LicenseRules(allowed=("MIT",), index_sha256=spdx_index().sha256)
    (family,) = [one for one in preset_of(pinned(entry), NOTEBOOKS).families if one.kind == "license"]
    assert family.model_dump() == {"kind": "license", **rules.model_dump()}
    other = licensed(jupyter_scripts_dedup_filtered=LicenseRules(allowed=("MIT",), index_sha256="0" * 64))
    with pytest.raises(ConfigError, match="install the version that has it, or state the new digest"):
        pinned(other)
