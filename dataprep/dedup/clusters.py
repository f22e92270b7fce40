"""Clusters: edges closed transitively, each cluster named by its best document.

Two ways to the same result: a union-find over all edges in memory, and rounds of large-star
and small-star, in which every step needs the edges of some documents only.

Source of the second: Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii, "Connected
components in MapReduce and beyond", SoCC 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dataprep.dedup.edges import Edges, concatenate_edges, distinct_edges
from dataprep.hashing import mix64
from dataprep.kernels import at, kernel, read, subroutine, write

UInt64Array = npt.NDArray[np.uint64]
Int64Array = npt.NDArray[np.int64]

_BUCKET_KEY = 0x73746172  # "star"


def close_clusters(edges: Edges) -> Edges:
    """Return one edge from the best document of each cluster to every other one of the cluster.

    The result is ascending by worse document.
    """
    nodes = _number_nodes(edges)
    root = np.arange(len(nodes.doc_id), dtype=np.int64)
    _unite(nodes.better, nodes.worse, nodes.preference, root, np.empty(len(edges), dtype=bool))
    _point_to_roots(root)
    members = np.flatnonzero(root != np.arange(len(root)))
    roots = root[members]
    return Edges(
        nodes.preference[roots], nodes.doc_id[roots], nodes.preference[members], nodes.doc_id[members]
    )


def spanning_forest(edges: Edges) -> Edges:
    """Return the edges that connect what the edges before them left apart: same clusters, fewer edges."""
    nodes = _number_nodes(edges)
    joined = np.empty(len(edges), dtype=bool)
    root = np.arange(len(nodes.doc_id), dtype=np.int64)
    _unite(nodes.better, nodes.worse, nodes.preference, root, joined)
    return edges.take(joined)


@dataclass(frozen=True)
class _Nodes:
    """The documents of edges, numbered in the order of their ids."""

    doc_id: UInt64Array
    preference: UInt64Array
    better: Int64Array
    """int64[number of edges], numbers of the better documents; ``worse`` likewise"""
    worse: Int64Array


def _number_nodes(edges: Edges) -> _Nodes:
    doc_id, first_row, number = np.unique(
        np.concatenate([edges.better, edges.worse]), return_index=True, return_inverse=True
    )
    preference = np.concatenate([edges.better_preference, edges.worse_preference])[first_row]
    return _Nodes(doc_id, preference, number[: len(edges)], number[len(edges) :])


@subroutine
def _root_of(root: Any, node: int) -> int:
    while root[at(node)] != node:
        root[at(node)] = root[at(root[at(node)])]
        node = root[at(node)]
    return node


@kernel("none", read("int64"), read("int64"), read("uint64"), write("int64"), write("boolean"))
def _unite(a: Any, b: Any, preference: Any, root: Any, joined: Any) -> None:
    """Unite the nodes of each edge; the better root stays root. Nodes are numbered by document id."""
    for i in range(len(a)):
        root_a, root_b = _root_of(root, a[i]), _root_of(root, b[i])
        joined[i] = root_a != root_b
        a_is_better = preference[root_a] < preference[root_b] or (
            preference[root_a] == preference[root_b] and root_a < root_b
        )
        if a_is_better:
            root[root_b] = root_a
        else:
            root[root_a] = root_b


@kernel("none", write("int64"))
def _point_to_roots(root: Any) -> None:
    for node in range(len(root)):
        root[node] = _root_of(root, node)


def cluster_sizes(stars: Edges) -> dict[int, int]:
    """Return how many clusters have each size, survivor included.

    Args:
        stars: edges as ``close_clusters`` returns them.
    """
    _, removed = np.unique(stars.better, return_counts=True)
    sizes, counts = np.unique(removed + 1, return_counts=True)
    return {int(size): int(count) for size, count in zip(sizes, counts, strict=True)}


def bucket_of(doc_id: UInt64Array, num_buckets: int) -> Int64Array:
    """Return the bucket in which each document's neighbourhood is looked at: int64[n]."""
    return (mix64(doc_id, key=_BUCKET_KEY) % np.uint64(num_buckets)).astype(np.int64)


@dataclass(frozen=True)
class LargeStar:
    """What a large-star step of one bucket gives."""

    edges: Edges
    num_unfinished: int
    """Documents of the bucket that were neither the centre nor a leaf of one star. Where all
    buckets have none, the clusters were closed before the step, and it changed nothing."""


def large_star(edges: Edges, *, bucket: int, num_buckets: int) -> LargeStar:
    """Connect the worse neighbours of each document of a bucket with its best neighbour or itself.

    Args:
        edges: all edges with one or both ends in the bucket; repeats are fine.
    """
    edges = distinct_edges(edges)
    links = _best_links(edges.take(bucket_of(edges.worse, num_buckets) == bucket))
    outward = edges.take(bucket_of(edges.better, num_buckets) == bucket)
    place = np.searchsorted(links.best.worse, outward.better)
    is_linked = np.zeros(len(outward), dtype=bool)
    inside = place < len(links.best)
    is_linked[inside] = links.best.worse[place[inside]] == outward.better[inside]
    best, best_preference = outward.better.copy(), outward.better_preference.copy()
    best[is_linked] = links.best.better[place[is_linked]]
    best_preference[is_linked] = links.best.better_preference[place[is_linked]]
    unfinished = np.union1d(outward.better[is_linked], links.others.worse)
    return LargeStar(
        Edges(best_preference, best, outward.worse_preference, outward.worse), num_unfinished=len(unfinished)
    )


def small_star(edges: Edges, *, bucket: int, num_buckets: int) -> Edges:
    """Connect each document of a bucket and its better neighbours with the best of them.

    Args:
        edges: all edges whose worse end is in the bucket; repeats are fine.
    """
    edges = distinct_edges(edges)
    links = _best_links(edges.take(bucket_of(edges.worse, num_buckets) == bucket))
    best = links.best.take(np.searchsorted(links.best.worse, links.others.worse))
    between = Edges(best.better_preference, best.better, links.others.better_preference, links.others.better)
    return distinct_edges(concatenate_edges([links.best, between]))


@dataclass(frozen=True)
class _Links:
    best: Edges
    """For each worse document the edge to its best neighbour, ascending by worse document."""
    others: Edges
    """The edges to its other better neighbours."""


def _best_links(edges: Edges) -> _Links:
    edges = edges.take(np.lexsort((edges.better, edges.better_preference, edges.worse)))
    is_best = np.ones(len(edges), dtype=bool)
    is_best[1:] = edges.worse[1:] != edges.worse[:-1]
    return _Links(edges.take(is_best), edges.take(~is_best))
