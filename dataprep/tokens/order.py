"""The order of a stream in each of its epochs.

Epoch 0 is the order of the keys. In a later epoch the blocks stand in a permutation of the
whole stream, and the documents of a block in a permutation of the block, both keyed by seed,
source, class and epoch. A later epoch is thus another order of the same documents that still
reads every block once, and any position is found without reading what comes before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataprep.hashing import hash64, keyed_permutation
from dataprep.tokens.index import StreamIndex
from dataprep.tokens.ragged import offsets_of


@dataclass(frozen=True)
class EpochOrder:
    """Which block stands where in one epoch of a stream."""

    blocks: npt.NDArray[np.int64]
    """int64[num_blocks]: number of the block at each place."""
    starts: npt.NDArray[np.int64]
    """int64[num_blocks + 1]: position in the epoch of the first token at each place, and the end."""

    def places(self, start: int, stop: int) -> range:
        """Return the places whose blocks hold the tokens [start, stop) of the epoch."""
        first = int(np.searchsorted(self.starts, start, side="right")) - 1
        return range(first, int(np.searchsorted(self.starts, stop, side="left")))


def epoch_order(index: StreamIndex, *, seed: int, source: str, epoch: int) -> EpochOrder:
    """Return the order of the blocks of a stream in an epoch."""
    if epoch == 0:
        return EpochOrder(np.arange(index.num_blocks, dtype=np.int64), index.block_starts)
    key = hash64("blocks", seed, source, index.class_name, epoch)
    blocks = keyed_permutation(index.num_blocks, key=key)
    return EpochOrder(blocks, offsets_of(index.block_tokens[blocks]))


def document_order(
    num_docs: int, *, seed: int, source: str, class_name: str, epoch: int, block: int
) -> npt.NDArray[np.int64]:
    """Return the order of the documents of a block in an epoch after the first: int64[num_docs]."""
    assert epoch > 0, "in epoch 0 documents stand in the order of their keys"
    return keyed_permutation(num_docs, key=hash64("documents", seed, source, class_name, epoch, block))
