"""Documents that share a band key form groups; groups of the same documents are one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataprep.dedup.candidates import candidate_groups


def groups_of(keys, ids, *, max_members=1 << 16) -> list[list[int]]:
    """The members of each group, in the order in which the groups come."""
    group, member = candidate_groups(
        np.array(keys, dtype=np.uint64), np.array(ids, dtype=np.uint64), max_members=max_members
    )
    found: dict[int, list[int]] = {}
    for name, document in zip(group.tolist(), member.tolist(), strict=True):
        found.setdefault(name, []).append(document)
    return list(found.values())


def test_only_shared_keys_make_groups():
    assert groups_of([9, 5, 9, 7, 5, 9], [1, 1, 4, 2, 3, 2]) == [[1, 3], [1, 2, 4]]


def test_nothing_shared_makes_no_group():
    assert groups_of([], []) == []
    assert groups_of([1, 2, 3], [1, 2, 3]) == []


def test_the_same_documents_under_two_keys_have_one_name():
    group, member = candidate_groups(
        np.array([1, 1, 2, 2, 3, 3], dtype=np.uint64),
        np.array([4, 5, 5, 4, 4, 6], dtype=np.uint64),
        max_members=10,
    )
    assert member.tolist() == [4, 5, 4, 5, 4, 6]
    assert group[0] == group[1] == group[2] == group[3] != group[4] == group[5]


def test_a_key_of_too_many_documents_makes_pieces_that_share_the_lowest_id():
    keys = [1] * 2 + [2] * 8 + [3] * 3 + [4] * 5
    ids = [1, 2, *range(10, 18), 1, 2, 3, *range(20, 25)]
    assert groups_of(keys, ids, max_members=4) == [
        [1, 2],
        [10, 11, 12, 13],
        [10, 14, 15, 16],
        [10, 17],
        [1, 2, 3],
        [20, 21, 22, 23],
        [20, 24],
    ]


@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20)), max_size=60, unique=True),
    max_members=st.integers(2, 6),
)
def test_groups_equal_a_dictionary_of_lists(rows, max_members):
    by_key: dict[int, list[int]] = {}
    for key, document in sorted(rows):
        by_key.setdefault(key, []).append(document)
    expected = []
    for _, (first, *rest) in sorted(by_key.items()):
        if len(rest) + 1 <= max_members:
            pieces = [[first, *rest]] if rest else []
        else:
            step = max_members - 1
            pieces = [[first, *rest[i : i + step]] for i in range(0, len(rest), step)]
        expected += pieces
    found = groups_of([r[0] for r in rows], [r[1] for r in rows], max_members=max_members)
    # The same set of documents under several keys comes under one name.
    assert {frozenset(group) for group in found} == {frozenset(group) for group in expected}
    assert all(len(group) >= 2 for group in found)
