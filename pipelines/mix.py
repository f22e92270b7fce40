"""Mix: token stores and a plan to shards; one task writes one shard and nothing is shuffled.

With ``concat`` the plan says which tokens of which stream make which row. With ``best_fit``
packing decides how many rows the tokens make, so there is a pass before: each of the plan's
token ranges is packed once and its rows are counted; then the rows that came out are scheduled
over the whole stage like those of ``concat``, and a shard packs the one or two ranges again from
which its rows are. So every shard has the same number of rows, and every block of 64 the right
mixture, whatever the packing.

A plan may go on in the middle of another stage, the parent (see ``dataprep.plan.forking``). Then
the whole shards before are the parent's files; the shard in which the fork lies begins with a
copy of the parent's rows.
"""

from __future__ import annotations

import functools
import itertools
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact
from dataprep.errors import PlanError
from dataprep.hashing import hash64, keyed_permutation
from dataprep.loader.stream import identity_of
from dataprep.mixture import Mixture
from dataprep.output import output_of
from dataprep.packing import RowFormat, count_best_fit_rows, pack_best_fit, pack_concat, read_documents
from dataprep.plan import StagePlan, StreamPlan, StreamRange, shard_rows, with_realised_rows
from dataprep.shards import (
    ROWS_PER_BATCH,
    Boundaries,
    Fork,
    RowLayout,
    Rows,
    ShardStage,
    ShardSummary,
    StageHeader,
    StageSource,
    concat_rows,
    publish_stage,
    shard_file_name,
    summarise_shard,
    write_shard,
)
from dataprep.tokenizers import TokenizerSpec
from dataprep.tokens import TokenSpan, TokenStore
from pipelines.engine import Engine, Task, run_tasks
from pipelines.planning import PLAN_FILE

_CHUNK_ROWS = 8 * ROWS_PER_BATCH
"""Rows that are put in order at a time."""

Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MixTask:
    """What a worker needs to write one shard, or to count the rows of one range of the plan."""

    index: int
    """Number of the shard, or of the plan's range."""
    folder: str
    """Of the artifact that is being written."""
    plan_path: str
    rows_path: str
    """Where the counted rows lie; only with ``best_fit``."""
    tokens: tuple[tuple[str, str], ...]
    """Source and folder of its token store."""
    source_ids: tuple[tuple[str, int], ...]
    form: RowFormat
    layout: RowLayout
    parent: str = ""
    """Folder of the stage whose rows come before the plan's, if there are any."""


def mix(
    *,
    plan: StagePlan,
    plan_artifact: Artifact,
    token_stores: Mapping[str, Artifact],
    mixture: Mixture,
    tokenizer: TokenizerSpec,
    output_root: str,
    engine: Engine,
    parent: ShardStage | None = None,
) -> Artifact:
    """Write and publish the shards of one stage, unless they are published already.

    Args:
        plan: what every shard holds.
        plan_artifact: the published plan, where workers find ``plan`` again.
        token_stores: token store of each source of the stage.
        mixture: whose stage it is; the number of a source is its position there.
        tokenizer: whose ids the token stores hold.
        output_root: where the shards are published.
        engine: where the work runs.
        parent: the stage whose rows come before the plan's, in the same output folder.

    Raises:
        PlanError: with ``best_fit``, no document begins in the stage's tokens.
    """
    assert (parent is not None) == (plan.fork_row > 0), "a plan that goes on has a parent"
    used = tuple(dict.fromkeys(stream.source for stream in plan.streams))
    inputs = {"plan": plan_artifact.manifest.fingerprint}
    inputs |= {f"tokens/{source}": token_stores[source].manifest.fingerprint for source in used}
    if parent is not None:
        own = parent.artifact.manifest
        inputs |= {name: value for name, value in own.inputs.items() if name.startswith("tokens/")}
        inputs["parent"] = own.fingerprint
    config = {"stage": plan.name, "sources": list(mixture.sources), "rows_per_batch": ROWS_PER_BATCH}
    fingerprint = artifacts.fingerprint_of("shards", config=config, inputs=inputs)
    folder = artifacts.folder_of(output_root, "shards", f"{plan.mixture}/{plan.name}", fingerprint)
    if artifacts.is_published(folder):
        return artifacts.open_artifact(folder, kind="shards")
    task = MixTask(
        index=0,
        folder=folder,
        plan_path=plan_artifact.path(PLAN_FILE),
        rows_path=storage.join(folder, artifacts.DONE_FOLDER, "packed", "rows.json"),
        tokens=tuple((source, token_stores[source].folder) for source in used),
        source_ids=tuple(mixture.source_ids.items()),
        form=RowFormat(
            sequence_length=plan.sequence_length,
            pad_id=tokenizer.pad_id,
            cross_document_loss=plan.boundaries.cross_document_loss,
        ),
        layout=RowLayout(sequence_length=plan.sequence_length, vocab_size=tokenizer.vocab_size),
        parent=parent.artifact.folder if parent is not None else "",
    )
    num_shards = -(-(plan.fork_row + plan.num_rows) // plan.rows_per_shard) if parent else plan.num_shards
    if plan.packing == "best_fit":
        num_shards = _count_packed_rows(plan, task, engine=engine).num_shards
    tasks = _tasks(task, num_shards, "shard", size_bytes=plan.num_tokens // num_shards)
    results = run_tasks(f"mix {plan.name}", tasks, mix_shard, engine=engine)
    summaries = [ShardSummary.from_json(results[one.name]) for one in tasks]
    header = _header(plan, plan_artifact, token_stores, mixture, tokenizer)
    borrowed = []
    if parent is not None:
        header = replace(header, forks=_forks(plan, mixture, parent))
        whole = parent.shards[: plan.fork_row // plan.rows_per_shard]
        borrowed = [posixpath.relpath(parent.artifact.path(shard.path), folder) for shard in whole]
    return publish_stage(
        folder, header, summaries, fingerprint=fingerprint, inputs=inputs, config=config, borrowed=borrowed
    )


def mix_shard(task: MixTask) -> dict[str, Any]:
    """Write one shard, or sum up one of the parent's; return its summary."""
    plan = _load_plan(task.plan_path)
    first_row = task.index * plan.rows_per_shard
    if first_row + plan.rows_per_shard <= plan.fork_row:
        summary = summarise_shard(_open_stage(task.parent), task.index)
    else:
        summary = write_shard(
            storage.join(task.folder, shard_file_name(task.index)),
            itertools.chain(_rows_of_parent(task, plan), _rows_of_plan(task, plan)),
            layout=task.layout,
            first_row=first_row,
            num_sources=len(task.source_ids),
        )
    return {**summary.to_json(), "rows": summary.num_rows}


def _rows_of_parent(task: MixTask, plan: StagePlan) -> Iterator[Rows]:
    """Yield the rows of a shard that come before the fork."""
    num_rows = plan.fork_row - task.index * plan.rows_per_shard
    if num_rows > 0:
        reader = _open_stage(task.parent).open_shard(task.index)
        yield from (reader.read_rows(batch) for batch in range(num_rows // ROWS_PER_BATCH))


def _rows_of_plan(task: MixTask, plan: StagePlan) -> Iterator[Rows]:
    """Yield the rows of a shard that the plan names; after a fork two of the plan's shards may overlap it."""
    packed = _load_packed(task.rows_path) if plan.packing == "best_fit" else None
    scheduled = plan if packed is None else _scheduled(plan, packed)
    size = plan.rows_per_shard
    first = max(0, task.index * size - plan.fork_row)
    stop = min(scheduled.num_rows, (task.index + 1) * size - plan.fork_row)
    for index in range(first // size, -(-stop // size)):
        order = shard_rows(scheduled, index)
        wanted = slice(max(0, first - index * size), stop - index * size)
        rows: dict[int, Rows] = {}
        begins = np.zeros(len(plan.streams), dtype=np.int64)
        for number, part in enumerate(scheduled.shard(index).streams):
            if part.row_start == part.row_stop:
                continue
            begins[number] = part.row_start
            if packed is None:
                rows[number] = _concat_rows(task, plan.streams[number], part)
            else:
                rows[number] = _best_fit_rows(
                    task, plan, number, packed[:, number], part.row_start, part.row_stop
                )
        stream = order.stream[wanted]
        yield from _in_order(rows, stream, order.row[wanted] - begins[stream])


def count_packed_rows(task: MixTask) -> dict[str, Any]:
    """Pack one range of a best-fit plan; return how many rows each stream makes of it."""
    plan = _load_plan(task.plan_path)
    spans = (_documents_of_range(task, plan, number, task.index) for number in range(len(plan.streams)))
    return {"packed_rows": [count_best_fit_rows(span, task.form) for span in spans]}


def _count_packed_rows(plan: StagePlan, task: MixTask, *, engine: Engine) -> StagePlan:
    """Count the rows of all ranges, leave the table to the workers, and schedule the rows."""
    tasks = _tasks(task, plan.num_shards, "packed", size_bytes=plan.num_tokens // plan.num_shards)
    results = run_tasks(f"pack {plan.name}", tasks, count_packed_rows, engine=engine)
    table = [results[one.name]["packed_rows"] for one in tasks]
    if not any(map(any, table)):
        raise PlanError(
            f"mixture {plan.mixture}, stage {plan.name}: no document begins in its "
            f"{plan.num_tokens:,} tokens: ask for more (--tokens)"
        )
    storage.write_json(task.rows_path, table)
    return _scheduled(plan, np.array(table, dtype=np.int64))


def _tasks(task: MixTask, count: int, kind: str, *, size_bytes: int) -> list[Task]:
    done = storage.join(task.folder, artifacts.DONE_FOLDER, kind)
    return [
        Task(
            name=f"{kind}-{index:05d}",
            done_path=storage.join(done, f"{kind}-{index:05d}.json"),
            payload=MixTask(**{**vars(task), "index": index}),
            size_bytes=size_bytes,
        )
        for index in range(count)
    ]


def _concat_rows(task: MixTask, stream: StreamPlan, part: StreamRange) -> Rows:
    """Return the rows of one stream in one of the plan's shards: those left over, then the next."""
    parts = []
    if part.left_over:
        length, first = task.form.sequence_length, part.left_over[0]
        around = _consecutive_rows(task, stream, first, part.left_over[-1] + length + 1)
        parts.append(around.take((np.array(part.left_over, dtype=np.int64) - first) // length))
    if part.token_start < part.token_stop:
        parts.append(_consecutive_rows(task, stream, part.token_start, part.token_stop))
    return concat_rows(parts)


def _consecutive_rows(task: MixTask, stream: StreamPlan, start: int, stop: int) -> Rows:
    with TokenStore.open(dict(task.tokens)[stream.source]) as store:
        span = store.read_tokens(stream.length_class, start, stop)
    source = dict(task.source_ids)[stream.source]
    return pack_concat(span, task.form, source=source, repeats_first=start > 0)


def _best_fit_rows(
    task: MixTask, plan: StagePlan, number: int, packed: Int64Array, row_start: int, row_stop: int
) -> Rows:
    """Return rows of a stream by number, from the ranges of the plan that hold them."""
    edges = np.concatenate([[0], np.cumsum(packed)])
    parts = []
    for index in np.flatnonzero((edges[:-1] < row_stop) & (edges[1:] > row_start)).tolist():
        rows = _pack_range(task, plan, number, index)
        before = int(edges[index])
        parts.append(rows.part(max(row_start - before, 0), min(row_stop - before, len(rows))))
    return concat_rows(parts)


def _pack_range(task: MixTask, plan: StagePlan, number: int, index: int) -> Rows:
    """Pack one range of one stream; its rows are permuted, packing leaves the longest documents first."""
    span = _documents_of_range(task, plan, number, index)
    source = dict(task.source_ids)[plan.streams[number].source]
    rows = pack_best_fit(span, task.form, source=source)
    key = hash64("packed rows", plan.seed, plan.name, index, number)
    return rows.take(keyed_permutation(len(rows), key=key))


def _documents_of_range(task: MixTask, plan: StagePlan, number: int, index: int) -> TokenSpan:
    """Return the documents that begin in one range of one stream."""
    stream, part = plan.streams[number], plan.shard(index).streams[number]
    with TokenStore.open(dict(task.tokens)[stream.source]) as store:
        return read_documents(store, stream.length_class, part.token_start, part.token_stop)


def _in_order(rows: Mapping[int, Rows], stream: Int64Array, row: Int64Array) -> Iterator[Rows]:
    """Yield the rows (stream[i], row[i]) in the order of i, some hundred at a time."""
    for start in range(0, len(stream), _CHUNK_ROWS):
        wanted = slice(start, start + _CHUNK_ROWS)
        by_stream = np.argsort(stream[wanted], kind="stable")
        parts = [
            rows[number].take(row[wanted][stream[wanted] == number])
            for number in np.unique(stream[wanted]).tolist()
        ]
        yield concat_rows(parts).take(np.argsort(by_stream, kind="stable"))


@functools.lru_cache(maxsize=4)
def _load_plan(path: str) -> StagePlan:
    return StagePlan.from_json(storage.read_json(path))


@functools.lru_cache(maxsize=1)
def _open_stage(folder: str) -> ShardStage:
    return ShardStage.open(folder)


@functools.lru_cache(maxsize=1)
def _load_packed(path: str) -> Int64Array:
    """Return int64[ranges, streams], the rows of each."""
    return np.array(storage.read_json(path), dtype=np.int64)


def _scheduled(plan: StagePlan, packed: Int64Array) -> StagePlan:
    """Return the plan of the rows that packing made."""
    return with_realised_rows(plan, packed.sum(axis=0).tolist())


def _forks(plan: StagePlan, mixture: Mixture, parent: ShardStage) -> tuple[Fork, ...]:
    """Return the chain of parents that the header names, none with more rows in common than the nearest."""
    output = output_of(parent.artifact)
    own = Fork(
        row=plan.fork_row,
        identity=identity_of(parent),
        folder=parent.artifact.folder.removeprefix(output).lstrip("/"),
        source_rows=tuple(plan.rows_before.get(name, 0) for name in mixture.sources),
    )
    return (own, *parent.header.forks)


def _header(
    plan: StagePlan,
    plan_artifact: Artifact,
    token_stores: Mapping[str, Artifact],
    mixture: Mixture,
    tokenizer: TokenizerSpec,
) -> StageHeader:
    weights = dict.fromkeys(mixture.sources, 0.0)
    for stream in plan.streams:
        weights[stream.source] += stream.weight
    details = {source: store.manifest.details for source, store in token_stores.items()}
    return StageHeader(
        mixture=plan.mixture,
        stage=plan.name,
        stage_index=plan.index,
        sequence_length=plan.sequence_length,
        vocab_size=tokenizer.vocab_size,
        padded_vocab_size=tokenizer.padded_vocab_size,
        eos_id=tokenizer.eos_id,
        pad_id=tokenizer.pad_id,
        tokenizer=tokenizer.name,
        tokenizer_sha256=tokenizer.sha256,
        vocabulary=next(iter(details.values()))["tokenizer"]["vocabulary"],
        sources=tuple(
            StageSource(
                id=number,
                name=name,
                license=details[name]["license"] if name in details else None,
                weight=weights[name],
            )
            for name, number in mixture.source_ids.items()
        ),
        plan=plan_artifact.manifest.fingerprint,
        seed=plan.seed,
        packing=plan.packing,
        overlap=plan.overlap,
        boundaries=Boundaries(**plan.boundaries.model_dump()),
        rows_per_shard=plan.rows_per_shard,
    )
