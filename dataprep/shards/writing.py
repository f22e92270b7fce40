"""Writing one shard: an Arrow IPC file of record batches that can be read one by one.

What is written is summed up on its way to the file: the sha256 of the file, and one crc32 for
each piece of it, so that a reader finds a flipped byte in what it reads before Arrow sees it::

    piece 0          from the start to the first record batch (magic and schema)
    pieces 1 to n    one record batch each, as it stands in the file: header, body, padding
    piece n + 1      from the last record batch to the end (footer)
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep import storage
from dataprep.shards.layout import RowLayout, encode_rows
from dataprep.shards.rows import Rows

ROWS_PER_BATCH = 64
"""Rows in a record batch, the smallest unit of decoding and of an exact mixture."""
ROWS_PER_SHARD = 8192
"""Rows in a shard, except for the last shard of a stage."""
SHARD_METADATA_KEY = b"dataprep.shard"
"""Key of the Arrow schema metadata that tells, as JSON, a shard's place and layout."""
MAGIC_BYTES = 8
"""An Arrow file begins with its magic, padded to eight bytes; the schema message follows."""


@dataclass(frozen=True)
class ShardSummary:
    """What was written to a shard, for its manifest entry."""

    size_bytes: int
    sha256: str
    num_rows: int
    crc32: tuple[int, ...]
    """Checksum of each piece of the file: head, record batches, tail."""
    source_rows: tuple[int, ...]
    """Rows by source id."""
    source_tokens: tuple[int, ...]
    """Input positions (the first ``sequence_length`` of a row) that hold a token, by source id."""
    source_targets: tuple[int, ...]
    """Targets that bear loss, by source id."""

    def to_json(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ShardSummary:
        """Return the summary that ``to_json`` wrote; other keys are ignored."""
        return cls(
            size_bytes=value["size_bytes"],
            sha256=value["sha256"],
            num_rows=value["num_rows"],
            crc32=tuple(value["crc32"]),
            source_rows=tuple(value["source_rows"]),
            source_tokens=tuple(value["source_tokens"]),
            source_targets=tuple(value["source_targets"]),
        )


def write_shard(
    path: str,
    rows: Iterable[Rows],
    *,
    layout: RowLayout,
    first_row: int,
    num_sources: int,
    rows_per_batch: int = ROWS_PER_BATCH,
) -> ShardSummary:
    """Write a shard; it appears under ``path`` whole or not at all. Same rows, same bytes.

    Args:
        path: local path or URL of the file.
        rows: the shard's rows in order; each part but the last holds a multiple of
            ``rows_per_batch`` rows.
        layout: sequence length and vocabulary size.
        first_row: number of the shard's first row in its stage.
        num_sources: sources of the mixture; source ids are below it.
        rows_per_batch: rows in each record batch but the last.
    """
    about = {
        "first_row": first_row,
        "rows_per_batch": rows_per_batch,
        "sequence_length": layout.sequence_length,
        "vocab_size": layout.vocab_size,
    }
    schema = layout.schema().with_metadata({SHARD_METADATA_KEY: json.dumps(about, sort_keys=True)})
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    totals = np.zeros((3, num_sources), dtype=np.int64)
    num_rows = 0
    with storage.atomic_output(path) as stream:
        sink = _ChecksumSink(stream, head_bytes=MAGIC_BYTES + schema.serialize().size)
        with pa.ipc.new_file(sink, schema, options=options) as writer:
            for part in rows:
                assert num_rows % rows_per_batch == 0, "only the last part may end inside a record batch"
                num_rows += len(part)
                totals += _totals_by_source(part, num_sources)
                for start in range(0, len(part), rows_per_batch):
                    batch = encode_rows(part.part(start, min(start + rows_per_batch, len(part))), layout)
                    writer.write_batch(batch)
                    sink.end_piece()
        sink.end_piece()
    assert num_rows > 0, "a shard has at least one row"
    return ShardSummary(
        size_bytes=sink.size_bytes,
        sha256=sink.sha256.hexdigest(),
        num_rows=num_rows,
        crc32=tuple(sink.pieces),
        source_rows=tuple(totals[0].tolist()),
        source_tokens=tuple(totals[1].tolist()),
        source_targets=tuple(totals[2].tolist()),
    )


class _ChecksumSink:
    """A file-like object for Arrow's writer that sums up what passes through it."""

    closed = False

    def __init__(self, stream: IO[bytes], *, head_bytes: int) -> None:
        self._stream = stream
        self._head_bytes = head_bytes
        """Bytes before the first record batch; Arrow writes them together with it."""
        self._crc32 = 0
        self.pieces: list[int] = []
        self.sha256 = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> int:
        self._stream.write(data)
        self.sha256.update(data)
        view = memoryview(data)
        if self.size_bytes < self._head_bytes <= self.size_bytes + len(data):
            head = self._head_bytes - self.size_bytes
            self._crc32 = zlib.crc32(view[:head], self._crc32)
            self.end_piece()
            view = view[head:]
        self._crc32 = zlib.crc32(view, self._crc32)
        self.size_bytes += len(data)
        return len(data)

    def end_piece(self) -> None:
        """Put down the checksum of what was written since the last piece."""
        self.pieces.append(self._crc32)
        self._crc32 = 0

    def flush(self) -> None:
        self._stream.flush()


def _totals_by_source(rows: Rows, num_sources: int) -> npt.NDArray[np.int64]:
    """Return int64[3, num_sources]: rows, input positions with a token, targets with loss."""
    inputs = np.minimum(rows.n_tok, rows.sequence_length)
    counted = [
        np.bincount(rows.source, weights=weights, minlength=num_sources)
        for weights in (None, inputs, rows.n_loss)
    ]
    assert len(counted[0]) == num_sources, "a source id is not below the number of sources"
    return np.stack(counted).astype(np.int64)
