"""Bins: Arrow files in which the documents of a key range stand in the order of their keys.

A bin is cut into blocks (record batches) of about 262,144 tokens, the unit of random access.
Blocks hold whole documents; one that is longer than a block makes a block of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep import storage
from dataprep.documents import FILE_BITS, ROW_BITS
from dataprep.tokens.ragged import gather_rows, offsets_of

BLOCK_TOKENS = 1 << 18
"""A block is closed by the document that fills it to this size: about half a megabyte compressed."""

ZSTD_LEVEL = 1


def list_type(dtype: Literal["uint16", "uint32"]) -> pa.DataType:
    """Return the Arrow type of a document's tokens."""
    return pa.list_(pa.field("item", pa.type_for_alias(dtype), nullable=False))


def bin_schema(dtype: Literal["uint16", "uint32"]) -> pa.Schema:
    """Return the schema of a bin."""
    return pa.schema(
        [
            pa.field("key", pa.uint64(), nullable=False),
            pa.field("doc_id", pa.uint64(), nullable=False),
            pa.field("tokens", list_type(dtype), nullable=False),
        ]
    )


def unsorted_schema(dtype: Literal["uint16", "uint32"]) -> pa.Schema:
    """Return the schema of documents on their way to a bin: a bin's, and the size of the text."""
    return bin_schema(dtype).append(pa.field("num_bytes", pa.uint32(), nullable=False))


def token_list(
    offsets: npt.NDArray[np.int64], tokens: npt.NDArray[Any], *, dtype: Literal["uint16", "uint32"]
) -> pa.ListArray:
    """Return a ragged array as an Arrow list column; the tokens are not copied."""
    assert int(offsets[-1]) < 1 << 31, "an Arrow list column holds fewer than 2**31 tokens"
    return pa.ListArray.from_arrays(
        pa.array(offsets.astype(np.int32)), pa.array(tokens, pa.type_for_alias(dtype)), type=list_type(dtype)
    )


@dataclass(frozen=True)
class TokenBlock:
    """The documents of one block, in the order of their keys."""

    key: npt.NDArray[np.uint64]
    doc_id: npt.NDArray[np.uint64]
    offsets: npt.NDArray[np.int64]
    """int64[num_docs + 1] into ``tokens``."""
    tokens: npt.NDArray[Any]
    """uint16 or uint32; every document ends with the end-of-text id."""

    @classmethod
    def from_batch(cls, batch: pa.RecordBatch) -> TokenBlock:
        """Return the numpy view of a record batch of a bin."""
        column = batch.column("tokens")
        offsets = column.offsets.to_numpy().astype(np.int64)
        return cls(
            key=batch.column("key").to_numpy(),
            doc_id=batch.column("doc_id").to_numpy(),
            offsets=offsets - offsets[0],
            tokens=column.flatten().to_numpy(),
        )


@dataclass(frozen=True)
class BinSummary:
    """What a bin holds: one number for each block, and totals for statistics."""

    num_docs: list[int]
    num_tokens: list[int]
    first_key: list[int]
    text_bytes: int
    length_histogram: list[int]
    """Element k: documents of 2**k to 2**(k + 1) - 1 tokens."""
    collections: dict[str, list[int]]
    """Documents and tokens by collection number."""

    def to_json(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return dict(vars(self))


def write_bin(
    path: str,
    batches: Iterable[pa.RecordBatch],
    *,
    dtype: Literal["uint16", "uint32"],
    block_tokens: int = BLOCK_TOKENS,
) -> BinSummary:
    """Sort documents by (key, document id) and write them as one bin; without documents, write nothing.

    The bytes depend on the set of documents alone, not on the order or division of ``batches``.
    Memory: twice the tokens of the bin at the peak, a block while writing.

    Args:
        path: the bin's file.
        batches: record batches of ``unsorted_schema(dtype)``.
        dtype: type of the tokens.
        block_tokens: size at which a block is closed.
    """
    parts = [(*_columns(batch), batch.column("num_bytes").to_numpy()) for batch in batches if batch.num_rows]
    if not parts:
        return BinSummary([], [], [], 0, [], {})
    key, doc_id, lengths, tokens, num_bytes = (np.concatenate(columns) for columns in zip(*parts))
    del parts
    order = np.lexsort((doc_id, key)).astype(np.int64)
    key, doc_id = key[order], doc_id[order]
    offsets = offsets_of(lengths)
    lengths = lengths[order]
    blocks = list(_cut(lengths, block_tokens=block_tokens))
    options = pa.ipc.IpcWriteOptions(
        compression=pa.Codec("zstd", compression_level=ZSTD_LEVEL), use_threads=False
    )
    schema = bin_schema(dtype)
    with (
        storage.atomic_output(path) as sink,
        pa.ipc.new_file(sink, schema, options=options) as writer,
    ):
        for block in blocks:
            block_offsets, block_values = gather_rows(tokens, offsets, order[block])
            columns = [key[block], doc_id[block], token_list(block_offsets, block_values, dtype=dtype)]
            writer.write_batch(pa.record_batch([pa.array(column) for column in columns], schema=schema))
    return BinSummary(
        num_docs=[block.stop - block.start for block in blocks],
        num_tokens=[int(lengths[block].sum()) for block in blocks],
        first_key=[int(key[block.start]) for block in blocks],
        text_bytes=int(num_bytes.sum(dtype=np.int64)),
        length_histogram=_length_histogram(lengths),
        collections=_by_collection(doc_id, lengths),
    )


def _columns(
    batch: pa.RecordBatch,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[Any]]:
    block = TokenBlock.from_batch(batch)
    return block.key, block.doc_id, np.diff(block.offsets), block.tokens


def _cut(lengths: npt.NDArray[np.int64], *, block_tokens: int) -> Iterator[slice]:
    ends = np.cumsum(lengths)
    start = 0
    while start < len(lengths):
        before = int(ends[start - 1]) if start else 0
        stop = min(int(np.searchsorted(ends, before + block_tokens)) + 1, len(lengths))
        yield slice(start, stop)
        start = stop


def _length_histogram(lengths: npt.NDArray[np.int64]) -> list[int]:
    _, exponents = np.frexp(lengths.astype(np.float64))
    return [int(count) for count in np.bincount(exponents - 1)]


def _by_collection(doc_id: npt.NDArray[np.uint64], lengths: npt.NDArray[np.int64]) -> dict[str, list[int]]:
    numbers, inverse = np.unique(doc_id >> np.uint64(FILE_BITS + ROW_BITS), return_inverse=True)
    documents = np.bincount(inverse, minlength=len(numbers))
    # Exact: a float64 holds every sum below 2**53 tokens.
    tokens = np.bincount(inverse, weights=lengths, minlength=len(numbers))
    return {str(number): [int(d), int(t)] for number, d, t in zip(numbers.tolist(), documents, tokens)}
