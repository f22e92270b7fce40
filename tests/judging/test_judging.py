"""Judging again: the same thresholds change nothing, others change what they say, and no text is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataprep import artifacts, documents, storage
from dataprep.artifacts import Manifest
from dataprep.errors import ConfigError
from dataprep.filters import resolve_preset
from dataprep.judging import Override, Thresholds, load_thresholds, rejudge
from dataprep.output import open_build
from dataprep.signals import SizeSignals
from pipelines.judging import judge_again

MIXTURE = {
    "name": "tiny",
    "tokenizer": "arcade-demo",
    "sources": {"wiki": {"from": "pile", "subsets": ["Wikipedia (en)"]}},
    "stages": [{"name": "main", "tokens": 64, "sequence_length": 8, "sources": {"wiki": {"weight": 1}}}],
}

# (subset, verdict, num_visible_chars, num_bytes, num_chars)
ROWS = [
    ("Wikipedia (en)", "keep", 100.0, 120, 1.0),
    ("Wikipedia (en)", "keep", 30.0, 40, 1.0),
    ("Wikipedia (en)", "empty_text", 0.0, 3, 0.0),
    ("Wikipedia (en)", "null_text", None, 0, None),
    ("HackerNews", "keep", 10.0, 12, None),
    ("Books3", "excluded_books3", None, 0, None),
]
"""The last column only says whom a rule excuses."""

RULE = "kind: rule, signal: num_visible_chars, reason: short, minimum: 200"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """The record of a build and its one document table; the column ``text`` is not there to be read."""
    preset = resolve_preset("none").model_dump(mode="json")
    settings = {"filters": "none"}
    config = {
        "presets": {"none": preset},
        "subsets": dict.fromkeys(("Wikipedia (en)", "HackerNews", "Books3"), settings),
    }
    fingerprint = artifacts.fingerprint_of("documents", config=config, inputs={})
    folder = artifacts.folder_of(str(tmp_path), "documents", "pile", fingerprint)
    storage.make_folder(folder)
    dictionary = pa.dictionary(pa.int32(), pa.string())
    columns = list(zip(*ROWS, strict=True))
    table = pa.table(
        {
            "doc_id": documents.document_ids(collection=2, file=0, first_row=0, num_rows=len(ROWS)),
            "subset": pa.array(columns[0]).cast(dictionary),
            "verdict": pa.array(columns[1]).cast(dictionary),
            "num_visible_chars": pa.array(columns[2], pa.float32()),
            "num_chars": pa.array(columns[4], pa.float32()),
            "num_bytes": pa.array(columns[3], pa.uint32()),
        }
    )
    pq.write_table(table, f"{folder}/part-00000-0000.parquet")
    manifest = Manifest(
        kind="documents",
        name="pile",
        fingerprint=fingerprint,
        inputs={},
        config=config,
        seed=None,
        counts={"rows": len(ROWS)},
        files=(artifacts.describe_file(folder, "part-00000-0000.parquet"),),
        details={"corpus": "pile", "signals": ["num_visible_chars", "num_chars"]},
    )
    artifacts.publish(folder, manifest)
    relative = folder.removeprefix(str(tmp_path)).lstrip("/")
    record = {
        "mixture": "tiny",
        "mixture_config": MIXTURE,
        "tokenizer": "arcade-demo",
        "source_index": {"wiki": 0},
        "stages": ["main"],
        "artifacts": {
            "documents": {"pile": relative},
            "duplicates": "none",
            "tokens": {},
            "plan": {},
            "shards": {},
        },
    }
    artifacts.write_sealed_json(f"{tmp_path}/builds/tiny.json", record)
    return tmp_path


def _thresholds(folder: Path, text: str) -> Path:
    path = folder / "filters.yaml"
    path.write_text(text)
    return path


def _judged(output: Path, text: str | None = None) -> dict[str, Any]:
    filters = None if text is None else str(_thresholds(output, text))
    return json.loads(judge_again(str(output), mixture=None, filters=filters, changes=None, as_json=True))


def test_the_presets_of_the_build_change_nothing(output: Path) -> None:
    found = _judged(output)
    assert found["changed"] == 0
    wiki, rest = found["sources"]
    assert (wiki["source"], wiki["documents"], wiki["kept_before"], wiki["kept_after"]) == ("wiki", 4, 2, 2)
    assert wiki["text_bytes_before"] == wiki["text_bytes_after"] == 160
    assert wiki["reasons"] == {
        "empty_text": {"before": 1, "after": 1},
        "null_text": {"before": 1, "after": 1},
    }
    assert (rest["source"], rest["documents"], rest["kept_after"]) == ("(in no source)", 2, 1)


def test_a_threshold_moves_documents_in_the_subset_that_it_is_for(output: Path) -> None:
    text = "filters: {pile/Wikipedia (en): {filters: [{kind: not_empty, min_visible_chars: 50}]}}"
    found = _judged(output, text)
    wiki, rest = found["sources"]
    assert (wiki["kept_before"], wiki["kept_after"], wiki["text_bytes_after"]) == (2, 1, 120)
    assert wiki["moves"] == [{"before": "keep", "after": "empty_text", "documents": 1, "text_bytes": 40}]
    assert rest["kept_after"] == 1, "HackerNews was not named"
    assert found["changed"] == 1


def test_the_signal_that_excuses_from_a_rule_is_read_from_the_table(output: Path) -> None:
    wiki, rest = _judged(output, f"filters: {{pile: {{filters: [{{{RULE}, unless: num_chars}}]}}}}")[
        "sources"
    ]
    assert (wiki["kept_after"], wiki["reasons"]["empty_text"]) == (2, {"before": 1, "after": 1})
    assert rest["moves"] == [{"before": "keep", "after": "short", "documents": 1, "text_bytes": 12}]
    wiki, rest = _judged(output, f"filters: {{pile: {{filters: [{{{RULE}}}]}}}}")["sources"]
    assert wiki["kept_after"] == rest["kept_after"] == 0


def test_rows_that_no_filter_dropped_stay_dropped(output: Path) -> None:
    wiki, rest = _judged(output, "filters: {pile: {without: [not_empty]}}")["sources"]
    assert wiki["kept_after"] == 3, "the empty document comes back, the row without text does not"
    assert wiki["reasons"]["null_text"] == {"before": 1, "after": 1}
    assert rest["reasons"] == {"excluded_books3": {"before": 1, "after": 1}}


def test_changed_documents_are_written(output: Path) -> None:
    filters = _thresholds(output, "filters: {pile: {filters: [{kind: not_empty, min_visible_chars: 50}]}}")
    changes = output / "changes.parquet"
    shown = judge_again(
        str(output), mixture="tiny", filters=str(filters), changes=str(changes), as_json=False
    )
    assert pq.read_table(changes).to_pylist() == [
        {
            "doc_id": (2 << 52) + 1,
            "source": "wiki",
            "subset": "Wikipedia (en)",
            "before": "keep",
            "after": "empty_text",
        },
        {
            "doc_id": (2 << 52) + 4,
            "source": "(in no source)",
            "subset": "HackerNews",
            "before": "keep",
            "after": "empty_text",
        },
    ]
    assert "2 verdicts change" in shown
    assert "wiki            empty_text" in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filters: {pyle: none}", "filters.pyle: nothing of that name was ingested; did you mean 'pile'"),
        ("filters: {pile: web_ne}", "preset 'web_ne' is not known"),
        ("filters: {pile: web_en}", "judges by the signal 'language_match', which was not measured"),
        (
            f"filters: {{pile: {{filters: [{{{RULE}, unless: num_char}}]}}}}",
            "'short' judges by the signal 'num_char', which was not measured there; did you mean 'num_chars'",
        ),
        ("filters: {pile: {without: [c4]}}", "has no filter 'c4'"),
        ("filters: {pile: {filters: [{kind: not_empty, min_visible: 3}]}}", "min_visible: unknown key"),
        ("filter: {pile: none}", "filter: unknown key; did you mean 'filters'"),
    ],
)
def test_thresholds_that_mean_nothing_are_refused(output: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match="filters.yaml") as caught:
        _judged(output, text)
    assert message in str(caught.value)


def test_a_subset_goes_before_its_corpus() -> None:
    thresholds = Thresholds.model_validate({"filters": {"pile": "none", "pile/GitHub": "code"}})
    assert thresholds.override_for("pile", "GitHub") == Override(preset="code")
    assert thresholds.override_for("pile", "Pile-CC") == Override(preset="none")
    assert thresholds.override_for("redpajama", "c4") is None


def test_a_filter_takes_the_place_of_its_kind() -> None:
    recorded = resolve_preset("web_multilingual")
    changed = Override.model_validate({"filters": [{"kind": "language", "min_score": 0.9}]}).applied_to(
        recorded
    )
    assert [one.kind for one in changed.filters] == [one.kind for one in recorded.filters]
    assert [rule.above for rule in changed.rules() if rule.signal == "language_score"] == [0.9]
    rule = {"kind": "rule", "signal": "num_bytes", "reason": "too_long", "maximum": 10.0}
    added = Override.model_validate({"filters": [rule, rule]}).applied_to(recorded)
    assert len(added.filters) == len(recorded.filters) + 2, "single rules are added, whatever is there"


def test_a_signal_that_the_table_does_not_have_is_named(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A family may have more signals now than when the table was built."""
    names = ("num_chars", "num_visible_chars", "num_words")
    monkeypatch.setattr(SizeSignals, "NAMES", names)
    text = "filters: {pile: {filters: [{kind: rule, signal: num_words, reason: few, minimum: 1}]}}"
    with pytest.raises(
        ConfigError, match="'few' judges by the signal 'num_words', which was not measured there"
    ):
        _judged(output, text)


def test_the_thresholds_of_the_documentation_mean_something(tmp_path: Path) -> None:
    """What they take the place of is the packaged filter with nothing but those fields changed."""
    page = (Path(__file__).parents[2] / "docs" / "corpora.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in page.split("```yaml\n")[1:]]
    (block,) = [block for block in blocks if block.startswith("filters:")]
    thresholds = load_thresholds(str(_thresholds(tmp_path, block)))
    thresholds.check_names({"starcoderdata": ["sql"]}, place="the page")
    override = thresholds.override_for("starcoderdata", "sql")
    assert override is not None
    recorded = resolve_preset("code")
    unchanged = {"by_extension": True, "minified": True}
    for before, after in zip(recorded.filters, override.applied_to(recorded).filters, strict=True):
        assert before == (after.model_copy(update=unchanged) if after.kind == "code" else after)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none.yaml: cannot be read"):
        load_thresholds(str(tmp_path / "none.yaml"))


def test_a_build_is_judged_without_thresholds(output: Path) -> None:
    found = rejudge(open_build(str(output)))
    assert sum(one.documents for one in found.sources) == len(ROWS)
