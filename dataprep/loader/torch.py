"""A stream as a PyTorch dataset: the same batches, as tensors, with any number of workers.

::

    dataset = TokenDataset(stream, global_batch_rows=1024, micro_batch_rows=4)
    for batch in data_loader(dataset, num_workers=2, pin_memory=True):
        logits = model(batch["input_ids"])
        cross_entropy(logits.flatten(0, 1), batch["labels"].flatten()).backward()
        if batch["ends_step"]:
            optimizer.step()
            torch.save({"model": ..., "data": batch["state"]}, path)

    TokenDataset(stream, ..., start=torch.load(path)["data"])

Worker w of n makes the rank's batches w, w + n, w + 2n, ..., and DataLoader takes from the
workers in turn, so the order is the same for any n. A batch carries the state to save once it was
used: a state that only the workers know would be ahead of the trainer, or lost. It may be resumed
with another number of workers or ranks. torchdata's StatefulDataLoader works as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dataprep.errors import MissingExtraError, StreamError
from dataprep.loader.batch import Batch, BatchOptions
from dataprep.loader.cache import CacheOptions
from dataprep.loader.cutting import LengthSchedule
from dataprep.loader.read_ahead import ReadAheadLimits
from dataprep.loader.reader import BatchReader, ReaderOptions
from dataprep.loader.state import LoaderState
from dataprep.loader.steps import LastBatch, RankShare, check_share
from dataprep.loader.stream import TokenStream
from dataprep.loader.work import WorkerShare
from dataprep.shards import Boundaries

try:
    import torch
    from torch.utils.data import DataLoader, IterableDataset, get_worker_info
except ImportError as error:
    raise MissingExtraError(module="torch", extra="torch", purpose="dataprep.loader.torch") from error

State = Mapping[str, Any] | str


class TokenDataset(IterableDataset):  # type: ignore[misc]
    """Iterates over one rank's batches as dicts of tensors.

    ``input_ids`` and ``labels`` are int64[n, L], the labels shifted already (models that shift
    labels themselves would do it twice); ``row_numbers`` and ``source_ids`` int64[n]; ``stage``
    and ``step`` ints; ``ends_step`` a bool, true for the rank's last batch of a global batch;
    ``state`` the JSON text to save once the batch was used. On request:
    ``position_ids`` int64[n, L]; ``segment_ids`` int32[n, L], the segment of its row that each
    position belongs to (padding: -1); ``cu_seqlens`` int32[runs + 1] with ``max_seqlen``, for
    varlen attention over n * L positions.

    Use it with ``data_loader``, or with ``DataLoader(..., batch_size=None)``: it makes batches.
    Each ``iter`` begins at ``start`` or at what ``load_state_dict`` was given.

    Args:
        stream: what to read; see ``TokenStream.batches`` for the arguments not listed here.
        rank: data-parallel rank; None: that of torch.distributed, or 0 without it.
        world_size: number of data-parallel ranks; None: likewise.
        start: a batch's ``state``, or what ``state()`` of a reader returned.
        read_ahead_threads: threads in each process that reads.
    """

    def __init__(
        self,
        stream: TokenStream,
        *,
        global_batch_rows: int,
        rank: int | None = None,
        world_size: int | None = None,
        micro_batch_rows: int | None = None,
        start: LoaderState | State | None = None,
        last_batch: LastBatch = "short",
        position_ids: bool = False,
        segment_ids: bool = False,
        cu_seqlens: bool = False,
        boundaries: Boundaries | None = None,
        sequence_lengths: LengthSchedule = (),
        read_ahead_threads: int = 1,
        read_ahead_bytes: int = 256 << 20,
        deadline_seconds: float = 600.0,
        cache: CacheOptions | None = None,
    ) -> None:
        super().__init__()
        self.stream = stream
        self._global_batch_rows = global_batch_rows
        self._share = RankShare(*_rank_of(rank, world_size), micro_batch_rows)
        check_share(self._share, global_batch_rows=global_batch_rows)
        self._last_batch: LastBatch = last_batch
        self._segment_ids = segment_ids
        self._options = ReaderOptions(
            batch=BatchOptions("int64", True, position_ids, cu_seqlens, boundaries, sequence_lengths),
            limits=ReadAheadLimits(
                threads=read_ahead_threads, max_bytes=read_ahead_bytes, deadline_seconds=deadline_seconds
            ),
            cache=cache or CacheOptions(),
        )
        self._start = stream.adopt(start)
        self._worker: WorkerShare | None = None
        """The place of a worker in the middle of a global batch, if one was loaded."""
        self._reader: BatchReader | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        worker, num_workers = (0, 1) if info is None else (info.id, info.num_workers)
        place = self._worker or WorkerShare(worker, num_workers)
        if (place.worker, place.num_workers) != (worker, num_workers):
            raise StreamError(
                f"the state is that of worker {place.worker} of {place.num_workers}, and this is worker "
                f"{worker} of {num_workers}: resume with as many workers, or from a batch's 'state'"
            )
        self._reader = BatchReader(
            self.stream,
            global_batch_rows=self._global_batch_rows,
            share=self._share,
            start=self._start,
            last_batch=self._last_batch,
            options=self._options,
            worker=place,
        )
        return self._batches(self._reader)

    def state_dict(self) -> dict[str, Any]:
        """Return the exact place of this process's iteration; before it, where it will begin.

        For torchdata's StatefulDataLoader, which asks in each worker. With a plain DataLoader and
        workers, save the ``state`` of the last batch that was used.
        """
        if self._reader is None:
            state, worker = self._start.to_json(), self._worker or WorkerShare()
        else:
            state, worker = self._reader.place()
        return {
            "loader_state": state,
            "worker": worker.worker,
            "num_workers": worker.num_workers,
            "first_number": worker.first_number,
            "skip": worker.skip,
        }

    def load_state_dict(self, state_dict: State) -> None:
        """Begin the next iteration at a batch's ``state`` or at what ``state_dict`` returned.

        Raises:
            StreamError: it belongs to other shards, or is no such state.
        """
        fields = json.loads(state_dict) if isinstance(state_dict, str) else state_dict
        self._reader = None
        if "loader_state" not in fields:
            self._start, self._worker = self.stream.adopt(fields), None
            return
        self._start = self.stream.adopt(fields["loader_state"])
        self._worker = WorkerShare(
            *(int(fields[name]) for name in ("worker", "num_workers", "first_number", "skip"))
        )

    def _batches(self, reader: BatchReader) -> Iterator[dict[str, Any]]:
        with reader:
            for batch in reader:
                yield self._as_tensors(batch, reader.state())

    def _as_tensors(self, batch: Batch, state: dict[str, Any]) -> dict[str, Any]:
        assert batch.labels is not None
        found = {
            "input_ids": torch.from_numpy(np.ascontiguousarray(batch.inputs)),
            "labels": torch.from_numpy(batch.labels),
            "row_numbers": torch.from_numpy(batch.row_numbers),
            "source_ids": torch.from_numpy(batch.source_ids.astype(np.int64)),
            "stage": batch.stage_index,
            "step": batch.step,
            "ends_step": batch.ends_step,
            "state": json.dumps(state),
        }
        if batch.position_ids is not None:
            found["position_ids"] = torch.from_numpy(batch.position_ids)
        if self._segment_ids:
            found["segment_ids"] = torch.from_numpy(batch.segment_ids())
        if batch.cu_seqlens is not None:
            found["cu_seqlens"] = torch.from_numpy(batch.cu_seqlens)
            found["max_seqlen"] = int(np.diff(batch.cu_seqlens).max(initial=0))
        return found


def data_loader(dataset: TokenDataset, *, num_workers: int = 0, **options: Any) -> DataLoader:
    """Return a DataLoader that hands out the dataset's batches as they are.

    Args:
        dataset: what makes the batches.
        num_workers: processes that read.
        options: other arguments of DataLoader: pin_memory, prefetch_factor, multiprocessing_context...
    """
    return DataLoader(dataset, batch_size=None, num_workers=num_workers, **options)


def _rank_of(rank: int | None, world_size: int | None) -> tuple[int, int]:
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    own_rank, own_size = (
        (torch.distributed.get_rank(), torch.distributed.get_world_size()) if distributed else (0, 1)
    )
    return own_rank if rank is None else rank, own_size if world_size is None else world_size
