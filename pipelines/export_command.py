"""The command ``dataprep export``: from its arguments to what it prints."""

from __future__ import annotations

import argparse
import os

from dataprep.errors import ConfigError
from dataprep.export import (
    Exported,
    Exporter,
    MdsExporter,
    MegatronExporter,
    MegatronOptions,
    NeoxRun,
    ParquetExporter,
    find_stage,
)
from pipelines.engine import Engine
from pipelines.exporting import export
from pipelines.progress import TerminalProgress

_COUNTS = ("rows", "tokens", "targets", "documents", "document_tokens")
_PARALLEL_TOKENS = 200_000_000
"""Below that, one process is done sooner than worker processes have started."""
_MEGATRON_OPTIONS = ("layout", "label_masks", "train_batch_size", "train_seed")


def export_and_report(options: argparse.Namespace) -> str:
    """Export what the command line asks for; return what lies where and how it is used."""
    exporter = make_exporter(options)
    is_large = exporter.stage.artifact.manifest.counts["tokens"] >= _PARALLEL_TOKENS
    workers = options.workers or ((os.cpu_count() or 1) if is_large else 1)
    engine = Engine(num_workers=workers, progress=TerminalProgress())
    return report(exporter, export(exporter, options.to, engine=engine))


def make_exporter(options: argparse.Namespace) -> Exporter:
    """Return the exporter that the command line asks for.

    Raises:
        ConfigError: an option of another format, no such stage, or a type that cannot hold the ids.
    """
    given = {name: getattr(options, name) for name in _MEGATRON_OPTIONS}
    for name, value in given.items():
        if value is not None and options.format != "megatron":
            raise ConfigError(
                f"--{name.replace('_', '-')} belongs to --format megatron; --format {options.format} has no "
                "such choice, leave it out"
            )
    stage = find_stage(options.shards, stage=options.stage, mixture=options.mixture)
    if options.format == "mds":
        return MdsExporter(stage, dtype=options.dtype)
    if options.format == "parquet":
        return ParquetExporter(stage, dtype=options.dtype)
    default = MegatronOptions()
    run = NeoxRun(
        seed=default.run.seed if options.train_seed is None else options.train_seed,
        batch_rows=options.train_batch_size,
    )
    return MegatronExporter(
        stage,
        MegatronOptions(
            layout=options.layout or default.layout,
            labels=options.label_masks or default.labels,
            dtype=options.dtype,
            run=run,
        ),
    )


def report(exporter: Exporter, exported: Exported) -> str:
    """Return what was written and how a trainer reads it."""
    artifact, manifest = exported.artifact, exported.artifact.manifest
    size_bytes = sum(entry.size_bytes for entry in manifest.files)
    state = "was there already" if exported.was_there else "written and checked"
    counts = ", ".join(
        f"{manifest.counts[name]:,} {name.replace('_', ' ')}" for name in _COUNTS if name in manifest.counts
    )
    return "\n".join(
        [
            f"{manifest.name}: {state} in {artifact.folder}",
            f"  {len(manifest.files):,} files, {size_bytes / 1e6:,.1f} MB; {counts}",
            *(f"  {line}" for line in exporter.usage(artifact.folder).split("\n")),
            f"  dataprep verify {artifact.folder}   reads every byte again",
        ]
    )
