"""The stage that is exported: found by folder or build, and read batch by batch with every check."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from dataprep import artifacts, storage
from dataprep.errors import ArtifactError, ConfigError, nearest
from dataprep.output import open_build
from dataprep.shards import Rows, ShardReader, ShardStage, check_rows

VALIDATION = "validation"
"""Name of the stage of held-out documents, which stands behind the stages of training."""


def find_stage(folder: str, *, stage: str | None = None, mixture: str | None = None) -> ShardStage:
    """Open the stage that a user means.

    Args:
        folder: the folder of one stage's shards, or the output folder of builds.
        stage: which stage of the build; may be left out where it trains in one.
        mixture: which build, where the folder holds several.

    Raises:
        ConfigError: no such build or stage, or several and no choice.
        ArtifactError: the shards are missing or their manifest is damaged.
    """
    folder = folder.rstrip("/") or "/"
    if artifacts.is_published(folder):
        opened = ShardStage.open(folder)
        if stage not in (None, opened.header.stage):
            raise ConfigError(f"{folder}: holds stage {opened.header.stage!r}, not {stage!r}")
        return opened
    build = open_build(folder, mixture=mixture)
    if stage is None:
        names = [name for name in build.stages if name in build.shards]
        training = [name for name in names if name != VALIDATION] or names
        if len(training) != 1:
            choice = ", ".join(names) or "none"
            raise ConfigError(f"{build.path}: has shards of the stages {choice}; say which with --stage")
        stage = training[0]
    if stage not in build.shards:
        raise ConfigError(f"{build.path}: no shards of a stage {stage!r}; {nearest(stage, build.shards)}")
    return ShardStage.open(build.shards[stage])


@functools.lru_cache(maxsize=2)
def worker_stage(folder: str) -> ShardStage:
    """Open a stage once for all parts that a worker process writes."""
    return ShardStage.open(folder)


def rows_of_shard(stage: ShardStage, index: int) -> Iterator[Rows]:
    """Yield the rows of a shard in order, one record batch at a time.

    Raises:
        ArtifactError: a byte differs from what was written, a row breaks a rule of the format (an id
            outside of the vocabulary among them), or rows are missing.
    """
    entry, header = stage.shards[index], stage.header
    reader = _open(stage, index)
    num_rows = 0
    for batch in range(reader.num_batches):
        rows = reader.read_rows(batch)
        where = f"{reader.name}: record batch {batch}"
        check_rows(rows, vocab_size=header.vocab_size, num_sources=len(header.sources), where=where)
        num_rows += len(rows)
        yield rows
    if num_rows != entry.num_rows:
        raise ArtifactError(
            f"{reader.name}: {num_rows:,} rows, but the manifest says {entry.num_rows:,}: build it again"
        )


def _open(stage: ShardStage, index: int) -> ShardReader:
    """Open a shard; a remote one is fetched whole, because all of it is read."""
    entry = stage.shards[index]
    path = stage.artifact.path(entry.path)
    if storage.is_local(path):
        return stage.open_shard(index)
    return ShardReader(
        storage.read_bytes(path),
        crc32=entry.crc32,
        name=path,
        first_row=entry.first_row,
        rows_per_batch=stage.header.rows_per_batch,
    )


def row_counts(rows: Rows) -> dict[str, int]:
    """Return the counts that a stage's manifest has: rows, input positions with a token, targets."""
    inputs = rows.n_tok.clip(max=rows.sequence_length)
    return {"rows": len(rows), "tokens": int(inputs.sum()), "targets": int(rows.n_loss.sum())}
