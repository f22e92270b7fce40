"""Union-find and star rounds close the same clusters, and name each by its best document."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dataprep.dedup.clusters import (
    bucket_of,
    close_clusters,
    cluster_sizes,
    large_star,
    small_star,
    spanning_forest,
)
from dataprep.dedup.edges import Edges, concatenate_edges


def edges_between(pairs, preference) -> Edges:
    """Edges over documents 10, 11, ...; ``preference[i]`` belongs to document 10 + i."""
    better, worse = [], []
    for a, b in pairs:
        first, second = sorted([a, b], key=lambda d: (preference[d], d))
        better.append(first)
        worse.append(second)
    better, worse = np.array(better, dtype=np.int64), np.array(worse, dtype=np.int64)
    values = np.array(preference, dtype=np.uint64)
    return Edges(
        values[better], (better + 10).astype(np.uint64), values[worse], (worse + 10).astype(np.uint64)
    )


def stars(edges: Edges) -> dict[int, int]:
    """Removed document to survivor."""
    assert len(set(edges.worse.tolist())) == len(edges)
    return dict(zip(edges.worse.tolist(), edges.better.tolist(), strict=True))


def reference(pairs, preference) -> dict[int, int]:
    n = len(preference)
    rows, columns = ([p[i] for p in pairs] for i in range(2))
    matrix = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(n, n))
    _, label = connected_components(matrix, directed=False)
    result = {}
    for component in range(label.max() + 1):
        best, *others = sorted(np.flatnonzero(label == component).tolist(), key=lambda d: (preference[d], d))
        result |= {other + 10: best + 10 for other in others}
    return result


def connecting(pairs) -> list[bool]:
    """Whether each pair connects what those before it left apart: every node knows its whole cluster."""
    cluster = {node: {node} for pair in pairs for node in pair}
    connects = []
    for a, b in pairs:
        connects.append(cluster[a] is not cluster[b])
        united = cluster[a] | cluster[b] if connects[-1] else cluster[a]
        cluster |= dict.fromkeys(united, united)
    return connects


def close_in_rounds(edges: Edges, num_buckets: int) -> tuple[Edges, int]:
    """The rounds as the pipeline runs them, bucket by bucket."""
    for number in range(1, 65):
        worse, better = bucket_of(edges.worse, num_buckets), bucket_of(edges.better, num_buckets)
        steps = [
            large_star(edges.take((worse == b) | (better == b)), bucket=b, num_buckets=num_buckets)
            for b in range(num_buckets)
        ]
        edges = concatenate_edges([step.edges for step in steps])
        if not any(step.num_unfinished for step in steps):
            return edges, number
        worse = bucket_of(edges.worse, num_buckets)
        edges = concatenate_edges(
            [
                small_star(edges.take(worse == b), bucket=b, num_buckets=num_buckets)
                for b in range(num_buckets)
            ]
        )
    raise AssertionError("not closed after 64 rounds")


def test_a_chain_is_one_cluster_of_its_best_document():
    edges = edges_between([(0, 1), (1, 2), (2, 3)], preference=[5, 5, 1, 5])
    assert stars(close_clusters(edges)) == {10: 12, 11: 12, 13: 12}


def test_equal_preferences_are_decided_by_the_lower_id():
    assert stars(close_clusters(edges_between([(1, 2), (0, 2)], preference=[3, 3, 3]))) == {11: 10, 12: 10}


def test_no_edges():
    assert len(close_clusters(Edges.empty())) == 0
    assert cluster_sizes(Edges.empty()) == {}
    assert len(spanning_forest(Edges.empty())) == 0


def test_cluster_sizes_count_the_survivor():
    edges = edges_between([(0, 1), (2, 3), (3, 4), (5, 6)], preference=[0] * 7)
    assert cluster_sizes(close_clusters(edges)) == {2: 2, 3: 1}


graphs = st.integers(2, 25).flatmap(
    lambda n: st.tuples(
        st.lists(
            st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] != p[1]),
            min_size=1,
            max_size=40,
        ),
        # Many ties, and numbers that are negative to whoever takes them for signed ones.
        st.lists(st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1]), min_size=n, max_size=n),
    )
)


@given(graph=graphs, num_buckets=st.integers(1, 4))
def test_both_algorithms_equal_scipy(graph, num_buckets):
    pairs, preference = graph
    edges = edges_between(pairs, preference)
    expected = reference(pairs, preference)
    assert stars(close_clusters(edges)) == expected
    assert stars(close_in_rounds(edges, num_buckets)[0]) == expected


@given(graph=graphs)
def test_a_spanning_forest_is_the_edges_that_connect_what_those_before_left_apart(graph):
    pairs, preference = graph
    edges = edges_between(pairs, preference)
    forest, expected = spanning_forest(edges), edges.take(np.array(connecting(pairs)))
    for name in ("better_preference", "better", "worse_preference", "worse"):
        np.testing.assert_array_equal(getattr(forest, name), getattr(expected, name))
    assert stars(close_clusters(forest)) == stars(close_clusters(edges))


def test_one_edge_is_one_cluster_whatever_the_numbers_of_its_documents():
    last = np.array([2**64 - 1], dtype=np.uint64)
    edge = Edges(last, np.array([2**63], dtype=np.uint64), last, last)
    for result in (close_clusters(edge), spanning_forest(edge)):
        assert (result.better.tolist(), result.worse.tolist()) == ([2**63], [2**64 - 1])


@pytest.mark.parametrize("order", ["ends inwards", "forwards", "backwards", "shuffled", "halves of halves"])
@pytest.mark.parametrize("best", ["first", "last", "middle", "all alike"])
def test_a_path_of_a_hundred_thousand_documents_is_one_cluster(order, best):
    n = 100_000
    links = np.arange(n - 1)
    # By the lowest set bit: pairs first, then pairs of pairs, ...
    halves = np.argsort((links + 1) & -(links + 1), kind="stable")
    places = {
        "ends inwards": np.stack([links, links[::-1]], axis=1).reshape(-1)[: n - 1],
        "forwards": links,
        "backwards": links[::-1],
        "shuffled": np.random.default_rng(2).permutation(n - 1),
        "halves of halves": halves,
    }[order]
    preference = np.full(n, 9, dtype=np.uint64)
    survivor = {"first": 0, "last": n - 1, "middle": n // 2, "all alike": 0}[best]
    if best != "all alike":
        preference[survivor] = 1
    ids = np.arange(n, dtype=np.uint64)
    is_worse = preference[places] > preference[places + 1]
    better, worse = np.where(is_worse, places + 1, places), np.where(is_worse, places, places + 1)
    path = Edges(preference[better], ids[better], preference[worse], ids[worse])
    closed = close_clusters(path)
    assert closed.worse.tolist() == [i for i in range(n) if i != survivor]
    assert set(closed.better.tolist()) == {survivor}
    assert len(spanning_forest(path)) == len(set(places.tolist()))


@pytest.mark.parametrize("shape", ["chain", "shuffled chain", "star", "giant", "many pairs"])
def test_large_graphs_close_in_few_rounds(shape):
    n = 3000
    rng = np.random.default_rng(5)
    nodes = rng.permutation(n) if shape == "shuffled chain" else np.arange(n)
    pairs = {
        "chain": list(itertools.pairwise(nodes)),
        "shuffled chain": list(itertools.pairwise(nodes)),
        "star": [(0, i) for i in range(1, n)],
        "giant": [(a, b) for a, b in rng.integers(0, n, (3 * n, 2)).tolist() if a != b],
        "many pairs": [(i, i + 1) for i in range(0, n, 2)],
    }[shape]
    preference = rng.integers(0, 50, n).tolist()
    edges = edges_between(pairs, preference)
    expected = reference(pairs, preference)
    assert stars(close_clusters(edges)) == expected
    closed, num_rounds = close_in_rounds(edges, num_buckets=3)
    assert stars(closed) == expected
    assert num_rounds <= 14


def test_finished_stars_are_recognised_and_left_as_they_are():
    edges = edges_between([(0, 1), (0, 2), (3, 4)], preference=[0] * 5)
    closed, num_rounds = close_in_rounds(edges, num_buckets=2)
    assert num_rounds == 1
    assert stars(closed) == stars(edges)
