"""Pairs of .bin and .idx, byte by byte; any number of writers, in any order, gives the same ones."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmap_reader import PairReader, write_pair

from dataprep.errors import ArtifactError
from dataprep.export.mmap_pair import PairLayout, RangeWriter


def allocate(folder: Path, sequences: list[list[int]], kind: str) -> PairLayout:
    layout = PairLayout(str(folder / "pair"), kind, len(sequences), sum(map(len, sequences)))
    layout.allocate()
    return layout


def fill(layout: PairLayout, sequences: list[list[int]], start: int, stop: int, *, chunk: int = 2) -> None:
    tokens_before = sum(map(len, sequences[:start]))
    with RangeWriter(layout, first_sequence=start, first_token=tokens_before) as writer:
        for first in range(start, stop, chunk):
            part = sequences[first : min(first + chunk, stop)]
            lengths = np.array([len(one) for one in part], dtype=np.uint32)
            writer.append(lengths, np.concatenate([np.array(one, dtype=np.uint32) for one in part]))


def test_three_documents_by_hand(tmp_path: Path) -> None:
    documents = [[5, 6, 7], [8], [9, 65_535]]
    layout = allocate(tmp_path, documents, "uint16")
    fill(layout, documents, 0, 3)
    layout.seal()
    assert (tmp_path / "pair.bin").read_bytes() == bytes.fromhex("0500 0600 0700 0800 0900 ffff")
    assert (tmp_path / "pair.idx").read_bytes() == b"".join(
        [
            bytes.fromhex("4d4d49444944580000"),
            bytes.fromhex("0100000000000000"),
            bytes.fromhex("08"),
            struct.pack("<QQ", 3, 4),
            struct.pack("<3i", 3, 1, 2),
            struct.pack("<3q", 0, 6, 8),
            struct.pack("<4q", 0, 1, 2, 3),
        ]
    )


def test_the_largest_id_of_arcade100k_is_itself(tmp_path: Path) -> None:
    layout = allocate(tmp_path, [[100_288]], "int32")
    fill(layout, [[100_288]], 0, 1)
    layout.seal()
    assert (tmp_path / "pair.bin").read_bytes() == (100_288).to_bytes(4, "little")
    assert (tmp_path / "pair.idx").read_bytes()[17] == 4


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sequences=st.lists(st.lists(st.integers(0, 65_535), min_size=1, max_size=9), min_size=1, max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=4),
    kind=st.sampled_from(["uint16", "int32"]),
    order=st.randoms(use_true_random=False),
)
def test_ranges_in_any_order_are_what_one_writer_writes(
    tmp_path: Path, sequences: list[list[int]], cuts: list[int], kind: str, order
) -> None:
    write_pair(tmp_path / "slow", sequences, kind)
    edges = sorted({0, len(sequences), *(cut for cut in cuts if cut < len(sequences))})
    ranges = list(itertools.pairwise(edges))
    order.shuffle(ranges)
    layout = allocate(tmp_path, sequences, kind)
    for start, stop in ranges:
        fill(layout, sequences, start, stop)
    layout.seal()
    for suffix in ("bin", "idx"):
        assert (tmp_path / f"pair.{suffix}").read_bytes() == (tmp_path / f"slow.{suffix}").read_bytes()
    assert PairReader(tmp_path / "pair").sequences() == sequences


def test_no_reader_accepts_a_pair_before_it_is_sealed(tmp_path: Path) -> None:
    documents = [[1, 2], [3]]
    layout = allocate(tmp_path, documents, "uint16")
    fill(layout, documents, 0, 2)
    with pytest.raises(ValueError, match="is no index"):
        PairReader(tmp_path / "pair")


def test_a_range_that_was_never_written_is_found(tmp_path: Path) -> None:
    documents = [[1, 2], [3], [4, 5], [6]]
    layout = allocate(tmp_path, documents, "uint16")
    fill(layout, documents, 0, 1)
    fill(layout, documents, 2, 4)
    with pytest.raises(ArtifactError, match=r"pair\.idx: sequences 0 to 3 do not follow each other"):
        layout.seal()


def test_ids_that_were_cut_off_are_found(tmp_path: Path) -> None:
    documents = [[1, 2], [3]]
    layout = allocate(tmp_path, documents, "uint16")
    fill(layout, documents, 0, 2)
    with open(layout.bin_path, "r+b") as stream:
        stream.truncate(4)
    with pytest.raises(ArtifactError, match=r"pair\.bin: 4 bytes, its index ends at 6"):
        layout.seal()


def test_offsets_pass_four_gigabytes(tmp_path: Path) -> None:
    num_tokens = (1 << 32) + 12
    layout = PairLayout(str(tmp_path / "pair"), "int32", 3, num_tokens)
    layout.allocate()  # sparse: takes no space on disk
    with RangeWriter(layout, first_sequence=2, first_token=num_tokens - 4) as writer:
        writer.append(np.array([4]), np.array([1, 2, 3, 4]))
    index = (tmp_path / "pair.idx").read_bytes()
    assert struct.unpack_from("<q", index, 34 + 4 * 3 + 8 * 2) == (4 * (num_tokens - 4),)
    with open(layout.bin_path, "rb") as stream:
        stream.seek(4 * (num_tokens - 4))
        assert stream.read() == struct.pack("<4i", 1, 2, 3, 4)


def test_allocating_again_keeps_what_is_there(tmp_path: Path) -> None:
    documents = [[1, 2], [3]]
    layout = allocate(tmp_path, documents, "uint16")
    fill(layout, documents, 0, 1)
    layout.allocate()
    fill(layout, documents, 1, 2)
    layout.seal()
    assert PairReader(tmp_path / "pair").sequences() == documents
