"""The index of a token artifact: what every block of every stream holds, without opening a bin."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep import storage
from dataprep.errors import ArtifactError
from dataprep.tokens.bins import BinSummary
from dataprep.tokens.ragged import offsets_of

INDEX_NAME = "index.arrow"

_SCHEMA = pa.schema(
    [
        pa.field("class", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("bin", pa.uint32(), nullable=False),
        pa.field("batch", pa.uint32(), nullable=False),
        pa.field("num_docs", pa.uint32(), nullable=False),
        pa.field("num_tokens", pa.uint64(), nullable=False),
        pa.field("first_key", pa.uint64(), nullable=False),
    ]
)


def bin_path(class_name: str, number: int) -> str:
    """Return the path of a bin inside its artifact."""
    return f"{class_name}/bin-{number:05d}.arrow"


@dataclass(frozen=True)
class StreamIndex:
    """The blocks of one stream in the order of their keys; all arrays have one element per block."""

    class_name: str
    bin: npt.NDArray[np.int64]
    """Number of the bin that holds the block."""
    batch: npt.NDArray[np.int64]
    """Number of the record batch in its bin."""
    block_docs: npt.NDArray[np.int64]
    block_tokens: npt.NDArray[np.int64]
    first_key: npt.NDArray[np.uint64]

    @property
    def num_blocks(self) -> int:
        """Number of blocks."""
        return len(self.bin)

    @functools.cached_property
    def num_docs(self) -> int:
        """Documents of the stream."""
        return int(self.block_docs.sum())

    @functools.cached_property
    def num_tokens(self) -> int:
        """Tokens of the stream, one end-of-text for each document included."""
        return int(self.block_tokens.sum())

    @functools.cached_property
    def block_starts(self) -> npt.NDArray[np.int64]:
        """int64[num_blocks + 1]: position of each block's first token in epoch 0, and the end."""
        return offsets_of(self.block_tokens)


def write_index(path: str, summaries: Mapping[str, Sequence[BinSummary]]) -> None:
    """Write the index of an artifact.

    Args:
        path: the index file.
        summaries: for each class the summaries of its bins, bin 0 first.
    """
    classes = list(summaries)
    columns: dict[str, list[Any]] = {name: [] for name in _SCHEMA.names}
    for class_number, class_name in enumerate(classes):
        for number, summary in enumerate(summaries[class_name]):
            num_blocks = len(summary.num_docs)
            columns["class"].append(np.full(num_blocks, class_number, np.int8))
            columns["bin"].append(np.full(num_blocks, number, np.uint32))
            columns["batch"].append(np.arange(num_blocks, dtype=np.uint32))
            columns["num_docs"].append(np.array(summary.num_docs, dtype=np.uint32))
            columns["num_tokens"].append(np.array(summary.num_tokens, dtype=np.uint64))
            columns["first_key"].append(np.array(summary.first_key, dtype=np.uint64))
    merged = {name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in columns.items()}
    class_column = pa.DictionaryArray.from_arrays(
        pa.array(merged.pop("class").astype(np.int8)), pa.array(classes, pa.string())
    )
    arrays = [
        class_column,
        *(pa.array(merged[field.name], field.type) for field in _SCHEMA if field.name in merged),
    ]
    with storage.atomic_output(path) as sink, pa.ipc.new_file(sink, _SCHEMA) as writer:
        writer.write_batch(pa.record_batch(arrays, schema=_SCHEMA))


def read_index(path: str) -> dict[str, StreamIndex]:
    """Return the stream of each class, empty ones included, in the order in which they were written.

    Raises:
        ArtifactError: the file is missing or no index.
    """
    if not storage.exists(path):
        raise ArtifactError(f"{path}: missing; build these tokens again")
    try:
        table = pa.ipc.open_file(pa.BufferReader(storage.read_bytes(path))).read_all().combine_chunks()
        names = table["class"].chunk(0).dictionary.to_pylist()
        class_numbers = table["class"].chunk(0).indices.to_numpy()
        numbers = {name: table[name].to_numpy() for name in _SCHEMA.names[1:]}
    except (pa.ArrowException, KeyError, IndexError) as error:
        raise ArtifactError(f"{path}: damaged, no token index ({error}); build these tokens again") from error
    streams = {}
    for class_number, class_name in enumerate(names):
        rows = class_numbers == class_number
        streams[class_name] = StreamIndex(
            class_name=class_name,
            bin=numbers["bin"][rows].astype(np.int64),
            batch=numbers["batch"][rows].astype(np.int64),
            block_docs=numbers["num_docs"][rows].astype(np.int64),
            block_tokens=numbers["num_tokens"][rows].astype(np.int64),
            first_key=numbers["first_key"][rows],
        )
    return streams
