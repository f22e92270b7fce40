"""The real test corpus: every row of every file, and each damaged file as it should be."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from raw_files import column, read_all

from dataprep.documents import BAD_ROW_REASONS
from dataprep.errors import BadInputError, SourceError
from dataprep.sources import DamagedFileError, ReadReport, check_bad_ratio, load_catalog, resolve_collections

pytestmark = pytest.mark.corpus

CATALOG = load_catalog()
FIVE = ("refinedweb", "redpajama", "pile", "starcoderdata", "culturax")


@pytest.fixture(scope="module", params=FIVE)
def read(request: pytest.FixtureRequest, corpus: Path) -> tuple[str, list[dict[str, Any]], ReadReport]:
    name = request.param
    entry = CATALOG.corpus(name)
    report = ReadReport()
    rows = []
    for collection in resolve_collections(entry, None, data_root=str(corpus)):
        rows += read_all(name, collection.subset, corpus, report=report)
    return name, rows, report


def test_every_raw_row_comes_out_once_in_order(
    read: tuple[str, list[dict[str, Any]], ReadReport], corpus: Path
) -> None:
    name, rows, report = read
    truth = json.loads((corpus / "truth" / "summary.json").read_text())
    expected = {f: v for f, v in truth["files"].items() if f.startswith(name + "/")}
    found = Counter(f"{name}/{row['origin']}" for row in rows)
    assert found == {file: counts["rows"] for file, counts in expected.items()}
    assert report.rows == sum(report.verdicts.values()) == truth["sources"][name]["rows"]
    previous: dict[str, int] = {}
    for row in rows:
        assert row["origin_row"] == previous.get(row["origin"], -1) + 1
        previous[row["origin"]] = row["origin_row"]
    assert len({row["doc_id"] for row in rows}) == len(rows)


def test_nulls_are_the_only_bad_rows_and_fewer_than_allowed(
    read: tuple[str, list[dict[str, Any]], ReadReport], corpus: Path
) -> None:
    name, _, report = read
    truth = json.loads((corpus / "truth" / "summary.json").read_text())["sources"][name]
    bad = {reason: count for reason, count in report.verdicts.items() if reason in BAD_ROW_REASONS}
    assert bad == {"null_text": truth["null_text"]}
    check_bad_ratio(report.verdicts, CATALOG.corpus(name), examples=report.examples)


def test_kept_texts_are_the_raw_bytes(
    read: tuple[str, list[dict[str, Any]], ReadReport], corpus: Path
) -> None:
    """The truth's digest is over all texts of a file, so it is compared where nothing is excluded."""
    name, rows, _ = read
    truth = json.loads((corpus / "truth" / "summary.json").read_text())["files"]
    by_file: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_file.setdefault(f"{name}/{row['origin']}", []).append(row)
    compared = 0
    for file, some in by_file.items():
        if {row["verdict"] for row in some} <= {"keep", "null_text"}:
            texts = [row["text"].encode() for row in some if row["text"] is not None]
            digests = sorted(hashlib.sha256(text).hexdigest() for text in texts)
            joined = hashlib.sha256("".join(digest + "\n" for digest in digests).encode()).hexdigest()
            assert joined == truth[file]["sorted_text_digest"], file
            compared += 1
    assert compared or name in ("pile", "culturax")


def test_excluded_rows_have_no_text_and_are_the_right_ones(
    read: tuple[str, list[dict[str, Any]], ReadReport], corpus: Path
) -> None:
    name, rows, report = read
    truth = json.loads((corpus / "truth" / "summary.json").read_text())["subsets"]
    for row in rows:
        assert (row["text"] is not None) is (row["verdict"] == "keep")
    if name == "pile":
        counted = Counter(f"pile/{row['subset']}" for row in rows)
        assert counted == {s: v["rows"] for s, v in truth.items() if s.startswith("pile/")}
        assert {row["verdict"] for row in rows if row["subset"] == "Books3"} == {
            "excluded_books3",
            "held_out_split",
        }
        assert report.verdicts["held_out_split"] == 142
    if name == "redpajama":
        books = [row for row in rows if row["subset"] == "book"]
        assert Counter(column(books, "verdict")) == {"keep": 20, "excluded_books3": 10}
        assert all('"short_book_title"' in row["meta"] for row in books if row["verdict"] == "keep")
        assert not any('"short_book_title"' in row["meta"] for row in books if row["verdict"] != "keep")
    if name == "culturax":
        assert all('"OSCAR-' in row["meta"] for row in rows if row["verdict"] == "keep")
        assert all('"mC4"' in row["meta"] for row in rows if row["verdict"] == "excluded_mc4")
        assert report.verdicts["excluded_mc4"] > 3000


@pytest.mark.parametrize("name", FIVE)
def test_cut_small_or_read_in_small_batches_the_rows_are_the_same(name: str, corpus: Path) -> None:
    subset = resolve_collections(CATALOG.corpus(name), None, data_root=str(corpus))[0].subset
    whole = read_all(name, subset, corpus)
    assert read_all(name, subset, corpus, max_split_bytes=200_000, batch_bytes=50_000) == whole


# broken/


def _broken(corpus: Path, kind: str, file: str | None = None) -> tuple[str, dict[str, Any]]:
    for entry in json.loads((corpus / "truth" / "broken.json").read_text()):
        if entry["kind"] == kind and (file is None or file in entry["file"]):
            return entry["file"].removeprefix("broken/"), entry
    raise AssertionError(f"the corpus has no broken file of kind {kind}")


def _alone(corpus: Path, tmp_path: Path, file: str) -> tuple[str, str | None]:
    """Put one broken file into a root of its own; return its corpus and folder."""
    target = tmp_path / file
    target.parent.mkdir(parents=True)
    shutil.copy(corpus / "broken" / file, target)
    name, origin = file.split("/", 1)
    return name, origin.split("/")[0] if CATALOG.corpus(name).layout == "folders" else None


@pytest.mark.parametrize(
    ("kind", "file", "reason"),
    [
        ("truncated_zst", None, "truncated_file"),
        ("corrupt_zst", None, "damaged_file"),
        ("zero_byte", "pile", "empty_file"),
        ("zero_byte", "refinedweb", "empty_file"),
        ("zero_byte", "redpajama", "empty_file"),
        ("truncated_parquet", None, "truncated_file"),
        ("not_parquet", None, "wrong_format_file"),
    ],
)
def test_a_damaged_file_stops_the_build_or_is_counted(
    corpus: Path, tmp_path: Path, kind: str, file: str | None, reason: str
) -> None:
    path, _ = _broken(corpus, kind, file)
    name, subset = _alone(corpus, tmp_path, path)
    with pytest.raises(DamagedFileError, match="--skip-bad-files") as caught:
        read_all(name, subset, tmp_path)
    assert path in str(caught.value)
    assert caught.value.reason == reason
    report = ReadReport()
    assert read_all(name, subset, tmp_path, report=report, skip_bad_files=True) == []
    assert [(f"{name}/{f.origin}", f.reason) for f in report.skipped_files] == [(path, reason)]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no_text_column", r"no text column 'content'; found 'body', 'dump'"),
        ("text_column_not_a_string", r"text column 'text' holds int64, not strings"),
    ],
)
def test_another_schema_stops_before_any_work(corpus: Path, tmp_path: Path, kind: str, message: str) -> None:
    path, _ = _broken(corpus, kind)
    name, subset = _alone(corpus, tmp_path, path)
    for skip_bad_files in (False, True):
        with pytest.raises(SourceError, match=message):
            read_all(name, subset, tmp_path, skip_bad_files=skip_bad_files)


def test_a_parquet_file_without_rows_is_fine(corpus: Path, tmp_path: Path) -> None:
    path, _ = _broken(corpus, "no_rows_but_valid")
    name, subset = _alone(corpus, tmp_path, path)
    assert read_all(name, subset, tmp_path) == []


@pytest.mark.parametrize("kind", ["gzip_data_named_zst", "bom_and_crlf"])
def test_odd_but_whole_files_are_read(corpus: Path, tmp_path: Path, kind: str) -> None:
    path, truth = _broken(corpus, kind)
    name, subset = _alone(corpus, tmp_path, path)
    rows = read_all(name, subset, tmp_path)
    assert column(rows, "verdict") == ["keep"] * truth["good_lines"]
    assert not any("\r" in row["text"] for row in rows)


REASON_OF = {
    "cut_object": "invalid_json",
    "single_quotes": "invalid_json",
    "bare_text": "invalid_json",
    "two_objects_on_a_line": "invalid_json",
    "empty_line": "blank_line",
    "text_is_number": "text_not_a_string",
    "text_is_list": "text_not_a_string",
    "text_missing": "missing_text",
    "latin1_bytes": "invalid_utf8",
    "byte_ff": "invalid_utf8",
    "cut_multibyte": "invalid_utf8",
    "overlong_utf8": "invalid_utf8",
    "lone_surrogate_escape": "invalid_json",
    "json_array": "not_an_object",
    "json_null": "not_an_object",
    "nan_value": "invalid_json",
    "raw_control_char": "invalid_json",
    "trailing_comma": "invalid_json",
    "surrogate_bytes": "invalid_utf8",
}


@pytest.mark.parametrize("kind", ["bad_lines_and_no_final_newline", "last_line_cut"])
def test_bad_lines_are_counted_by_reason_and_fail_the_source(corpus: Path, tmp_path: Path, kind: str) -> None:
    path, truth = _broken(corpus, kind)
    name, subset = _alone(corpus, tmp_path, path)
    report = ReadReport()
    rows = read_all(name, subset, tmp_path, report=report)
    expected = {bad["line"]: REASON_OF[bad["kind"]] for bad in truth["bad"]}
    assert {row["origin_row"]: row["verdict"] for row in rows if row["verdict"] != "keep"} == expected
    assert report.verdicts["keep"] == truth["good_lines"]
    assert len(rows) == truth["good_lines"] + len(expected)
    with pytest.raises(BadInputError, match=f"source '{name}'.*{Path(path).name}:"):
        check_bad_ratio(report.verdicts, CATALOG.corpus(name), examples=report.examples)


def test_good_files_beside_damaged_ones_are_read(corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus / "broken" / "pile", tmp_path / "pile")
    report = ReadReport()
    rows = read_all("pile", None, tmp_path, report=report, skip_bad_files=True)
    assert len(rows) == 30
    assert Counter(file.reason for file in report.skipped_files) == {
        "truncated_file": 1,
        "damaged_file": 1,
        "empty_file": 1,
    }
    with pytest.raises(BadInputError, match=r"01.jsonl.zst: damaged zstd data.*\n.*val.jsonl.zst: empty"):
        read_all("pile", None, tmp_path)
