"""Bring rows that belong together to one task: the only way payload crosses between workers.

Two implementations with one contract. ``files``: a map task writes its rows, one slice for a
bucket, to one spill file; a reduce task reads its slices from all of them. It needs storage
that all workers see and holds little in memory. ``shuffle``: a GroupByKey of Arrow chunks, for
engines whose shuffle spills to disk. Locally the first is four times faster and the second
keeps everything in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa

from dataprep import storage
from pipelines.engine import (
    Engine,
    Task,
    collect_results,
    failures_of,
    quiet_workers,
    read_marker,
    run_one,
    watch,
)

MapFunction = Callable[[Any], Iterator[tuple[int, pa.RecordBatch]]]
ReduceFunction = Callable[[int, Iterator[pa.RecordBatch]], Mapping[str, Any]]

_SPILL_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


def exchange(
    label: str,
    tasks: Sequence[Task],
    map_function: MapFunction,
    reduce_function: ReduceFunction,
    *,
    num_buckets: int,
    work_folder: str,
    engine: Engine,
) -> dict[int, dict[str, Any]]:
    """Map every task to (bucket, rows) pairs, then reduce every bucket; return results by bucket.

    A bucket sees its batches in the order of ``tasks`` and, within a task, in the order in which
    they were emitted, so a reduction does not depend on the runner. Every bucket is reduced, also
    one that got no rows. Finished reductions are not done again.

    Args:
        tasks: map tasks; their ``done_path`` is used by the ``files`` implementation only.
        map_function: payload to an iterator of (bucket, record batch); all batches of all tasks
            share one schema. Module-level or picklable, like ``reduce_function``.
        reduce_function: (bucket, iterator of batches) to a JSON object.
        work_folder: folder for spill files and markers; the caller removes it once it has
            published what the reductions wrote.
    """
    reductions = [
        Task(
            name=f"bucket-{bucket:05d}",
            done_path=storage.join(work_folder, "reduced", f"bucket-{bucket:05d}.json"),
            payload=bucket,
        )
        for bucket in range(num_buckets)
    ]
    if not all(read_marker(reduction.done_path) is not None for reduction in reductions):
        storage.make_folder(storage.join(work_folder, "reduced"))
        everything = [*tasks, *reductions]
        with watch(label, everything, engine.progress), failures_of(everything), quiet_workers():
            pipeline = engine.pipeline(num_tasks=max(len(tasks), num_buckets))
            if engine.exchange_kind == "files":
                _through_files(pipeline, label, tasks, map_function, reduce_function, reductions, work_folder)
            else:
                _through_shuffle(pipeline, label, tasks, map_function, reduce_function, reductions)
            pipeline.run().wait_until_finish()
    results = collect_results(reductions)
    return {bucket: results[f"bucket-{bucket:05d}"] for bucket in range(num_buckets)}


def _through_files(
    pipeline: beam.Pipeline,
    label: str,
    tasks: Sequence[Task],
    map_function: MapFunction,
    reduce_function: ReduceFunction,
    reductions: Sequence[Task],
    work_folder: str,
) -> None:
    spills = [storage.join(work_folder, "spill", f"{task.name}.arrow") for task in tasks]
    mapped = (
        pipeline
        | f"{label}: list map tasks" >> beam.Create(list(zip(tasks, spills)), reshuffle=False)
        | f"{label}: spread map tasks" >> beam.Reshuffle()
        | f"{label}: map to spill files" >> beam.ParDo(_MapToFile(map_function)).with_output_types(str)
    )
    _ = (
        pipeline
        | f"{label}: list buckets" >> beam.Create(list(reductions), reshuffle=False)
        | f"{label}: spread buckets" >> beam.Reshuffle()
        | f"{label}: reduce spill files"
        # The side input is the barrier: no bucket is read before every spill file is complete.
        >> beam.ParDo(
            _ReduceFiles(reduce_function, tuple(spills)), barrier=beam.pvalue.AsList(mapped)
        ).with_output_types(str)
    )


def _through_shuffle(
    pipeline: beam.Pipeline,
    label: str,
    tasks: Sequence[Task],
    map_function: MapFunction,
    reduce_function: ReduceFunction,
    reductions: Sequence[Task],
) -> None:
    # Every bucket gets one empty chunk, so that buckets without rows are reduced as well.
    markers = pipeline | f"{label}: list buckets" >> beam.Create(
        [(int(r.payload), (-1, 0, b"")) for r in reductions], reshuffle=False
    )
    chunks = (
        pipeline
        | f"{label}: list map tasks" >> beam.Create(list(enumerate(tasks)), reshuffle=False)
        | f"{label}: spread map tasks" >> beam.Reshuffle()
        | f"{label}: map to chunks"
        >> beam.ParDo(_MapToChunks(map_function)).with_output_types(tuple[int, tuple[int, int, bytes]])
    )
    _ = (
        (markers, chunks)
        | f"{label}: all chunks" >> beam.Flatten()
        | f"{label}: group by bucket" >> beam.GroupByKey()
        | f"{label}: reduce chunks"
        >> beam.ParDo(_ReduceChunks(reduce_function, tuple(reductions))).with_output_types(str)
    )


class _MapToFile(beam.DoFn):
    def __init__(self, map_function: MapFunction) -> None:
        self._map = map_function

    def process(self, element: tuple[Task, str]) -> Iterator[str]:
        task, spill = element
        run_one(task, _SpillWork(self._map, spill))
        yield spill


@dataclass(frozen=True)
class _SpillWork:
    """Write what a map task emits to one file, and which record batch belongs to which bucket."""

    map_function: MapFunction
    spill: str

    def __call__(self, payload: Any) -> Mapping[str, Any]:
        batches_of_bucket: dict[int, list[int]] = {}
        num_batches = num_rows = 0
        writer: pa.RecordBatchFileWriter | None = None
        with storage.atomic_output(self.spill) as sink:
            for bucket, batch in self.map_function(payload):
                if batch.num_rows == 0:
                    continue
                if writer is None:
                    writer = pa.ipc.new_file(sink, batch.schema, options=_SPILL_OPTIONS)
                writer.write_batch(batch)
                batches_of_bucket.setdefault(int(bucket), []).append(num_batches)
                num_batches += 1
                num_rows += batch.num_rows
            if writer is not None:
                writer.close()
        storage.write_json(
            _index_path(self.spill), {str(b): batches_of_bucket[b] for b in sorted(batches_of_bucket)}
        )
        return {"rows": num_rows}


def _index_path(spill: str) -> str:
    return spill + ".index.json"


class _ReduceFiles(beam.DoFn):
    def __init__(self, reduce_function: ReduceFunction, spills: tuple[str, ...]) -> None:
        self._reduce = reduce_function
        self._spills = spills

    def process(self, reduction: Task, barrier: list[str]) -> Iterator[str]:
        assert len(barrier) == len(self._spills)
        run_one(reduction, self._reduce_bucket)
        yield reduction.name

    def _reduce_bucket(self, bucket: int) -> Mapping[str, Any]:
        return self._reduce(bucket, _batches_from_files(self._spills, bucket))


def _batches_from_files(spills: Sequence[str], bucket: int) -> Iterator[pa.RecordBatch]:
    for spill in spills:
        positions = storage.read_json(_index_path(spill)).get(str(bucket), [])
        if not positions:
            continue
        source = (
            pa.memory_map(storage.local_path(spill)) if storage.is_local(spill) else storage.open_input(spill)
        )
        with source:
            reader = pa.ipc.open_file(source)
            for position in positions:
                yield reader.get_batch(position)


class _MapToChunks(beam.DoFn):
    def __init__(self, map_function: MapFunction) -> None:
        self._map = map_function

    def process(self, element: tuple[int, Task]) -> Iterator[tuple[int, tuple[int, int, bytes]]]:
        task_index, task = element
        for sequence, (bucket, batch) in enumerate(self._map(task.payload)):
            if batch.num_rows:
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, batch.schema, options=_SPILL_OPTIONS) as writer:
                    writer.write_batch(batch)
                yield int(bucket), (task_index, sequence, sink.getvalue().to_pybytes())


class _ReduceChunks(beam.DoFn):
    def __init__(self, reduce_function: ReduceFunction, reductions: tuple[Task, ...]) -> None:
        self._reduce = reduce_function
        self._reductions = reductions

    def process(self, element: tuple[int, Iterable[tuple[int, int, bytes]]]) -> Iterator[str]:
        bucket, chunks = element
        run_one(self._reductions[bucket], lambda b: self._reduce(b, _batches_from_chunks(chunks)))
        yield self._reductions[bucket].name


def _batches_from_chunks(chunks: Iterable[tuple[int, int, bytes]]) -> Iterator[pa.RecordBatch]:
    for _, _, data in sorted(chunks, key=lambda chunk: chunk[:2]):
        if data:
            yield from pa.ipc.open_stream(data)


def remove_work_folder(work_folder: str) -> None:
    """Remove spill files and markers of exchanges whose results are published."""
    storage.remove_tree(work_folder)


__all__ = ["MapFunction", "ReduceFunction", "exchange", "remove_work_folder"]
