"""The pair of files that Megatron and GPT-NeoX read through a memory map: ``P.bin`` and ``P.idx``.

``P.bin`` is the ids of all sequences, one after the other. ``P.idx``::

    offset         type     meaning
    0              9 bytes  MMIDIDX, 0, 0
    9              uint64   version, 1
    17             uint8    code of the id type
    18             uint64   S, number of sequences
    26             uint64   D, length of the document index, S + 1 here
    34             int32[S] tokens of each sequence
    34 + 4 S       int64[S] first byte of each sequence in P.bin
    34 + 12 S      int64[D] document index: 0, then the number of sequences at each document's end

Here every sequence is a document. All numbers are little endian. Source: MMapIndexedDataset of
GPT-NeoX and IndexedDataset of Megatron-core, whose readers agree on the codes below.

Each byte has its place before the first one is written, so any number of writers fill a pair at
the same time, range by range, and a range that was cut off is written again. The header comes
last: until then no reader accepts the pair.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from dataprep.errors import ArtifactError

MAGIC = b"MMIDIDX\x00\x00"
VERSION = 1
TYPE_CODES = {"uint8": 1, "int8": 2, "int16": 3, "int32": 4, "int64": 5, "uint16": 8}
"""There is no code for uint32; 6 and 7 are floats and mean different ones to the two readers."""
MAX_SEQUENCES = (1 << 31) - 1
"""Readers number sequences with int32."""

_HEADER = struct.Struct("<9sQBQQ")
_CHECKED_SEQUENCES = 1 << 20
"""Sequences whose index is checked at a time."""

Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PairLayout:
    """A pair: where it lies and how much it holds. ``prefix`` is its local path without a suffix."""

    prefix: str
    id_type: str
    num_sequences: int
    num_tokens: int

    def __post_init__(self) -> None:
        assert self.id_type in TYPE_CODES, self.id_type
        assert 1 <= self.num_sequences <= MAX_SEQUENCES, self
        assert self.num_tokens >= self.num_sequences, self

    @property
    def bin_path(self) -> str:
        """Path of the ids."""
        return f"{self.prefix}.bin"

    @property
    def idx_path(self) -> str:
        """Path of the index."""
        return f"{self.prefix}.idx"

    @property
    def item_bytes(self) -> int:
        """Size of an id."""
        return int(np.dtype(self.id_type).itemsize)

    @property
    def bin_bytes(self) -> int:
        """Size of the ids."""
        return self.num_tokens * self.item_bytes

    @property
    def lengths_start(self) -> int:
        """First byte of the sequences' lengths in the index."""
        return _HEADER.size

    @property
    def offsets_start(self) -> int:
        """First byte of the sequences' offsets in the index."""
        return self.lengths_start + 4 * self.num_sequences

    @property
    def documents_start(self) -> int:
        """First byte of the document index."""
        return self.offsets_start + 8 * self.num_sequences

    @property
    def idx_bytes(self) -> int:
        """Size of the index."""
        return self.documents_start + 8 * (self.num_sequences + 1)

    def allocate(self) -> None:
        """Create both files with their final sizes and without content; keep what is there already."""
        os.makedirs(os.path.dirname(self.prefix), exist_ok=True)
        for path, size in ((self.bin_path, self.bin_bytes), (self.idx_path, self.idx_bytes)):
            with open(path, "ab") as stream:
                stream.truncate(size)

    def seal(self) -> None:
        """Check the index against itself and the ids' size, then write the header.

        Raises:
            ArtifactError: a range was never written, or written wrongly.
        """
        end = 0
        for first, lengths, offsets, ends in self._index_parts():
            expected = end + np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]) * self.item_bytes
            numbers = np.arange(first + 1, first + len(lengths) + 1)
            if lengths.min() < 1 or (offsets != expected[:-1]).any() or (ends != numbers).any():
                last = first + len(lengths) - 1
                raise ArtifactError(
                    f"{self.idx_path}: sequences {first:,} to {last:,} do not follow each other: remove this "
                    "folder and export again"
                )
            end = int(expected[-1])
        if end != self.bin_bytes or os.path.getsize(self.bin_path) != end:
            raise ArtifactError(
                f"{self.bin_path}: {os.path.getsize(self.bin_path):,} bytes, its index ends at {end:,}, and "
                f"{self.num_tokens:,} tokens take {self.bin_bytes:,}: remove this folder and export again"
            )
        header = _HEADER.pack(
            MAGIC, VERSION, TYPE_CODES[self.id_type], self.num_sequences, self.num_sequences + 1
        )
        with open(self.idx_path, "r+b") as stream:
            stream.seek(self.documents_start)
            stream.write(bytes(8))  # the document index begins with 0
            stream.flush()
            stream.seek(0)
            stream.write(header)
            stream.flush()
            os.fsync(stream.fileno())

    def _index_parts(self) -> Iterator[tuple[int, npt.NDArray[np.int32], Int64Array, Int64Array]]:
        """Yield (first sequence, lengths, offsets, document ends) of a million sequences at a time."""
        with open(self.idx_path, "rb") as stream:

            def read(start: int, count: int, kind: str) -> npt.NDArray[Any]:
                stream.seek(start)
                return np.frombuffer(stream.read(count * np.dtype(kind).itemsize), dtype=kind)

            for first in range(0, self.num_sequences, _CHECKED_SEQUENCES):
                count = min(_CHECKED_SEQUENCES, self.num_sequences - first)
                yield (
                    first,
                    read(self.lengths_start + 4 * first, count, "<i4"),
                    read(self.offsets_start + 8 * first, count, "<i8"),
                    read(self.documents_start + 8 * (first + 1), count, "<i8"),
                )


class RangeWriter:
    """Writes consecutive sequences of an allocated pair, from a given one on.

    Args:
        layout: the pair.
        first_sequence: number of the first sequence that is written.
        first_token: tokens of all sequences before it.
    """

    def __init__(self, layout: PairLayout, *, first_sequence: int, first_token: int) -> None:
        self._layout = layout
        self.next_sequence = first_sequence
        self.next_token = first_token
        self._bin = open(layout.bin_path, "r+b")  # noqa: SIM115 - closed by __exit__
        self._idx = open(layout.idx_path, "r+b")  # noqa: SIM115

    def __enter__(self) -> RangeWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in (self._bin, self._idx):
            if kind is None:
                stream.flush()
                os.fsync(stream.fileno())
            stream.close()

    def append(self, lengths: npt.NDArray[np.integer], tokens: npt.NDArray[np.integer]) -> None:
        """Write the next sequences.

        Args:
            lengths: tokens of each sequence, [s].
            tokens: the ids of all of them, flat; they fit in the pair's type.
        """
        layout = self._layout
        count = len(lengths)
        stops = np.cumsum(lengths, dtype=np.int64)
        assert int(stops[-1]) == len(tokens), "lengths and tokens differ"
        assert self.next_sequence + count <= layout.num_sequences, "more sequences than the pair has"
        assert self.next_token + len(tokens) <= layout.num_tokens, "more tokens than the pair has"
        self._bin.seek(self.next_token * layout.item_bytes)
        self._bin.write(np.ascontiguousarray(tokens, dtype=np.dtype(layout.id_type).newbyteorder("<")).data)
        starts = self.next_token + stops - lengths
        numbers = np.arange(self.next_sequence + 1, self.next_sequence + count + 1)
        for start, item_bytes, values in (
            (layout.lengths_start, 4, lengths.astype("<i4")),
            (layout.offsets_start, 8, (starts * layout.item_bytes).astype("<i8")),
            (layout.documents_start + 8, 8, numbers.astype("<i8")),
        ):
            self._idx.seek(start + item_bytes * self.next_sequence)
            self._idx.write(values.tobytes())
        self.next_sequence += count
        self.next_token += len(tokens)
