"""The state of a stream: where it stands and what it has delivered, as a small JSON object.

The same on every rank, whatever the world size, the size of a batch, or the number of threads::

    {"format_version": 1,
     "stages": [["stage1", "<identity>"], ["stage2", "<identity>"]],
     "window_shards": 16,
     "stage": 0, "epoch": 0, "next_row": 12288,
     "steps": 12, "rows": 12288, "tokens": 25165824, "targets": 25160112,
     "sources": {"web": {"rows": 9830, "tokens": 20131840, "targets": 20127290}, ...}}

``next_row`` is a position in the epoch's order. ``tokens`` are input positions that held a token,
``targets`` those of them whose label bore loss. The shape does not change during a run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dataprep.errors import StreamError

STATE_VERSION = 1
COUNTED = ("rows", "tokens", "targets")
"""What is counted of each source, in the order of the rows of ``LoaderState.counts``."""


class Cursor(NamedTuple):
    """A place in a stream of stages."""

    stage: int = 0
    epoch: int = 0
    next_row: int = 0
    """Position in the epoch's order; the number of rows at the end of an epoch."""


@dataclass(frozen=True)
class LoaderState:
    """Where a stream stands, and what it has delivered up to there."""

    stages: tuple[tuple[str, str], ...]
    """Name and identity of each stage of the stream."""
    window_shards: int
    """The part of the stream's order that is not in its stages; see ``loader.order``."""
    sources: tuple[str, ...]
    cursor: Cursor
    steps: int
    """Global batches delivered."""
    counts: npt.NDArray[np.int64]
    """int64[3, sources]: rows, tokens and targets delivered of each source."""

    @property
    def rows(self) -> int:
        """Rows delivered, over all ranks."""
        return int(self.counts[0].sum())

    @property
    def tokens(self) -> int:
        """Input positions delivered that held a token, over all ranks."""
        return int(self.counts[1].sum())

    @property
    def targets(self) -> int:
        """Targets delivered that bore loss, over all ranks."""
        return int(self.counts[2].sum())

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "format_version": STATE_VERSION,
            "stages": [list(stage) for stage in self.stages],
            "window_shards": self.window_shards,
            "stage": self.cursor.stage,
            "epoch": self.cursor.epoch,
            "next_row": self.cursor.next_row,
            "steps": self.steps,
            "rows": self.rows,
            "tokens": self.tokens,
            "targets": self.targets,
            "sources": {
                name: dict(zip(COUNTED, column)) for name, column in zip(self.sources, self.counts.T.tolist())
            },
        }


def parse_state(value: Mapping[str, Any] | str) -> LoaderState:
    """Return the state that ``LoaderState.to_json`` gave, from the object or its JSON text.

    Raises:
        StreamError: it is not such a state.
    """
    try:
        fields = json.loads(value) if isinstance(value, str) else value
        version = fields["format_version"]
        if version != STATE_VERSION:
            raise StreamError(
                f"the loader state has format version {version!r}; this dataprep reads {STATE_VERSION}: "
                "install the version that wrote it"
            )
        sources = fields["sources"]
        counts = [[int(source[what]) for source in sources.values()] for what in COUNTED]
        state = LoaderState(
            stages=tuple((str(name), str(identity)) for name, identity in fields["stages"]),
            window_shards=int(fields["window_shards"]),
            sources=tuple(sources),
            cursor=Cursor(int(fields["stage"]), int(fields["epoch"]), int(fields["next_row"])),
            steps=int(fields["steps"]),
            counts=np.array(counts, dtype=np.int64).reshape(len(COUNTED), len(sources)),
        )
        totals = {"rows": state.rows, "tokens": state.tokens, "targets": state.targets}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StreamError(
            f"this is not a loader state ({error!r}): pass what state() of the loader returned"
        ) from error
    if min(state.cursor.stage, state.cursor.epoch, state.cursor.next_row) < 0 or any(
        fields.get(name) != total for name, total in totals.items()
    ):
        raise StreamError("the loader state does not add up; it was edited or damaged")
    return state


def initial_state(
    stages: Sequence[tuple[str, str]], sources: Sequence[str], *, window_shards: int
) -> LoaderState:
    """Return the state of a stream that has delivered nothing."""
    counts = np.zeros((len(COUNTED), len(sources)), dtype=np.int64)
    return LoaderState(tuple(stages), window_shards, tuple(sources), Cursor(), 0, counts)
