"""Whether an artifact is, byte by byte, what was published."""

from __future__ import annotations

from concurrent.futures import Executor

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact, FileEntry
from dataprep.verification.report import Findings


def damaged_files_of(artifact: Artifact, findings: Findings, *, executor: Executor) -> frozenset[str]:
    """Compare every file with the manifest; return the relative paths of those that differ.

    Files that the manifest does not list are problems as well; what an interrupted writer leaves
    (temporary names) is not.
    """
    root = artifact.folder.rstrip("/") + "/"
    sizes = {
        info.path[info.path.index(root) + len(root) :]: info.size_bytes for info in storage.glob(root + "**")
    }
    entries = {entry.path: entry for entry in artifact.manifest.files}
    borrowed = [path for path in entries if path.startswith("../")]
    sizes |= {path: info.size_bytes for path in borrowed for info in storage.glob(artifact.path(path))}

    def problem_of(entry: FileEntry) -> str | None:
        path = artifact.path(entry.path)
        if entry.path not in sizes:
            return f"{path}: missing"
        if sizes[entry.path] != entry.size_bytes:
            return f"{path}: {sizes[entry.path]:,} bytes, but the manifest says {entry.size_bytes:,}"
        checksum = storage.sha256_of(path)
        if checksum != entry.sha256:
            return (
                f"{path}: damaged, its checksum is {checksum[:12]} and the manifest says {entry.sha256[:12]}"
            )
        return None

    damaged = set()
    for path, problem in zip(entries, executor.map(problem_of, entries.values()), strict=True):
        findings.count(files=1, bytes=entries[path].size_bytes)
        if problem is not None:
            findings.problem(problem)
            damaged.add(path)
    for relative in sorted(sizes.keys() - entries.keys() - {artifacts.MANIFEST_NAME}):
        findings.problem(f"{artifact.path(relative)}: the manifest does not list this file")
    return frozenset(damaged)
