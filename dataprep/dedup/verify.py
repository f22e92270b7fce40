"""Verification: which candidates are similar enough to count as near-duplicates.

The members of a group are taken in survivor order, best first. Each is compared with the
leaders so far, which are members that were similar to none before them; the first leader
that it is similar to gives an edge. Where no leader is similar, the last members that follow
a leader are tried too, since two near-duplicates can lie on different sides of the threshold
from their leader. Otherwise the member becomes a leader. The numbers of leaders and followers
that are compared are bounded, so a group of n members costs O(n) and not O(n**2).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dataprep.dedup.edges import Edges, distinct_edges
from dataprep.dedup.minhash import ShingleSets
from dataprep.kernels import at, borrowed, kernel, read, subroutine, write

UInt32Array = npt.NDArray[np.uint32]
UInt64Array = npt.NDArray[np.uint64]

MAX_LEADERS = 64
"""Leaders and followers of a group that a member is compared with; the oldest is forgotten.
Members that agree in a band are alike as a rule, so a group rarely has more than a few leaders."""

_NO_SETS = ShingleSets(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.uint64))


def verified_edges(
    *,
    group: UInt64Array,
    preference: UInt64Array,
    doc_id: UInt64Array,
    signatures: UInt32Array,
    threshold: float,
    shingles: ShingleSets | None = None,
) -> Edges:
    """Return the edges of the groups: each distinct one once, ascending by better and worse document.

    Args:
        group: uint64[n], name of the group of each row; a document has a row for each of its groups.
        preference: uint64[n], smaller is better.
        doc_id: uint64[n].
        signatures: uint32[n, num_perm].
        threshold: least similarity of an edge.
        shingles: exact sets of the rows' documents. With them the similarity is the Jaccard
            similarity of the sets, without them its estimate from the signatures.
    """
    order = np.lexsort((doc_id, preference, group))
    num_perm = signatures.shape[1]
    if shingles is None:
        least_matches, sets, least_similarity = least_matching_values(threshold, num_perm), _NO_SETS, 0.0
    else:
        # Sets are not compared where the estimate is five standard deviations below the
        # threshold, which happens to a pair at the threshold once in three million times.
        least_matches = max(0, math.floor((threshold - 5 * math.sqrt(0.25 / num_perm)) * num_perm))
        sets, least_similarity = shingles, threshold
    better = np.empty(len(order), dtype=np.int64)
    _verify(
        np.ascontiguousarray(group),
        order,
        np.ascontiguousarray(signatures),
        least_matches,
        np.ascontiguousarray(sets.offsets),
        np.ascontiguousarray(sets.hashes),
        least_similarity,
        np.empty(MAX_LEADERS, dtype=np.int64),
        np.empty(MAX_LEADERS, dtype=np.int64),
        better,
    )
    worse_rows = np.flatnonzero(better >= 0)
    better_rows = better[worse_rows]
    edges = Edges(preference[better_rows], doc_id[better_rows], preference[worse_rows], doc_id[worse_rows])
    return distinct_edges(edges)


def least_matching_values(threshold: float, num_perm: int) -> int:
    """Return in how many values two signatures must agree for an estimate of ``threshold`` or more.

    >>> least_matching_values(0.75, 128)
    96
    """
    # The margin undoes the rounding of products like 0.7 * 10 = 7.000000000000001.
    return math.ceil(threshold * num_perm - 1e-9)


@subroutine
def _num_matches(signatures: Any, a: int, b: int) -> int:
    matches = 0
    for k in range(signatures.shape[1]):
        matches += signatures[at(a), at(k)] == signatures[at(b), at(k)]
    return matches


@subroutine
def _jaccard(offsets: Any, hashes: Any, a: int, b: int) -> float:
    """Return the Jaccard similarity of two ascending sets without repeats."""
    i, stop_i = offsets[a], offsets[a + 1]
    j, stop_j = offsets[b], offsets[b + 1]
    size_a, size_b = stop_i - i, stop_j - j
    common = 0
    while i < stop_i and j < stop_j:
        if hashes[at(i)] == hashes[at(j)]:
            common += 1
            i += 1
            j += 1
        elif hashes[at(i)] < hashes[at(j)]:
            i += 1
        else:
            j += 1
    union = size_a + size_b - common
    return common / union if union > 0 else 0.0


@subroutine
def _first_similar(
    signatures: Any,
    least_matches: int,
    offsets: Any,
    hashes: Any,
    least_similarity: float,
    row: int,
    others: Any,
    count: int,
) -> Any:
    """Return the first of the rows ``others`` that ``row`` is similar to, or -1.

    ``count`` rows have come there; the last ``MAX_LEADERS`` of them are left, the oldest first.
    """
    for k in range(max(0, count - MAX_LEADERS), count):
        other = others[k % MAX_LEADERS]
        if _num_matches(signatures, row, other) >= least_matches and (
            least_similarity == 0.0 or _jaccard(offsets, hashes, row, other) >= least_similarity
        ):
            return other
    return -1


@kernel(
    "none",
    read("uint64"),
    read("int64"),
    read("uint32", 2),
    "int64",
    read("int64"),
    read("uint64"),
    "float64",
    write("int64"),
    write("int64"),
    write("int64"),
)
def _verify(
    group: Any,
    order: Any,
    signatures: Any,
    least_matches: int,
    offsets: Any,
    hashes: Any,
    least_similarity: float,
    leaders: Any,
    followers: Any,
    better: Any,
) -> None:
    """Write into ``better`` the row that each row is a duplicate of, or -1; rows in ``order``.

    ``leaders`` and ``followers`` are scratch, int64[MAX_LEADERS]. Where the least similarity is 0,
    sets are not compared.
    """
    signatures, offsets, hashes = borrowed(signatures), borrowed(offsets), borrowed(hashes)
    leaders, followers = borrowed(leaders), borrowed(followers)
    num_leaders = num_followers = 0
    for place in range(len(order)):
        row = order[place]
        if place == 0 or group[row] != group[order[place - 1]]:
            num_leaders = num_followers = 0
        found = _first_similar(
            signatures, least_matches, offsets, hashes, least_similarity, row, leaders, num_leaders
        )
        if found < 0:
            found = _first_similar(
                signatures, least_matches, offsets, hashes, least_similarity, row, followers, num_followers
            )
        if found < 0:
            leaders[num_leaders % MAX_LEADERS] = row
            num_leaders += 1
        else:
            followers[num_followers % MAX_LEADERS] = row
            num_followers += 1
        better[row] = found
