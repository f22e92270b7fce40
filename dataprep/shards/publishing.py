"""Publishing a stage: the manifest over shards that were written one by one."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact, FileEntry, Manifest
from dataprep.shards.rows import Rows
from dataprep.shards.stage import KIND, ShardStage, StageHeader
from dataprep.shards.writing import ShardSummary, write_shard


def shard_file_name(index: int) -> str:
    """Return the name of a shard in its artifact's folder."""
    return f"shard-{index:05d}.arrow"


def publish_stage(
    folder: str,
    header: StageHeader,
    summaries: Sequence[ShardSummary],
    *,
    fingerprint: str,
    inputs: Mapping[str, str],
    config: Mapping[str, Any],
    borrowed: Sequence[str] = (),
) -> Artifact:
    """Write the manifest of shards that lie in ``folder`` under their ``shard_file_name``.

    Args:
        folder: the artifact's folder.
        header: what the stage is; the totals in its sources are filled in here.
        summaries: what ``write_shard`` returned, in the order of the shards.
        fingerprint: identity of the step (see ``artifacts.fingerprint_of``).
        inputs: input artifacts, name to fingerprint.
        config: resolved config of the step.
        borrowed: where the first shards lie if another artifact has them, relative to ``folder``.
    """
    entries = []
    totals = np.zeros((3, len(header.sources)), dtype=np.int64)
    for index, summary in enumerate(summaries):
        entries.append(
            FileEntry(
                borrowed[index] if index < len(borrowed) else shard_file_name(index),
                summary.size_bytes,
                summary.sha256,
                {
                    "rows": summary.num_rows,
                    "tokens": sum(summary.source_tokens),
                    "targets": sum(summary.source_targets),
                },
                {"crc32": base64.b64encode(np.array(summary.crc32, dtype="<u4").tobytes()).decode("ascii")},
            )
        )
        totals += np.array([summary.source_rows, summary.source_tokens, summary.source_targets])
    sources = [
        {**asdict(source), "rows": rows, "tokens": tokens, "targets": targets}
        for source, (rows, tokens, targets) in zip(header.sources, totals.T.tolist())
    ]
    manifest = Manifest(
        kind=KIND,
        name=f"{header.mixture}/{header.stage}",
        fingerprint=fingerprint,
        inputs=inputs,
        config=config,
        seed=header.seed,
        counts=artifacts.sum_counts(entry.counts for entry in entries),
        files=tuple(entries),
        details={**asdict(header), "sources": sources, "num_rows": int(totals[0].sum())},
        packages={"numpy": np.__version__, "pyarrow": pa.__version__},
    )
    return artifacts.publish(folder, manifest)


def summarise_shard(stage: ShardStage, index: int) -> ShardSummary:
    """Return what ``write_shard`` returned of a shard that is published; only small columns are decoded."""
    entry, num_sources = stage.shards[index], len(stage.header.sources)
    totals = np.zeros((3, num_sources), dtype=np.int64)
    reader = stage.open_shard(index)
    for number in range(reader.num_batches):
        batch = reader.read_batch(number, ("source", "n_tok", "n_loss"))
        source, n_tok, n_loss = (batch.column(name).to_numpy() for name in ("source", "n_tok", "n_loss"))
        inputs = np.minimum(n_tok, stage.header.sequence_length)
        weights = (None, inputs, n_loss)
        totals += np.stack([np.bincount(source, one, num_sources) for one in weights]).astype(np.int64)
    rows, tokens, targets = (tuple(counted) for counted in totals.tolist())
    crc32 = tuple(entry.crc32.tolist())
    return ShardSummary(entry.size_bytes, entry.sha256, entry.num_rows, crc32, rows, tokens, targets)


def write_stage(root: str, header: StageHeader, rows: Rows | Iterable[Rows]) -> Artifact:
    """Write rows that are in memory as a whole published stage, cut into shards.

    The pipelines write one shard a task; this is for small stages and for tests.

    Args:
        root: the output folder; the stage appears in ``shards/<mixture>/<stage>/<fingerprint>``.
        header: what the stage is.
        rows: all rows, or one ``Rows`` for each shard.
    """
    parts = _cut(rows, header.rows_per_shard) if isinstance(rows, Rows) else rows
    config = {key: value for key, value in asdict(header).items() if key != "sources"}
    inputs = {"plan": header.plan}
    fingerprint = artifacts.fingerprint_of(KIND, config=config, inputs=inputs)
    folder = artifacts.folder_of(root, KIND, f"{header.mixture}/{header.stage}", fingerprint)
    summaries = []
    for index, part in enumerate(parts):
        summaries.append(
            write_shard(
                storage.join(folder, shard_file_name(index)),
                [part],
                layout=header.layout,
                first_row=index * header.rows_per_shard,
                num_sources=len(header.sources),
                rows_per_batch=header.rows_per_batch,
            )
        )
    return publish_stage(folder, header, summaries, fingerprint=fingerprint, inputs=inputs, config=config)


def _cut(rows: Rows, rows_per_shard: int) -> Iterator[Rows]:
    for start in range(0, len(rows), rows_per_shard):
        yield rows.part(start, min(start + rows_per_shard, len(rows)))
