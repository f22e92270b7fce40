"""Of documents with equal keys the best one survives: rank, then length, then id."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataprep.dedup.edges import Edges, distinct_edges, num_bytes_of, preferences, rank_of
from dataprep.dedup.survivors import duplicates_by_key


def uint64(*values):
    return np.array(values, dtype=np.uint64)


def pairs(edges: Edges) -> list[tuple[int, int]]:
    return list(zip(edges.better.tolist(), edges.worse.tolist(), strict=True))


def test_preference_orders_by_rank_then_by_length():
    preference = preferences(rank=np.array([1, 0, 0]), num_bytes=np.array([900, 10, 20]))
    assert np.argsort(preference).tolist() == [2, 1, 0]
    assert rank_of(preference).tolist() == [1, 0, 0]
    assert num_bytes_of(preference).tolist() == [900, 10, 20]


def test_the_best_rank_survives_then_the_longest_then_the_lowest_id():
    preference = preferences(rank=np.array([1, 0, 0, 0]), num_bytes=np.array([99, 10, 20, 20]))
    edges = duplicates_by_key([uint64(5, 5, 5, 5)], preference=preference, doc_id=uint64(1, 2, 4, 3))
    assert pairs(edges) == [(3, 4), (3, 2), (3, 1)]


def test_documents_with_different_keys_are_left_alone():
    edges = duplicates_by_key(
        [uint64(1, 1, 2), uint64(7, 8, 7)], preference=uint64(0, 0, 0), doc_id=uint64(1, 2, 3)
    )
    assert pairs(edges) == []


def test_nothing_to_compare():
    assert len(duplicates_by_key([uint64()], preference=uint64(), doc_id=uint64())) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 3)), max_size=30))
def test_edges_equal_a_dictionary_of_lists(rows):
    doc_id = np.random.default_rng(len(rows)).permutation(len(rows)).astype(np.uint64)
    first, second, preference = (np.array([row[i] for row in rows], dtype=np.uint64) for i in range(3))
    edges = duplicates_by_key([first, second], preference=preference, doc_id=doc_id)
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, (a, b, p) in enumerate(rows):
        groups.setdefault((a, b), []).append((p, int(doc_id[row])))
    expected = [
        (sorted(members)[0][1], worse)
        for _, members in sorted(groups.items())
        for _, worse in sorted(members)[1:]
    ]
    assert pairs(edges) == expected


def test_distinct_edges_come_once_in_order():
    edges = Edges(uint64(0, 0, 0), uint64(2, 1, 2), uint64(9, 9, 9), uint64(3, 3, 3))
    assert pairs(distinct_edges(edges)) == [(1, 3), (2, 3)]
    assert pairs(distinct_edges(Edges.empty())) == []


def test_edges_survive_a_round_trip_through_arrow():
    edges = Edges(uint64(1, 2), uint64(3, 4), uint64(5, 6), uint64(7, 2**64 - 1))
    again = Edges.from_batches([edges.to_batch()])
    assert pairs(again) == pairs(edges)
    assert again.worse_preference.tolist() == [5, 6]
    assert len(Edges.from_batches([])) == 0
