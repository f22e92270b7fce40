"""Parquet: batches of bounded size, unreadable rows found, damage told from anything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_files import write_parquet

from dataprep.errors import BuildError, SourceError
from dataprep.sources import DamagedFileError
from dataprep.sources.fields import VERDICTS
from dataprep.sources.parquet import ColumnBatch, check_text_type, column_batches, read_row_groups, read_shape


def _read(path: Path, *, groups: range | None = None, batch_bytes: int = 1 << 20) -> list[ColumnBatch]:
    size = path.stat().st_size
    shape = read_shape(str(path), size_bytes=size)
    return list(
        read_row_groups(
            str(path),
            range(len(shape.rows)) if groups is None else groups,
            size_bytes=size,
            text_column="text",
            ignored=["skip"],
            batch_bytes=batch_bytes,
        )
    )


def _verdicts(batches: list[ColumnBatch]) -> list[str]:
    return [VERDICTS[code] for batch in batches for code in batch.bad]


def test_rows_come_in_order_without_the_ignored_columns(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "x.parquet",
        {"a": list(range(10)), "text": list("abcdefghij"), "skip": [[1]] * 10},
        row_group_size=3,
    )
    (batch,) = _read(path)
    assert batch.rest.schema.names == ["a"]
    assert batch.text.to_pylist() == list("abcdefghij")
    assert batch.text.type == pa.large_string()
    assert [b.text.to_pylist() for b in _read(path, groups=range(1, 3))] == [list("defghi")]


@given(st.lists(st.none() | st.integers(0, 50), min_size=1, max_size=60), st.integers(1, 80))
def test_no_batch_has_more_text_than_asked_but_for_one_long_row(
    sizes: list[int | None], batch_bytes: int
) -> None:
    texts = [None if size is None else "x" * size for size in sizes]
    batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.string())})
    batches = list(column_batches(batch, text_column="text", batch_bytes=batch_bytes))
    assert [text for one in batches for text in one.text.to_pylist()] == texts
    for one in batches:
        num_bytes = sum(len(text or "") for text in one.text.to_pylist())
        assert num_bytes <= batch_bytes or len(one.text) == 1
        assert len(one.text) == one.rest.num_rows == len(one.bad)


def test_a_row_group_is_read_in_pieces(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x.parquet", {"text": ["x" * 1000] * 100})
    batches = _read(path, batch_bytes=10_000)
    assert len(batches) == 10
    assert sum(len(batch.text) for batch in batches) == 100


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "dictionary"])
def test_every_way_to_store_strings_is_read(tmp_path: Path, kind: str) -> None:
    texts = pa.array(["ä", None, "b"])
    if kind == "dictionary":
        column: pa.Array = texts.dictionary_encode()
    else:
        column = texts.cast(
            {"string": pa.string(), "large_string": pa.large_string(), "string_view": pa.string_view()}[kind]
        )
    batches = _read(write_parquet(tmp_path / "x.parquet", {"text": column}))
    assert [text for batch in batches for text in batch.text.to_pylist()] == ["ä", None, "b"]
    assert _verdicts(batches) == ["keep", "null_text", "keep"]


def test_a_string_that_is_not_utf8_makes_its_row_bad_in_any_column(tmp_path: Path) -> None:
    """Parquet does not check its strings, and Arrow would pass the bytes on."""
    binary = pa.array([b"good", b"caf\xe9", None, b"good"])
    texts = pa.Array.from_buffers(pa.string(), 4, binary.buffers())
    urls = pa.Array.from_buffers(pa.string(), 4, pa.array([b"u", b"u", b"u", b"\xff"]).buffers())
    batches = _read(write_parquet(tmp_path / "x.parquet", {"text": texts, "url": urls}))
    assert _verdicts(batches) == ["keep", "invalid_utf8", "null_text", "invalid_utf8"]
    assert batches[0].text.to_pylist() == ["good", None, None, "good"]
    assert batches[0].rest.column(0).to_pylist() == ["u", "u", "u", None]


def test_a_file_without_rows_is_fine(tmp_path: Path) -> None:
    assert _read(write_parquet(tmp_path / "x.parquet", {"text": pa.array([], pa.string())})) == []


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        (lambda data: b"", "empty_file", "empty"),
        (lambda data: data[:-1], "truncated_file", "footer is missing"),
        (lambda data: data[:100], "truncated_file", "footer is missing"),
        (lambda data: b'{"text": 1}', "wrong_format_file", "begins with"),
        (lambda data: b"PAR1 this is not PAR1", "wrong_format_file", "too few for its own footer"),
        (lambda data: data[:4] + bytes(len(data) - 12) + data[-8:], "damaged_file", "damaged Parquet data"),
    ],
)
def test_a_damaged_file_is_named_by_what_is_wrong(tmp_path: Path, change, reason: str, detail: str) -> None:
    path = write_parquet(tmp_path / "x.parquet", {"text": ["x" * 100] * 10})
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DamagedFileError, match=detail) as caught:
        read_shape(str(path), size_bytes=path.stat().st_size)
    assert caught.value.reason == reason


def test_damage_of_a_page_is_found_when_it_is_read(tmp_path: Path) -> None:
    texts = [np.random.default_rng(i).bytes(50).hex() for i in range(1000)]
    path = write_parquet(
        tmp_path / "x.parquet", {"text": texts}, compression="zstd", write_page_checksum=True
    )
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    read_shape(str(path), size_bytes=len(data))
    with pytest.raises(DamagedFileError, match="damaged Parquet data") as caught:
        _read(path)
    assert caught.value.reason == "damaged_file"


def test_a_file_that_cannot_be_opened_is_not_damaged(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"x.parquet: cannot be read \(No such file") as caught:
        read_shape(str(tmp_path / "x.parquet"), size_bytes=10)
    assert not isinstance(caught.value, DamagedFileError)


def test_a_text_column_of_another_type_is_named_with_the_columns_that_would_do(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x.parquet", {"text": [1], "body": ["a"], "n": [2]})
    shape = read_shape(str(path), size_bytes=path.stat().st_size)
    with pytest.raises(SourceError, match=r"'text' holds int64, not strings; columns with strings: 'body'"):
        check_text_type(shape.schema, "text", place="x.parquet")


def test_the_shape_is_what_the_footer_says(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x.parquet", {"text": ["a"] * 10}, row_group_size=4)
    shape = read_shape(str(path), size_bytes=path.stat().st_size)
    assert shape.rows == (4, 4, 2)
    assert len(shape.num_bytes) == 3
    assert pq.ParquetFile(path).metadata.num_rows == 10
