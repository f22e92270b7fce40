"""Candidate groups: documents that share a band key."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dataprep.dedup.shared_keys import rows_with_shared_keys
from dataprep.hashing import mix64

UInt64Array = npt.NDArray[np.uint64]

_MEMBER_KEY = 0x6D656D626572  # "member"


def candidate_groups(
    keys: UInt64Array, doc_id: UInt64Array, *, max_members: int
) -> tuple[UInt64Array, UInt64Array]:
    """Return (group, member) for every key that two or more documents share.

    A group is named by a hash of its members, so the groups that the same documents form in
    several bands have one name and are verified once. A key of more than ``max_members``
    documents makes several groups; each has the key's lowest document id as a member, so that
    copies of one document stay connected.

    Args:
        keys: uint64[n], band keys.
        doc_id: uint64[n], the document of each key.
        max_members: most documents of a group, 2 or more.

    Returns: group names and members, uint64[m] each, ascending by key and document id.
    """
    rows = rows_with_shared_keys(keys)
    if len(rows) == 0:
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.uint64)
    keys, members = keys[rows], doc_id[rows]
    order = np.lexsort((members, keys))
    keys, members = keys[order], members[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    sizes = np.diff(starts, append=len(keys))
    if sizes.max() > max_members:
        members, sizes = _cut_groups(members, sizes, max_members=max_members)
    return np.repeat(_names(members, sizes), sizes), members


def _cut_groups(
    members: UInt64Array, sizes: npt.NDArray[np.int64], *, max_members: int
) -> tuple[UInt64Array, npt.NDArray[np.int64]]:
    """Cut each group that is too large into pieces that begin with the group's first member."""
    ends = np.cumsum(sizes)
    pieces, piece_sizes = [], []
    next_group, next_member = 0, 0
    for group in np.flatnonzero(sizes > max_members):
        start, stop = int(ends[group] - sizes[group]), int(ends[group])
        pieces.append(members[next_member:start])
        piece_sizes.append(sizes[next_group:group])
        first, rest = members[start : start + 1], members[start + 1 : stop]
        for i in range(0, len(rest), max_members - 1):
            pieces.append(np.concatenate([first, rest[i : i + max_members - 1]]))
            piece_sizes.append(np.array([len(pieces[-1])], dtype=np.int64))
        next_group, next_member = int(group) + 1, stop
    pieces.append(members[next_member:])
    piece_sizes.append(sizes[next_group:])
    return np.concatenate(pieces), np.concatenate(piece_sizes)


def _names(members: UInt64Array, sizes: npt.NDArray[np.int64]) -> UInt64Array:
    """Return the name of each group: a hash of its set of members, uint64[number of groups]."""
    starts = np.cumsum(sizes) - sizes
    return mix64(np.add.reduceat(mix64(members, key=_MEMBER_KEY), starts), key=_MEMBER_KEY)
