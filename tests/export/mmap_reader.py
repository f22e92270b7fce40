"""Readers of Megatron pairs and of GPT-NeoX's index maps, written from their descriptions alone."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

NUMPY_TYPES = {1: "<u1", 2: "<i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}


class PairReader:
    """A pair, wholly in memory."""

    def __init__(self, prefix: str | Path) -> None:
        index = Path(f"{prefix}.idx").read_bytes()
        magic, version, code, num_sequences, num_documents = struct.unpack_from("<9sQBQQ", index)
        if magic != b"MMIDIDX\x00\x00" or version != 1:
            raise ValueError(f"{prefix}.idx is no index")
        self.type = np.dtype(NUMPY_TYPES[code])
        place = 34
        self.sizes = np.frombuffer(index, "<i4", num_sequences, place)
        place += 4 * num_sequences
        self.pointers = np.frombuffer(index, "<i8", num_sequences, place)
        place += 8 * num_sequences
        self.documents = np.frombuffer(index, "<i8", num_documents, place)
        assert place + 8 * num_documents == len(index)
        self.data = Path(f"{prefix}.bin").read_bytes()

    def __len__(self) -> int:
        return len(self.sizes)

    def get(self, sequence: int, offset: int = 0, length: int | None = None) -> np.ndarray[Any, Any]:
        """Return ids of a sequence; reading past its end reads into the next, as the memory map does."""
        count = int(self.sizes[sequence]) - offset if length is None else length
        first = int(self.pointers[sequence]) + offset * self.type.itemsize
        return np.frombuffer(self.data, self.type, count, first)

    def sequences(self) -> list[list[int]]:
        return [self.get(number).tolist() for number in range(len(self))]


def write_pair(prefix: Path, sequences: list[list[int]], kind: str) -> None:
    """Write a pair the slow way: everything in memory, one document for each sequence."""
    code = {np.dtype(value): key for key, value in NUMPY_TYPES.items()}[np.dtype(kind)]
    sizes = [len(sequence) for sequence in sequences]
    pointers = [sum(sizes[:number]) * np.dtype(kind).itemsize for number in range(len(sizes))]
    index = struct.pack("<9sQBQQ", b"MMIDIDX\x00\x00", 1, code, len(sizes), len(sizes) + 1)
    index += struct.pack(f"<{len(sizes)}i", *sizes) + struct.pack(f"<{len(sizes)}q", *pointers)
    index += struct.pack(f"<{len(sizes) + 1}q", *range(len(sizes) + 1))
    Path(f"{prefix}.idx").write_bytes(index)
    Path(f"{prefix}.bin").write_bytes(b"".join(np.array(s, dtype=kind).tobytes() for s in sequences))


class NeoxDataset:
    """Samples as GPT-NeoX's GPT2Dataset reads them, through the three arrays of an index map."""

    def __init__(self, pair: PairReader, stem: str | Path) -> None:
        self.pair = pair
        self.doc_idx, self.sample_idx, self.shuffle_idx = (
            np.load(f"{stem}_{name}_idx.npy", mmap_mode="r") for name in ("doc", "sample", "shuffle")
        )

    def __len__(self) -> int:
        return min(len(self.shuffle_idx) - 1, len(self.sample_idx) - 1)

    def __getitem__(self, number: int) -> np.ndarray[Any, Any]:
        place = self.shuffle_idx[number]
        (first, begin), (last, end) = self.sample_idx[place], self.sample_idx[place + 1]
        if first == last:
            return self.pair.get(self.doc_idx[first], int(begin), int(end - begin + 1))
        parts = [self.pair.get(self.doc_idx[first], int(begin))]
        parts += [self.pair.get(self.doc_idx[between]) for between in range(first + 1, last)]
        parts.append(self.pair.get(self.doc_idx[last], length=int(end + 1)))
        return np.concatenate(parts)
