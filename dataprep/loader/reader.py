"""The iterator over one rank's batches, with the state to resume after each of them."""

from __future__ import annotations

import os
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from dataprep.errors import StreamError, UsageError
from dataprep.loader.batch import Batch, BatchOptions, BatchPlace
from dataprep.loader.cache import CacheOptions
from dataprep.loader.counters import Counters
from dataprep.loader.cutting import check_schedule
from dataprep.loader.read_ahead import ReadAhead, ReadAheadLimits
from dataprep.loader.shard_files import ShardFiles
from dataprep.loader.state import Cursor, LoaderState
from dataprep.loader.step_reader import StepReader, StreamStage, WorkResult, describe
from dataprep.loader.steps import LastBatch, RankShare, check_share, steps_from
from dataprep.loader.tally import Tally
from dataprep.loader.work import StageForm, WorkerShare, WorkItem, work_items

if TYPE_CHECKING:
    from dataprep.loader.stream import TokenStream


@dataclass(frozen=True)
class ReaderOptions:
    """How a stream is read. Rows and their order depend on none of these."""

    batch: BatchOptions = field(default_factory=BatchOptions)
    limits: ReadAheadLimits = field(default_factory=ReadAheadLimits)
    cache: CacheOptions = field(default_factory=CacheOptions)


class _Place(NamedTuple):
    """A place in a worker's run of batches."""

    cursor: Cursor
    """The start of the global batch that it is in."""
    steps: int
    """Global batches before that."""
    first_number: int
    """Number, among all batches of the rank, of the first one of that global batch."""
    skip: int
    """Batches of it that were handed out already."""


class BatchReader(Iterator[Batch]):
    """Iterates over the batches of one rank.

    Not to be used by several threads at once. In a process that is forked from one that reads,
    it goes on by itself from where it stood, and so does the parent's.

    Args:
        stream: what to read.
        global_batch_rows: rows of a global batch, over all ranks.
        share: the part of each global batch that this rank takes.
        start: where to begin, and what was delivered before; None: at the first row.
        last_batch: whether an epoch's rows that fill no global batch make a short one or none.
        worker: the part of the rank's batches that this process hands out.

    Raises:
        UsageError: a size does not fit.
        StreamError: the state belongs to other shards.
    """

    def __init__(
        self,
        stream: TokenStream,
        *,
        global_batch_rows: int,
        share: RankShare,
        start: LoaderState | Mapping[str, Any] | str | None = None,
        last_batch: LastBatch = "short",
        options: ReaderOptions | None = None,
        worker: WorkerShare | None = None,
    ) -> None:
        options, worker = options or ReaderOptions(), worker or WorkerShare()
        check_share(share, global_batch_rows=global_batch_rows)
        if last_batch not in ("short", "drop"):
            raise UsageError(f"last_batch={last_batch!r}: must be 'short' or 'drop'")
        if options.batch.sequence_lengths:
            lengths = [stage.shards.header.sequence_length for stage in stream.stages]
            check_schedule(options.batch.sequence_lengths, lengths)
        self._stream = stream
        self._global_batch_rows = global_batch_rows
        self._share = share
        self._last_batch = last_batch
        self._options = options
        self._worker = worker
        state = stream.adopt(start)
        self._start = state
        self._behind = _Place(state.cursor, state.steps, worker.first_number, worker.skip)
        """Behind the last batch that was handed out."""
        self._received = self._behind
        """Behind the last piece of work that came from the threads."""
        self._rows_received = state.rows
        self._tally = Tally(state.counts)
        self._waiting: deque[tuple[Batch | None, _Place, int]] = deque()
        """Batches to hand out: with the place behind each, and the rows of the global batches that
        are complete with it. None: a global batch of which this worker hands out nothing more."""
        self._failure: StreamError | None = None
        """What to raise once they are handed out."""
        self._num_batches = self._num_rows = 0
        self._counters = Counters()
        self._machine: _Machine | None = None

    def __iter__(self) -> BatchReader:
        return self

    def __next__(self) -> Batch:
        """Return the next batch.

        Raises:
            StreamError: it cannot be delivered; names the rows, the shard and the reason.
                Asking again tries again.
        """
        while True:
            while not self._waiting:
                self._receive()
            batch, self._behind, num_rows = self._waiting.popleft()
            if num_rows:
                self._tally.deliver(num_rows)
            if batch is not None:
                self._num_batches += 1
                self._num_rows += len(batch)
                return batch

    def __enter__(self) -> BatchReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def state(self) -> dict[str, Any]:
        """Return where the stream stands: what to save, and to give as ``start`` to resume.

        It is the state behind the last global batch whose batches were all handed out, the same
        on every rank. In the middle of a global batch it is the state before it: a run that
        resumes there repeats the batches that were handed out of it.
        """
        behind = self._behind
        counts = self._tally.counts()
        return replace(self._start, cursor=behind.cursor, steps=behind.steps, counts=counts).to_json()

    def place(self) -> tuple[dict[str, Any], WorkerShare]:
        """Return the exact place of this worker, in the middle of a global batch or not.

        Returns: the ``start`` and the ``worker`` of a reader that goes on behind the last batch.
        """
        return self.state(), self._worker_at(self._behind)

    def counters(self) -> dict[str, Any]:
        """Return sums since this reader was made, and the stream's tokens by source: always the same keys.

        ``batches`` and ``rows`` are those handed out, ``ready_steps`` is how many global batches
        wait for the trainer now; ``loader.counters.COUNTERS`` explains the others.
        """
        machine = self._own_machine()
        results = [] if machine is None else machine.results.ready()
        tokens = dict(zip(self._stream.sources, self._tally.counts()[1].tolist()))
        return {
            "batches": self._num_batches,
            "rows": self._num_rows,
            "ready_steps": sum(len(result.steps) for result in results),
            **self._counters.snapshot(),
            "tokens_by_source": tokens,
        }

    def close(self) -> None:
        """Stop the threads. Reading may go on afterwards, with new ones."""
        machine, self._machine = self._machine, None
        if machine is not None:
            machine.close()

    def _receive(self) -> None:
        """Wait for the next piece of work and make its batches."""
        failure, self._failure = self._failure, None
        try:
            if failure is not None:
                raise failure
            with self._counters.timed("wait_seconds"):
                result = next(self._running_machine().results)
        except BaseException:
            self.close()
            raise
        self._failure = result.failure
        self._tally.note(result.counted)
        first = 0
        for step, first_number, num_parts, chosen, parts in result.steps:
            stage, epoch, start, stop, number = step
            before = Cursor(stage, epoch, start)
            after = _Place(Cursor(stage, epoch, stop), number + 1, first_number + num_parts, 0)
            self._received = after
            self._rows_received += stop - start
            ends_step = False
            for part, (part_start, part_stop) in zip(chosen, parts):
                assert result.rows is not None
                ends_step = part == num_parts - 1
                last = first + part_stop - part_start
                name = self._stream.stages[stage].name
                batch = result.rows.batch(first, last, BatchPlace(name, stage, epoch, number, ends_step))
                first = last
                if ends_step:
                    self._waiting.append((batch, after, stop - start))
                else:
                    self._waiting.append((batch, _Place(before, number, first_number, part + 1), 0))
            if not ends_step:
                self._waiting.append((None, after, stop - start))

    def _worker_at(self, place: _Place) -> WorkerShare:
        num_workers = self._worker.num_workers
        return WorkerShare(self._worker.worker, num_workers, place.first_number % num_workers, place.skip)

    def _own_machine(self) -> _Machine | None:
        """Return the threads and files of this process; those from before a fork are forgotten."""
        if self._machine is not None and self._machine.process != os.getpid():
            self._machine = None
            self._counters.renew_lock()
        return self._machine

    def _running_machine(self) -> _Machine:
        machine = self._own_machine()
        if machine is None:
            stream, place = self._stream, self._received
            headers = [stage.shards.header for stage in stream.stages]
            items = work_items(
                steps_from(
                    place.cursor,
                    stream.extents,
                    global_batch_rows=self._global_batch_rows,
                    first_number=place.steps,
                    last_batch=self._last_batch,
                ),
                [StageForm(header.sequence_length, header.rows_per_batch) for header in headers],
                share=self._share,
                worker=self._worker_at(place),
                rows_before=self._rows_received,
                schedule=self._options.batch.sequence_lengths,
            )
            machine = self._machine = _Machine(stream, place.cursor, items, self._options, self._counters)
            weakref.finalize(self, machine.stop)
        return machine


class _Machine:
    """Threads and open files of a reader in one process; knows nothing of the reader."""

    def __init__(
        self,
        stream: TokenStream,
        cursor: Cursor,
        items: Iterator[WorkItem],
        options: ReaderOptions,
        counters: Counters,
    ) -> None:
        self.process = os.getpid()
        limits = options.limits
        self._files = ShardFiles(
            [stage.shards for stage in stream.stages],
            shards_from=stream.shards_from,
            shards_at_once=stream.shards_at_once,
            cursor=cursor,
            options=options.cache,
            counters=counters,
            deadline_seconds=limits.deadline_seconds,
        )
        steps = StepReader(
            stream.stages,
            self._files,
            options=options.batch,
            counters=counters,
            # Those that neighbouring steps share; a few for each thread.
            max_record_batches=4 + 2 * limits.threads,
            deadline_seconds=limits.deadline_seconds,
        )
        self.results: ReadAhead[WorkItem, WorkResult] = ReadAhead(
            items,
            steps.read,
            bytes_of=lambda item: _bytes_of(item, stream.stages, options.batch),
            limits=limits,
            describe=lambda item: describe(item, stream.stages[item.stage].name),
        )

    def stop(self) -> None:
        """Tell all threads to end."""
        self.results.stop()
        self._files.stop()

    def close(self) -> None:
        """Tell all threads to end, and wait for them."""
        self.stop()
        self.results.close()
        self._files.close()


def _bytes_of(item: WorkItem, stages: tuple[StreamStage, ...], options: BatchOptions) -> int:
    row_tokens = stages[item.stage].shards.header.layout.row_tokens
    return item.num_rows * row_tokens * options.bytes_per_token
