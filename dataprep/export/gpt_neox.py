"""Index maps with which GPT-NeoX keeps the order of rows that it reads.

GPT-NeoX shuffles what it trains on. It reads sample i through three arrays, which it builds once and
keeps beside the data under a name made of the settings that shape them::

    k = shuffle_idx[i]
    sample = the tokens from sample_idx[k] to sample_idx[k + 1], both (document, offset) and included
    document d of these is sequence doc_idx[d]

Arrays that lie there already are taken as they are. Ours give sample i = row i::

    doc_idx      int32[n]       0, 1, 2, ...
    sample_idx   int32[2n, 2]   (0, 0), (0, L), (1, 0), (1, L), ...
    shuffle_idx  uint32[n + 1]  0, 2, 4, ...; the last is there because readers take one less

so that each sample begins and ends in one sequence and is exactly its L + 1 tokens. With one entry for
each row, samples would end in the next sequence and have L + 2 tokens, which only newer versions cut.
The arrays must have the name that GPT-NeoX looks for, or it builds its own, shuffled ones: so the
number of samples, the sequence length and the seed of the run are fixed by the lines written here.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataprep import storage

DEFAULT_SEED = 1234
"""GPT-NeoX's own default."""

_CHUNK_ROWS = 1 << 20
_Chunk = Callable[[int, int], npt.NDArray[np.integer]]


@dataclass(frozen=True)
class NeoxRun:
    """Settings of a training run that GPT-NeoX puts into the names of its index maps."""

    seed: int = DEFAULT_SEED
    batch_rows: int | None = None
    """Rows of a global batch (``train_batch_size``); None: the run is given as one epoch."""

    def iterations(self, num_rows: int) -> int | None:
        """Return how many whole batches the rows make; None for a run of one epoch."""
        return None if self.batch_rows is None else num_rows // self.batch_rows

    def map_stems(self, prefix: str, dataset: str, *, num_rows: int, sequence_length: int) -> list[str]:
        """Return the beginnings of the names of one dataset's index maps.

        Args:
            prefix: path of the pair.
            dataset: what GPT-NeoX calls it: ``train_0``, ``valid_0`` or ``test_0``.
            num_rows: rows of the pair.
            sequence_length: L.
        """
        iterations = self.iterations(num_rows)
        if iterations is None or self.batch_rows is None:
            samples = "None"
        elif dataset.startswith("train"):
            # GPT-NeoX asks for half a percent more of each dataset than a run takes from it.
            samples = str(math.ceil(iterations * self.batch_rows * 1.0 * 1.005))
        else:
            samples = "0"
        stem = f"{prefix}_{dataset}_indexmap_{samples}ns_{sequence_length}sl_{self.seed}s"
        # Versions before 2.0 have neither a run of one epoch nor a choice of packing in the name.
        return [f"{stem}_packedpi_ac"] if iterations is None else [f"{stem}_packedpi_ac", stem]


def write_identity_maps(stems: Sequence[str], *, num_rows: int, sequence_length: int) -> list[str]:
    """Write the three arrays once and link them to all names; return their paths.

    Args:
        stems: beginnings of the names, local paths.
        num_rows: n, rows of the pair.
        sequence_length: L; a row has one token more.
    """
    arrays: Mapping[str, tuple[str, tuple[int, ...], _Chunk]] = {
        "doc": ("<i4", (num_rows,), lambda a, b: np.arange(a, b)),
        "sample": ("<i4", (2 * num_rows, 2), lambda a, b: _sample_index(a, b, sequence_length)),
        "shuffle": ("<u4", (num_rows + 1,), lambda a, b: np.minimum(np.arange(a, b), num_rows - 1) * 2),
    }
    paths = []
    for name, (kind, shape, chunk) in arrays.items():
        first, *others = (f"{stem}_{name}_idx.npy" for stem in stems)
        _write_array(first, kind, shape, chunk)
        for other in others:
            if not _link(first, other):
                _write_array(other, kind, shape, chunk)
        paths += [first, *others]
    return paths


def _link(path: str, name: str) -> bool:
    """Give a file another name, unless that is there; return False where the filesystem cannot."""
    try:
        os.link(path, name)
    except FileExistsError:
        return True
    except OSError:
        return False
    return True


def _sample_index(start: int, stop: int, sequence_length: int) -> npt.NDArray[np.int64]:
    entries = np.arange(start, stop)
    return np.stack([entries // 2, entries % 2 * sequence_length], axis=1)


def _write_array(path: str, kind: str, shape: tuple[int, ...], chunk: _Chunk) -> None:
    """Write a .npy file a chunk at a time, unless it is there: its name and place say all of its content."""
    if os.path.exists(path):
        return
    with storage.atomic_output(path) as stream:
        header = {"descr": kind, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, shape[0], _CHUNK_ROWS):
            stream.write(chunk(start, min(start + _CHUNK_ROWS, shape[0])).astype(kind).tobytes())
