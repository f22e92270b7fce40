"""The kernels that read text: words, shingles, signatures and content hashes are those of the reference."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from any_text import EDGES, column_of, columns, halves, texts_with
from hypothesis import example, given
from hypothesis import strategies as st
from reference_shingles import shingle_hashes, signature_of, words_of

from dataprep.dedup.buffers import filled_buffers
from dataprep.dedup.content import text_hashes
from dataprep.dedup.minhash import minhash, shingle_sets
from dataprep.dedup.word_kernels import count_words, folded_bytes
from dataprep.dedup.words import word_table

PIECES = (
    "the",
    " ",
    "  ",
    ".",
    "Word",
    "seven77",
    "eight888",
    "nine99999",
    "sixteen161616161",
    "x" * 33,
    "Ⱥ",
    "İ",
    "ς",
)
"""Words beside the eight bytes that are hashed in one step, and letters whose small form is longer."""

CHARACTERS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def num_words(column: pa.LargeStringArray) -> list[int]:
    buffers = filled_buffers(column)
    counts = np.full(len(column), -1, np.int64)
    folded = np.full(folded_bytes(buffers.longest), 0xFF, np.uint8)
    count_words(buffers.offsets, buffers.data, word_table(), folded, counts)
    return counts.tolist()


def assert_equals_reference(
    column: pa.LargeStringArray, texts: list[str | None], *, ngram: int, num_perm: int = 16, seed: int = 1
) -> None:
    """Everything that the kernels say of a column is what the reference says of each text alone."""
    assert num_words(column) == [len(words_of(text)) for text in texts]
    expected = [shingle_hashes(text, ngram) for text in texts]
    signed = minhash(column, num_perm=num_perm, ngram=ngram, seed=seed)
    assert signed.num_shingles.tolist() == [len(hashes) for hashes in expected]
    assert signed.values.shape == (len(texts), num_perm)
    for row, hashes in enumerate(expected):
        signature = signature_of(hashes, num_perm=num_perm, seed=seed)
        np.testing.assert_array_equal(signed.values[row], signature, err_msg=repr(texts[row])[:80])
    sets = shingle_sets(column, ngram=ngram)
    ascending = [sorted(set(hashes)) for hashes in expected]
    assert sets.offsets.tolist() == np.cumsum([0, *map(len, ascending)]).tolist()
    assert sets.hashes.tolist() == [number for hashes in ascending for number in hashes]
    digests = [xxhash.xxh64_intdigest((text or "").encode(), seed) for text in texts]
    assert text_hashes(column, seed=seed).tolist() == digests


def assert_texts_equal_reference(texts: list[str | None], *, ngram: int = 1) -> None:
    assert_equals_reference(pa.array(texts, pa.large_string()), texts, ngram=ngram)


@given(
    columns(texts_with(PIECES)),
    st.integers(1, 6),
    st.sampled_from([1, 15, 16, 128]),
    st.integers(0, 2**32 - 1),
)
def test_any_column_equals_the_reference(column_and_texts, ngram, num_perm, seed):
    column, texts = column_and_texts
    assert_equals_reference(column, texts, ngram=ngram, num_perm=num_perm, seed=seed)


@pytest.mark.parametrize("ngram", [1, 2, 5, 32])
def test_no_texts_empty_texts_and_nulls(ngram):
    assert_texts_equal_reference([], ngram=ngram)
    assert_texts_equal_reference([""], ngram=ngram)
    assert_texts_equal_reference([None], ngram=ngram)
    assert_texts_equal_reference(["", None, "a b", "", None], ngram=ngram)


def test_a_null_is_an_empty_text_even_where_it_has_bytes():
    column = column_of(["one two", "three four", "five six"], [True, False, True])
    assert_equals_reference(column, ["one two", None, "five six"], ngram=1)


def test_every_character_at_its_place_in_a_word():
    # One text of five megabytes, in which every character that there is stands between two letters.
    text = " ".join(f"a{character}B" for character in CHARACTERS)
    assert_texts_equal_reference(["b", text, "b"])


def test_every_edge_of_unicode_at_every_place_of_eight_bytes():
    assert_texts_equal_reference(
        [" " * place + "a" * size + edge + "a" for edge in EDGES for place in range(8) for size in range(9)]
    )


def test_words_of_every_size_at_every_place_of_eight_bytes():
    texts = [
        " " * place + "x" * size + end for size in range(1, 42) for place in range(9) for end in ("", " y")
    ]
    assert_texts_equal_reference(texts)


def test_texts_of_every_size_beside_each_other():
    letters = "0123456789abcdefghijklmnopqrstuvwxyz" * 4
    assert_texts_equal_reference([letters[:size] for size in range(140)])
    # A shorter text after a longer one: nothing is left over from that.
    assert_texts_equal_reference([letters[:size] for size in range(140, 0, -1)])


@pytest.mark.parametrize("letter", ["Ⱥ", "İ", "ẞ", "K", "𐐀", "漢"])
def test_letters_of_which_the_small_form_has_another_size_fill_the_scratch_memory(letter):
    for size in range(1, 20):
        assert_texts_equal_reference([letter * size])
    assert_texts_equal_reference(["a", letter * 100_000, "a"])


def test_words_and_shingles_that_only_a_neighbour_would_complete_are_not_seen():
    assert_texts_equal_reference(halves("word", "nine99999", "sixteen161616161", "éÉ漢𝔸", "İ"))
    for ngram in (2, 5):
        assert_texts_equal_reference(halves("one two three four five", "a b c d e f"), ngram=ngram)


@given(
    st.lists(
        st.one_of(st.binary(max_size=12), st.sampled_from(["é", "漢", "😀"]).map(str.encode)), max_size=6
    ),
    st.data(),
)
@example([b"ab\xf0\x9f\x98\x80"], None)
def test_bytes_that_are_no_text_give_what_they_give_alone(pieces, data):
    # Cut anywhere, within a character too: of a neighbour's bytes nothing is read.
    whole = b"".join(pieces)
    places = range(len(whole) + 1)
    cuts = sorted(data.draw(st.lists(st.sampled_from(places), max_size=4))) if data else list(places)
    together = column_of_bytes([whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)])
    signed = minhash(together, num_perm=16, ngram=1, seed=1)
    hashes = text_hashes(together, seed=1)
    sets = shingle_sets(together, ngram=1)
    for row, part in enumerate(together.cast(pa.large_binary()).to_pylist()):
        alone = column_of_bytes([part])
        np.testing.assert_array_equal(
            signed.values[row], minhash(alone, num_perm=16, ngram=1, seed=1).values[0]
        )
        own = sets.hashes[sets.offsets[row] : sets.offsets[row + 1]]
        np.testing.assert_array_equal(own, shingle_sets(alone, ngram=1).hashes)
        assert hashes[row] == xxhash.xxh64_intdigest(part, 1)


def column_of_bytes(parts: list[bytes]) -> pa.LargeStringArray:
    offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(parts))]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(parts), buffers).view(pa.large_string())


def test_numbers_of_shingles_at_which_blocks_and_ways_to_sort_change():
    # Eight shingles enter a signature together; up to 48 hashes are sorted by insertion, more byte by byte.
    sizes = [*range(70), 255, 256, 257, 1000]
    distinct = [" ".join(f"w{i}" for i in range(size)) for size in sizes]
    repeated = [" ".join(f"w{i % 7}" for i in range(size)) for size in sizes]
    for ngram in (1, 5):
        assert_texts_equal_reference(distinct + repeated, ngram=ngram)


@pytest.mark.parametrize("ngram", [1, 5])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x" * 3_000_001, id="one word"),
        pytest.param("漢Ⱥ" * 600_000, id="one word of long letters"),
        pytest.param("\u2028. " * 700_000, id="no word"),
        pytest.param("same " * 600_000, id="one word again and again"),
        pytest.param(" ".join(f"Wort{i * 7919 % 200_000}" for i in range(250_000)), id="many words"),
    ],
)
def test_texts_of_megabytes(text, ngram):
    assert_texts_equal_reference(["a b c d e f", text, "a b c d e f"], ngram=ngram)
