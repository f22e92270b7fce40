"""What the threads of a reader do: pieces of work of a few steps each, cut from the stream's order.

Steps of few rows are read several at a time: a record batch is decompressed and its rows are
taken apart as a whole, and what is done once for each piece of work costs less for each batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dataprep.loader.cutting import LengthSchedule, scheduled_length
from dataprep.loader.state import LoaderState
from dataprep.loader.steps import RankShare, Step


@dataclass(frozen=True)
class WorkerShare:
    """Which of a rank's batches one of several worker processes hands out, and where it stands.

    Worker w of n hands out the batches whose number, counted over the rank's whole run, leaves
    the rest w when divided by n.
    """

    worker: int = 0
    num_workers: int = 1
    first_number: int = 0
    """Number of the first batch of the global batch that comes next."""
    skip: int = 0
    """Batches of that global batch that were handed out already."""


class StepWork(NamedTuple):
    """One global batch, and which parts of it to hand out."""

    step: Step
    number: int
    """Of the global batch in the stream."""
    parts: tuple[tuple[int, int], ...]
    """Positions of each batch to hand out."""
    part_numbers: tuple[int, ...]
    """Which of the rank's batches of this step these are."""
    num_parts: int
    """How many the rank has in this step."""
    first_number: int
    """Number, among all batches of the rank, of its first one in this step."""

    @property
    def num_rows(self) -> int:
        """Rows to hand out."""
        return sum(stop - start for start, stop in self.parts)


@dataclass(frozen=True)
class WorkItem:
    """Consecutive global batches of one epoch that are read together."""

    steps: tuple[StepWork, ...]
    length: int
    """Sequence length to cut the rows to."""

    @property
    def num_rows(self) -> int:
        """Rows to hand out."""
        return sum(step.num_rows for step in self.steps)

    def single_steps(self) -> Iterator[WorkItem]:
        """Yield the steps one by one."""
        for step in self.steps:
            yield WorkItem((step,), self.length)


@dataclass(frozen=True)
class StageForm:
    """What the cutting of work needs to know of a stage."""

    sequence_length: int
    rows_per_batch: int


def work_items(
    steps: Iterator[Step],
    stages: Sequence[StageForm],
    *,
    state: LoaderState,
    share: RankShare,
    worker: WorkerShare,
    schedule: LengthSchedule,
) -> Iterator[WorkItem]:
    """Yield what one worker reads, all steps, since all count for the state.

    A piece of work holds rows for about one record batch, or one step if that has more.

    Args:
        steps: the global batches from ``state`` on.
        stages: of the stream.
        state: where the steps begin.
        schedule: warm-up of the sequence length.
    """
    waiting: list[StepWork] = []
    waiting_length = waiting_rows = 0
    rows_before = state.rows
    for work in _work_of(steps, state=state, share=share, worker=worker):
        step, form = work.step, stages[work.step.stage]
        length = scheduled_length(schedule, rows_delivered=rows_before, sequence_length=form.sequence_length)
        if waiting and (length != waiting_length or not _follows(waiting[-1].step, step)):
            yield WorkItem(tuple(waiting), waiting_length)
            waiting, waiting_rows = [], 0
        waiting.append(work)
        waiting_length = length
        waiting_rows += work.num_rows
        rows_before += step.num_rows
        ends_record_batch = share.world_size == 1 and step.stop % form.rows_per_batch == 0
        if waiting_rows >= form.rows_per_batch or ends_record_batch:
            yield WorkItem(tuple(waiting), waiting_length)
            waiting, waiting_rows = [], 0
    if waiting:
        yield WorkItem(tuple(waiting), waiting_length)


def _work_of(
    steps: Iterator[Step], *, state: LoaderState, share: RankShare, worker: WorkerShare
) -> Iterator[StepWork]:
    """Yield each step with the parts of it that the worker hands out."""
    first_number, skip = worker.first_number, worker.skip
    for i, step in enumerate(steps):
        parts = share.parts(step)
        # The first number from ``skip`` on that is this worker's.
        first = skip + (worker.worker - first_number - skip) % worker.num_workers
        yield StepWork(
            step=step,
            number=state.steps + i,
            parts=tuple(parts[first :: worker.num_workers]),
            part_numbers=tuple(range(first, len(parts), worker.num_workers)),
            num_parts=len(parts),
            first_number=first_number,
        )
        first_number += len(parts)
        skip = 0


def _follows(step: Step, after: Step) -> bool:
    return (step.stage, step.epoch, step.stop) == (after.stage, after.epoch, after.start)
