"""A stream: the stages of a mixture one after another, readable from any place.

A stream holds no position and no open file; it can be pickled, shared and kept.
``TokenStream.batches`` begins to read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dataprep.errors import StreamError, UsageError
from dataprep.hashing import hash64
from dataprep.loader.batch import Batch, BatchOptions, TokenType
from dataprep.loader.cache import CacheOptions
from dataprep.loader.cutting import LengthSchedule
from dataprep.loader.order import WINDOW_SHARDS, RowOrder
from dataprep.loader.read_ahead import ReadAheadLimits
from dataprep.loader.reader import BatchReader, ReaderOptions
from dataprep.loader.shard_files import ShardName
from dataprep.loader.state import Cursor, LoaderState, initial_state, parse_state
from dataprep.loader.step_reader import StreamStage
from dataprep.loader.steps import Extent, LastBatch, RankShare
from dataprep.shards import Boundaries, ShardStage

_ONE_TOKENIZER = ("tokenizer_sha256", "vocab_size", "eos_id", "pad_id")


class TokenStream:
    """Stages of rows, in the order in which they are trained on; ``open_stream`` makes one.

    Args:
        folders: the folder of each stage's published shards.
        epochs: how often each stage is read before the next one begins.
        window_shards: how many shards later epochs mix with each other.
    """

    def __init__(
        self, folders: Sequence[str], *, epochs: Sequence[int], window_shards: int = WINDOW_SHARDS
    ) -> None:
        self._arguments = (tuple(folders), tuple(epochs), window_shards)
        self.window_shards = window_shards
        opened = [ShardStage.open(folder) for folder in folders]
        _check_alike(opened)
        self.sources = tuple(dict.fromkeys(name for stage in opened for name in stage.source_names))
        """Names of the sources of all stages."""
        number = {name: i for i, name in enumerate(self.sources)}
        self.stages = tuple(
            StreamStage(
                shards=stage,
                order=_order_of(stage, window_shards),
                identity=identity_of(stage),
                epochs=stage_epochs,
                source_numbers=np.array([number[name] for name in stage.source_names], dtype=np.int64),
            )
            for stage, stage_epochs in zip(opened, epochs, strict=True)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (*self._arguments, self.identity)

    @cached_property
    def identity(self) -> tuple[tuple[str, str], ...]:
        """Name and identity of each stage."""
        return tuple((stage.name, stage.identity) for stage in self.stages)

    @cached_property
    def extents(self) -> tuple[Extent, ...]:
        """Rows and epochs of each stage."""
        return tuple(Extent(stage.shards.num_rows, stage.epochs) for stage in self.stages)

    @property
    def num_rows(self) -> int:
        """Rows of the whole stream: those of a stage as often as it is read."""
        return sum(extent.num_rows * extent.epochs for extent in self.extents)

    def initial_state(self) -> LoaderState:
        """Return the state before the first row."""
        return initial_state(self.identity, self.sources, window_shards=self.window_shards)

    def adopt(self, state: LoaderState | Mapping[str, Any] | str | None) -> LoaderState:
        """Return a state as one of this stream; None: the initial one.

        Stages after the one that the state is in may be others: what was not read yet may change.
        So may the rest of a stage: its state is one of a stage that forked from it at a row that
        the state has not passed.

        Raises:
            StreamError: it belongs to other shards, or is past the fork; names the stage and both
                identities.
        """
        if state is None:
            return self.initial_state()
        found = state if isinstance(state, LoaderState) else parse_state(state)
        stage = found.cursor.stage
        for i, (name, identity) in enumerate(found.stages[: stage + 1]):
            if i >= len(self.stages):
                raise StreamError(
                    f"the loader state is in stage {i + 1} ({name!r}), but this stream has "
                    f"{len(self.stages)}: open all stages of the run"
                )
            own_name, own_identity = self.identity[i]
            forks = self.stages[i].shards.header.forks
            fork = next((fork for fork in forks if fork.identity == identity), None)
            if fork is not None and i == stage and found.cursor.epoch == 0:
                if found.cursor.next_row <= fork.row:
                    continue
                raise StreamError(
                    f"the loader state is at row {found.cursor.next_row} of stage {own_name!r}, but the "
                    f"shards in {self.stages[i].shards.artifact.folder} left those of the state at row "
                    f"{fork.row}: fork them later, or resume from a state of up to row {fork.row}"
                )
            if own_identity != identity:
                raise StreamError(
                    f"the loader state belongs to other shards: its stage {i + 1} is {name!r} with identity "
                    f"{identity[:12]}, this stream's is {own_name!r} with {own_identity[:12]} "
                    f"({self.stages[i].shards.artifact.folder}): open the shards that the run was started on"
                )
        if found.window_shards != self.window_shards:
            raise StreamError(
                f"the loader state was written with window_shards={found.window_shards}, this stream has "
                f"{self.window_shards}: later epochs would not be the same"
            )
        if stage >= len(found.stages) or found.cursor.next_row > self.extents[stage].num_rows:
            raise StreamError("the loader state does not add up; it was edited or damaged")
        counts = np.zeros((3, len(self.sources)), dtype=np.int64)
        number = {name: i for i, name in enumerate(self.sources)}
        for name, column in zip(found.sources, found.counts.T):
            if name in number:
                counts[:, number[name]] = column
            elif column.any():
                raise StreamError("the loader state counts a source that its stages do not have")
        return dataclasses.replace(found, stages=self.identity, sources=self.sources, counts=counts)

    def shards_from(self, cursor: Cursor) -> Iterator[ShardName]:
        """Yield (stage, shard) of all that is needed from a cursor on, in the order of first use."""
        epoch, row = cursor.epoch, cursor.next_row
        for number in range(cursor.stage, len(self.stages)):
            stage = self.stages[number]
            for at in range(epoch, stage.epochs):
                yield from zip(itertools.repeat(number), stage.order.shards_from(at, row))
                row = 0
            epoch, row = 0, 0

    def batches(
        self,
        global_batch_rows: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        micro_batch_rows: int | None = None,
        start: LoaderState | Mapping[str, Any] | str | None = None,
        last_batch: LastBatch = "short",
        read_ahead_threads: int = 2,
        read_ahead_bytes: int = 512 << 20,
        deadline_seconds: float = 600.0,
        dtype: TokenType = "int64",
        labels: bool = False,
        position_ids: bool = False,
        cu_seqlens: bool = False,
        boundaries: Boundaries | None = None,
        sequence_lengths: LengthSchedule = (),
        cache: CacheOptions | None = None,
    ) -> BatchReader:
        """Begin to read: return an iterator over the batches of one rank.

        Which rows make up global batch k, and in which order, depends on the stream, on
        ``global_batch_rows``, ``last_batch`` and ``start`` alone.

        Args:
            global_batch_rows: rows of one optimizer step over all ranks; a multiple of
                ``world_size * micro_batch_rows``. It may be another one after each resume.
            rank: data-parallel rank. Tensor-, pipeline- and context-parallel peers pass the same.
            world_size: number of data-parallel ranks.
            micro_batch_rows: rows of each batch handed out; None: the rank's whole part.
            start: state to resume from (what ``state()`` of a reader returned, or its JSON text).
            last_batch: "short": the last global batch of an epoch holds what is left, cut evenly
                over the ranks (sizes differ by at most one row); "drop": it is left out.
            read_ahead_threads: threads that read and decode; 0: the caller does.
            read_ahead_bytes: bytes of batches that wait for the caller, at most.
            deadline_seconds: how long to wait for the next batch before an error is raised.
            dtype: type of the token ids: int64, int32 or uint32.
            labels: give int64 labels, -100 where no loss is taken.
            position_ids: give position ids.
            cu_seqlens: give the cumulated lengths for varlen attention.
            boundaries: what happens between documents, if not what the stage's manifest says.
            sequence_lengths: warm-up of the sequence length by cutting rows, as ``[(0, 512),
                (100_000, 2048)]``: (rows delivered, length from the next global batch on). A cut
                row gives several shorter ones: same rows, tokens and targets, in more sequences.
            cache: where shards of remote storage are kept on this node.

        Raises:
            UsageError: the sizes do not fit together; names the nearest that do.
            StreamError: the state belongs to other shards.
        """
        return BatchReader(
            self,
            global_batch_rows=global_batch_rows,
            share=RankShare(rank, world_size, micro_batch_rows),
            start=start,
            last_batch=last_batch,
            options=ReaderOptions(
                batch=BatchOptions(dtype, labels, position_ids, cu_seqlens, boundaries, sequence_lengths),
                limits=ReadAheadLimits(
                    threads=read_ahead_threads,
                    max_bytes=read_ahead_bytes,
                    deadline_seconds=deadline_seconds,
                ),
                cache=cache or CacheOptions(),
            ),
        )

    def read(
        self, start: int, stop: int, *, stage: int = 0, epoch: int = 0, options: ReaderOptions | None = None
    ) -> Batch:
        """Return the rows at positions ``start`` to ``stop`` of an epoch: any step of a run again.

        Raises:
            UsageError: there are no such positions.
        """
        if not (0 <= stage < len(self.stages) and 0 <= epoch < self.stages[stage].epochs):
            raise UsageError(f"stage {stage}, epoch {epoch}: this stream has no such epoch")
        if not 0 <= start < stop <= self.extents[stage].num_rows:
            raise UsageError(
                f"positions {start} to {stop}: stage {stage} has {self.extents[stage].num_rows} rows"
            )
        state = dataclasses.replace(self.initial_state(), cursor=Cursor(stage, epoch, start))
        with BatchReader(
            self,
            global_batch_rows=stop - start,
            share=RankShare(),
            start=state,
            options=options or ReaderOptions(limits=ReadAheadLimits(threads=0)),
        ) as reader:
            return next(reader)

    @property
    def shards_at_once(self) -> int:
        """Shards that a short stretch of the stream may need together."""
        return max(stage.order.shards_at_once(stage.epochs - 1) for stage in self.stages)


def identity_of(stage: ShardStage) -> str:
    """Return the identity of a stage's rows: a hash of its header and of its shards' checksums."""
    digest = hashlib.sha256(json.dumps(dataclasses.asdict(stage.header), sort_keys=True).encode())
    digest.update("".join(entry.sha256 for entry in stage.artifact.manifest.files).encode())
    return digest.hexdigest()


def _reopen(
    folders: Sequence[str], epochs: Sequence[int], window_shards: int, identity: tuple[tuple[str, str], ...]
) -> TokenStream:
    """Open a stream in the process that it was sent to."""
    stream = TokenStream(folders, epochs=epochs, window_shards=window_shards)
    if stream.identity != identity:
        raise StreamError(f"the shards in {', '.join(folders)} changed while the stream was handed over")
    return stream


def _order_of(stage: ShardStage, window_shards: int) -> RowOrder:
    header = stage.header
    return RowOrder(
        num_rows=stage.num_rows,
        rows_per_batch=header.rows_per_batch,
        rows_per_shard=header.rows_per_shard,
        key=hash64("dataprep loader", header.seed, header.mixture, header.stage),
        window_shards=window_shards,
    )


def _check_alike(stages: Sequence[ShardStage]) -> None:
    first = stages[0]
    for stage in stages[1:]:
        for name in _ONE_TOKENIZER:
            if getattr(stage.header, name) != getattr(first.header, name):
                raise UsageError(
                    f"stages of one stream need one tokenizer: {name} is {getattr(first.header, name)!r} in "
                    f"{first.artifact.folder} and {getattr(stage.header, name)!r} in {stage.artifact.folder}"
                )
