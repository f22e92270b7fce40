"""Cleaning a batch: every row comes out, in order, treated as its own subset demands."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dataprep import documents
from dataprep.cleaning import CleaningConfig, PartCounts, clean, cleaning_kernels, preset_of, signal_columns
from dataprep.dedup import signature_schema
from dataprep.errors import ConfigError
from dataprep.filters import resolve_preset
from dataprep.kernels.compilation import Kernel
from dataprep.signals import NotebookSignals, UrlSignals, language
from dataprep.sources import load_catalog
from dataprep.sources.entries import SubsetEntry
from dataprep.sources.own_rules import UrlRules
from dataprep.text.edits import merge_examples
from dataprep.text.lines import RefinedWebLines

PROSE = "The quick brown fox jumps over the lazy dog and goes home to have a rest with that of others. " * 8


def raw_batch(rows: list[tuple[str, str | None, str]], *, source: str = "pile") -> pa.RecordBatch:
    """Return raw rows of (subset, text, verdict)."""
    ids = documents.document_ids(collection=1, file=0, first_row=0, num_rows=len(rows))
    absent = [None] * len(rows)
    values = {
        "doc_id": pa.array(ids),
        "text": pa.array([text for _, text, _ in rows], pa.large_string()),
        "source": pa.array([source] * len(rows)),
        "subset": pa.array([subset for subset, _, _ in rows], pa.string()),
        "origin": pa.array(["raw.jsonl"] * len(rows)),
        "origin_row": pa.array(range(len(rows)), pa.uint32()),
        "verdict": pa.array([verdict for _, _, verdict in rows]),
    }
    return pa.record_batch(
        [
            pa.array(values.get(f.name, absent)).cast(f.type)
            if f.name in values
            else pa.nulls(len(rows), f.type)
            for f in documents.RAW_SCHEMA
        ],
        schema=documents.RAW_SCHEMA,
    )


def clean_pile(rows, config=None):
    entry = load_catalog().corpus("pile")
    counts = PartCounts()
    cleaned = clean(
        raw_batch(rows),
        entry,
        columns=signal_columns(entry, None),
        config=config or CleaningConfig(),
        counts=counts,
    )
    return cleaned, counts


def test_rows_of_several_presets_keep_their_order():
    rows = [
        ("DM Mathematics", "1 + 1 = 2", "keep"),
        ("Github", "int main() {\r\n  return 0;\r\n}\n" * 5, "keep"),
        ("Pile-CC", PROSE, "keep"),
        ("DM Mathematics", "2 + 2 = 4", "keep"),
    ]
    cleaned, _ = clean_pile(rows)
    table = cleaned.documents
    assert table.column("origin_row").to_pylist() == [0, 1, 2, 3]
    assert table.column("subset").to_pylist() == [subset for subset, _, _ in rows]
    assert table.column("text")[1].as_py() == rows[1][1].replace("\r\n", "\n")
    assert table.column("num_bytes").to_pylist() == [len(t.as_py()) for t in table.column("text")]
    assert table.schema == documents.document_schema(signal_columns(load_catalog().corpus("pile"), None))


def test_a_signal_that_a_preset_does_not_measure_is_null():
    cleaned, _ = clean_pile([("DM Mathematics", "1 + 1 = 2", "keep"), ("Pile-CC", PROSE, "keep")])
    measured_for_prose = [
        name
        for name in signal_columns(load_catalog().corpus("pile"), None)
        if cleaned.documents.column(name)[0].as_py() is None
        and cleaned.documents.column(name)[1].as_py() is not None
    ]
    assert measured_for_prose


def test_what_the_reader_refused_stays_refused_and_textless():
    rows = [
        ("Books3", None, "excluded_books3"),
        ("Pile-CC", None, "null_text"),
        (None, None, "excluded_unknown_subset"),
    ]
    cleaned, counts = clean_pile(rows)
    assert cleaned.documents.column("verdict").to_pylist() == [verdict for _, _, verdict in rows]
    assert cleaned.documents.column("text").null_count == 3
    assert cleaned.signatures.num_rows == 0
    assert counts.totals() == {
        "kept": 0,
        "reason:excluded_books3": 1,
        "reason:excluded_unknown_subset": 1,
        "reason:null_text": 1,
        "rows": 3,
        "text_bytes": 0,
    }


def test_only_kept_rows_are_signed_in_row_order():
    rows = [("DM Mathematics", "a", "keep"), ("Pile-CC", None, "null_text"), ("DM Mathematics", "b", "keep")]
    cleaned, _ = clean_pile(rows)
    assert cleaned.signatures.schema == signature_schema(CleaningConfig().signature)
    doc_ids = cleaned.documents.column("doc_id").to_pylist()
    assert cleaned.signatures.column("doc_id").to_pylist() == [doc_ids[0], doc_ids[2]]


def test_an_empty_batch_is_cleaned_to_an_empty_batch():
    cleaned, counts = clean_pile([])
    assert cleaned.documents.num_rows == cleaned.signatures.num_rows == 0
    assert counts.totals() == {"kept": 0, "rows": 0, "text_bytes": 0}


@pytest.mark.parametrize(("policy", "fewest", "most"), [("none", 0, 0), ("all", 500, 500), ("sample", 8, 60)])
def test_rejected_texts_are_kept_by_policy(policy, fewest, most):
    rows = [("DM Mathematics", "  \n ", "keep")] * 500
    cleaned, counts = clean_pile(rows, CleaningConfig(keep_rejected_text=policy))
    assert counts.totals()["kept"] == 0
    assert fewest <= 500 - cleaned.documents.column("text").null_count <= most


def test_counts_are_by_subset():
    _, counts = clean_pile([("DM Mathematics", "a", "keep"), ("Github", None, "null_text")])
    assert counts.by_subset() == {
        "DM Mathematics": {"kept": 1, "rows": 1, "text_bytes": 1},
        "Github": {"kept": 0, "reason:null_text": 1, "rows": 1, "text_bytes": 0},
    }


def test_a_corpus_s_url_lists_judge_before_its_preset(tmp_path):
    words = tmp_path / "words"
    words.write_text("Casino\n")
    lists = UrlRules(hard_words=(str(words),)).pinned()
    entry = load_catalog().corpus("refinedweb").model_copy(update={"url_lists": lists})
    rows = [("web", PROSE, "keep"), ("web", " ", "keep"), ("web", " ", "keep"), ("web", None, "null_text")]
    raw = raw_batch(rows, source="refinedweb")
    urls = pa.array(["http://a.org/CASINO", "http://a.org/casino", None, "http://casino.org"])
    raw = raw.set_column(raw.schema.get_field_index("url"), raw.schema.field("url"), urls)
    columns = signal_columns(entry, None)
    cleaned = clean(raw, entry, columns=columns, config=CleaningConfig(), counts=PartCounts()).documents
    assert cleaned.column("verdict").to_pylist() == [
        "url_hard_word",
        "url_hard_word",
        "empty_text",
        "null_text",
    ]
    assert cleaned.column("url_hard_words").to_pylist() == [1, 1, None, None]
    assert cleaned.column("url_blocked_domain").null_count == 4  # no list of domains is given
    plain = load_catalog().corpus("refinedweb")
    assert set(columns) - set(signal_columns(plain, None)) == set(UrlSignals.NAMES)
    assert preset_of(plain, "web") == resolve_preset("web_en")


MAIL = PROSE + "Ask Jo at jo.doe@example.org or call +44 20 7946 0142."


def test_texts_are_edited_before_they_are_measured_and_code_is_not():
    rows = [
        ("HackerNews", MAIL, "keep"),
        ("Github", "x = 'jo.doe@example.org'\n" * 9, "keep"),
        ("Books3", None, "excluded_books3"),
    ]
    cleaned, counts = clean_pile(rows)
    table = cleaned.documents
    edited = PROSE + "Ask Jo at <EMAIL> or call <PHONE_NUMBER>."
    assert table.column("text").to_pylist() == [edited, rows[1][1], None]
    assert table.column("num_bytes")[0].as_py() == len(edited)
    assert table.column("num_chars")[0].as_py() == len(edited)
    assert table.column("num_redactions").to_pylist() == [2, None, None]
    assert counts.by_subset()["HackerNews"] == {
        "edit:pii_email": 1,
        "edit:pii_phone": 1,
        "edited": 1,
        "edited_bytes": len("jo.doe@example.org") + len("+44 20 7946 0142"),
        "kept": 1,
        "rows": 1,
        "text_bytes": len(edited),
    }
    assert set(counts.by_subset()["Github"]) == {"kept", "rows", "text_bytes"}
    assert counts.totals()["edited"] == 1


@pytest.mark.parametrize(
    ("corpus", "subset"),
    [
        ("refinedweb", "web"),
        ("culturax", "de"),
        ("starcoderdata", "python"),
        ("starcoderdata", "jupyter-structured-clean-dedup"),
    ],
)
def test_exactly_the_kernels_that_cleaning_calls_are_compiled_before(corpus, subset, monkeypatch):
    called = set()

    def call(self, *arguments):
        called.add(self)
        return usual_call(self, *arguments)

    usual_call = Kernel.__call__
    monkeypatch.setattr(Kernel, "__call__", call)
    language._load_for_kernels.cache_clear()  # loading a model calls kernels, too
    entry = load_catalog().corpus(corpus)
    in_layout = subset if entry.layout == "folders" else None
    columns = signal_columns(entry, in_layout)
    raw = raw_batch([(subset, MAIL + "\r\nDone.", "keep")], source=corpus)
    clean(raw, entry, columns=columns, config=CleaningConfig(), counts=PartCounts())
    assert called == set(cleaning_kernels(entry, in_layout))


def test_examples_show_what_stands_around_a_redaction_and_never_what_went():
    _, counts = clean_pile([("HackerNews", MAIL, "keep")])
    mail, phone = counts.edits.examples()
    assert (mail["kind"], mail["before"], mail["removed_bytes"]) == ("pii_email", "", 18)
    assert mail["after"].endswith("Ask Jo at <EMAIL> or call <PHONE_NUMBER>.")
    assert (phone["kind"], phone["subset"], phone["removed_bytes"]) == ("pii_phone", "HackerNews", 16)


def test_only_kept_documents_are_counted_as_edited():
    _, counts = clean_pile([("Pile-CC", "Too short: jo.doe@example.org", "keep")])
    assert counts.totals()["kept"] == 0
    assert "edited" not in counts.totals()
    assert counts.edits.examples() == []


def test_a_subset_s_own_edits_take_the_place_of_its_preset_s():
    entry = load_catalog().corpus("pile")
    lines = SubsetEntry(filters="none", edits=(RefinedWebLines(),))
    off = SubsetEntry(filters="curated", edits=())
    subsets = {**entry.subsets, "DM Mathematics": lines, "HackerNews": off}
    entry = entry.model_copy(update={"subsets": subsets})
    rows = [
        ("DM Mathematics", "What is it\n12345\na@b.org wrote", "keep"),
        ("HackerNews", "by a@b.org", "keep"),
        ("Enron Emails", "by a@b.org", "keep"),
    ]
    counts = PartCounts()
    columns = signal_columns(entry, None)
    table = clean(raw_batch(rows), entry, columns=columns, config=CleaningConfig(), counts=counts).documents
    assert table.column("text").to_pylist() == ["What is it\na@b.org wrote", "by a@b.org", "by <EMAIL>"]
    assert table.column("removed_word_ratio").to_pylist() == [pytest.approx(1 / 6), None, None]
    (line, _) = counts.edits.examples()
    assert (line["kind"], line["before"], line["after"]) == ("line_numeric", "12345", "")


def test_an_example_of_a_line_is_redacted():
    entry = load_catalog().corpus("pile")
    subsets = {**entry.subsets, "HackerNews": SubsetEntry(filters="none", edits=(RefinedWebLines(),))}
    entry = entry.model_copy(update={"subsets": subsets})
    rows = [("HackerNews", "Hello you\nMAIL JO AT JO@EXAMPLE.ORG NOW\nBye bye", "keep")]
    counts = PartCounts()
    clean(raw_batch(rows), entry, columns=signal_columns(entry, None), config=CleaningConfig(), counts=counts)
    assert [one["before"] for one in counts.edits.examples()] == ["MAIL JO AT <EMAIL> NOW"]


def test_examples_are_the_same_however_rows_are_batched():
    rows = [("HackerNews", f"{MAIL} And x{i}@example.org too.", "keep") for i in range(40)]
    whole = clean_pile(rows)[1].edits.examples()
    entry, counts = load_catalog().corpus("pile"), [PartCounts(), PartCounts()]
    raw = raw_batch(rows)
    for part, where in zip(counts, (slice(0, 25), slice(25, 40)), strict=True):
        for i in range(where.start, where.stop, 5):
            clean(
                raw.slice(i, 5),
                entry,
                columns=signal_columns(entry, None),
                config=CleaningConfig(),
                counts=part,
            )
    assert merge_examples(one for part in counts for one in part.edits.examples()) == whole
    assert [one["kind"] for one in whole] == ["pii_email"] * 3 + ["pii_phone"] * 3


def test_notebooks_are_judged_by_what_their_cells_hold_and_are_not_edited():
    entry, folder = load_catalog().corpus("starcoderdata"), "jupyter-structured-clean-dedup"
    cells = f"<jupyter_code>{'x = 1 ' * 40}<jupyter_text>Ask jo.doe@example.org"
    texts = {
        f"<jupyter_start>{cells}": "keep",
        f"<jupyter_start><jupyter_text>Hello<jupyter_code>1<jupyter_output>{PROSE}": "notebook_near_empty",
        f"<jupyter_start><jupyter_text>{PROSE}<jupyter_output>{PROSE}": "notebook_without_code",
        f"<jupyter_start><jupyter_code>{PROSE}": "notebook_without_text",
        " ": "empty_text",
        "x = 1": "keep",
    }
    raw = raw_batch([(folder, text, "keep") for text in texts], source="starcoderdata")
    columns = signal_columns(entry, folder)
    table = clean(raw, entry, columns=columns, config=CleaningConfig(), counts=PartCounts()).documents
    assert table.column("verdict").to_pylist() == list(texts.values())
    assert table.column("text")[0].as_py() == next(iter(texts))
    assert table.column("notebook_code_chars").to_pylist()[-2:] == [None, None]
    assert set(columns) - {*NotebookSignals.NAMES} == set(signal_columns(entry, "git-commits-cleaned"))


def test_edits_that_a_filter_needs_cannot_be_left_out():
    entry = load_catalog().corpus("refinedweb").model_copy(update={"filters": "refinedweb", "edits": ()})
    with pytest.raises(ConfigError, match="removed_word_ratio"):
        preset_of(entry, "web")
