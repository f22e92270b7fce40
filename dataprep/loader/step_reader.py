"""Reading one step: a rank's batches, and what the whole global batch counts for the state."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.errors import ArtifactError, StreamError
from dataprep.loader.batch import Batch, BatchOptions, BatchPlace, make_batch
from dataprep.loader.boundaries import count_targets
from dataprep.loader.counters import Counters
from dataprep.loader.order import BatchRows, RowOrder
from dataprep.loader.shard_files import ShardFiles
from dataprep.loader.sharing import SharedResults
from dataprep.loader.steps import Step
from dataprep.shards import (
    Boundaries,
    Rows,
    ShardStage,
    concat_rows,
    decode_annotations,
    decode_tokens,
)

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


@dataclass(frozen=True)
class WorkItem:
    """One global batch to read, and which parts of it."""

    step: Step
    number: int
    """Of the global batch in the stream."""
    rows_before: int
    """Rows that the stream delivered before it."""
    parts: tuple[tuple[int, int], ...]
    """Positions of each batch to hand out."""
    part_numbers: tuple[int, ...]
    """Which of the rank's batches of this step these are."""
    num_parts: int
    """How many the rank has in this step."""
    first_number: int
    """Number, among all batches of the rank, of its first one in this step."""


@dataclass(frozen=True)
class StepResult:
    """What was read for one ``WorkItem``."""

    item: WorkItem
    batches: tuple[Batch, ...]
    counts: npt.NDArray[np.int64]
    """int64[3, sources]: rows, tokens, targets of the global batch by source of the stream."""


class RecordBatchRows:
    """A decompressed record batch; its tokens are decoded when a batch takes them."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch
        self._annotations = decode_annotations(batch)

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

    def read(self, item: WorkItem) -> StepResult:
        """Read a step.

        Raises:
            StreamError: a row of it cannot be delivered; names the rows, the shard and the reason.
        """
        step = item.step
        stage = self._stages[step.stage]
        self._files.advance(dataclasses.replace(step.after, next_row=step.start))
        try:
            with self._counters.timed("read_seconds"):
                batches = tuple(self._read_part(item, i) for i in range(len(item.parts)))
                return StepResult(item, batches, self._count(step))
        except (ArtifactError, OSError, pa.ArrowException) as error:
            raise StreamError(f"{describe(step, stage.name)} cannot be delivered: {error}") from error

    def _read_part(self, item: WorkItem, index: int) -> Batch:
        start, stop = item.parts[index]
        step, stage = item.step, self._stages[item.step.stage]
        width = stage.shards.header.layout.row_tokens
        tokens = np.empty((stop - start, width), dtype=self._options.dtype)
        places = stage.order.locate(step.epoch, start, stop)
        if not places:  # A rank's part of a short last batch may be empty, but it is still a batch.
            (place,) = stage.order.locate(step.epoch, step.start, step.start + 1)
            places = [BatchRows(place.shard, place.batch, slice(0, 0), 0)]
        parts, done = [], 0
        for place in places:
            decompressed = self._record_batch(step.stage, place)
            parts.append(decompressed.annotations(place.rows))
            decompressed.copy_tokens(place.rows, tokens[done : done + place.num_rows])
            done += place.num_rows
        self._counters.add("bytes_decoded", tokens.nbytes)
        return make_batch(
            dataclasses.replace(concat_rows(parts), tokens=tokens),
            stage.order.numbers_of(places),
            BatchPlace(
                stage=stage.name,
                stage_index=step.stage,
                epoch=step.epoch,
                step=item.number,
                ends_step=item.part_numbers[index] == item.num_parts - 1,
                rows_before=item.rows_before,
            ),
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

    def _count(self, step: Step) -> npt.NDArray[np.int64]:
        """Return what the global batch counts: only small columns are decoded for it."""
        of_rows = np.concatenate(
            [
                self._row_counts.get(
                    (step.stage, place.shard, place.batch), partial(self._read_counts, step.stage, place)
                )[:, place.rows]
                for place in self._stages[step.stage].order.locate(step.epoch, step.start, step.stop)
            ],
            axis=1,
        )
        source, tokens, targets = of_rows
        counts = [np.bincount(source, what, self._num_sources) for what in (None, tokens, targets)]
        return np.stack(counts).astype(np.int64)

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
