"""Ingest: raw files to document tables with signals, verdicts and signatures.

One task reads one split of one raw file and writes one Parquet part and its signatures;
nothing is shuffled. What happens to a batch is in ``dataprep.cleaning``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import artifacts, documents, storage
from dataprep.artifacts import Artifact, FileEntry, Manifest
from dataprep.cleaning import (
    CleaningConfig,
    PartCounts,
    clean,
    cleaning_kernels,
    pinned,
    preset_of,
    signal_columns,
)
from dataprep.dedup import signature_schema
from dataprep.filters import preset_identity
from dataprep.sources import (
    Collection,
    CorpusEntry,
    ReadReport,
    SubsetSettings,
    WorkItem,
    check_bad_ratio,
    read_batches,
    split_collection,
)
from dataprep.text.characters import UNICODE_VERSION
from dataprep.text.edits import merge_examples
from pipelines.engine import Engine, Task, run_tasks

_PARQUET_LEVEL = 1
"""zstd level of text: higher levels cost more time than ingest's all other work together."""


@dataclass(frozen=True)
class SplitTask:
    """What a worker needs to ingest one split."""

    item: WorkItem
    entry: CorpusEntry
    config: CleaningConfig
    folder: str
    skip_bad_files: bool

    @property
    def stem(self) -> str:
        """Name of the part: raw file number, split number."""
        return f"part-{self.item.file_number:05d}-{self.item.split_number:04d}"


@dataclass(frozen=True)
class _Pending:
    """A collection that is not published yet."""

    collection: Collection
    entry: CorpusEntry
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    folder: str
    tasks: tuple[Task, ...]


def ingest(
    collections: Sequence[tuple[Collection, CorpusEntry]],
    *,
    config: CleaningConfig,
    skip_bad_files: bool,
    output: str,
    engine: Engine,
) -> dict[str, Artifact]:
    """Ingest every collection that is not published yet; return all document tables by name.

    All collections go through one pipeline, so that many small ones keep every worker busy.

    Raises:
        BadInputError: a raw file is damaged, or a corpus passes its ``max_bad_ratio``.
        SourceError: a raw file has another layout than declared; found before any work.
        ConfigError: a URL list or model of a corpus cannot be read; found before any work.
    """
    folders: dict[str, str] = {}
    pending: list[_Pending] = []
    entries = {entry.name: pinned(entry) for entry in {e.name: e for _, e in collections}.values()}
    for collection, declared in collections:
        entry = entries[declared.name]
        step = _step_config(collection, entry, config, skip_bad_files=skip_bad_files)
        inputs = {file.origin: file.identity for file in collection.files}
        fingerprint = artifacts.fingerprint_of("documents", config=step, inputs=inputs)
        folder = artifacts.folder_of(output, "documents", collection.name, fingerprint)
        folders[collection.name] = folder
        if not artifacts.is_published(folder):
            items = split_collection(
                collection, entry, max_split_bytes=config.max_split_bytes, skip_bad_files=skip_bad_files
            )
            splits = [SplitTask(item, entry, config, folder, skip_bad_files) for item in items]
            tasks = tuple(_engine_task(split) for split in splits)
            pending.append(_Pending(collection, entry, step, inputs, folder, tasks))
    kernels = [k for one in pending for k in cleaning_kernels(one.entry, one.collection.subset)]
    results = run_tasks(
        "ingest",
        [task for one in pending for task in one.tasks],
        ingest_split,
        engine=engine,
        kernels=tuple(dict.fromkeys(kernels)),
    )
    _check_readable(pending, results)
    for one in pending:
        _publish(one, [results[task.name] for task in one.tasks])
    return {name: artifacts.open_artifact(folder, kind="documents") for name, folder in folders.items()}


def _step_config(
    collection: Collection, entry: CorpusEntry, config: CleaningConfig, *, skip_bad_files: bool
) -> dict[str, Any]:
    """Return everything that shapes a document table besides its raw files, as JSON values."""
    subsets = [collection.subset] if collection.subset is not None else list(entry.subsets)
    settings = {subset: entry.settings(subset) for subset in subsets if subset is not None}
    return {
        "cleaning": config.model_dump(mode="json"),
        # What a letter is, and how accents compose, comes with the Python that runs.
        "unicode": UNICODE_VERSION,
        "corpus": entry.name,
        "number": collection.number,
        "adapter": entry.adapter,
        "subsets": {name: _settings_identity(one) for name, one in settings.items()},
        "presets": {
            one.preset: preset_identity(preset_of(entry, one.name))
            for one in sorted(settings.values(), key=lambda one: one.preset)
        },
        "held_out": sorted(file.origin for file in collection.files if file.held_out),
        "skip_bad_files": skip_bad_files,
    }


def _settings_identity(settings: SubsetSettings) -> dict[str, Any]:
    """Return the settings of a subset as JSON values; its licences, models and edits are in its preset."""
    values = asdict(settings) | {"columns": settings.columns.model_dump()}
    in_preset = {"licenses", "quality", "perplexity", "edits"} | (
        {"preset"} if settings.preset == settings.filters else set()
    )
    return {name: value for name, value in values.items() if name not in in_preset}


def _engine_task(split: SplitTask) -> Task:
    name = f"{split.item.collection.replace('/', '.')}.{split.stem}"
    marker = storage.join(split.folder, artifacts.DONE_FOLDER, f"{split.stem}.json")
    return Task(name, marker, split, _size_of(split.item))


def _size_of(item: WorkItem) -> int:
    if item.format == "jsonl" and item.compression == "none":
        return item.stop - item.start
    return item.size_bytes


def ingest_split(task: SplitTask) -> Mapping[str, Any]:
    """Read one split, write its part and signatures; return counts and manifest entries."""
    columns = signal_columns(task.entry, task.item.subset)
    schema = documents.document_schema(columns)
    part, signatures = f"{task.stem}.parquet", f"signatures/{task.stem}.arrow"
    counts = PartCounts()
    report = ReadReport()
    with (
        storage.atomic_output(storage.join(task.folder, part)) as part_sink,
        storage.atomic_output(storage.join(task.folder, signatures)) as signature_sink,
        pq.ParquetWriter(part_sink, schema, compression="zstd", compression_level=_PARQUET_LEVEL) as writer,
        pa.ipc.new_file(signature_sink, signature_schema(task.config.signature)) as signature_writer,
    ):
        for raw in _raw_batches(task, report):
            cleaned = clean(raw, task.entry, columns=columns, config=task.config, counts=counts)
            writer.write_batch(cleaned.documents)
            signature_writer.write_batch(cleaned.signatures)
    totals = counts.totals()
    details = {
        "file": task.item.file_number,
        "origin": task.item.origin,
        "first_row": task.item.first_row,
        "subsets": counts.by_subset(),
    }
    return {
        "counts": totals,
        "files": [
            _entry(task.folder, part, totals, details),
            _entry(task.folder, signatures, {"rows": totals["kept"]}, {}),
        ],
        "examples": report.examples,
        "edit_examples": counts.edits.examples(),
        "skipped_files": [asdict(one) for one in report.skipped_files],
    }


def _raw_batches(task: SplitTask, report: ReadReport) -> Iterator[pa.RecordBatch]:
    return read_batches(
        task.item,
        task.entry,
        batch_bytes=task.config.batch_bytes,
        skip_bad_files=task.skip_bad_files,
        report=report,
    )


def _entry(
    folder: str, relative: str, counts: Mapping[str, int], details: Mapping[str, Any]
) -> dict[str, Any]:
    described = artifacts.describe_file(folder, relative)
    return asdict(described) | {"counts": dict(counts), "details": dict(details)}


def _check_readable(pending: Sequence[_Pending], results: Mapping[str, Mapping[str, Any]]) -> None:
    """Stop when too many rows of a corpus could not be read: over all its collections together."""
    for entry in {one.entry.name: one.entry for one in pending}.values():
        own = [results[task.name] for one in pending if one.entry.name == entry.name for task in one.tasks]
        verdicts: dict[str, int] = {}
        examples: dict[str, str] = {}
        for result in own:
            for name, number in result["counts"].items():
                if name == "kept" or name.startswith("reason:"):
                    verdict = documents.KEEP if name == "kept" else name.removeprefix("reason:")
                    verdicts[verdict] = verdicts.get(verdict, 0) + number
            examples = {**result["examples"], **examples}
        check_bad_ratio(verdicts, entry, examples=examples)


def _publish(one: _Pending, results: Sequence[Mapping[str, Any]]) -> None:
    files = tuple(FileEntry(**entry) for result in results for entry in result["files"])
    subsets = [entry.details["subsets"] for entry in files if "subsets" in entry.details]
    skipped = [item for result in results for item in result["skipped_files"]]
    manifest = Manifest(
        kind="documents",
        name=one.collection.name,
        fingerprint=artifacts.fingerprint_of("documents", config=one.config, inputs=one.inputs),
        inputs=one.inputs,
        config=one.config,
        seed=None,
        counts=artifacts.sum_counts(result["counts"] for result in results) | {"skipped_files": len(skipped)},
        files=files,
        details={
            "corpus": one.entry.name,
            "collection": one.collection.name,
            "number": one.collection.number,
            "signals": list(signal_columns(one.entry, one.collection.subset)),
            "files": [
                {"number": f.number, "origin": f.origin, "size_bytes": f.size_bytes, "identity": f.identity}
                for f in one.collection.files
            ],
            "subsets": _sum_subsets(subsets),
            "edit_examples": merge_examples(one for result in results for one in result["edit_examples"]),
            "skipped_files": skipped,
            "license": one.entry.license,
            "license_url": one.entry.license_url,
            "homepage": one.entry.homepage,
        },
        packages=artifacts.package_versions("numpy", "pyarrow", "numba"),
    )
    artifacts.publish(one.folder, manifest)


def _sum_subsets(parts: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    names = sorted({name for part in parts for name in part})
    return {name: artifacts.sum_counts(part[name] for part in parts if name in part) for name in names}
