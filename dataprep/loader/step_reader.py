"""Reading steps: a rank's batches, and what the whole global batches count for the state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.arrays import empty_array
from dataprep.errors import DataprepError, StreamError
from dataprep.loader.batch import BatchOptions, PreparedRows
from dataprep.loader.boundaries import count_targets
from dataprep.loader.counters import Counters
from dataprep.loader.lazy import lazy
from dataprep.loader.order import BatchRows, RowOrder
from dataprep.loader.shard_files import ShardFiles
from dataprep.loader.sharing import SharedResults
from dataprep.loader.state import Cursor
from dataprep.loader.tally import NotedRows
from dataprep.loader.work import StepParts, WorkItem
from dataprep.shards import (
    Boundaries,
    Rows,
    ShardStage,
    concat_rows,
    decode_annotations,
    decode_tokens,
)

_FAILURES = (DataprepError, OSError, pa.ArrowException)
_COUNT_COLUMNS = ("source", "n_tok", "n_loss", "seg_len")


@dataclass(frozen=True)
class StreamStage:
    """A stage as a part of a stream."""

    shards: ShardStage
    order: RowOrder
    identity: str
    """Hash of the stage's header and of its shards' checksums."""
    epochs: int
    """How often the stage is read before the next one begins."""
    source_numbers: npt.NDArray[np.int64]
    """Number in the stream of each source id of the stage."""

    @property
    def name(self) -> str:
        """Name of the stage in its mixture."""
        return self.shards.header.stage


class WorkResult(NamedTuple):
    """What was read of one piece of work: all of its steps, or those before the first failure."""

    steps: Sequence[StepParts]
    """Those that could be read."""
    rows: PreparedRows | None
    """The rows of all their parts, one behind the other; None if there are no parts."""
    counted: Sequence[NotedRows]
    """What all rows of the steps count."""
    failure: StreamError | None = None


class RecordBatchRows:
    """A decompressed record batch; what is wanted of it is decoded when it is wanted."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch

    def annotations(self, rows: slice | npt.NDArray[np.int64]) -> Rows:
        """Return some rows with all but their tokens."""
        if isinstance(rows, slice):
            return self._annotations.part(rows.start, rows.stop)
        return self._annotations.take(rows)

    def copy_tokens(self, rows: slice | npt.NDArray[np.int64], out: npt.NDArray[np.integer]) -> None:
        """Write the tokens of some rows to ``out``, [rows, L+1] of any integer type that holds them."""
        if isinstance(rows, slice):
            decode_tokens(self._batch.slice(rows.start, rows.stop - rows.start), out)
        else:
            out[...] = self._tokens[rows]

    @lazy
    def _annotations(self) -> Rows:
        return decode_annotations(self._batch)

    @lazy
    def _tokens(self) -> npt.NDArray[np.uint32]:
        return decode_tokens(self._batch)


class StepReader:
    """Reads steps; may be called from several threads at once.

    Record batches are decompressed once for all steps that need them at about the same time.
    """

    def __init__(
        self,
        stages: Sequence[StreamStage],
        files: ShardFiles,
        *,
        options: BatchOptions,
        counters: Counters,
        max_record_batches: int,
        deadline_seconds: float,
    ) -> None:
        self._stages = stages
        self._files = files
        self._options = options
        self._counters = counters
        self._record_batches: SharedResults[tuple[int, int, int], RecordBatchRows] = SharedResults(
            max_results=max_record_batches, deadline_seconds=deadline_seconds
        )
        self._row_counts: SharedResults[tuple[int, int, int], NotedRows] = SharedResults(
            max_results=4096, deadline_seconds=deadline_seconds
        )

    def read(self, item: WorkItem) -> WorkResult:
        """Read the steps of a piece of work, or those before the first that cannot be read.

        The failure, if any, names the rows, the shard and the reason.
        """
        self._files.advance(Cursor(item.stage, item.epoch, item.start))
        with self._counters.timed("read_seconds"):
            try:
                return self._read_steps(item)
            except _FAILURES as error:
                if len(item.steps) == 1:
                    return WorkResult((), None, (), self._failure(item, error))
            return self._read_up_to_failure(item)

    def _read_up_to_failure(self, item: WorkItem) -> WorkResult:
        """Find the first step that cannot be read, and return those before it."""
        done = 0
        failure = None
        for single in item.single_steps():
            try:
                self._read_steps(single)
            except _FAILURES as error:
                failure = self._failure(single, error)
                break
            done += 1
        if done == 0:
            return WorkResult((), None, (), failure)
        readable = item.steps[:done]
        num_rows = sum(stop - start for one in readable for start, stop in one.parts)
        return self._read_steps(item._replace(steps=readable, num_rows=num_rows))._replace(failure=failure)

    def _failure(self, item: WorkItem, error: Exception) -> StreamError:
        failure = StreamError(f"{describe(item, self._stages[item.stage].name)} cannot be delivered: {error}")
        failure.__cause__ = error
        return failure

    def _read_steps(self, item: WorkItem) -> WorkResult:
        rows = self._read_rows(item) if any(one.parts for one in item.steps) else None
        # After the rows: what they count is known by then.
        return WorkResult(item.steps, rows, self._count(item))

    def _read_rows(self, item: WorkItem) -> PreparedRows:
        """Read the rows of all batches of a piece of work, one behind the other."""
        stage = self._stages[item.stage]
        places: list[BatchRows] = []
        for start, stop in _joined(part for one in item.steps for part in one.parts):
            places += stage.order.locate(item.epoch, start, stop)
        if not places:  # A rank's part of a short last batch may be empty, but it is still a batch.
            (place,) = stage.order.locate(item.epoch, item.start, item.start + 1)
            places = [BatchRows(place.shard, place.batch, slice(0, 0), 0)]
        width = stage.shards.header.layout.row_tokens
        tokens = empty_array((item.num_rows, width), self._options.dtype)
        parts, done = [], 0
        for place in places:
            decompressed = self._record_batch(item.stage, place)
            parts.append((decompressed, place.rows))
            decompressed.copy_tokens(place.rows, tokens[done : done + place.num_rows])
            done += place.num_rows
        self._counters.add("bytes_decoded", tokens.nbytes)
        return PreparedRows(
            tokens,
            lambda: concat_rows([decompressed.annotations(rows) for decompressed, rows in parts]),
            lambda: stage.order.numbers_of(places),
            length=item.length,
            policy=self._policy(stage),
            options=self._options,
        )

    def _record_batch(self, stage: int, place: BatchRows) -> RecordBatchRows:
        def read() -> RecordBatchRows:
            self._counters.add("record_batches_read")
            batch = self._files.read(stage, place.shard, lambda shard: shard.read_batch(place.batch))
            decompressed = RecordBatchRows(batch)
            self._row_counts.get(key, lambda: self._count_rows(self._stages[stage], batch))
            return decompressed

        key = (stage, place.shard, place.batch)
        return self._record_batches.get(key, read)

    def _count(self, item: WorkItem) -> list[NotedRows]:
        """Return what the rows of the global batches count, by record batch.

        Of rows that are not handed out here, only the small columns are decoded.
        """
        parts = []
        for place in self._stages[item.stage].order.locate(item.epoch, item.start, item.stop):
            key = (item.stage, place.shard, place.batch)
            of_batch = self._row_counts.get(key, partial(self._read_counts, item.stage, place))
            parts.append(of_batch.part(place.rows, place.num_rows))
        return parts

    def _read_counts(self, stage: int, place: BatchRows) -> NotedRows:
        batch = self._files.read(
            stage, place.shard, lambda shard: shard.read_batch(place.batch, _COUNT_COLUMNS)
        )
        return self._count_rows(self._stages[stage], batch)

    def _count_rows(self, stage: StreamStage, batch: pa.RecordBatch) -> NotedRows:
        """Return int64[3, rows of the record batch]: source in the stream, tokens, targets."""
        header = stage.shards.header
        n_tok = batch.column("n_tok").to_numpy()
        n_loss = batch.column("n_loss").to_numpy()
        crossing = self._policy(stage).cross_document_loss
        if crossing != header.boundaries.cross_document_loss:
            segments = np.diff(batch.column("seg_len").offsets.to_numpy()).astype(np.int64)
            n_loss = count_targets(n_tok, segments, cross_document_loss=crossing)
        source = batch.column("source").to_numpy()
        return NotedRows(source, n_tok, n_loss, stage.source_numbers, header.sequence_length)

    def _policy(self, stage: StreamStage) -> Boundaries:
        return self._options.boundaries or stage.shards.header.boundaries


def describe(item: WorkItem, stage_name: str) -> str:
    """Return what a piece of work is called in messages."""
    return f"positions {item.start} to {item.stop - 1} of epoch {item.epoch} of stage {stage_name!r}"


def _joined(parts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges of positions with those that touch made one, in order; empty ones left out."""
    found: list[tuple[int, int]] = []
    for start, stop in parts:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], stop)
        elif start < stop:
            found.append((start, stop))
    return found
