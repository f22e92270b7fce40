"""Reading: a work item to record batches of ``documents.RAW_SCHEMA``.

Every raw row comes out exactly once, in order, with its verdict: ``keep``, why it could not be
read, or why this corpus must not contribute it. Only kept rows have a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO

import numpy as np
import pyarrow as pa

from dataprep.documents import BAD_ROW_REASONS
from dataprep.errors import BadInputError
from dataprep.sources import access, hub, parquet
from dataprep.sources.adapters import adapter_of
from dataprep.sources.compression import decompressed
from dataprep.sources.damage import DamagedFileError
from dataprep.sources.entries import CorpusEntry, HubDataset
from dataprep.sources.fields import VERDICTS, Codes, Fields, assemble
from dataprep.sources.generic import GenericAdapter
from dataprep.sources.jsonl import RowBatch, lines_of, pieces_of_range, read_rows
from dataprep.sources.parquet import ColumnBatch
from dataprep.sources.splitting import Damage, WorkItem

DEFAULT_BATCH_BYTES = 8 << 20
_DATASET_BATCH_ROWS = 1_000


@dataclass(frozen=True)
class SkippedFile:
    """A damaged raw file that was not read."""

    origin: str
    reason: str
    """One of ``damage.FILE_REASONS``."""
    detail: str


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
        DamagedFileError: the file is damaged; names it.
        BuildError: the file cannot be read, or changed since it was listed.
    """
    report = ReadReport() if report is None else report
    damage = item.damage
    if damage is not None and not skip_bad_files:
        raise DamagedFileError(item.path, reason=damage.reason, detail=damage.detail)
    if skip_bad_files:
        damage = damage or _damage_of(item, entry)
    if damage is not None:
        report.skipped_files.append(SkippedFile(item.origin, damage.reason, damage.detail))
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
    with access.opened(item.path, size_bytes=item.size_bytes) as stream:
        lines = lines_of(_pieces(item, stream), at_file_start=item.start == 0)
        yield from read_rows(lines, text_key=adapter.text_column, batch_bytes=batch_bytes)


def _pieces(item: WorkItem, stream: IO[bytes]) -> Iterator[bytes]:
    if item.compression == "none":
        return pieces_of_range(stream, item.start, item.stop)
    return decompressed(stream, item.compression, path=item.path)


def _column_batches(
    item: WorkItem, entry: CorpusEntry, adapter: GenericAdapter, batch_bytes: int
) -> Iterator[ColumnBatch]:
    ignored = adapter.columns.ignored
    if item.format == "parquet":
        yield from parquet.read_row_groups(
            item.path,
            range(item.start, item.stop),
            size_bytes=item.size_bytes,
            text_column=adapter.text_column,
            ignored=ignored,
            batch_bytes=batch_bytes,
        )
        return
    assert isinstance(entry.hub, HubDataset)
    for batch in hub.dataset_batches(
        entry.hub, shard=item.start, num_shards=item.stop, num_rows=_DATASET_BATCH_ROWS
    ):
        place = f"{item.path} ({item.origin})"
        adapter.check_columns(batch.schema.names, place=place)
        parquet.check_text_type(batch.schema, adapter.text_column, place=place)
        wanted = batch.select([name for name in batch.schema.names if name not in ignored])
        yield from parquet.column_batches(wanted, text_column=adapter.text_column, batch_bytes=batch_bytes)


def _damage_of(item: WorkItem, entry: CorpusEntry) -> Damage | None:
    """Read an item only to find damage."""
    adapter = adapter_of(entry, item.subset)
    try:
        if item.format == "parquet":
            for _ in _column_batches(item, entry, adapter, DEFAULT_BATCH_BYTES):
                pass
        elif item.compression != "none":
            with access.opened(item.path, size_bytes=item.size_bytes) as stream:
                for _ in decompressed(stream, item.compression, path=item.path):
                    pass
    except DamagedFileError as error:
        return Damage(error.reason, error.detail)
    return None


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
