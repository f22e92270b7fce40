"""Splitting: every row in exactly one item, whatever the size of the items."""

from __future__ import annotations

import pickle
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_files import column, json_lines, read_all, write, write_parquet

from dataprep.errors import BadInputError, SourceError
from dataprep.sources import DamagedFileError, load_catalog, resolve_collection, split_collection

CATALOG = load_catalog()
C4 = CATALOG.corpus("redpajama")


def _items(root: Path, *, subset: str = "c4", max_split_bytes: int = 256 << 20, skip_bad_files: bool = False):
    collection = resolve_collection(C4, subset, data_root=str(root))
    return split_collection(collection, C4, max_split_bytes=max_split_bytes, skip_bad_files=skip_bad_files)


def test_plain_json_lines_are_cut_between_lines(tmp_path: Path) -> None:
    data = json_lines({"text": "x" * 40} for _ in range(100))
    line = len(data) // 100
    write(tmp_path / "redpajama" / "c4" / "x.jsonl", data)
    items = _items(tmp_path, max_split_bytes=len(data) // 4)
    assert [(item.split_number, item.start // line, item.stop // line, item.first_row) for item in items] == [
        (0, 0, 26, 0),
        (1, 26, 51, 26),
        (2, 51, 76, 51),
        (3, 76, 100, 76),
    ]


@given(
    st.lists(
        st.sampled_from([b'{"text": "%d"}', b"", b"not json", b'{"text": "' + b"y" * 90 + b'"}']), min_size=1
    ),
    st.integers(1, 300),
    st.booleans(),
)
def test_no_row_is_lost_or_doubled_wherever_a_file_is_cut(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], max_split_bytes: int, ends_in_newline: bool
) -> None:
    root = tmp_path_factory.mktemp("raw")
    numbered = [line % i if b"%d" in line else line for i, line in enumerate(lines)]
    data = b"\n".join(numbered) + (b"\n" if ends_in_newline else b"")
    if not data:
        return
    write(root / "redpajama" / "c4" / "x.jsonl", data)
    whole = read_all("redpajama", "c4", root)
    pieces = read_all("redpajama", "c4", root, max_split_bytes=max_split_bytes)
    assert pieces == whole
    assert column(whole, "origin_row") == list(range(len(whole)))
    expected = len(lines) if ends_in_newline or lines[-1] else len(lines) - 1
    assert len(whole) == expected


def test_lines_longer_than_a_piece_leave_pieces_out(tmp_path: Path) -> None:
    write(tmp_path / "redpajama" / "c4" / "x.jsonl", json_lines([{"text": "x" * 1000}, {"text": "y"}]))
    items = _items(tmp_path, max_split_bytes=100)
    assert [item.first_row for item in items] == [0, 1]
    assert column(read_all("redpajama", "c4", tmp_path, max_split_bytes=100), "text") == ["x" * 1000, "y"]


@pytest.mark.parametrize("suffix", [".zst"])
def test_a_compressed_file_is_one_item(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "redpajama" / "common_crawl" / f"x.jsonl{suffix}", json_lines([{"text": "x"}] * 100))
    (item,) = _items(tmp_path, subset="common_crawl", max_split_bytes=10)
    assert (item.compression, item.first_row) == ("zstd", 0)


def test_parquet_is_cut_between_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "culturax" / "de" / "x.parquet"
    texts = [f"{i:04d}" * 100 for i in range(100)]
    write_parquet(path, {"text": texts, "source": ["OSCAR-2301"] * 100}, row_group_size=10)
    group_bytes = max(pq.read_metadata(path).row_group(i).total_byte_size for i in range(10))
    entry = CATALOG.corpus("culturax")
    collection = resolve_collection(entry, "de", data_root=str(tmp_path))
    items = split_collection(collection, entry, max_split_bytes=3 * group_bytes)
    assert [(item.start, item.stop, item.first_row) for item in items] == [
        (0, 3, 0),
        (3, 6, 30),
        (6, 9, 60),
        (9, 10, 90),
    ]
    whole = read_all("culturax", "de", tmp_path)
    assert column(whole, "text") == texts
    assert read_all("culturax", "de", tmp_path, max_split_bytes=3 * group_bytes) == whole
    assert read_all("culturax", "de", tmp_path, max_split_bytes=1, batch_bytes=500) == whole


def test_items_are_numbered_by_file_and_split_and_can_be_pickled(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path / "redpajama" / "c4" / f"{name}.jsonl", json_lines([{"text": "x" * 50}] * 4))
    items = _items(tmp_path, max_split_bytes=130)
    assert [(item.origin, item.file_number, item.split_number) for item in items] == [
        ("c4/a.jsonl", 0, 0),
        ("c4/a.jsonl", 0, 1),
        ("c4/b.jsonl", 1, 0),
        ("c4/b.jsonl", 1, 1),
    ]
    assert pickle.loads(pickle.dumps(items)) == items


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"txt": "a"}], r"x.jsonl: no text column 'text'; found 'txt'; did you mean 'txt'\?"),
        (
            [{"content": "a", "url": "b"}],
            r"no text column 'text'; found 'content', 'url'\. Is this a file of 'redpajama'",
        ),
        (
            [{"text": 1}, {"text": 2}],
            r"'text' holds int, not strings, in the first 2 rows; keys found: 'text'",
        ),
    ],
)
def test_json_lines_without_text_stop_before_any_work(
    tmp_path: Path, rows: list[dict[str, object]], message: str
) -> None:
    write(tmp_path / "redpajama" / "c4" / "x.jsonl", json_lines(rows))
    with pytest.raises(SourceError, match=message):
        _items(tmp_path)
    with pytest.raises(SourceError, match=message):
        _items(tmp_path, skip_bad_files=True)


def test_a_few_rows_without_text_do_not_stop_anything(tmp_path: Path) -> None:
    write(
        tmp_path / "redpajama" / "c4" / "x.jsonl",
        json_lines([{"txt": "a"}, {"text": None}, {"text": 3}, {"text": "a"}]),
    )
    assert column(read_all("redpajama", "c4", tmp_path), "verdict") == [
        "missing_text",
        "null_text",
        "text_not_a_string",
        "keep",
    ]


def test_a_json_array_is_not_json_lines(tmp_path: Path) -> None:
    write(tmp_path / "redpajama" / "c4" / "x.jsonl", b'[\n{"text": "a"}\n]')
    with pytest.raises(SourceError, match="is a JSON array; expected JSON lines"):
        _items(tmp_path)


def test_a_file_of_no_known_format_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "peS2o" / "x.jsonl.bz2", b"x")
    entry = CATALOG.corpus("peS2o")
    collection = resolve_collection(entry, None, data_root=str(tmp_path))
    with pytest.raises(SourceError, match=r"unknown format; readable are \.parquet"):
        split_collection(collection, entry)


def test_all_damaged_files_are_named_at_once(tmp_path: Path) -> None:
    for i in range(7):
        write(tmp_path / "redpajama" / "c4" / f"{i}.jsonl", b"")
    with pytest.raises(BadInputError, match="0.jsonl: empty") as caught:
        _items(tmp_path)
    assert "4.jsonl: empty" in str(caught.value)
    assert "and 2 more damaged files" in str(caught.value)
    items = _items(tmp_path, skip_bad_files=True)
    assert [item.damage.reason for item in items if item.damage] == ["empty_file"] * 7


def test_an_error_about_damage_survives_the_way_from_a_worker() -> None:
    error = DamagedFileError("x", reason="empty_file", detail="empty")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.reason) == (str(error), "empty_file")
