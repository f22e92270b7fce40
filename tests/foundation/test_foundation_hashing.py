"""Hashes and permutations: stable values, and real permutations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.documents import document_ids, place_of
from dataprep.errors import BadInputError, nearest
from dataprep.hashing import hash64, keyed_permutation, mix64


def splitmix(value: int) -> int:
    """The finaliser as its paper writes it, on Python's own numbers."""
    mask = (1 << 64) - 1
    z = (value + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1), st.integers(0, 2**64 - 1))
def test_mix64_is_splitmix_of_value_and_key(values, key):
    mixed = mix64(np.array(values, np.uint64), key=key)
    assert mixed.tolist() == [splitmix(value ^ key) for value in values]


def test_hash64_tells_types_and_borders_apart():
    assert len({hash64("a", "bc"), hash64("ab", "c"), hash64(1), hash64("1"), hash64(b"1")}) == 5


def test_hash64_never_changes():
    # The order of every token store depends on this value.
    assert hash64("refinedweb", 7) == 12703005286217192817


@given(st.integers(0, 300), st.integers(0, 2**64 - 1))
def test_a_keyed_permutation_holds_every_number_once(size, key):
    assert sorted(keyed_permutation(size, key=key).tolist()) == list(range(size))


@given(st.integers(0, 4095), st.integers(0, 2**24 - 1), st.integers(0, 2**28 - 1))
def test_a_document_id_says_where_its_row_lies(collection, file, row):
    (doc_id,) = document_ids(collection=collection, file=file, first_row=row, num_rows=1)
    place = place_of(int(doc_id))
    assert (place.collection, place.file, place.row) == (collection, file, row)


def test_a_file_with_too_many_rows_is_refused():
    with pytest.raises(BadInputError, match="split the file"):
        document_ids(collection=1, file=1, first_row=2**28 - 1, num_rows=2)


def test_the_nearest_name_is_offered():
    assert nearest("arxvi", ["arxiv", "book"]) == "did you mean 'arxiv'?"
    assert nearest("x", []) == "none is known"
