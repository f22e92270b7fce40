"""What every export has in common: parts that are written one by one, then published as a whole.

An export is an artifact like any other: data files and a manifest that is written last. On a local
disk it is written in ``DIR.partial-<fingerprint>`` beside its folder, which takes the name ``DIR``
when it is complete, so that a killed export leaves no folder that a trainer could take for one.
An object store knows no rename: there the parts lie in ``DIR`` at once, and what makes a reader
accept them (MDS: ``index.json``) comes last.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa

import dataprep
from dataprep import artifacts, storage
from dataprep.artifacts import Artifact, FileEntry, Manifest
from dataprep.errors import ArtifactError, ConfigError, DataprepError
from dataprep.shards import ShardStage

KIND = "export"
STARTED_NAME = "export.json"
"""Among the markers of an unfinished export: says which one it is."""


class Part(Protocol):
    """A unit of work: picklable, small, and the same bytes however often it is done."""

    @property
    def name(self) -> str:
        """Unique in its phase, and a legal file name."""

    @property
    def size_bytes(self) -> int:
        """Weight of the part in the progress display."""

    def write(self) -> Mapping[str, Any]:
        """Do the work; return JSON values with ``rows`` among them."""


@dataclass(frozen=True)
class Phase:
    """Parts that do not depend on each other."""

    label: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Contents:
    """What the parts of an export made."""

    files: Sequence[FileEntry]
    counts: Mapping[str, int]
    details: Mapping[str, Any] = field(default_factory=dict)


Results = Mapping[str, Mapping[str, Any]]
"""Name of a part to what its ``write`` returned."""

RunPhase = Callable[[Phase, str], Results]
"""(phase, folder for markers of finished parts) -> results of all its parts."""


class Exporter(ABC):
    """One way to write a stage for others."""

    export_format: ClassVar[str]
    needs_local_folder: ClassVar[bool] = False

    def __init__(self, stage: ShardStage) -> None:
        self.stage = stage

    @property
    @abstractmethod
    def config(self) -> Mapping[str, Any]:
        """All choices that shape the bytes."""

    @property
    def inputs(self) -> Mapping[str, str]:
        """Fingerprints of the artifacts that are read."""
        return {"shards": self.stage.artifact.manifest.fingerprint}

    @abstractmethod
    def phases(self, folder: str) -> Sequence[Phase]:
        """Prepare ``folder`` and return the work, in order."""

    @abstractmethod
    def finish(self, folder: str, results: Sequence[Results]) -> Contents:
        """Check what was written against what was to be written, and write what comes last.

        Raises:
            ArtifactError: something is missing.
        """

    def companions(self, folder: str, final_folder: str) -> Sequence[FileEntry]:
        """Write small files that name places or settings of a trainer; empty where there are none.

        They are no part of an export's identity and are written again by every run.
        """
        return ()

    @abstractmethod
    def usage(self, folder: str) -> str:
        """Return how a trainer reads the export, for people."""

    @property
    def fingerprint(self) -> str:
        """Identity of the export."""
        config = {"format": self.export_format, **self.config}
        return artifacts.fingerprint_of(KIND, config=config, inputs=self.inputs)


@dataclass(frozen=True)
class Exported:
    """A published export."""

    artifact: Artifact
    was_there: bool
    """Published by an earlier run already."""


def write_part(part: Part) -> Mapping[str, Any]:
    """Do one part; module level, so that workers can import it."""
    return part.write()


def run_in_process(phase: Phase, done_folder: str) -> Results:
    """Do all parts one after the other, without markers."""
    return {part.name: part.write() for part in phase.parts}


def run_export(exporter: Exporter, to: str, *, run_phase: RunPhase = run_in_process) -> Exported:
    """Write and publish an export, unless it is published already.

    Args:
        exporter: what to write.
        to: the export's folder; must not hold anything else.
        run_phase: who does the parts. One that leaves markers continues a run that was killed.

    Raises:
        ConfigError: the folder is not free, or not local where the format needs a local one.
        ArtifactError: what is read is damaged, or what was written does not add up.
    """
    final = _final_folder(exporter, to)
    existing = _existing(exporter, final)
    if existing is not None:
        return Exported(_refresh(exporter, existing), was_there=True)
    local = storage.is_local(final)
    folder = f"{final}.partial-{exporter.fingerprint[:12]}" if local else final
    if not artifacts.is_published(folder):
        _write(exporter, folder, final, run_phase)
    if local:
        os.rename(folder, final)
    return Exported(artifacts.open_artifact(final, kind=KIND), was_there=False)


def _write(exporter: Exporter, folder: str, final: str, run_phase: RunPhase) -> None:
    done = storage.join(folder, artifacts.DONE_FOLDER)
    storage.write_json(storage.join(done, STARTED_NAME), {"fingerprint": exporter.fingerprint})
    results = [
        run_phase(phase, storage.join(done, f"phase-{number}"))
        for number, phase in enumerate(exporter.phases(folder))
    ]
    contents = exporter.finish(folder, results)
    _check_counts(exporter.stage, contents.counts)
    header = exporter.stage.header
    manifest = Manifest(
        kind=KIND,
        name=f"{exporter.export_format}/{header.mixture}/{header.stage}",
        fingerprint=exporter.fingerprint,
        inputs=exporter.inputs,
        config={"format": exporter.export_format, **exporter.config},
        seed=header.seed,
        counts=contents.counts,
        files=tuple(_by_path([*contents.files, *exporter.companions(folder, final)])),
        details=contents.details,
        packages={"dataprep": dataprep.__version__, "numpy": np.__version__, "pyarrow": pa.__version__},
    )
    artifacts.publish(folder, manifest)


def _final_folder(exporter: Exporter, to: str) -> str:
    if storage.is_local(to):
        return os.path.abspath(storage.local_path(to))
    if exporter.needs_local_folder:
        raise ConfigError(
            f"--to {to}: {exporter.export_format} files are read through a memory map: "
            "give a folder on a local or shared disk"
        )
    return to.rstrip("/")


def _existing(exporter: Exporter, final: str) -> Artifact | None:
    """Return the export that is there already; None where the folder is free.

    Raises:
        ConfigError: something else is there.
    """
    advice = "give another folder with --to, or remove this one"
    if artifacts.is_published(final):
        try:
            found = artifacts.open_artifact(final, kind=KIND)
        except DataprepError as error:
            raise ConfigError(f"{error}; {advice}") from error
        if found.manifest.fingerprint != exporter.fingerprint:
            raise ConfigError(
                f"{final}: holds another export ({found.manifest.name}, {found.manifest.fingerprint[:12]}), "
                f"and this one would be {exporter.fingerprint[:12]}; {advice}"
            )
        return found
    if not _is_free(exporter, final):
        raise ConfigError(f"{final}: is there already, and holds no finished export of dataprep; {advice}")
    return None


def _is_free(exporter: Exporter, final: str) -> bool:
    if storage.is_local(final):
        return not os.path.lexists(final) or (os.path.isdir(final) and not os.listdir(final))
    started = storage.join(final, artifacts.DONE_FOLDER, STARTED_NAME)
    if storage.exists(started):
        return bool(storage.read_json(started)["fingerprint"] == exporter.fingerprint)
    return not storage.glob(storage.join(final, "**"))


def _refresh(exporter: Exporter, artifact: Artifact) -> Artifact:
    """Check that the files of an export are there, and write its companions for today's settings."""
    companions = exporter.companions(artifact.folder, artifact.folder)
    files = _by_path([*artifact.manifest.files, *companions])
    for entry in files:
        found = storage.glob(artifact.path(entry.path))
        if [info.size_bytes for info in found] != [entry.size_bytes]:
            raise ArtifactError(
                f"{artifact.path(entry.path)}: missing or of another size than the manifest says: "
                f"remove {artifact.folder} and export again"
            )
    if not companions:
        return artifact
    return artifacts.publish(artifact.folder, replace(artifact.manifest, files=tuple(files)))


def _by_path(entries: Sequence[FileEntry]) -> list[FileEntry]:
    """Return one entry for each path, the last one given."""
    return list({entry.path: entry for entry in entries}.values())


def _check_counts(stage: ShardStage, counts: Mapping[str, int]) -> None:
    """Compare what was written with the manifest of the shards, where rows were written."""
    expected = stage.artifact.manifest.counts
    for name in ("rows", "tokens", "targets"):
        if name in counts and counts[name] != expected[name]:
            raise ArtifactError(
                f"{stage.artifact.folder}: {counts[name]:,} {name} were written, but its manifest says "
                f"{expected[name]:,}: run verify, then build these shards again"
            )
