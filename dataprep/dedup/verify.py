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

import numpy as np
import numpy.typing as npt

from dataprep.dedup.compiled import kernel
from dataprep.dedup.edges import Edges, distinct_edges
from dataprep.dedup.minhash import ShingleSets

UInt32Array = npt.NDArray[np.uint32]
UInt64Array = npt.NDArray[np.uint64]
Int64Array = npt.NDArray[np.int64]

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
        group,
        order,
        np.ascontiguousarray(signatures),
        least_matches,
        sets.offsets,
        sets.hashes,
        least_similarity,
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


@kernel
def _num_matches(signatures: UInt32Array, a: int, b: int) -> int:
    matches = 0
    for k in range(signatures.shape[1]):
        matches += signatures[a, k] == signatures[b, k]
    return matches


@kernel
def _jaccard(offsets: Int64Array, hashes: UInt64Array, a: int, b: int) -> float:
    """Return the Jaccard similarity of two ascending sets without repeats."""
    i, stop_i = offsets[a], offsets[a + 1]
    j, stop_j = offsets[b], offsets[b + 1]
    size_a, size_b = stop_i - i, stop_j - j
    common = 0
    while i < stop_i and j < stop_j:
        if hashes[i] == hashes[j]:
            common += 1
            i += 1
            j += 1
        elif hashes[i] < hashes[j]:
            i += 1
        else:
            j += 1
    union = size_a + size_b - common
    return common / union if union > 0 else 0.0


@kernel
def _are_similar(
    signatures: UInt32Array,
    least_matches: int,
    offsets: Int64Array,
    hashes: UInt64Array,
    least_similarity: float,
    a: int,
    b: int,
) -> bool:
    if _num_matches(signatures, a, b) < least_matches:
        return False
    return least_similarity == 0.0 or _jaccard(offsets, hashes, a, b) >= least_similarity


@kernel
def _verify(
    group: UInt64Array,
    order: Int64Array,
    signatures: UInt32Array,
    least_matches: int,
    offsets: Int64Array,
    hashes: UInt64Array,
    least_similarity: float,
    better: Int64Array,
) -> None:
    """Fill ``better`` with the row that each row is a duplicate of, or -1; rows in ``order``."""
    leaders = np.empty(MAX_LEADERS, dtype=np.int64)
    followers = np.empty(MAX_LEADERS, dtype=np.int64)
    num_leaders = num_followers = 0
    for place in range(order.shape[0]):
        row = order[place]
        if place == 0 or group[row] != group[order[place - 1]]:
            num_leaders = num_followers = 0
        found = -1
        for k in range(max(0, num_leaders - MAX_LEADERS), num_leaders):
            other = leaders[k % MAX_LEADERS]
            if _are_similar(signatures, least_matches, offsets, hashes, least_similarity, row, other):
                found = other
                break
        if found < 0:
            for k in range(max(0, num_followers - MAX_LEADERS), num_followers):
                other = followers[k % MAX_LEADERS]
                if _are_similar(signatures, least_matches, offsets, hashes, least_similarity, row, other):
                    found = other
                    break
        if found < 0:
            leaders[num_leaders % MAX_LEADERS] = row
            num_leaders += 1
        else:
            followers[num_followers % MAX_LEADERS] = row
            num_followers += 1
        better[row] = found
