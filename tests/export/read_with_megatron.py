"""Read pairs with Megatron-core's own classes: python read_with_megatron.py SAVED PREFIX [MAPS LENGTH].

Saves the ids, sizes and document index of the pair and, where index maps are named, the samples that
GPTDataset makes with them.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
from megatron.core.datasets.gpt_dataset import GPTDataset
from megatron.core.datasets.indexed_dataset import IndexedDataset


def main() -> None:
    saved, prefix, *maps = sys.argv[1:]
    dataset = IndexedDataset(prefix, multimodal=False, mmap=True)
    arrays = {
        "ids": np.concatenate([np.array(dataset[number]) for number in range(len(dataset))]),
        "sizes": np.array(dataset.sequence_lengths),
        "documents": np.array(dataset.document_indices),
    }
    if maps:
        stem, length = maps
        reader = GPTDataset.__new__(GPTDataset)
        reader.dataset = dataset
        reader.config = SimpleNamespace(add_extra_token_to_sequence=1, sequence_length=int(length))
        reader.document_index, reader.sample_index, reader.shuffle_index = (
            np.load(f"{stem}_{name}_idx.npy", mmap_mode="r") for name in ("doc", "sample", "shuffle")
        )
        samples = range(len(reader.shuffle_index) - 1)
        arrays["samples"] = np.stack(
            [np.array(reader._query_document_sample_shuffle_indices(number)[0]) for number in samples]
        )
    np.savez(saved, **arrays)


main()
