"""The plan of one stage, in memory and as ``plan.json``.

A stream is what one length class of a source holds, in the order of the token store, over and
over: virtual position p is token ``p % T`` of epoch ``p // T``, where T is the stream's size.

With ``concat`` packing, row j of a stream is the tokens from ``start_token + j * L`` to
``start_token + (j + 1) * L``, both included: L + 1 tokens, of which the last is only a label here
and the first input of row j + 1. With ``best_fit`` a stream's tokens are cut into one contiguous
range for each shard, and packing decides how many rows they make.

A plan may go on in the middle of another one's stage (see ``plan.forking``). Then its first row
is row ``fork_row`` of the stage, and a stream first reads the rows that the other plan left out
in the shard in which it was stopped, then goes on at ``start_token``.

In JSON the table of shards is one digit for each shard and source: how many rows a source has had
before a shard is the floor of its share of all rows so far (``0``) or the ceiling (``1``). That is
half a megabyte for 2 T tokens in 60,000 shards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from dataprep.interleave import Int64Array, class_counts
from dataprep.mixture import Boundaries

ROWS_PER_SHARD = 8192
"""Rows of every shard but the last; a multiple of a block's 64."""


@dataclass(frozen=True)
class StreamSize:
    """How much one length class of a source's token store holds."""

    tokens: int
    documents: int = 0


@dataclass(frozen=True)
class StreamPlan:
    """What a stage takes from one stream: a range of its virtual positions."""

    source: str
    length_class: str
    weight: float
    """Share of the stage's tokens that was requested."""
    requested_tokens: int
    tokens_available: int
    documents_available: int
    start_token: int
    """Virtual position where this stage goes on; 0, or where the stage before stopped."""
    num_rows: int
    """Exact with concat; with best_fit what the tokens make when no row has padding."""
    num_tokens: int
    """Positions that the stage moves on. With concat that is ``num_rows * sequence_length``."""
    asked: Mapping[str, float | int] = field(default_factory=dict)
    """The source's entry in the mixture: its weight, epochs or tokens."""
    published: Mapping[str, float | int | str] = field(default_factory=dict)
    provenance: str | None = None
    left_over: tuple[int, ...] = ()
    """Virtual positions, ascending and below ``start_token``, where the rows begin that a plan
    stopped in mid-stage left out. They are this plan's first rows of the stream, as far as it has so many."""

    @property
    def end_token(self) -> int:
        """Virtual position where the next stage goes on."""
        if not self.left_over:
            return self.start_token + self.num_tokens
        onward_rows = max(0, self.num_rows - len(self.left_over))
        return self.start_token + (onward_rows * self.num_tokens // self.num_rows if onward_rows else 0)

    @property
    def epoch_start(self) -> float:
        """How often the stream was read when the stage begins."""
        return self.start_token / self.tokens_available if self.tokens_available else 0.0

    @property
    def epoch_end(self) -> float:
        """How often the stream was read when the stage ends."""
        return self.end_token / self.tokens_available if self.tokens_available else 0.0

    @property
    def epochs(self) -> float:
        """How often this stage reads the stream."""
        return self.num_tokens / self.tokens_available if self.tokens_available else 0.0


@dataclass(frozen=True)
class StreamRange:
    """What one shard takes from one stream."""

    row_start: int
    row_stop: int
    """Rows of the stream in this stage, counted from 0. Under best_fit both are 0."""
    token_start: int
    token_stop: int
    """Virtual positions, the label of the last row included."""
    left_over: tuple[int, ...] = ()
    """Where the rows before these begin that an earlier plan left out; see ``StreamPlan``."""


@dataclass(frozen=True)
class ShardPlan:
    """What one shard holds; ``streams`` stand in the order of the plan's streams."""

    index: int
    first_row: int | None
    """Row of the stage that is this shard's first; None under best_fit, where packing decides."""
    num_rows: int | None
    streams: tuple[StreamRange, ...]


@dataclass(frozen=True)
class StagePlan:
    """The plan of a stage."""

    mixture: str
    name: str
    index: int
    """Position of the stage in the mixture; the validation stage stands behind all others."""
    sequence_length: int
    packing: str
    passes: int
    boundaries: Boundaries
    seed: int
    rows_per_shard: int
    num_rows: int
    num_tokens: int
    num_shards: int
    streams: tuple[StreamPlan, ...]
    """All streams of the stage, also those that get no row; the sources in the mixture's order,
    the classes of a source next to each other."""
    notices: tuple[str, ...] = ()
    """What a user should know before building, e.g. a source too small for one row."""
    rounded_up: Mapping[str, str] = field(default_factory=dict)
    """Per source one digit for each shard, see the module; empty under best_fit."""
    fork_row: int = 0
    """Row of the stage that is this plan's first; the rows before it are of another plan."""
    rows_before: Mapping[str, int] = field(default_factory=dict)
    """Rows of each source before ``fork_row``."""

    @property
    def overlap(self) -> int:
        """Tokens that consecutive rows of a stream share."""
        return 1 if self.packing == "concat" else 0

    @property
    def source_rows(self) -> dict[str, int]:
        """Rows of each source, its classes together."""
        rows: dict[str, int] = {}
        for stream in self.streams:
            rows[stream.source] = rows.get(stream.source, 0) + stream.num_rows
        return rows

    @property
    def end_positions(self) -> dict[tuple[str, str], int]:
        """Where the next stage goes on in each stream (source, class)."""
        return {(stream.source, stream.length_class): stream.end_token for stream in self.streams}

    def classes_of(self, source: str) -> tuple[int, ...]:
        """Return the positions in ``streams`` of a source's classes."""
        return tuple(i for i, stream in enumerate(self.streams) if stream.source == source)

    @cached_property
    def source_starts(self) -> Int64Array:
        """Rows that each source has had before each shard: int64[num_shards + 1, sources]."""
        totals = np.array(list(self.source_rows.values()), dtype=np.int64)
        first_rows = np.arange(self.num_shards, dtype=np.int64) * self.rows_per_shard
        digits = [np.frombuffer(self.rounded_up[name].encode(), np.uint8) - 48 for name in self.source_rows]
        starts = first_rows[:, None] * totals[None, :] // max(self.num_rows, 1) + np.stack(digits, axis=1)
        return np.concatenate([starts.astype(np.int64), totals[None, :]])

    def stream_starts(self, shard: int) -> Int64Array:
        """Rows that each stream has had before a shard (``num_shards``: in all): int64[streams]."""
        parts = []
        for number, source in enumerate(self.source_rows):
            classes = [self.streams[i].num_rows for i in self.classes_of(source)]
            had = self.source_starts[shard, number : number + 1]
            parts.append(class_counts(had, classes=classes)[0])
        return np.concatenate(parts)

    def shard(self, index: int) -> ShardPlan:
        """Return what shard ``index`` holds."""
        assert 0 <= index < self.num_shards, index
        if self.packing != "concat":
            ranges = []
            for stream in self.streams:
                start = stream.start_token + index * stream.num_tokens // self.num_shards
                stop = stream.start_token + (index + 1) * stream.num_tokens // self.num_shards
                ranges.append(StreamRange(0, 0, start, stop))
            return ShardPlan(index, None, None, tuple(ranges))
        first, last = self.stream_starts(index), self.stream_starts(index + 1)
        ranges = []
        for stream, row_start, row_stop in zip(self.streams, first.tolist(), last.tolist(), strict=True):
            left_over = stream.left_over[row_start:row_stop]
            onward = [max(0, row - len(stream.left_over)) for row in (row_start, row_stop)]
            begin, end = (stream.start_token + row * self.sequence_length for row in onward)
            stop = end + 1 if end > begin else begin
            ranges.append(StreamRange(row_start, row_stop, begin, stop, left_over))
        first_row = index * self.rows_per_shard
        num_rows = min(self.rows_per_shard, self.num_rows - first_row)
        return ShardPlan(index, first_row, num_rows, tuple(ranges))

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values; epochs are written for readers, not read back."""
        value = {name: getattr(self, name) for name in self.__dataclass_fields__}
        streams = []
        for stream in self.streams:
            epochs = {"epoch_start": stream.epoch_start, "epoch_end": stream.epoch_end}
            streams.append({**asdict(stream), **epochs})
        value |= {"boundaries": self.boundaries.model_dump(), "streams": streams, "overlap": self.overlap}
        maps = {"rounded_up": dict(self.rounded_up), "rows_before": dict(self.rows_before)}
        return {**value, "notices": list(self.notices), **maps}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> StagePlan:
        """Return the plan that ``to_json`` wrote."""
        values = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        fields = StreamPlan.__dataclass_fields__
        values["streams"] = tuple(
            StreamPlan(**{k: s[k] for k in fields if k in s} | {"left_over": tuple(s.get("left_over", ()))})
            for s in value["streams"]
        )
        values["boundaries"] = Boundaries(**value["boundaries"])
        values["notices"] = tuple(value["notices"])
        return cls(**values)
