"""Candidates become edges where they are similar enough, at a cost that grows with their number only."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.dedup.edges import Edges
from dataprep.dedup.minhash import ShingleSets
from dataprep.dedup.verify import MAX_LEADERS, least_matching_values, verified_edges


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


def described_edges(signatures, *, threshold, group, preference, doc_id, sets=None) -> list[tuple[int, int]]:
    """The edges as the module describes them, member by member."""
    num_perm = signatures.shape[1]

    def are_similar(a: int, b: int) -> bool:
        agreeing = sum(x == y for x, y in zip(signatures[a].tolist(), signatures[b].tolist(), strict=True))
        if sets is None:
            return agreeing >= least_matching_values(threshold, num_perm)
        # The standard deviation of the estimate is at most sqrt(0.25 / num_perm).
        near = agreeing >= math.floor((threshold - 5 * math.sqrt(0.25 / num_perm)) * num_perm)
        union = sets[a] | sets[b]
        return near and bool(union) and len(sets[a] & sets[b]) / len(union) >= threshold

    edges = set()
    for name in set(group):
        leaders: list[int] = []
        followers: list[int] = []
        members = [row for row in range(len(group)) if group[row] == name]
        for row in sorted(members, key=lambda row: (preference[row], doc_id[row])):
            others = leaders[-MAX_LEADERS:] + followers[-MAX_LEADERS:]
            found = next((other for other in others if are_similar(row, other)), None)
            (leaders if found is None else followers).append(row)
            if found is not None:
                edges.add((doc_id[found], doc_id[row]))
    return sorted(edges)


def shingles_of(sets: list[set[int]]) -> ShingleSets:
    hashes = [number for one in sets for number in sorted(one)]
    return ShingleSets(np.cumsum([0, *map(len, sets)]), np.array(hashes, dtype=np.uint64))


PREFERENCES = st.sampled_from([0, 1, 2, 2**63 - 1, 2**63, 2**64 - 1])


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from([0, 1, 2**64 - 1]),
            PREFERENCES,
            st.text(alphabet="ab", min_size=4, max_size=4),
            st.sets(st.integers(0, 5)),
        ),
        max_size=25,
    ),
    threshold=st.sampled_from([0.5, 0.75, 1.0]),
    data=st.data(),
)
def test_edges_equal_the_description_in_plain_python(rows, threshold, data):
    given_rows = {
        "group": [row[0] for row in rows],
        "preference": [row[1] for row in rows],
        "doc_id": data.draw(st.permutations(range(len(rows)))),
    }
    signatures = signatures_of(*[r[2] for r in rows]) if rows else np.zeros((0, 4), dtype=np.uint32)
    edges = edges_of(signatures, threshold=threshold, **given_rows)
    assert pairs(edges) == described_edges(signatures, threshold=threshold, **given_rows)
    sets = [row[3] for row in rows]
    edges = edges_of(signatures, threshold=threshold, shingles=shingles_of(sets), **given_rows)
    assert pairs(edges) == described_edges(signatures, threshold=threshold, sets=sets, **given_rows)


@pytest.mark.parametrize("num_perm", [16, 128])
@pytest.mark.parametrize("num_kinds", [10, 60, 100, 400])
def test_groups_with_more_leaders_and_followers_than_are_remembered(num_perm, num_kinds):
    # Copies of a few or of hundreds of documents, each changed in up to half of its values.
    rng = np.random.default_rng(num_kinds)
    n = 500
    signatures = rng.integers(0, 2**32, (num_kinds, num_perm), dtype=np.uint32)[rng.integers(0, num_kinds, n)]
    changed = rng.random((n, num_perm)) < rng.choice([0, 0.1, 0.25, 0.5], (n, 1))
    signatures[changed] = rng.integers(0, 2**32, int(changed.sum()), dtype=np.uint32)
    sets = [{int(value) for value in row[:8]} for row in signatures]
    given_rows = {
        "group": [1] * n,
        "preference": rng.integers(0, 50, n).tolist(),
        "doc_id": rng.permutation(n).tolist(),
    }
    found = pairs(edges_of(signatures, threshold=0.7, **given_rows))
    assert found == described_edges(signatures, threshold=0.7, **given_rows)
    assert 0 < len(found) < n
    found = pairs(edges_of(signatures, threshold=0.5, shingles=shingles_of(sets), **given_rows))
    assert found == described_edges(signatures, threshold=0.5, sets=sets, **given_rows)
    # The same rows where they do not follow each other in memory.
    wider = np.repeat(np.repeat(signatures, 2, axis=0), 2, axis=1)
    apart = edges_of(wider[::2, ::2], threshold=0.7, **given_rows)
    assert pairs(apart) == described_edges(signatures, threshold=0.7, **given_rows)


def test_one_row_and_no_rows_have_no_edges():
    for n in (0, 1):
        rows = np.zeros((n, 16), dtype=np.uint32)
        assert pairs(edges_of(rows)) == []
        assert pairs(edges_of(rows, shingles=shingles_of([{1}] * n))) == []


def test_two_documents_without_a_shingle_are_not_alike():
    assert pairs(edges_of(np.zeros((2, 16), dtype=np.uint32), shingles=shingles_of([set(), set()]))) == []


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
    count = MAX_LEADERS + 1
    rows = np.repeat(np.arange(count, dtype=np.uint32), 16).reshape(count, 16)
    again = np.concatenate([rows, rows[:1], rows[-1:]])
    assert pairs(edges_of(again)) == [(count - 1, count + 1)]
