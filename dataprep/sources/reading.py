"""Reading: a work item to record batches of ``documents.RAW_SCHEMA``.

Every raw row comes out exactly once, in order, with its verdict: ``keep``, why it could not be
read, or why this corpus must not contribute it. Only kept rows have a text.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO

import numpy as np
import pyarrow as pa

from dataprep import storage
from dataprep.documents import BAD_ROW_REASONS
from dataprep.errors import BadInputError, BuildError
from dataprep.sources import hub, parquet
from dataprep.sources.adapters import adapter_of
from dataprep.sources.catalog import CorpusEntry, HubDataset
from dataprep.sources.compression import decompressed
from dataprep.sources.fields import VERDICTS, Codes, Fields, assemble
from dataprep.sources.generic import GenericAdapter
from dataprep.sources.jsonl import RowBatch, lines_of, pieces_of_range, read_rows
from dataprep.sources.parquet import ColumnBatch
from dataprep.sources.splitting import WorkItem

DEFAULT_BATCH_BYTES = 8 << 20
_READ_BLOCK_BYTES = 8 << 20
_DATASET_BATCH_ROWS = 1_000


@dataclass(frozen=True)
class SkippedFile:
    """A damaged raw file that was not read."""

    origin: str
    reason: str


@dataclass
class ReadReport:
    """What was read, counted; ``read_batches`` adds to it while it runs."""

    rows: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    """Rows by verdict, ``keep`` included."""
    examples: dict[str, str] = field(default_factory=dict)
    """The first place of each bad-row reason, as ``origin:line`` with lines counted from 1."""
    skipped_files: list[SkippedFile] = field(default_factory=list)

    def add(self, batch: pa.RecordBatch, *, origin: str, first_row: int) -> None:
        """Count a batch."""
        self.rows += batch.num_rows
        codes = batch.column("verdict").indices.to_numpy(zero_copy_only=False)
        for code in np.unique(codes):
            verdict = VERDICTS[int(code)]
            self.verdicts[verdict] = self.verdicts.get(verdict, 0) + int((codes == code).sum())
            if verdict in BAD_ROW_REASONS and verdict not in self.examples:
                self.examples[verdict] = f"{origin}:{first_row + int(np.argmax(codes == code)) + 1}"


def read_batches(
    item: WorkItem,
    entry: CorpusEntry,
    *,
    batch_bytes: int = DEFAULT_BATCH_BYTES,
    skip_bad_files: bool = False,
    report: ReadReport | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a work item in order, about ``batch_bytes`` of text at a time.

    Args:
        skip_bad_files: A damaged file yields nothing at all and is reported. To know it before
            the first row is given out, a compressed file is decompressed and a Parquet file
            decoded once more, ahead.
        report: Counts what is read.

    Raises:
        BadInputError: the file is damaged; names it.
        BuildError: the file cannot be read, or changed since it was listed.
    """
    report = ReadReport() if report is None else report
    if item.damage or skip_bad_files:
        reason = item.damage or _damage_of(item, entry)
        if reason:
            if not skip_bad_files:
                raise BadInputError(reason)
            report.skipped_files.append(SkippedFile(item.origin, reason))
            return
    adapter = adapter_of(entry, item.subset)
    subsets = list(entry.subsets)
    first_row = item.first_row
    for text, bad, fields in _raw_batches(item, entry, adapter, batch_bytes):
        batch = assemble(
            text=text,
            bad=bad,
            fields=fields,
            source=entry.name,
            subsets=subsets,
            origin=item.origin,
            held_out=item.held_out,
            collection=item.collection_number,
            file=item.file_number,
            first_row=first_row,
        )
        report.add(batch, origin=item.origin, first_row=first_row)
        first_row += batch.num_rows
        yield batch


def _raw_batches(
    item: WorkItem, entry: CorpusEntry, adapter: GenericAdapter, batch_bytes: int
) -> Iterator[tuple[pa.LargeStringArray, Codes, Fields]]:
    """Yield text, bad-row codes and fields of the rows of an item."""
    if item.format == "jsonl":
        for rows in _jsonl_rows(item, adapter, batch_bytes):
            yield rows.text_array(), rows.bad(), adapter.fields_of_rows(rows.rows)
        return
    for columns in _column_batches(item, entry, adapter, batch_bytes):
        yield columns.text, columns.bad, adapter.fields_of_columns(columns.rest)


def _jsonl_rows(item: WorkItem, adapter: GenericAdapter, batch_bytes: int) -> Iterator[RowBatch]:
    with _opened(item) as stream:
        lines = lines_of(_pieces(item, stream), at_file_start=item.start == 0)
        yield from read_rows(lines, text_key=adapter.text_column, batch_bytes=batch_bytes)


def _pieces(item: WorkItem, stream: IO[bytes]) -> Iterator[bytes]:
    if item.compression == "none":
        return pieces_of_range(stream, item.start, item.stop)
    return decompressed(stream, item.compression, place=item.path)


def _column_batches(
    item: WorkItem, entry: CorpusEntry, adapter: GenericAdapter, batch_bytes: int
) -> Iterator[ColumnBatch]:
    ignored = adapter.columns.ignored
    if item.format == "parquet":
        _check_unchanged(item)
        yield from parquet.read_row_groups(
            item.path,
            range(item.start, item.stop),
            text_column=adapter.text_column,
            ignored=ignored,
            batch_bytes=batch_bytes,
        )
        return
    assert isinstance(entry.hub, HubDataset)
    for batch in hub.dataset_batches(
        entry.hub, shard=item.start, num_shards=item.stop, num_rows=_DATASET_BATCH_ROWS
    ):
        adapter.check_columns(batch.schema.names, place=f"{item.path} ({item.origin})")
        wanted = batch.select([name for name in batch.schema.names if name not in ignored])
        yield from parquet.column_batches(wanted, text_column=adapter.text_column, batch_bytes=batch_bytes)


def _damage_of(item: WorkItem, entry: CorpusEntry) -> str:
    """Read an item only to find damage; return what is wrong, empty when nothing is."""
    adapter = adapter_of(entry, item.subset)
    try:
        if item.format == "parquet":
            for _ in _column_batches(item, entry, adapter, DEFAULT_BATCH_BYTES):
                pass
        elif item.compression != "none":
            with _opened(item) as stream:
                for _ in decompressed(stream, item.compression, place=item.path):
                    pass
    except BadInputError as error:
        return str(error)
    return ""


@contextlib.contextmanager
def _opened(item: WorkItem) -> Iterator[IO[bytes]]:
    """Open an item's file; an error of the disk or network is told apart from damage."""
    _check_unchanged(item)
    try:
        with storage.open_input(item.path, block_size_bytes=_READ_BLOCK_BYTES) as stream:
            yield stream
    except OSError as error:
        raise BuildError(f"{item.path}: cannot be read ({error})") from error


def _check_unchanged(item: WorkItem) -> None:
    """Check that a local file still has the size it was listed with.

    Raises:
        BuildError: it has not, or is gone.
    """
    if not storage.is_local(item.path):
        return
    try:
        size = os.path.getsize(storage.local_path(item.path))
    except OSError as error:
        raise BuildError(f"{item.path}: cannot be read ({error.strerror})") from error
    if size != item.size_bytes:
        raise BuildError(
            f"{item.path}: has {size:,} bytes, but had {item.size_bytes:,} when the build began. Do not change "
            "raw files while a build runs; start the build again"
        )


def check_bad_ratio(
    verdicts: Mapping[str, int], entry: CorpusEntry, *, examples: Mapping[str, str] | None = None
) -> None:
    """Check that a corpus has no more unreadable rows than its ``max_bad_ratio`` allows.

    Args:
        verdicts: Rows by verdict over everything of this corpus that was read, ``keep`` and
            exclusions included: the ratio is that of a source, not of one file or folder.
        examples: A place ``file:line`` for each bad-row reason, as in ``ReadReport``.

    Raises:
        BadInputError: names the corpus, the counts by reason, a place, and the two ways out.
    """
    bad = {reason: verdicts[reason] for reason in BAD_ROW_REASONS if verdicts.get(reason)}
    num_rows, num_bad = sum(verdicts.values()), sum(bad.values())
    if num_bad <= entry.max_bad_ratio * num_rows:
        return
    places = [f"{(examples or {})[reason]} is {reason}" for reason in bad if reason in (examples or {})]
    raise BadInputError(
        f"source {entry.name!r}: {num_bad:,} of {num_rows:,} rows ({num_bad / num_rows:.3%}) cannot be read, "
        f"more than max_bad_ratio {entry.max_bad_ratio:.3%} allows: "
        + ", ".join(f"{reason} {count:,}" for reason, count in bad.items())
        + (f"; for example {places[0]}" if places else "")
        + f". Repair or replace the raw files, or, if this loss is acceptable, raise "
        f"corpora.{entry.name}.max_bad_ratio in the catalogue"
    )
