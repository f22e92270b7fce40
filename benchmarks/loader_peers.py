"""What the loader is measured beside: other loaders, and files read through a memory map."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

BATCH_ROWS = 8

TokenRows = npt.NDArray[np.uint32]
BatchIterator = Iterator[npt.NDArray[np.integer]]


def write_mds(rows: TokenRows, folder: str, *, compression: str | None = None) -> None:
    """Write MosaicML's MDS, one column of one row each."""
    from streaming import MDSWriter

    columns = {"tokens": f"ndarray:uint32:{rows.shape[1]}"}
    with MDSWriter(out=f"{folder}/mds", columns=columns, compression=compression) as writer:
        for row in rows:
            writer.write({"tokens": row})


def read_mds(folder: str) -> BatchIterator:
    """Read MDS in order, as its own iterator does without a DataLoader."""
    from streaming import StreamingDataset
    from streaming.base.util import clean_stale_shared_memory

    clean_stale_shared_memory()
    dataset = StreamingDataset(local=f"{folder}/mds", shuffle=False, batch_size=BATCH_ROWS)
    yield from _stacked(sample["tokens"] for sample in dataset)


def write_litdata(rows: TokenRows, folder: str) -> None:
    """Write litData's token chunks, 64 MB each."""
    import torch
    from litdata.streaming.item_loader import TokensLoader
    from litdata.streaming.writer import BinaryWriter

    block = rows.shape[1]
    writer = BinaryWriter(
        f"{folder}/litdata", chunk_size=block * 4096, item_loader=TokensLoader(block_size=block)
    )
    for i, row in enumerate(rows):
        writer[i] = torch.from_numpy(row.astype(np.int32))
    writer.done()
    writer.merge()


def read_litdata(folder: str) -> BatchIterator:
    """Read litData in order."""
    from litdata import StreamingDataset
    from litdata.streaming.item_loader import TokensLoader

    block = 4097
    dataset = StreamingDataset(f"{folder}/litdata", item_loader=TokensLoader(block_size=block))
    yield from _stacked(item.numpy() for item in dataset)


def write_megatron(rows: TokenRows, folder: str) -> None:
    """Write the body of Megatron's indexed dataset: int32, since Arcade100k needs 17 bits."""
    rows.astype(np.int32).tofile(f"{folder}/text.bin")
    np.full(len(rows), rows.shape[1], dtype=np.int32).tofile(f"{folder}/sizes")
    (np.arange(len(rows), dtype=np.int64) * rows.shape[1] * 4).tofile(f"{folder}/pointers")


def read_megatron(folder: str) -> BatchIterator:
    """Read sequences as ``MMapIndexedDataset.get`` does: np.frombuffer on a memory map."""
    buffer = memoryview(np.memmap(f"{folder}/text.bin", mode="r", order="C"))
    sizes = np.fromfile(f"{folder}/sizes", dtype=np.int32)
    pointers = np.fromfile(f"{folder}/pointers", dtype=np.int64)
    yield from _stacked(
        np.frombuffer(buffer, dtype=np.int32, count=size, offset=pointer)
        for size, pointer in zip(sizes, pointers)
    )


def write_numpy(rows: TokenRows, folder: str) -> None:
    """Write a flat file of uint32."""
    np.save(f"{folder}/rows.npy", rows)


def read_numpy(folder: str) -> BatchIterator:
    """Read the file through a memory map, eight rows at a time."""
    rows = np.load(os.path.join(folder, "rows.npy"), mmap_mode="r")
    for start in range(0, len(rows), BATCH_ROWS):
        yield rows[start : start + BATCH_ROWS].astype(np.int64)


def _stacked(rows: Iterator[npt.NDArray[np.integer]]) -> BatchIterator:
    """Collect rows to int64 batches, copying each row once."""
    waiting: list[npt.NDArray[np.integer]] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == BATCH_ROWS:
            yield np.stack(waiting, dtype=np.int64)
            waiting = []
    if waiting:
        yield np.stack(waiting, dtype=np.int64)
