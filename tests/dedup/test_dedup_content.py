"""Content hashes are XXH64 under two seeds."""

from __future__ import annotations

import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from dataprep.dedup.content import CONTENT_SEEDS, content_hashes, text_hashes


def reference(text: str | None, seed: int) -> int:
    return xxhash.xxh64_intdigest((text or "").encode(), seed)


@given(
    texts=st.lists(st.one_of(st.none(), st.text(max_size=200)), max_size=6), seed=st.integers(0, 2**64 - 1)
)
def test_hashes_equal_xxh64(texts, seed):
    hashes = text_hashes(pa.array(texts, pa.large_string()), seed=seed)
    assert hashes.tolist() == [reference(text, seed) for text in texts]


@pytest.mark.parametrize("num_bytes", [*range(70), 1000, 4096, 4097])
def test_every_length_of_the_rest_behind_the_last_block(num_bytes):
    text = ("0123456789abcdefghijklmnopqrstuvwxyz" * 200)[:num_bytes]
    assert text_hashes(pa.array([text], pa.large_string()), seed=7).tolist() == [reference(text, 7)]


def test_the_halves_are_independent_hashes():
    upper, lower = content_hashes(pa.array(["a", "b"], pa.large_string()))
    assert upper.tolist() == [reference("a", CONTENT_SEEDS[0]), reference("b", CONTENT_SEEDS[0])]
    assert lower.tolist() == [reference("a", CONTENT_SEEDS[1]), reference("b", CONTENT_SEEDS[1])]


def test_slices_are_hashed_as_if_they_stood_alone():
    texts = pa.array(["one", "two", "three"], pa.large_string())
    assert text_hashes(texts.slice(1, 1), seed=0).tolist() == [reference("two", 0)]
