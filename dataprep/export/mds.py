"""Export for MosaicML Streaming: MDS shards, compressed with zstd, rows in the stage's order.

Columns: ``tokens`` (L + 1 ids), ``source`` (name), ``doc_lens`` (tokens of each document's part in the
row; what follows their sum is padding) and ``seg_doc`` (the documents' ids).

A shard, before it is compressed as a whole, all numbers uint32 and little endian::

    n | n + 1 offsets from the start of the file | config as JSON | n samples

and a sample is the size of each column whose size varies, then the columns, in the order of their
names. ``index.json`` lists the shards; it is written last, and no reader finds anything without it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep import artifacts, storage
from dataprep.artifacts import FileEntry, sum_counts
from dataprep.errors import ArtifactError
from dataprep.export.id_types import id_type
from dataprep.export.job import Contents, Exporter, Phase, Results
from dataprep.export.stage_rows import row_counts, rows_of_shard, worker_stage
from dataprep.shards import Rows, ShardStage, concat_rows

INDEX_NAME = "index.json"
COMPRESSION_LEVEL = 1
"""Measured on ids: higher levels are slower and save nothing."""
MAX_SHARD_BYTES = 96 << 20
"""Tokens in a shard before compression. MosaicML's own limit is 64 MiB by default, offsets end at 4 GiB."""

_MDS_VERSION = 2
_HASH = "sha256"
_COLUMNS = ("doc_lens", "seg_doc", "source", "tokens")


@dataclass(frozen=True)
class MdsPart:
    """The rows of one of our shards, as one or more MDS shards."""

    stage: str
    """Folder of the stage."""
    shard: int
    size_bytes: int
    folder: str
    """Of the export."""
    id_type: str
    rows_per_file: int
    first_file: int
    """Number of the first MDS shard that is written."""

    @property
    def name(self) -> str:
        """Unique among the shards."""
        return f"shard-{self.shard:05d}"

    def write(self) -> Mapping[str, Any]:
        """Write the shards; return their counts and their lines of the index."""
        stage = worker_stage(self.stage)
        width = stage.header.layout.row_tokens
        columns = shard_columns(self.id_type, width)
        counts, lines, files = [], [], []
        for number, rows in enumerate(_regrouped(rows_of_shard(stage, self.shard), self.rows_per_file)):
            raw = encode_shard(rows, names=stage.source_names, id_type=self.id_type, columns=columns)
            # Level and content size go into the frame, which MosaicML's reader wants there.
            packed = pa.Codec("zstd", compression_level=COMPRESSION_LEVEL).compress(raw, asbytes=True)
            name = f"shard.{self.first_file + number:05d}.mds"
            storage.write_bytes(storage.join(self.folder, f"{name}.zstd"), packed)
            lines.append(
                {
                    **columns,
                    "raw_data": _file_info(name, raw),
                    "samples": len(rows),
                    "version": _MDS_VERSION,
                    "zip_data": _file_info(f"{name}.zstd", packed),
                }
            )
            files.append([f"{name}.zstd", len(packed), hashlib.sha256(packed).hexdigest(), len(rows)])
            counts.append(row_counts(rows))
        return {**sum_counts(counts), "index": lines, "files": files}


class MdsExporter(Exporter):
    """Writes MDS shards.

    Raises:
        ConfigError: a type that cannot hold the ids.
    """

    export_format: ClassVar[str] = "mds"

    def __init__(self, stage: ShardStage, *, dtype: str | None = None) -> None:
        super().__init__(stage)
        header = stage.header
        self.id_type = id_type(
            dtype,
            export_format=self.export_format,
            allowed=("uint16", "uint32", "int32"),
            default="uint16" if header.vocab_size <= 1 << 16 else "uint32",
            tokenizer=header.tokenizer,
            vocab_size=header.vocab_size,
        )
        row_bytes = header.layout.row_tokens * np.dtype(self.id_type).itemsize
        self.rows_per_file = header.rows_per_shard
        while self.rows_per_file % 2 == 0 and self.rows_per_file * row_bytes > MAX_SHARD_BYTES:
            self.rows_per_file //= 2

    @property
    def config(self) -> Mapping[str, Any]:
        """What shapes the bytes."""
        return {
            "id_type": self.id_type,
            "rows_per_file": self.rows_per_file,
            "compression": f"zstd:{COMPRESSION_LEVEL}",
        }

    def phases(self, folder: str) -> Sequence[Phase]:
        """Write each of our shards as some MDS shards."""
        header = self.stage.header
        row_bytes = header.layout.row_tokens * np.dtype(self.id_type).itemsize
        parts = [
            MdsPart(
                stage=self.stage.artifact.folder,
                shard=entry.index,
                size_bytes=entry.num_rows * row_bytes,
                folder=folder,
                id_type=self.id_type,
                rows_per_file=self.rows_per_file,
                first_file=entry.index * (header.rows_per_shard // self.rows_per_file),
            )
            for entry in self.stage.shards
        ]
        return [Phase("export", parts)]

    def finish(self, folder: str, results: Sequence[Results]) -> Contents:
        """Check that all shards lie there, and write the index over them."""
        (written,) = results
        lines = [line for one in written.values() for line in one["index"]]
        files = [
            FileEntry(path, size_bytes, sha256, {"rows": rows})
            for one in written.values()
            for path, size_bytes, sha256, rows in one["files"]
        ]
        samples = sum(line["samples"] for line in lines)
        names = [line["zip_data"]["basename"] for line in lines]
        if samples != self.stage.num_rows or len(set(names)) != len(names):
            raise ArtifactError(
                f"{folder}: {samples:,} rows in {len(set(names)):,} shards were written, but the stage has "
                f"{self.stage.num_rows:,} rows: remove this folder and export again"
            )
        index = {"shards": lines, "version": _MDS_VERSION}
        storage.write_bytes(storage.join(folder, INDEX_NAME), json.dumps(index, sort_keys=True).encode())
        counts = sum_counts(
            {name: one[name] for name in ("rows", "tokens", "targets")} for one in written.values()
        )
        return Contents([*files, artifacts.describe_file(folder, INDEX_NAME)], counts)

    def usage(self, folder: str) -> str:
        """Return how a trainer opens the export."""
        kind = f"ndarray:{self.id_type}:{self.stage.header.layout.row_tokens}"
        remote = folder if not storage.is_local(folder) else storage.local_path(folder)
        return "\n".join(
            [
                f"rows       {self.stage.num_rows:,} rows in our order; tokens is {kind}:",
                "  from streaming import StreamingDataset",
                f"  dataset = StreamingDataset(remote={remote!r}, local='/local/cache', shuffle=False,",
                "                             validate_hash='sha256', batch_size=...)",
            ]
        )


def encode_shard(rows: Rows, *, names: Sequence[str], id_type: str, columns: Mapping[str, Any]) -> bytes:
    """Return rows as the bytes of one MDS shard.

    Args:
        rows: at least one.
        names: sources by id.
        id_type: of the column ``tokens``.
        columns: what the shard says of its columns, see ``shard_columns``.
    """
    config = json.dumps({**columns, "version": _MDS_VERSION}, sort_keys=True).encode()
    tokens = rows.tokens.astype(np.dtype(id_type).newbyteorder("<"), copy=False)
    lengths, documents = rows.seg_len.astype("<u4"), rows.seg_doc.astype("<u8")
    sources = [name.encode() for name in names]
    samples = []
    for row, (first, last) in enumerate(zip(rows.seg_starts[:-1].tolist(), rows.seg_starts[1:].tolist())):
        shape = _shape(last - first)
        values = (
            shape + lengths[first:last].tobytes(),
            shape + documents[first:last].tobytes(),
            sources[int(rows.source[row])],
        )
        sizes = np.array([len(value) for value in values], dtype="<u4").tobytes()
        samples.append(b"".join((sizes, *values, tokens[row].tobytes())))
    head_bytes = 4 * (len(samples) + 2) + len(config)
    ends = head_bytes + np.cumsum([0, *(len(sample) for sample in samples)], dtype=np.int64)
    assert int(ends[-1]) < 1 << 32, "offsets in an MDS shard are uint32"
    offsets: npt.NDArray[np.uint32] = ends.astype("<u4")
    return b"".join((np.array(len(samples), dtype="<u4").tobytes(), offsets.tobytes(), config, *samples))


def _shape(count: int) -> bytes:
    """Return the head of a one-dimensional array whose length varies: axes and width, then the length."""
    assert count >= 1, "MDS has no empty arrays"
    for code, kind in enumerate(("<u1", "<u2", "<u4")):
        if count < 1 << (8 << code):
            return bytes([1 << 2 | code]) + np.array(count, dtype=kind).tobytes()
    raise AssertionError(f"a row of {count} segments")


def shard_columns(kind: str, width: int) -> dict[str, Any]:
    """Return what a shard and its line of the index say of the columns."""
    return {
        "column_encodings": ["ndarray:uint32", "ndarray:uint64", "str", f"ndarray:{kind}:{width}"],
        "column_names": list(_COLUMNS),
        "column_sizes": [None, None, None, width * int(np.dtype(kind).itemsize)],
        "compression": f"zstd:{COMPRESSION_LEVEL}",
        "format": "mds",
        "hashes": [_HASH],
        "size_limit": None,
    }


def _file_info(name: str, data: bytes) -> dict[str, Any]:
    return {"basename": name, "bytes": len(data), "hashes": {_HASH: hashlib.sha256(data).hexdigest()}}


def _regrouped(batches: Iterator[Rows], rows_per_group: int) -> Iterator[Rows]:
    """Yield the same rows, so many at a time."""
    waiting: list[Rows] = []
    num_waiting = 0
    for batch in batches:
        waiting.append(batch)
        num_waiting += len(batch)
        while num_waiting >= rows_per_group:
            rows = concat_rows(waiting)
            yield rows.part(0, rows_per_group)
            waiting = [rows.part(rows_per_group, len(rows))] if len(rows) > rows_per_group else []
            num_waiting -= rows_per_group
    if num_waiting:
        yield concat_rows(waiting)
