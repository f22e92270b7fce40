"""Signatures equal datasketch's, computed from words and shingles in plain Python."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasketch import MinHash
from hypothesis import example, given
from hypothesis import strategies as st
from reference_shingles import shingle_hash as hash_of_words
from reference_shingles import words_of

from dataprep.dedup.minhash import (
    minhash,
    permutations,
    shingle_hash,
    shingle_hash64,
    shingle_sets,
    word_hash,
)

# Letters of one to four bytes, marks that separate, and the characters with rules of their own.
ODD_CHARACTERS = "aZ_9 \t\n.-éÉßẞΣσςİıȺⱥKÅǅ中文字١٢०ａＡ𝔸𐐀𐐨😀\u0307\u200b\u2028\u00ad\ufeff\x00\x7f\x80"
words_and_noise = st.lists(
    st.one_of(
        st.text(alphabet=ODD_CHARACTERS, max_size=20),
        st.text(max_size=12),
        st.sampled_from(["the", "quick", "Brown", "fox", "a" * 7, "b" * 8, "c" * 9, "d" * 16, "e" * 40]),
    ),
    max_size=30,
).map(" ".join)


def reference_shingles(text: str, ngram: int) -> list[bytes]:
    words = words_of(text)
    return [" ".join(words[i : i + ngram]).encode() for i in range(len(words) - ngram + 1)]


def reference_signature(text: str, *, num_perm: int, ngram: int, seed: int) -> np.ndarray:
    sketch = MinHash(num_perm=num_perm, seed=seed, scheme="affine32", hashfunc=shingle_hash)
    sketch.update_batch(reference_shingles(text, ngram))
    return sketch.hashvalues


def signed(texts, **settings):
    return minhash(pa.array(texts, pa.large_string()), **{"num_perm": 128, "ngram": 5, "seed": 1, **settings})


def test_shingles_of_a_text_by_hand():
    assert reference_shingles("One, two! Three four FIVE six.", 5) == [
        b"one two three four five",
        b"two three four five six",
    ]


def test_hashes_by_hand():
    # One block of eight bytes: ((start ^ block) * multiplier) mod 2**64, folded once.
    state = ((0x6A09E667F3BCC9FF ^ int.from_bytes(b"one", "little")) * 0xBB67AE8584CAA73B) % 2**64
    assert word_hash(b"one") == state ^ (state >> 32)
    assert shingle_hash(b"one two") == shingle_hash64(b"one two") >> 32
    assert shingle_hash(b"one two") != shingle_hash(b"two one")


@given(st.lists(st.text(alphabet="aé漢𝔸0_", min_size=1, max_size=40), min_size=1, max_size=6))
def test_hashes_in_plain_python_equal_the_reference(words):
    assert shingle_hash64(" ".join(words).encode()) == hash_of_words(tuple(words))


def test_two_documents_that_share_half_of_their_shingles_agree_in_about_half_of_the_values():
    # Words 0-13 and 5-18 make 10 shingles each; 5 are common, 15 there are in all.
    words = [f"w{i}" for i in range(19)]
    values = signed([" ".join(words[:14]), " ".join(words[5:])], num_perm=1024).values
    assert np.mean(values[0] == values[1]) == pytest.approx(5 / 15, abs=0.05)


@given(texts=st.lists(words_and_noise, max_size=4), ngram=st.integers(1, 6))
@example(texts=["", "a b c d e", "a b c d"], ngram=5)
@example(texts=["İİ İ İstanbul", "ΟΔΟΣ οδος οδοσ", "a\u0307b"], ngram=1)
def test_signatures_equal_datasketch(texts, ngram):
    result = signed(texts, ngram=ngram)
    for row, text in enumerate(texts):
        assert result.num_shingles[row] == len(reference_shingles(text, ngram))
        expected = reference_signature(text, num_perm=128, ngram=ngram, seed=1)
        np.testing.assert_array_equal(result.values[row], expected)


@given(text=st.text(max_size=200))
def test_any_text_of_any_plane_equals_datasketch(text):
    np.testing.assert_array_equal(
        signed([text], ngram=1).values[0], reference_signature(text, num_perm=128, ngram=1, seed=1)
    )


@pytest.mark.parametrize("num_perm", [16, 17, 100, 256])
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_every_number_of_permutations_and_seed(num_perm, seed):
    text = "a text of some seven or eight words"
    expected = reference_signature(text, num_perm=num_perm, ngram=3, seed=seed)
    np.testing.assert_array_equal(signed([text], num_perm=num_perm, ngram=3, seed=seed).values[0], expected)
    sketch = MinHash(num_perm=num_perm, seed=seed, scheme="affine32")
    np.testing.assert_array_equal(np.array(permutations(num_perm, seed)), sketch.permutations)


@pytest.mark.parametrize("num_words", [5, 12, 13, 20, 21])
def test_blocks_of_eight_shingles_and_their_rests(num_words):
    text = " ".join(f"w{i}" for i in range(num_words))
    expected = reference_signature(text, num_perm=128, ngram=5, seed=1)
    np.testing.assert_array_equal(signed([text]).values[0], expected)


def test_a_text_shorter_than_a_shingle_has_no_shingle():
    result = signed(["", "one two three four", "...", None])
    assert result.num_shingles.tolist() == [0, 0, 0, 0]
    assert np.all(result.values == 0xFFFFFFFF)


def test_neighbours_in_the_buffer_do_not_touch_each_other():
    texts = ["ab", "cd ef", "é", "gh"]
    together = signed(texts, ngram=1)
    for row, text in enumerate(texts):
        np.testing.assert_array_equal(together.values[row], signed([text], ngram=1).values[0])


def test_slices_are_signed_as_if_they_stood_alone():
    texts = pa.array(["x y z a b", "c d e f g h", "i j k l m"], pa.large_string())
    whole = minhash(texts, num_perm=128, ngram=5, seed=1)
    part = minhash(texts.slice(1), num_perm=128, ngram=5, seed=1)
    np.testing.assert_array_equal(part.values, whole.values[1:])


def test_no_texts():
    assert signed([]).values.shape == (0, 128)


@given(texts=st.lists(words_and_noise, max_size=4), ngram=st.integers(1, 6))
def test_shingle_sets_equal_the_sets_of_their_hashes(texts, ngram):
    sets = shingle_sets(pa.array(texts, pa.large_string()), ngram=ngram)
    for row, text in enumerate(texts):
        expected = sorted({shingle_hash64(shingle) for shingle in reference_shingles(text, ngram)})
        assert sets.hashes[sets.offsets[row] : sets.offsets[row + 1]].tolist() == expected


def test_hashes_of_similar_shingles_collide_no_more_than_random_numbers():
    # 200,000 shingles that differ in one or two letters: 4.7 collisions of 32 bits are expected.
    text = " ".join(f"{a}{b} x{a}" for a in "abcdefghij" for b in range(10_000))
    distinct = shingle_sets(pa.array([text], pa.large_string()), ngram=2).hashes
    assert len(distinct) > 190_000
    collisions = len(distinct) - len(np.unique(distinct >> np.uint64(32)))
    expected = len(distinct) ** 2 / 2**33
    assert collisions <= expected + 5 * np.sqrt(expected)


@pytest.mark.corpus
def test_signatures_of_real_documents_equal_datasketch(corpus):
    tables = [pq.read_table(path) for path in sorted((corpus / "culturax").glob("*/*.parquet"))]
    texts = [text for table in tables for text in table.column("text").to_pylist()[:40:2] if text]
    lines = (corpus / "redpajama" / "wikipedia").glob("*.jsonl")
    texts += [
        json.loads(line)["text"] for path in lines for line in path.read_bytes().split(b"\n")[:60] if line
    ]
    assert len(texts) > 150
    result = signed(texts)
    for row, text in enumerate(texts):
        expected = reference_signature(text, num_perm=128, ngram=5, seed=1)
        np.testing.assert_array_equal(result.values[row], expected)
