"""Export for the Hugging Face hub: Parquet files and a dataset card.

::

    DIR/data/<split>-00000-of-00031.parquet    rows in the stage's order
    DIR/README.md                              the dataset card, written last

``datasets.load_dataset(DIR)`` reads the folder as it is, and compares the number of rows with the card.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import artifacts, storage
from dataprep.artifacts import FileEntry, sum_counts
from dataprep.errors import ArtifactError
from dataprep.export.dataset_card import CARD_NAME, dataset_card
from dataprep.export.id_types import id_type
from dataprep.export.job import Contents, Exporter, Phase, Results
from dataprep.export.stage_rows import VALIDATION, row_counts, rows_of_shard, worker_stage
from dataprep.shards import Rows, ShardStage, concat_rows

MAX_FILES = 8192
"""The hub takes 10,000 files in a folder; a larger stage gets several of its shards into a file."""
GROUP_ROWS = 512
"""Rows in a row group: 8 MB of ids at 4,096 tokens, small enough for the hub's viewer."""
COMPRESSION_LEVEL = 3
"""Measured on ids: 8 % smaller than level 1. Dictionaries and splitting into bytes save less."""

_IDS = "int32"
SCHEMA = pa.schema(
    [
        pa.field("input_ids", pa.list_(pa.int32()), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("epoch", pa.int32(), nullable=False),
        pa.field("num_tokens", pa.int32(), nullable=False),
        pa.field("num_targets", pa.int32(), nullable=False),
        pa.field("segment_lengths", pa.list_(pa.int32()), nullable=False),
        pa.field("segment_documents", pa.list_(pa.uint64()), nullable=False),
        pa.field("segment_offsets", pa.list_(pa.int64()), nullable=False),
        pa.field("segment_flags", pa.list_(pa.uint8()), nullable=False),
    ]
)


@dataclass(frozen=True)
class ParquetPart:
    """The rows of consecutive shards, as one file."""

    stage: str
    """Folder of the stage."""
    first_shard: int
    stop_shard: int
    size_bytes: int
    folder: str
    """Of the export."""
    path: str
    """Of the file, below the folder."""

    @property
    def name(self) -> str:
        """Unique among the files."""
        return self.path.rsplit("/", 1)[-1].removesuffix(".parquet")

    def write(self) -> Mapping[str, Any]:
        """Write the file; return its counts, size and checksum."""
        stage = worker_stage(self.stage)
        counts = []
        memory_bytes = 0
        with (
            storage.atomic_output(storage.join(self.folder, self.path)) as stream,
            pq.ParquetWriter(
                stream,
                SCHEMA,
                compression="zstd",
                compression_level=COMPRESSION_LEVEL,
                use_dictionary=["source"],
                write_statistics=["source", "num_tokens"],
                write_page_index=True,
            ) as writer,
        ):
            for rows in self._groups(stage):
                table = _table(rows, stage.source_names)
                writer.write_table(table, row_group_size=GROUP_ROWS)
                counts.append(row_counts(rows))
                memory_bytes += table.nbytes
        entry = artifacts.describe_file(self.folder, self.path)
        return {
            **sum_counts(counts),
            "memory_bytes": memory_bytes,
            "file": [entry.path, entry.size_bytes, entry.sha256],
        }

    def _groups(self, stage: ShardStage) -> Iterator[Rows]:
        waiting: list[Rows] = []
        for shard in range(self.first_shard, self.stop_shard):
            for rows in rows_of_shard(stage, shard):
                waiting.append(rows)
                if sum(map(len, waiting)) >= GROUP_ROWS:
                    yield concat_rows(waiting)
                    waiting = []
        if waiting:
            yield concat_rows(waiting)


class ParquetExporter(Exporter):
    """Writes Parquet files and the card.

    Raises:
        ConfigError: a type other than the one that is written.
    """

    export_format: ClassVar[str] = "parquet"

    def __init__(self, stage: ShardStage, *, dtype: str | None = None) -> None:
        super().__init__(stage)
        self.id_type = id_type(
            dtype,
            export_format=self.export_format,
            allowed=(_IDS,),
            default=_IDS,
            tokenizer=stage.header.tokenizer,
            vocab_size=stage.header.vocab_size,
        )
        self.split = VALIDATION if stage.header.stage == VALIDATION else "train"
        self.shards_per_file = -(-len(stage.shards) // MAX_FILES)

    @property
    def config(self) -> Mapping[str, Any]:
        """What shapes the bytes."""
        return {"shards_per_file": self.shards_per_file, "group_rows": GROUP_ROWS}

    def phases(self, folder: str) -> Sequence[Phase]:
        """Write the files."""
        num_shards = len(self.stage.shards)
        firsts = range(0, num_shards, self.shards_per_file)
        row_bytes = self.stage.header.layout.row_tokens * np.dtype(self.id_type).itemsize
        parts = []
        for number, first in enumerate(firsts):
            stop = min(first + self.shards_per_file, num_shards)
            num_rows = sum(entry.num_rows for entry in self.stage.shards[first:stop])
            path = f"data/{self.split}-{number:05d}-of-{len(firsts):05d}.parquet"
            parts.append(
                ParquetPart(self.stage.artifact.folder, first, stop, num_rows * row_bytes, folder, path)
            )
        return [Phase("export", parts)]

    def finish(self, folder: str, results: Sequence[Results]) -> Contents:
        """Read the number of rows of every file again, and write the card."""
        (written,) = results
        files = []
        for one in written.values():
            path, size_bytes, sha256 = one["file"]
            with storage.open_input(storage.join(folder, path)) as stream:
                num_rows = pq.read_metadata(stream).num_rows
            if num_rows != one["rows"]:
                raise ArtifactError(
                    f"{folder}/{path}: {num_rows:,} rows, but {one['rows']:,} were written: "
                    "remove this folder and export again"
                )
            files.append(FileEntry(path, size_bytes, sha256, {"rows": num_rows}))
        counts = sum_counts(
            {name: one[name] for name in ("rows", "tokens", "targets")} for one in written.values()
        )
        card = dataset_card(
            self.stage,
            split=self.split,
            dataset_bytes=sum(one["memory_bytes"] for one in written.values()),
            download_bytes=sum(entry.size_bytes for entry in files),
        )
        storage.write_bytes(storage.join(folder, CARD_NAME), card.encode())
        return Contents([*files, artifacts.describe_file(folder, CARD_NAME)], counts)

    def usage(self, folder: str) -> str:
        """Return how to look at the export and where it can go."""
        return "\n".join(
            [
                f"rows       {self.stage.num_rows:,} rows in our order, split {self.split!r}:",
                f"  datasets.load_dataset({folder!r})",
                f"  hf upload-large-folder USER/NAME {folder} --repo-type=dataset",
                "  Before you upload: the card lists the licence of every source; some forbid it.",
            ]
        )


def _table(rows: Rows, names: Sequence[str]) -> pa.Table:
    """Return rows as a table of ``SCHEMA``."""
    width = rows.tokens.shape[1]
    row_starts = np.arange(len(rows) + 1, dtype=np.int64) * width
    source = pa.DictionaryArray.from_arrays(pa.array(rows.source.astype(np.int32)), pa.array(names))
    columns = [
        _ragged(row_starts, rows.tokens.reshape(-1), pa.int32()),
        source.cast(pa.string()),
        pa.array(rows.epoch.astype(np.int32)),
        pa.array(rows.n_tok.astype(np.int32)),
        pa.array(rows.n_loss.astype(np.int32)),
        _ragged(rows.seg_starts, rows.seg_len, pa.int32()),
        _ragged(rows.seg_starts, rows.seg_doc, pa.uint64()),
        _ragged(rows.seg_starts, rows.seg_off, pa.int64()),
        _ragged(rows.seg_starts, rows.seg_flags, pa.uint8()),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _ragged(
    starts: npt.NDArray[np.int64], values: npt.NDArray[np.integer], kind: pa.DataType
) -> pa.ListArray:
    flat = pa.array(values.astype(kind.to_pandas_dtype()), kind)
    return pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), flat)
