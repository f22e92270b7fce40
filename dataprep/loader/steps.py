"""From a cursor to global batches, and from a global batch to one rank's part: pure arithmetic.

Global batch k is the next ``global_batch_rows`` rows of the stream. It never crosses the end of
an epoch or of a stage: the last one there holds the rows that are left, or is left out. Of a
global batch of n rows, rank r of W takes rows ``r*n//W`` to ``(r+1)*n//W``, in parts of
``micro_batch_rows``; whatever W and the parts are, all ranks together take the same rows in the
same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from dataprep.errors import UsageError
from dataprep.loader.state import Cursor

LastBatch = Literal["short", "drop"]


@dataclass(frozen=True)
class Extent:
    """How much there is of a stage."""

    num_rows: int
    epochs: int
    """How often the stage is read before the next one begins."""


class Step(NamedTuple):
    """One global batch: positions ``start`` to ``stop`` of an epoch of a stage."""

    stage: int
    epoch: int
    start: int
    stop: int
    number: int
    """Of the global batch in the stream."""


@dataclass(frozen=True)
class RankShare:
    """Which part of every global batch one rank takes, and how it cuts it."""

    rank: int = 0
    world_size: int = 1
    micro_batch_rows: int | None = None
    """Rows in each batch that is handed out; None: the rank's whole part."""

    def parts(self, step: Step) -> list[tuple[int, int]]:
        """Return the positions (start, stop) of each of the rank's batches of a step, in order.

        Every rank gets at least one, which may be empty in a short last batch.
        """
        num_rows = step.stop - step.start
        first = step.start + self.rank * num_rows // self.world_size
        last = step.start + (self.rank + 1) * num_rows // self.world_size
        size = self.micro_batch_rows
        if size is None or size >= last - first:
            return [(first, last)]
        return [(start, min(start + size, last)) for start in range(first, last, size)]


def check_share(share: RankShare, *, global_batch_rows: int) -> None:
    """Check that a global batch can be cut as asked.

    Raises:
        UsageError: it cannot; names the nearest sizes that can.
    """
    if global_batch_rows < 1 or share.world_size < 1:
        raise UsageError(
            f"global_batch_rows={global_batch_rows} and world_size={share.world_size} must be at least 1"
        )
    if not 0 <= share.rank < share.world_size:
        raise UsageError(f"rank={share.rank} is outside of 0..{share.world_size - 1} (world_size - 1)")
    micro_batch_rows = share.micro_batch_rows
    if micro_batch_rows is not None and micro_batch_rows < 1:
        raise UsageError(f"micro_batch_rows={micro_batch_rows} must be at least 1, or None")
    unit = share.world_size * (micro_batch_rows or 1)
    if global_batch_rows % unit:
        below = global_batch_rows - global_batch_rows % unit
        nearest = [str(n) for n in (below, below + unit) if n > 0]
        what = "world_size" if micro_batch_rows is None else "world_size * micro_batch_rows"
        raise UsageError(
            f"global_batch_rows={global_batch_rows} is no multiple of {what} = {unit}; "
            f"nearest: {' or '.join(nearest)}"
        )


def steps_from(
    cursor: Cursor,
    extents: Sequence[Extent],
    *,
    global_batch_rows: int,
    first_number: int = 0,
    last_batch: LastBatch = "short",
) -> Iterator[Step]:
    """Yield the global batches from ``cursor`` to the end of the last epoch of the last stage."""
    number = first_number
    epoch, row = cursor.epoch, cursor.next_row
    for stage in range(cursor.stage, len(extents)):
        extent = extents[stage]
        while epoch < extent.epochs:
            while row < extent.num_rows:
                stop = row + global_batch_rows
                if stop > extent.num_rows and last_batch == "drop":
                    break
                stop = min(stop, extent.num_rows)
                yield Step(stage, epoch, row, stop, number)
                row = stop
                number += 1
            epoch, row = epoch + 1, 0
        epoch = 0
