"""Rows whose key another row has too: the few that a search for duplicates has to look at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def rows_with_shared_keys(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the rows whose key occurs twice or more, in no particular order: int64[m].

    Everything that must be sorted by several columns is sorted after this, when most rows are
    gone: a sort by one column alone need not be stable, which makes it several times faster.
    """
    order = np.argsort(keys)
    ascending = keys[order]
    equals_next = ascending[1:] == ascending[:-1]
    is_shared = np.zeros(len(keys), dtype=bool)
    is_shared[:-1] |= equals_next
    is_shared[1:] |= equals_next
    return order[is_shared]
