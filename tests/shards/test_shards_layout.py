"""Rows survive the way to Arrow and back, whatever the vocabulary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shards_builder import assert_same_rows, random_rows

from dataprep.errors import ArtifactError
from dataprep.shards import RowLayout, Rows, check_rows, concat_rows, decode_rows, decode_tokens, encode_rows


def one_row(tokens: list[int]) -> Rows:
    width = len(tokens)
    return Rows(
        tokens=np.array([tokens], dtype=np.uint32),
        source=np.zeros(1, dtype=np.uint16),
        epoch=np.zeros(1, dtype=np.uint8),
        n_tok=np.array([width], dtype=np.uint32),
        n_loss=np.array([width - 1], dtype=np.uint32),
        seg_starts=np.array([0, 1], dtype=np.int64),
        seg_len=np.array([width], dtype=np.uint32),
        seg_doc=np.array([5], dtype=np.uint64),
        seg_off=np.zeros(1, dtype=np.uint32),
        seg_flags=np.array([3], dtype=np.uint8),
    )


def test_an_id_of_17_bits_is_cut_in_a_low_plane_and_one_bit() -> None:
    batch = encode_rows(
        one_row([0, 65_535, 65_536, 100_288]), RowLayout(sequence_length=3, vocab_size=100_289)
    )
    assert batch.column("lo").to_pylist() == [[0, 65_535, 0, 34_752]]
    assert batch.column("hi").to_pylist() == [bytes([0b1100])]
    assert decode_tokens(batch).tolist() == [[0, 65_535, 65_536, 100_288]]


@pytest.mark.parametrize(
    ("vocab_size", "high_bytes"), [(50_257, None), (65_536, None), (65_537, 2), (131_072, 2), (131_073, 9)]
)
def test_the_high_plane_is_as_narrow_as_the_vocabulary_allows(
    vocab_size: int, high_bytes: int | None
) -> None:
    schema = RowLayout(sequence_length=8, vocab_size=vocab_size).schema()
    assert (schema.field("hi").type.byte_width if "hi" in schema.names else None) == high_bytes


@given(
    num_rows=st.integers(0, 9),
    sequence_length=st.integers(1, 40),
    vocab_size=st.sampled_from([2, 50_257, 65_536, 65_537, 100_289, 131_072, 131_073, 1 << 24]),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_rows_come_back_as_they_went_also_from_a_slice(
    num_rows: int, sequence_length: int, vocab_size: int, seed: int, data: st.DataObject
) -> None:
    rows = random_rows(num_rows, sequence_length, vocab_size=vocab_size, seed=seed)
    batch = encode_rows(rows, RowLayout(sequence_length=sequence_length, vocab_size=vocab_size))
    batch.validate(full=True)
    assert_same_rows(decode_rows(batch), rows)
    start = data.draw(st.integers(0, num_rows))
    stop = data.draw(st.integers(start, num_rows))
    assert_same_rows(decode_rows(batch.slice(start, stop - start)), rows.part(start, stop))


@pytest.mark.parametrize("kind", [np.uint32, np.int32, np.int64])
def test_ids_are_decoded_into_the_array_that_is_given(kind: type[np.integer]) -> None:
    rows = random_rows(4, 7, vocab_size=100_289)
    batch = encode_rows(rows, RowLayout(sequence_length=7, vocab_size=100_289))
    out = np.full((4, 8), 77, dtype=kind)
    assert decode_tokens(batch, out) is out
    np.testing.assert_array_equal(out, rows.tokens)


@pytest.mark.parametrize("kind", [np.uint32, np.int32, np.int64])
@pytest.mark.parametrize("share", [0.0, 0.03, 0.2, 1.0])
def test_rare_and_common_high_bits_are_decoded_alike(share: float, kind: type[np.integer]) -> None:
    generator = np.random.default_rng(1)
    rows = random_rows(9, 40, vocab_size=65_536, seed=1)
    rows.tokens[generator.random(rows.tokens.shape) < share] |= 65_536
    layout = RowLayout(sequence_length=40, vocab_size=131_072)
    out = np.full((12, 41), 7, dtype=kind)
    decode_tokens(encode_rows(rows, layout).slice(2, 5), out[4:9])
    assert out[4:9].tolist() == rows.tokens[2:7].tolist()
    assert (out[:4] == 7).all()
    assert (out[9:] == 7).all()


@given(order=st.lists(st.integers(0, 7), max_size=12), seed=st.integers(0, 50))
def test_take_and_concat_move_whole_rows_with_their_segments(order: list[int], seed: int) -> None:
    rows = random_rows(8, 5, vocab_size=100, seed=seed)
    taken = rows.take(np.array(order, dtype=np.int64))
    if order:
        assert_same_rows(taken, concat_rows([rows.part(i, i + 1) for i in order]))
    assert len(taken) == len(order)


def test_rows_that_break_the_format_are_named() -> None:
    rows = random_rows(8, 5, vocab_size=100, num_sources=3)
    check_rows(rows, vocab_size=100, num_sources=3, where="shard-00000.arrow")
    rows.tokens[6, 2] = 100
    rows.n_tok[3] -= 1
    with pytest.raises(ArtifactError) as caught:
        check_rows(rows, vocab_size=100, num_sources=1, where="shard-00000.arrow")
    message = str(caught.value)
    assert message.startswith("shard-00000.arrow: row 6 of the batch: token id 100 is outside of 0..99")
    assert "but there are 1 sources" in message
    assert "row 3 of the batch: segments add up to" in message
