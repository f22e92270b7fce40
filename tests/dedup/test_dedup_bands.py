"""Band keys name the values of a band, and the band."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.dedup.bands import band_keys

MASK = 2**64 - 1


def reference_key(values: list[int], band: int) -> int:
    state = ((band + 1) * 0x9E3779B97F4A7C15) & MASK
    for value in values:
        state = ((state ^ value) + 0x9E3779B97F4A7C15) & MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
        state ^= state >> 31
    return state


def assert_equals_reference(signatures: np.ndarray, *, num_bands: int, rows_per_band: int) -> None:
    keys = band_keys(signatures, num_bands=num_bands, rows_per_band=rows_per_band)
    assert keys.shape == (len(signatures), num_bands)
    bands = [slice(band * rows_per_band, (band + 1) * rows_per_band) for band in range(num_bands)]
    expected = [
        [reference_key(row[values], band) for band, values in enumerate(bands)] for row in signatures.tolist()
    ]
    assert keys.tolist() == expected


VALUES = st.one_of(st.sampled_from([0, 1, 2**31, 2**32 - 1]), st.integers(0, 2**32 - 1))


@given(data=st.data(), num_bands=st.integers(1, 5), rows_per_band=st.integers(1, 4))
def test_keys_equal_the_reference(data, num_bands, rows_per_band):
    # Values behind the last band belong to none.
    num_perm = num_bands * rows_per_band + data.draw(st.integers(0, 3))
    rows = data.draw(st.lists(st.lists(VALUES, min_size=num_perm, max_size=num_perm), max_size=3))
    signatures = np.array(rows, dtype=np.uint32).reshape(-1, num_perm)
    assert_equals_reference(signatures, num_bands=num_bands, rows_per_band=rows_per_band)


@pytest.mark.parametrize(("num_bands", "rows_per_band"), [(14, 8), (25, 5), (128, 1), (1, 128)])
def test_thousands_of_signatures_equal_the_reference(num_bands, rows_per_band):
    signatures = np.random.default_rng(3).integers(0, 2**32, (3000, 128), dtype=np.uint32)
    assert_equals_reference(signatures[:1000], num_bands=num_bands, rows_per_band=rows_per_band)
    # Every third row, columns backwards: no signature follows the one before it in memory.
    assert_equals_reference(signatures[::3, ::-1], num_bands=num_bands, rows_per_band=rows_per_band)


def test_no_signatures_have_no_keys():
    assert band_keys(np.zeros((0, 128), dtype=np.uint32), num_bands=14, rows_per_band=8).shape == (0, 14)


def test_one_different_value_changes_the_key_of_its_band_only():
    a = np.arange(128, dtype=np.uint32)[None, :]
    b = a.copy()
    b[0, 17] = 999
    different = band_keys(a, num_bands=14, rows_per_band=8) != band_keys(b, num_bands=14, rows_per_band=8)
    assert np.flatnonzero(different[0]).tolist() == [2]


def test_equal_values_in_two_bands_have_two_keys():
    keys = band_keys(np.zeros((1, 16), dtype=np.uint32), num_bands=2, rows_per_band=8)
    assert keys[0, 0] != keys[0, 1]


def test_documents_become_candidates_as_often_as_the_formula_says():
    rng = np.random.default_rng(7)
    similarity, pairs = 0.75, 4000
    a = rng.integers(0, 2**32, (pairs, 128), dtype=np.uint32)
    b = np.where(
        rng.random((pairs, 128)) < similarity, a, rng.integers(0, 2**32, (pairs, 128), dtype=np.uint32)
    )
    keys_a, keys_b = (band_keys(x, num_bands=14, rows_per_band=8) for x in (a, b))
    found = np.mean((keys_a == keys_b).any(axis=1))
    assert found == pytest.approx(1 - (1 - similarity**8) ** 14, abs=0.03)
