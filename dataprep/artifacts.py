"""Artifacts: folders that become visible whole, with a manifest that says what they are.

An artifact is a folder of data files and a ``manifest.json`` that is written last. Without a
manifest the folder is unfinished work and no reader accepts it. The fingerprint is a hash of
the format version, the step's config and the fingerprints of its inputs; it names the folder,
so a changed threshold can never meet stale data, and work that is already published is not
done again.

    <output>/documents/<source>/<subset>/<fingerprint[:12]>/manifest.json
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import dataprep
from dataprep import storage
from dataprep.errors import ArtifactError

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"
DONE_FOLDER = "_done"
"""Markers of finished tasks of an unfinished artifact; removed once the manifest is written."""


@dataclass(frozen=True)
class FileEntry:
    """One data file of an artifact; ``path`` is relative to the artifact's folder.

    A path that begins with ``../`` is a file of another artifact of the same output folder.
    """

    path: str
    size_bytes: int
    sha256: str
    counts: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """What an artifact is, what it was made from, and what it holds."""

    kind: str
    """documents | duplicates | contamination | tokens | plan | shards"""
    name: str
    """Human name inside the kind, e.g. ``redpajama/arxiv``."""
    fingerprint: str
    inputs: Mapping[str, str]
    """Name of each input artifact (or raw listing) to its fingerprint."""
    config: Mapping[str, Any]
    """The full resolved config of the step, JSON values only."""
    seed: int | None
    counts: Mapping[str, int]
    files: tuple[FileEntry, ...]
    details: Mapping[str, Any] = field(default_factory=dict)
    """What readers of this kind need beyond counts; each kind documents its own."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Versions of the packages that shape the bytes."""
    format_version: int = FORMAT_VERSION

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Manifest:
        """Return the manifest that ``to_json`` wrote."""
        fields = dict(value)
        fields["files"] = tuple(FileEntry(**entry) for entry in fields["files"])
        return cls(**fields)


@dataclass(frozen=True)
class Artifact:
    """A published artifact: its folder and its manifest."""

    folder: str
    manifest: Manifest

    def path(self, relative: str) -> str:
        """Return the full path of a file of this artifact."""
        folder = self.folder.rstrip("/")
        while relative.startswith("../"):  # Object stores do not know what ".." means.
            folder, relative = folder.rpartition("/")[0], relative[3:]
        return storage.join(folder, relative)


def write_sealed_json(path: str, value: Mapping[str, Any]) -> None:
    """Write a JSON object with its own checksum in the field ``checksum``."""
    sealed = {**value, "checksum": hashlib.sha256(storage.json_bytes(value)).hexdigest()}
    storage.write_bytes(path, storage.json_bytes(sealed))


def read_sealed_json(path: str) -> dict[str, Any]:
    """Read what ``write_sealed_json`` wrote, without the checksum.

    Raises:
        ArtifactError: any byte of the file differs from what was written.
    """
    data = storage.read_bytes(path)
    try:
        value = json.loads(data)
    except ValueError as error:
        raise ArtifactError(f"{path}: damaged, no JSON ({error}); build this artifact again") from error
    if not isinstance(value, dict) or "checksum" not in value:
        raise ArtifactError(f"{path}: no JSON object with a checksum; not written by dataprep, or damaged")
    checksum = value.pop("checksum")
    if hashlib.sha256(_without_checksum(data, checksum)).hexdigest() != checksum:
        raise ArtifactError(f"{path}: does not match its own checksum; it was edited or damaged")
    return value


def _without_checksum(data: bytes, checksum: object) -> bytes:
    """Return sealed JSON as it was before it was sealed.

    Cuts one line instead of encoding the value again, which takes seconds for a manifest of
    30,000 files.
    """
    line = f'  "checksum": {json.dumps(checksum)}'.encode()
    first, found, rest = data.partition(b"\n" + line + b",\n")
    if found:
        return first + b"\n" + rest
    first, found, rest = data.partition(b",\n" + line + b"\n")
    if found:
        return first + b"\n" + rest
    return b"{}\n" if data == b"{\n" + line + b"\n}\n" else b""


def fingerprint_of(kind: str, *, config: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Return the identity of a step: hex SHA-256 over format version, kind, config and inputs."""
    identity = {"format_version": FORMAT_VERSION, "kind": kind, "config": config, "inputs": dict(inputs)}
    canonical = json.dumps(
        identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def folder_of(root: str, kind: str, name: str, fingerprint: str) -> str:
    """Return the folder in which an artifact of this identity is published."""
    return storage.join(root, kind, name, fingerprint[:12])


def is_published(folder: str) -> bool:
    """Tell whether ``folder`` holds a finished artifact."""
    return storage.exists(storage.join(folder, MANIFEST_NAME))


def open_artifact(folder: str, *, kind: str | None = None) -> Artifact:
    """Open a published artifact.

    Raises:
        ArtifactError: no manifest, another format version, or another kind than asked for.
    """
    path = storage.join(folder, MANIFEST_NAME)
    if not storage.exists(path):
        raise ArtifactError(
            f"{folder}: no {MANIFEST_NAME}, so this is not a finished artifact "
            "(a build may still be running or was stopped: run the same build again, it continues)"
        )
    value = read_sealed_json(path)
    if "format_version" not in value:
        raise ArtifactError(f"{path}: not a dataprep manifest")
    if value["format_version"] != FORMAT_VERSION:
        raise ArtifactError(
            f"{path}: format version {value['format_version']!r}, but this dataprep reads version "
            f"{FORMAT_VERSION}: build the artifact again or install the matching dataprep"
        )
    try:
        manifest = Manifest.from_json(value)
    except (TypeError, KeyError) as error:
        raise ArtifactError(f"{path}: damaged manifest ({error})") from error
    if kind is not None and manifest.kind != kind:
        raise ArtifactError(f"{folder}: holds {manifest.kind!r}, expected {kind!r}")
    return Artifact(folder, manifest)


def publish(folder: str, manifest: Manifest) -> Artifact:
    """Make an artifact visible: check that its files are there, then write the manifest last.

    Raises:
        ArtifactError: a file of the manifest is missing or has another size.
    """
    artifact = Artifact(folder, manifest)
    for entry in manifest.files:
        path = artifact.path(entry.path)
        found = storage.glob(path)
        if [f.size_bytes for f in found] != [entry.size_bytes]:
            raise ArtifactError(f"{path}: expected {entry.size_bytes} bytes, found {found or 'nothing'}")
    storage.remove_temporaries(folder)
    write_sealed_json(storage.join(folder, MANIFEST_NAME), manifest.to_json())
    storage.remove_tree(storage.join(folder, DONE_FOLDER))
    return artifact


def describe_file(folder: str, relative: str, **counts: int) -> FileEntry:
    """Return the manifest entry of a file that was written: its size, checksum and counts."""
    path = storage.join(folder, relative)
    (info,) = storage.glob(path)
    return FileEntry(relative, info.size_bytes, storage.sha256_of(path), counts)


def damaged_files(artifact: Artifact) -> list[str]:
    """Return one sentence for each file of the artifact that is missing or differs; empty is good."""
    problems = []
    for entry in artifact.manifest.files:
        path = artifact.path(entry.path)
        if not storage.exists(path):
            problems.append(f"{path}: missing")
            continue
        checksum = storage.sha256_of(path)
        if checksum != entry.sha256:
            problems.append(f"{path}: checksum {checksum[:12]}, but the manifest says {entry.sha256[:12]}")
    return problems


def sum_counts(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add up counters by name.

    >>> sum_counts([{"a": 1}, {"a": 2, "b": 3}])
    {'a': 3, 'b': 3}
    """
    total: dict[str, int] = {}
    for one in counts:
        for name, value in one.items():
            total[name] = total.get(name, 0) + value
    return dict(sorted(total.items()))


def package_versions(*names: str) -> dict[str, str]:
    """Return the versions of dataprep and of the packages that shape an artifact's bytes."""
    versions = {name: importlib.metadata.version(name) for name in names}
    return dict(sorted({"dataprep": dataprep.__version__, **versions}.items()))
