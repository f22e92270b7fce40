"""What the threads of a reader do: pieces of work of a few steps each, cut from the stream's order.

Steps of few rows are read several at a time: a record batch is decompressed and its rows are
taken apart as a whole, and what is done once for each piece of work costs less for each batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dataprep.loader.cutting import LengthSchedule, scheduled_length
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


class StepParts(NamedTuple):
    """One global batch, and which parts of it to hand out."""

    step: Step
    first_number: int
    """Number, among all batches of the rank, of its first one in this step."""
    num_parts: int
    """How many batches the rank has in this step."""
    chosen: Sequence[int]
    """Which of them to hand out, ascending."""
    parts: Sequence[tuple[int, int]]
    """Positions of each of these, start and stop."""


class WorkItem(NamedTuple):
    """Consecutive global batches of one epoch that are read together."""

    stage: int
    epoch: int
    steps: Sequence[StepParts]
    num_rows: int
    """Rows to hand out."""
    length: int
    """Sequence length to cut the rows to."""

    @property
    def start(self) -> int:
        """Position of the first row of the first step."""
        return self.steps[0].step.start

    @property
    def stop(self) -> int:
        """Position behind the last row of the last step."""
        return self.steps[-1].step.stop

    def single_steps(self) -> Iterator[WorkItem]:
        """Yield the steps one by one."""
        for one in self.steps:
            yield self._replace(steps=(one,), num_rows=_num_rows(one.parts))


class StageForm(NamedTuple):
    """What the cutting of work needs to know of a stage."""

    sequence_length: int
    rows_per_batch: int


def work_items(
    steps: Iterator[Step],
    stages: Sequence[StageForm],
    *,
    share: RankShare,
    worker: WorkerShare,
    rows_before: int,
    schedule: LengthSchedule,
) -> Iterator[WorkItem]:
    """Yield what one worker reads: all steps, since all count for the state.

    A piece of work holds rows for about one record batch, or one step if that has more.

    Args:
        steps: the global batches from where the worker stands.
        stages: of the stream.
        rows_before: rows that the stream delivered before.
        schedule: warm-up of the sequence length.
    """
    waiting: list[StepParts] = []
    own_rows = length = 0
    first_number, skip = worker.first_number, worker.skip
    for step in steps:
        form = stages[step.stage]
        now = scheduled_length(schedule, rows_delivered=rows_before, sequence_length=form.sequence_length)
        if waiting and (now != length or not _follows(waiting[-1].step, step)):
            yield _item(waiting, own_rows, length)
            waiting, own_rows = [], 0
        length = now
        parts = share.parts(step)
        num_parts = len(parts)
        # The first number from ``skip`` on that is this worker's.
        first = skip + (worker.worker - first_number - skip) % worker.num_workers
        chosen = range(first, num_parts, worker.num_workers)
        parts = parts[first :: worker.num_workers]
        waiting.append(StepParts(step, first_number, num_parts, chosen, parts))
        own_rows += _num_rows(parts)
        rows_before += step.stop - step.start
        first_number += num_parts
        skip = 0
        ends_record_batch = share.world_size == 1 and step.stop % form.rows_per_batch == 0
        if own_rows >= form.rows_per_batch or ends_record_batch:
            yield _item(waiting, own_rows, length)
            waiting, own_rows = [], 0
    if waiting:
        yield _item(waiting, own_rows, length)


def _item(steps: Sequence[StepParts], num_rows: int, length: int) -> WorkItem:
    return WorkItem(steps[0].step.stage, steps[0].step.epoch, steps, num_rows, length)


def _num_rows(parts: Sequence[tuple[int, int]]) -> int:
    return sum([stop - start for start, stop in parts])


def _follows(step: Step, after: Step) -> bool:
    return (step.stage, step.epoch, step.stop) == (after.stage, after.epoch, after.start)
