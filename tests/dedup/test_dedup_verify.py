"""Candidates become edges where they are similar enough, at a cost that grows with their number only."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.dedup import verify
from dataprep.dedup.edges import Edges
from dataprep.dedup.minhash import ShingleSets
from dataprep.dedup.verify import least_matching_values, verified_edges


def pairs(edges: Edges) -> list[tuple[int, int]]:
    return list(zip(edges.better.tolist(), edges.worse.tolist(), strict=True))


def signatures_of(*rows: str) -> np.ndarray:
    """Signatures written as letters: two documents agree where their letters agree."""
    return np.array([[ord(letter) for letter in row] for row in rows], dtype=np.uint32)


def edges_of(signatures, *, threshold=0.75, group=None, preference=None, doc_id=None, shingles=None) -> Edges:
    n = len(signatures)
    return verified_edges(
        group=np.array(group if group is not None else [1] * n, dtype=np.uint64),
        preference=np.array(preference if preference is not None else range(n), dtype=np.uint64),
        doc_id=np.array(doc_id if doc_id is not None else range(n), dtype=np.uint64),
        signatures=signatures,
        threshold=threshold,
        shingles=shingles,
    )


def test_three_of_four_values_are_enough_for_a_threshold_of_three_quarters():
    assert pairs(edges_of(signatures_of("aaaa", "aaab"))) == [(0, 1)]
    assert pairs(edges_of(signatures_of("aaaa", "aabb"))) == []


@pytest.mark.parametrize(("threshold", "expected"), [(0.75, 96), (0.7, 90), (0.001, 1), (1.0, 128)])
def test_matches_that_a_threshold_asks_for(threshold, expected):
    assert least_matching_values(threshold, 128) == expected


def test_rounding_asks_for_no_more_matches_than_the_threshold():
    # 0.7 * 10 is 7.000000000000001 in floating point when computed as 0.1 * 70.
    assert least_matching_values(0.1 * 7, 10) == 7


def test_the_better_document_comes_first_whatever_the_order_of_the_rows():
    edges = edges_of(signatures_of("aaaa", "aaaa", "aaaa"), preference=[5, 3, 3], doc_id=[1, 9, 8])
    assert pairs(edges) == [(8, 1), (8, 9)]
    assert edges.better_preference.tolist() == [3, 3]
    assert edges.worse_preference.tolist() == [5, 3]


def test_only_members_of_one_group_are_compared():
    assert pairs(edges_of(signatures_of("aaaa", "aaaa"), group=[1, 2])) == []


def test_an_edge_that_two_groups_find_comes_once():
    rows = signatures_of("aaaa", "aaaa", "aaaa", "aaaa")
    assert pairs(edges_of(rows, group=[1, 1, 2, 2], doc_id=[4, 7, 4, 7], preference=[0] * 4)) == [(4, 7)]


def test_a_group_of_two_kinds_makes_two_stars():
    edges = edges_of(signatures_of("aaaa", "bbbb", "aaab", "bbba"))
    assert pairs(edges) == [(0, 2), (1, 3)]


def test_a_document_that_is_near_a_follower_only_is_found():
    # 2 agrees with 1 in three of four values, but with the leader 0 in two only.
    assert pairs(edges_of(signatures_of("aaaa", "aaab", "aabb"))) == [(0, 1), (1, 2)]


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 3), st.text(alphabet="ab", min_size=4, max_size=4)),
        max_size=25,
    ),
    threshold=st.sampled_from([0.5, 0.75, 1.0]),
)
def test_edges_equal_the_description_in_plain_python(rows, threshold):
    expected = set()
    for name in {row[0] for row in rows}:
        leaders, followers = [], []
        members = sorted((p, document, text) for document, (g, p, text) in enumerate(rows) if g == name)
        for _, document, text in members:
            for other, other_text in leaders + followers:
                if sum(x == y for x, y in zip(text, other_text, strict=True)) >= threshold * 4:
                    expected.add((other, document))
                    followers.append((document, text))
                    break
            else:
                leaders.append((document, text))
    signatures = signatures_of(*[r[2] for r in rows]) if rows else np.zeros((0, 4), dtype=np.uint32)
    edges = edges_of(
        signatures, threshold=threshold, group=[r[0] for r in rows], preference=[r[1] for r in rows]
    )
    assert pairs(edges) == sorted(expected)


def test_exact_sets_decide_where_they_are_given():
    # All signatures agree; the sets {1,2,3,4}, {1,2,3}, {1,2,9} are what counts.
    sets = ShingleSets(np.array([0, 4, 7, 10]), np.array([1, 2, 3, 4, 1, 2, 3, 1, 2, 9], dtype=np.uint64))
    rows = np.zeros((3, 16), dtype=np.uint32)
    assert pairs(edges_of(rows, threshold=0.75, shingles=sets)) == [(0, 1)]
    assert pairs(edges_of(rows, threshold=0.76, shingles=sets)) == []
    assert pairs(edges_of(rows, threshold=0.4, shingles=sets)) == [(0, 1), (0, 2)]


@given(st.lists(st.sets(st.integers(0, 12), min_size=1), min_size=2, max_size=2), st.floats(0.05, 1.0))
def test_exact_similarity_is_jaccard(sets, threshold):
    hashes = np.array(sorted(sets[0]) + sorted(sets[1]), dtype=np.uint64)
    offsets = np.array([0, len(sets[0]), len(hashes)])
    edges = edges_of(
        np.zeros((2, 16), dtype=np.uint32), threshold=threshold, shingles=ShingleSets(offsets, hashes)
    )
    is_similar = len(sets[0] & sets[1]) / len(sets[0] | sets[1]) >= threshold
    assert len(edges) == is_similar


def test_sets_are_not_compared_where_signatures_are_far_apart():
    same = ShingleSets(np.array([0, 1, 2]), np.array([5, 5], dtype=np.uint64))
    far = np.stack([np.zeros(128, dtype=np.uint32), np.ones(128, dtype=np.uint32)])
    assert pairs(edges_of(far, shingles=same)) == []


def test_a_group_of_many_unlike_members_is_not_compared_pair_by_pair():
    # 100,000 members without a similar pair: 5e9 pairs would take minutes.
    rows = np.arange(100_000 * 16, dtype=np.uint32).reshape(100_000, 16)
    edges_of(rows[:2])
    started = time.monotonic()
    assert len(edges_of(rows)) == 0
    assert time.monotonic() - started < 20


def test_more_leaders_than_are_remembered_forgets_the_oldest():
    count = verify.MAX_LEADERS + 1
    rows = np.repeat(np.arange(count, dtype=np.uint32), 16).reshape(count, 16)
    again = np.concatenate([rows, rows[:1], rows[-1:]])
    assert pairs(edges_of(again)) == [(count - 1, count + 1)]
