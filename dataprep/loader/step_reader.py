"""Reading steps: a rank's batches, and what the whole global batches count for the state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.errors import DataprepError, StreamError
from dataprep.loader.batch import Batch, BatchOptions, BatchPlace, PreparedRows
from dataprep.loader.boundaries import count_targets
from dataprep.loader.counters import Counters
from dataprep.loader.order import BatchRows, RowOrder
from dataprep.loader.shard_files import ShardFiles
from dataprep.loader.sharing import SharedResults
from dataprep.loader.steps import Step
from dataprep.loader.work import StepWork, WorkItem
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


class StepResult(NamedTuple):
    """What was read of one step."""

    work: StepWork
    batches: tuple[Batch, ...]
    counts: npt.NDArray[np.int64]
    """int64[3, sources]: rows, tokens, targets of the global batch by source of the stream."""


@dataclass(frozen=True)
class WorkResult:
    """What was read of one piece of work: all of its steps, or those before the first failure."""

    steps: tuple[StepResult, ...]
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

    @cached_property
    def _annotations(self) -> Rows:
        return decode_annotations(self._batch)

    @cached_property
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
        num_sources: int,
        options: BatchOptions,
        counters: Counters,
        max_record_batches: int,
        deadline_seconds: float,
    ) -> None:
        self._stages = stages
        self._files = files
        self._num_sources = num_sources
        self._options = options
        self._counters = counters
        self._record_batches: SharedResults[tuple[int, int, int], RecordBatchRows] = SharedResults(
            max_results=max_record_batches, deadline_seconds=deadline_seconds
        )
        self._row_counts: SharedResults[tuple[int, int, int], npt.NDArray[np.int64]] = SharedResults(
            max_results=4096, deadline_seconds=deadline_seconds
        )

    def read(self, item: WorkItem) -> WorkResult:
        """Read the steps of a piece of work, or those before the first that cannot be read.

        The failure, if any, names the rows, the shard and the reason.
        """
        step = item.steps[0].step
        self._files.advance(step.after._replace(next_row=step.start))
        with self._counters.timed("read_seconds"):
            try:
                return WorkResult(self._read_steps(item))
            except _FAILURES as error:
                if len(item.steps) == 1:
                    return WorkResult((), self._failure(step, error))
            return self._read_one_by_one(item)

    def _read_one_by_one(self, item: WorkItem) -> WorkResult:
        done: list[StepResult] = []
        for single in item.single_steps():
            try:
                done += self._read_steps(single)
            except _FAILURES as error:
                return WorkResult(tuple(done), self._failure(single.steps[0].step, error))
        return WorkResult(tuple(done))

    def _failure(self, step: Step, error: Exception) -> StreamError:
        failure = StreamError(f"{describe(step, self._stages[step.stage].name)} cannot be delivered: {error}")
        failure.__cause__ = error
        return failure

    def _read_steps(self, item: WorkItem) -> tuple[StepResult, ...]:
        if not any(work.parts for work in item.steps):
            return tuple(StepResult(work, (), count) for work, count in zip(item.steps, self._count(item)))
        prepared = self._read_rows(item)
        counts = self._count(item)  # After the rows: theirs are known by now.
        results = []
        first = 0
        for work, count in zip(item.steps, counts):
            stage, batches = self._stages[work.step.stage], []
            for number, (start, stop) in zip(work.part_numbers, work.parts):
                place = BatchPlace(
                    stage=stage.name,
                    stage_index=work.step.stage,
                    epoch=work.step.epoch,
                    step=work.number,
                    ends_step=number == work.num_parts - 1,
                )
                batches.append(prepared.batch(first, first + stop - start, place))
                first += stop - start
            results.append(StepResult(work, tuple(batches), count))
        return tuple(results)

    def _read_rows(self, item: WorkItem) -> PreparedRows:
        """Read the rows of all batches of a piece of work, one behind the other."""
        first_step = item.steps[0].step
        stage, epoch = self._stages[first_step.stage], first_step.epoch
        places: list[BatchRows] = []
        for start, stop in _joined(part for work in item.steps for part in work.parts):
            places += stage.order.locate(epoch, start, stop)
        if not places:  # A rank's part of a short last batch may be empty, but it is still a batch.
            (place,) = stage.order.locate(epoch, first_step.start, first_step.start + 1)
            places = [BatchRows(place.shard, place.batch, slice(0, 0), 0)]
        width = stage.shards.header.layout.row_tokens
        tokens = np.empty((item.num_rows, width), dtype=self._options.dtype)
        parts, done = [], 0
        for place in places:
            decompressed = self._record_batch(first_step.stage, place)
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

    def _count(self, item: WorkItem) -> npt.NDArray[np.int64]:
        """Return int64[steps, 3, sources]: what each global batch counts.

        Of rows that are not handed out here, only the small columns are decoded.
        """
        first, last = item.steps[0].step, item.steps[-1].step
        places = self._stages[first.stage].order.locate(first.epoch, first.start, last.stop)
        parts = []
        for place in places:
            key = (first.stage, place.shard, place.batch)
            of_batch = self._row_counts.get(key, partial(self._read_counts, first.stage, place))
            parts.append(of_batch[:, place.rows])
        source, tokens, targets = np.concatenate(parts, axis=1)
        sizes = [work.step.num_rows for work in item.steps]
        # One bin for each step and source.
        bins = source + np.repeat(np.arange(len(sizes)) * self._num_sources, sizes)
        num_bins = len(sizes) * self._num_sources
        counts = [np.bincount(bins, what, num_bins) for what in (None, tokens, targets)]
        by_step = np.stack(counts).astype(np.int64).reshape(3, len(sizes), self._num_sources)
        return by_step.swapaxes(0, 1)

    def _read_counts(self, stage: int, place: BatchRows) -> npt.NDArray[np.int64]:
        batch = self._files.read(
            stage, place.shard, lambda shard: shard.read_batch(place.batch, _COUNT_COLUMNS)
        )
        return self._count_rows(self._stages[stage], batch)

    def _count_rows(self, stage: StreamStage, batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
        """Return int64[3, rows of the record batch]: source in the stream, tokens, targets."""
        source, n_tok, n_loss = (batch.column(name).to_numpy() for name in _COUNT_COLUMNS[:3])
        targets = n_loss.astype(np.int64)
        crossing = self._policy(stage).cross_document_loss
        if crossing != stage.shards.header.boundaries.cross_document_loss:
            segments = np.diff(batch.column("seg_len").offsets.to_numpy()).astype(np.int64)
            targets = count_targets(n_tok, segments, cross_document_loss=crossing)
        inputs = np.minimum(n_tok, stage.shards.header.sequence_length)
        return np.stack([stage.source_numbers[source], inputs.astype(np.int64), targets])

    def _policy(self, stage: StreamStage) -> Boundaries:
        return self._options.boundaries or stage.shards.header.boundaries


def describe(step: Step, stage_name: str) -> str:
    """Return what a step is called in messages."""
    return f"positions {step.start} to {step.stop - 1} of epoch {step.epoch} of stage {stage_name!r}"


def _joined(parts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges of positions with those that touch made one, in order; empty ones left out."""
    found: list[tuple[int, int]] = []
    for start, stop in parts:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], stop)
        elif start < stop:
            found.append((start, stop))
    return found
