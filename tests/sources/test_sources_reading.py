"""Reading: ids, verdicts, counts, skipped files, and when a source has too many bad rows."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from raw_files import column, json_lines, read_all, write, write_parquet

from dataprep.documents import BAD_ROW_REASONS, RAW_SCHEMA, place_of
from dataprep.errors import BadInputError, BuildError
from dataprep.sources import (
    DamagedFileError,
    ReadReport,
    SkippedFile,
    check_bad_ratio,
    load_catalog,
    read_batches,
    resolve_collection,
    split_collection,
)

CATALOG = load_catalog()
REDPAJAMA = CATALOG.corpus("redpajama")
GOOD = {"text": "a", "meta": {"url": "u"}}


def _c4(root: Path, name: str, data: bytes) -> Path:
    return write(root / "redpajama" / "c4" / name, data)


def test_batches_have_the_raw_schema_and_name_each_row(tmp_path: Path) -> None:
    _c4(tmp_path, "a.jsonl", json_lines([GOOD] * 3))
    _c4(tmp_path, "b.jsonl", json_lines([GOOD] * 5))
    collection = resolve_collection(REDPAJAMA, "c4", data_root=str(tmp_path))
    batches = [
        b
        for item in split_collection(collection, REDPAJAMA)
        for b in read_batches(item, REDPAJAMA, batch_bytes=64)
    ]
    table = pa.Table.from_batches(batches)
    table.validate(full=True)
    assert table.schema.equals(RAW_SCHEMA)
    places = [place_of(doc_id) for doc_id in table["doc_id"].to_pylist()]
    assert [(p.collection, p.file, p.row) for p in places] == [(17, 0, i) for i in range(3)] + [
        (17, 1, i) for i in range(5)
    ]
    assert table["origin"].to_pylist() == ["c4/a.jsonl"] * 3 + ["c4/b.jsonl"] * 5
    assert table["origin_row"].to_pylist() == [0, 1, 2, 0, 1, 2, 3, 4]
    assert len(batches) > 2


def test_only_kept_rows_have_a_text_and_bad_rows_no_meta(tmp_path: Path) -> None:
    _c4(tmp_path, "a.jsonl", json_lines([GOOD, {"text": None, "meta": {"url": "v"}}]) + b"broken\n")
    rows = read_all("redpajama", "c4", tmp_path)
    assert column(rows, "text") == ["a", None, None]
    assert column(rows, "url") == ["u", "v", None]
    assert column(rows, "verdict") == ["keep", "null_text", "invalid_json"]


def test_the_report_counts_every_row_and_says_where_the_first_of_a_kind_is(tmp_path: Path) -> None:
    _c4(tmp_path, "a.jsonl", json_lines([GOOD] * 2) + b"x\n\nx\n")
    _c4(tmp_path, "b.jsonl", json_lines([GOOD] * 2) + b"x\n" + json_lines([{"meta": {}}]))
    report = ReadReport()
    rows = read_all("redpajama", "c4", tmp_path, report=report, batch_bytes=30)
    assert report.rows == len(rows) == 9
    assert report.verdicts == {"keep": 4, "invalid_json": 3, "blank_line": 1, "missing_text": 1}
    assert report.examples == {
        "invalid_json": "c4/a.jsonl:3",
        "blank_line": "c4/a.jsonl:4",
        "missing_text": "c4/b.jsonl:4",
    }


def test_an_example_in_a_later_piece_names_the_line_of_the_file(tmp_path: Path) -> None:
    _c4(tmp_path, "a.jsonl", json_lines([GOOD] * 50) + b"x\n")
    report = ReadReport()
    read_all("redpajama", "c4", tmp_path, report=report, max_split_bytes=200)
    assert report.examples == {"invalid_json": "c4/a.jsonl:51"}


# damaged files


def _damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def test_a_damaged_file_stops_the_reading_and_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "redpajama" / "common_crawl" / "x.jsonl.zst", json_lines([GOOD] * 1000))
    _damage(path)
    with pytest.raises(DamagedFileError, match=r"x.jsonl.zst: cut off, the zstd data .*--skip-bad-files"):
        read_all("redpajama", "common_crawl", tmp_path)


def test_a_skipped_file_gives_no_row_at_all_and_is_counted(tmp_path: Path) -> None:
    folder = tmp_path / "redpajama" / "common_crawl"
    _damage(write(folder / "a.jsonl.zst", json_lines({"text": str(i) * 50} for i in range(100_000))))
    write(folder / "b.jsonl.zst", json_lines([{"text": "b"}]))
    write(folder / "c.jsonl", b"")
    report = ReadReport()
    rows = read_all("redpajama", "common_crawl", tmp_path, report=report, skip_bad_files=True)
    assert column(rows, "text") == ["b"]
    assert [place_of(row["doc_id"]).file for row in rows] == [1]
    assert [(f.origin, f.reason) for f in report.skipped_files] == [
        ("common_crawl/a.jsonl.zst", "truncated_file"),
        ("common_crawl/c.jsonl", "empty_file"),
    ]


def test_what_is_kept_of_a_skipped_file_does_not_name_the_place(tmp_path: Path) -> None:
    """It goes into manifests, and these must not depend on where the data lies."""
    write(tmp_path / "redpajama" / "common_crawl" / "c.jsonl", b"")
    report = ReadReport()
    read_all("redpajama", "common_crawl", tmp_path, report=report, skip_bad_files=True)
    assert report.skipped_files == [SkippedFile("common_crawl/c.jsonl", "empty_file", "empty (0 bytes)")]


def test_a_parquet_file_with_a_damaged_page_is_skipped_whole(tmp_path: Path) -> None:
    import numpy as np

    texts = [np.random.default_rng(i).bytes(50).hex() for i in range(2000)]
    columns = {"text": texts, "source": ["OSCAR-2301"] * 2000}
    path = write_parquet(
        tmp_path / "culturax" / "de" / "x.parquet", columns, write_page_checksum=True, row_group_size=500
    )
    data = bytearray(path.read_bytes())
    data[len(data) * 2 // 3] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DamagedFileError, match="damaged Parquet data"):
        read_all("culturax", "de", tmp_path)
    report = ReadReport()
    assert read_all("culturax", "de", tmp_path, report=report, skip_bad_files=True) == []
    assert [file.reason for file in report.skipped_files] == ["damaged_file"]


def test_an_item_that_was_found_damaged_is_refused_by_a_reader_that_does_not_skip(tmp_path: Path) -> None:
    write(tmp_path / "redpajama" / "common_crawl" / "c.jsonl", b"")
    collection = resolve_collection(REDPAJAMA, "common_crawl", data_root=str(tmp_path))
    (item,) = split_collection(collection, REDPAJAMA, skip_bad_files=True)
    with pytest.raises(DamagedFileError, match="empty"):
        list(read_batches(item, REDPAJAMA))


def test_a_file_that_changed_or_went_away_is_not_taken_for_damaged(tmp_path: Path) -> None:
    path = _c4(tmp_path, "a.jsonl", json_lines([GOOD]))
    collection = resolve_collection(REDPAJAMA, "c4", data_root=str(tmp_path))
    (item,) = split_collection(collection, REDPAJAMA)
    path.write_bytes(json_lines([GOOD] * 2))
    with pytest.raises(BuildError, match="had 36 when it was listed"):
        list(read_batches(item, REDPAJAMA, skip_bad_files=True))
    path.unlink()
    with pytest.raises(BuildError, match="cannot be read"):
        list(read_batches(item, REDPAJAMA, skip_bad_files=True))


# too many bad rows


def test_too_many_bad_rows_are_reported_with_all_that_is_needed_to_act() -> None:
    with pytest.raises(BadInputError) as caught:
        check_bad_ratio(
            {"keep": 9_000, "excluded_books3": 980, "invalid_json": 15, "null_text": 5},
            REDPAJAMA,
            examples={"invalid_json": "c4/a.jsonl:8"},
        )
    message = str(caught.value)
    for part in (
        "source 'redpajama'",
        "20 of 10,000 rows (0.200%)",
        "max_bad_ratio 0.100%",
        "invalid_json 15, null_text 5",
        "c4/a.jsonl:8 is invalid_json",
        "Repair or replace the raw files",
        "corpora.redpajama.max_bad_ratio in the catalogue",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("verdicts", "passes"),
    [
        ({}, True),
        ({"keep": 10}, True),
        ({"keep": 999, "null_text": 1}, True),
        ({"keep": 998, "null_text": 1}, False),
        ({"null_text": 1}, False),
        ({"excluded_mc4": 999, "held_out_split": 1}, True),
    ],
)
def test_the_ratio_is_over_all_rows_and_may_be_reached(verdicts: dict[str, int], passes: bool) -> None:
    if passes:
        check_bad_ratio(verdicts, REDPAJAMA)
    else:
        with pytest.raises(BadInputError):
            check_bad_ratio(verdicts, REDPAJAMA)


@given(st.dictionaries(st.sampled_from(["keep", "excluded_mc4", *BAD_ROW_REASONS]), st.integers(0, 5000)))
def test_it_fails_exactly_above_the_ratio(verdicts: dict[str, int]) -> None:
    bad = sum(verdicts.get(reason, 0) for reason in BAD_ROW_REASONS)
    fails = bad * 1000 > sum(verdicts.values())
    try:
        check_bad_ratio(verdicts, REDPAJAMA)
    except BadInputError:
        assert fails
    else:
        assert not fails


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress, zstandard.compress])
def test_no_byte_that_is_not_utf8_gets_past_reading(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    # Each byte that begins no ASCII character, alone between letters; then a line that is fine.
    lines = [b'{"text": "a' + bytes([byte]) + b'b"}' for byte in range(0x80, 0x100)]
    folder = tmp_path / "redpajama" / "common_crawl"
    folder.mkdir(parents=True)
    (folder / "a.jsonl.zst").write_bytes(compress(b"\n".join([*lines, b'{"text": "b"}'])))
    rows = read_all("redpajama", "common_crawl", tmp_path)  # ... which validates every column of every batch
    assert column(rows, "verdict") == ["invalid_utf8"] * 128 + ["keep"]
    assert column(rows, "text") == [None] * 128 + ["b"]
