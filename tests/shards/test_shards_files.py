"""One shard: bytes, random access, and damage found wherever it is."""

from __future__ import annotations

import zlib
from itertools import pairwise
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from shards_builder import assert_same_rows, random_rows

from dataprep import storage
from dataprep.errors import ArtifactError
from dataprep.shards import RowLayout, Rows, ShardReader, ShardSummary, concat_rows, write_shard

LAYOUT = RowLayout(sequence_length=16, vocab_size=100_289)


def write(path: str, rows: Rows) -> ShardSummary:
    return write_shard(path, [rows], layout=LAYOUT, first_row=128, num_sources=3)


def read_all(data: bytes, summary: ShardSummary) -> list[Rows]:
    reader = ShardReader(data, crc32=summary.crc32, name="shard-00007", first_row=128)
    return [reader.read_rows(batch) for batch in range(reader.num_batches)]


@pytest.fixture
def rows() -> Rows:
    return random_rows(150, 16, vocab_size=100_289)


@pytest.fixture
def shard(tmp_path: Path, rows: Rows) -> tuple[str, ShardSummary]:
    path = str(tmp_path / "shard-00000.arrow")
    return path, write(path, rows)


def test_a_shard_is_an_arrow_file_that_anybody_can_open(shard: tuple[str, ShardSummary], rows: Rows) -> None:
    reader = pa.ipc.open_file(shard[0])
    assert [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)] == [64, 64, 22]
    assert b'"first_row": 128' in reader.schema.metadata[b"dataprep.shard"]
    assert reader.schema.remove_metadata() == LAYOUT.schema()
    assert reader.read_all().column("source").to_numpy().tolist() == rows.source.tolist()


def test_batches_are_read_one_by_one_in_any_order(shard: tuple[str, ShardSummary], rows: Rows) -> None:
    reader = ShardReader(shard[0], crc32=shard[1].crc32)
    parts = {i: reader.read_rows(i) for i in (2, 0, 1)}
    assert_same_rows(concat_rows([parts[i] for i in range(3)]), rows)
    assert reader.read_batch(1, columns=["source", "n_tok"]).schema.names == ["source", "n_tok"]


def test_the_summary_counts_and_sums_up_what_was_written(shard: tuple[str, ShardSummary], rows: Rows) -> None:
    path, summary = shard
    assert (summary.size_bytes, summary.sha256) == (len(storage.read_bytes(path)), storage.sha256_of(path))
    for source in range(3):
        chosen = rows.source == source
        assert summary.source_rows[source] == chosen.sum()
        assert summary.source_tokens[source] == np.minimum(rows.n_tok[chosen], 16).sum()
        assert summary.source_targets[source] == rows.n_loss[chosen].sum()


def test_the_checksums_cover_every_byte_once(shard: tuple[str, ShardSummary]) -> None:
    path, summary = shard
    data = storage.read_bytes(path)
    reader = ShardReader(path)
    spans = [reader.batch_span(i) for i in range(reader.num_batches)]
    edges = [0, spans[0][0], *(first + count for first, count in spans), len(data)]
    assert list(summary.crc32) == [zlib.crc32(data[a:b]) for a, b in pairwise(edges)]


def test_the_same_rows_give_the_same_bytes_however_they_come(tmp_path: Path, rows: Rows) -> None:
    write(str(tmp_path / "a"), rows)
    parts = [rows.part(0, 64), rows.part(64, 128), rows.part(128, 150)]
    write_shard(str(tmp_path / "b"), parts, layout=LAYOUT, first_row=128, num_sources=3)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_every_flipped_byte_is_found_and_named(tmp_path: Path) -> None:
    rows = random_rows(130, 16, vocab_size=100_289)
    path = str(tmp_path / "shard")
    summary = write(path, rows)
    data = bytearray(storage.read_bytes(path))
    for position in range(0, len(data), 3):
        data[position] ^= 0x10
        with pytest.raises(ArtifactError, match="^shard-00007: "):
            read_all(bytes(data), summary)
        data[position] ^= 0x10


def test_damage_in_a_batch_names_shard_batch_and_rows(shard: tuple[str, ShardSummary], rows: Rows) -> None:
    path, summary = shard
    data = bytearray(storage.read_bytes(path))
    first_byte, num_bytes = ShardReader(path).batch_span(1)
    data[first_byte + num_bytes // 2] ^= 1
    reader = ShardReader(bytes(data), crc32=summary.crc32, name="shard-00001.arrow", first_row=128)
    assert_same_rows(reader.read_rows(0), rows.part(0, 64))
    expected = r"shard-00001.arrow: record batch 1 \(rows 192 to 255 of the stage\): damaged, its crc32 is"
    with pytest.raises(ArtifactError, match=expected):
        reader.read_rows(1)


@pytest.mark.parametrize("kept_bytes", [0, 5, 100, -1, -9, -300])
def test_a_cut_or_empty_file_is_refused(shard: tuple[str, ShardSummary], kept_bytes: int) -> None:
    path = Path(shard[0])
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(ArtifactError, match="shard-00000.arrow: (damaged or cut|missing or empty)"):
        ShardReader(shard[0], crc32=shard[1].crc32)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="missing or empty"):
        ShardReader(str(tmp_path / "nowhere"))


def test_a_shard_of_another_build_is_refused(shard: tuple[str, ShardSummary]) -> None:
    with pytest.raises(ArtifactError, match="holds 3 record batches, but the manifest lists 4"):
        ShardReader(shard[0], crc32=[0] * 6)


def test_without_checksums_arrow_still_refuses_a_broken_message(shard: tuple[str, ShardSummary]) -> None:
    data = bytearray(storage.read_bytes(shard[0]))
    first_byte, _ = ShardReader(shard[0]).batch_span(0)
    data[first_byte : first_byte + 64] = bytes(64)
    with pytest.raises(
        ArtifactError, match=r"record batch 0 \(rows 0 to 63 of the stage\): cannot be decoded"
    ):
        ShardReader(bytes(data)).read_batch(0)


def test_of_a_remote_shard_only_the_ends_and_one_batch_are_fetched(
    monkeypatch: pytest.MonkeyPatch, rows: Rows
) -> None:
    url = "memory://bucket/shard-00000.arrow"
    large = concat_rows([rows.part(0, 64)] * 40)
    summary = write(url, large)
    fetched: list[int] = []
    memory = type(fsspec.filesystem("memory"))
    original = memory.cat_file

    def counting(
        self: object, path: str, start: int | None = None, end: int | None = None, **options: object
    ) -> bytes:
        data: bytes = original(self, path, start=start, end=end, **options)
        fetched.append(len(data))
        return data

    monkeypatch.setattr(memory, "cat_file", counting)
    reader = ShardReader(url, crc32=summary.crc32)
    at_open = sum(fetched)
    assert_same_rows(reader.read_rows(39), rows.part(0, 64))
    assert sum(fetched) - at_open == reader.batch_span(39)[1]
    assert at_open < 80_000 < summary.size_bytes


def test_a_shard_that_fails_half_way_leaves_nothing(tmp_path: Path, rows: Rows) -> None:
    def failing() -> object:
        yield rows.part(0, 64)
        raise RuntimeError("the worker dies")

    with pytest.raises(RuntimeError):
        write_shard(str(tmp_path / "s"), failing(), layout=LAYOUT, first_row=0, num_sources=3)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
