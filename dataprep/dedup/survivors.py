"""Documents with equal keys: which of them survives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dataprep.dedup.edges import Edges

UInt64Array = npt.NDArray[np.uint64]


def duplicates_by_key(keys: Sequence[UInt64Array], *, preference: UInt64Array, doc_id: UInt64Array) -> Edges:
    """Return an edge from the best document of each key to every other one with this key.

    Args:
        keys: one or more uint64[n]; documents are duplicates when all their keys are equal.
        preference: uint64[n], smaller is better; see ``edges``.
        doc_id: uint64[n], distinct.

    Returns: edges in the order of key, preference and id.
    """
    if len(doc_id) == 0:
        return Edges.empty()
    order = np.lexsort((doc_id, preference, *reversed(keys)))
    preference, doc_id = preference[order], doc_id[order]
    starts_group = np.ones(len(order), dtype=bool)
    starts_group[1:] = np.logical_or.reduce([key[order][1:] != key[order][:-1] for key in keys])
    best = np.maximum.accumulate(np.where(starts_group, np.arange(len(order)), 0))
    others = np.flatnonzero(~starts_group)
    best = best[others]
    return Edges(preference[best], doc_id[best], preference[others], doc_id[others])
