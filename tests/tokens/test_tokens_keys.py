"""Keys, classes and bins: a document's place depends on its name alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.errors import ConfigError
from dataprep.hashing import hash64, mix64
from dataprep.tokens import ALL, HOLDOUT, LONG, SHORT, Layout, document_keys

keys_of_any_size = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50)


def origins(names: list[str]) -> pa.DictionaryArray:
    return pa.array(names, pa.string()).dictionary_encode()


def test_the_key_is_a_hash_of_seed_collection_file_and_row():
    keys = document_keys(origins(["a", "b", "a"]), np.array([0, 0, 5], np.uint32), seed=3, collection="pile")
    expected = [
        int(mix64(np.array([row], np.uint64), key=hash64("document", 3, "pile", file))[0])
        for file, row in [("a", 0), ("b", 0), ("a", 5)]
    ]
    assert keys.tolist() == expected
    assert len(set(expected)) == 3


def test_seed_and_collection_change_every_key():
    row = np.arange(50, dtype=np.uint32)
    of = [
        document_keys(origins(["a"] * 50), row, seed=seed, collection=collection)
        for seed, collection in [(0, "x"), (1, "x"), (0, "y")]
    ]
    assert len(set(np.concatenate(of).tolist())) == 150


def test_dictionary_codes_do_not_matter():
    """Two batches of one file may code its name differently."""
    plain = document_keys(origins(["b", "a"]), np.array([1, 2], np.uint32), seed=0, collection="c")
    coded = pa.DictionaryArray.from_arrays(pa.array([2, 0], pa.int32()), pa.array(["a", "unused", "b"]))
    assert (
        document_keys(coded, np.array([1, 2], np.uint32), seed=0, collection="c").tolist() == plain.tolist()
    )


def test_keys_are_uniform():
    """Chi-squared over 64 ranges of 64,000 consecutive rows: mean 63, five deviations above is 119."""
    keys = document_keys(origins(["f"] * 64_000), np.arange(64_000, dtype=np.uint32), seed=1, collection="c")
    observed = np.bincount((keys >> np.uint64(58)).astype(np.int64), minlength=64)
    assert ((observed - 1000) ** 2 / 1000).sum() < 119


@pytest.mark.parametrize(
    ("holdout", "long", "classes", "buckets"),
    [
        (0.0, None, (ALL,), [(ALL, 0), (ALL, 1)]),
        (0.1, None, (ALL, HOLDOUT), [(ALL, 0), (ALL, 1), (HOLDOUT, 0)]),
        (0.0, 100, (SHORT, LONG), [(SHORT, 0), (SHORT, 1), (LONG, 0), (LONG, 1)]),
        (0.1, 9, (SHORT, LONG, HOLDOUT), [(SHORT, 0), (SHORT, 1), (LONG, 0), (LONG, 1), (HOLDOUT, 0)]),
    ],
)
def test_classes_and_buckets(holdout, long, classes, buckets):
    layout = Layout(holdout, long, num_bins=2, num_holdout_bins=1)
    assert layout.classes == classes
    assert list(layout.buckets) == buckets
    assert layout.num_buckets == len(buckets)


def test_bins_are_halves_of_the_key_space():
    layout = Layout(0.0, None, num_bins=2, num_holdout_bins=1)
    keys = np.array([0, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    assert layout.assign(keys, np.ones(4, np.int64)).tolist() == [0, 0, 1, 1]


def test_a_quarter_is_held_out_whatever_its_length():
    layout = Layout(0.25, 10, num_bins=1, num_holdout_bins=1)
    keys = np.array([0, 2**62 - 1, 2**62, 2**62, 2**64 - 1], np.uint64)
    lengths = np.array([5, 500, 9, 10, 11], np.int64)
    names = [layout.buckets[b][0] for b in layout.assign(keys, lengths)]
    assert names == [HOLDOUT, HOLDOUT, SHORT, LONG, LONG]


@given(
    keys=keys_of_any_size,
    holdout=st.sampled_from([0.0, 1e-9, 0.01, 0.5]),
    long=st.sampled_from([None, 7]),
    num_bins=st.integers(1, 9),
    num_holdout_bins=st.integers(1, 3),
)
def test_bins_of_a_class_follow_the_keys(keys, holdout, long, num_bins, num_holdout_bins):
    """Every document has a bucket of its class, and bins in order hold keys in order."""
    layout = Layout(holdout, long, num_bins=num_bins, num_holdout_bins=num_holdout_bins)
    ordered = np.sort(np.array(keys, np.uint64))
    lengths = (ordered % np.uint64(13)).astype(np.int64) + 1
    buckets = [layout.buckets[b] for b in layout.assign(ordered, lengths)]
    bins_seen: dict[str, list[int]] = {}
    for key, length, (class_name, number) in zip(ordered.tolist(), lengths.tolist(), buckets):
        held_out = key < int(holdout * 2**64)
        training = ALL if long is None else LONG if length >= long else SHORT
        assert class_name == (HOLDOUT if held_out else training)
        bins_seen.setdefault(class_name, []).append(number)
    for numbers in bins_seen.values():
        assert numbers == sorted(numbers)


@given(num_bins=st.integers(1, 40), holdout=st.sampled_from([0.0, 0.01, 0.3]))
def test_bins_are_of_equal_size(num_bins, holdout):
    layout = Layout(holdout, None, num_bins=num_bins, num_holdout_bins=1)
    keys = np.linspace(layout.holdout_limit, 2**64 - 2**12, 40 * num_bins).astype(np.uint64)
    counts = np.bincount(layout.assign(keys, np.ones(len(keys), np.int64)), minlength=num_bins)
    assert counts[:num_bins].min() >= 38
    assert counts[:num_bins].max() <= 42


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 2.0])
def test_a_hold_out_that_makes_no_sense(fraction):
    with pytest.raises(ConfigError, match="holdout_fraction must be at least 0 and below 1"):
        Layout(fraction, None, num_bins=1, num_holdout_bins=1)


def test_a_length_boundary_that_makes_no_sense():
    with pytest.raises(ConfigError, match="min_tokens of long documents must be 1 or more, got 0"):
        Layout(0.0, 0, num_bins=1, num_holdout_bins=1)
