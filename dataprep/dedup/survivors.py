"""Documents with equal keys: which of them survives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dataprep.dedup.edges import Edges
from dataprep.dedup.shared_keys import rows_with_shared_keys

UInt64Array = npt.NDArray[np.uint64]


def duplicates_by_key(keys: Sequence[UInt64Array], *, preference: UInt64Array, doc_id: UInt64Array) -> Edges:
    """Return an edge from the best document of each key to every other one with this key.

    Args:
        keys: one or more uint64[n]; documents are duplicates when all their keys are equal.
        preference: uint64[n], smaller is better; see ``edges``.
        doc_id: uint64[n], distinct.

    Returns: edges in the order of key, preference and id.
    """
    rows = rows_with_shared_keys(keys[0])
    if len(rows) == 0:
        return Edges.empty()
    rows = rows[np.lexsort((doc_id[rows], preference[rows], *(key[rows] for key in reversed(keys))))]
    preference, doc_id = preference[rows], doc_id[rows]
    starts_group = np.ones(len(rows), dtype=bool)
    starts_group[1:] = np.logical_or.reduce([key[rows[1:]] != key[rows[:-1]] for key in keys])
    best = np.maximum.accumulate(np.where(starts_group, np.arange(len(rows)), 0))
    others = np.flatnonzero(~starts_group)
    best = best[others]
    return Edges(preference[best], doc_id[best], preference[others], doc_id[others])
