"""The output folder of builds: where its artifacts and records lie.

::

    builds/<mixture>.json           sealed record of the last build: every artifact that belongs to it
    <kind>/<name>/<fingerprint>/    the artifacts
    tokenizers/...                  the vocabulary files that made the ids, so that they can be read back
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataprep import storage
from dataprep.artifacts import Artifact, read_sealed_json
from dataprep.errors import ArtifactError, ConfigError, nearest

BUILDS_FOLDER = "builds"


@dataclass(frozen=True)
class BuildRecord:
    """What ``builds/<mixture>.json`` says; folders are full paths here."""

    path: str
    """Of the record itself."""
    output: str
    mixture: str
    mixture_config: Mapping[str, Any]
    """The mixture as it was built: resolved, scaled, without what was missing."""
    tokenizer: str
    source_ids: Mapping[str, int]
    """Number by which shards call each source."""
    stages: tuple[str, ...]
    """In the order of training."""
    documents: Mapping[str, str]
    """Folder of the document table of each collection."""
    duplicates: str
    tokens: Mapping[str, str]
    """Folder of the token store of each source."""
    plans: Mapping[str, str]
    """Folder of the plan of each stage."""
    shards: Mapping[str, str]
    """Folder of the shards of each stage that was written."""
    contamination: str | None = None
    """Folder of the search for evaluation items, where the mixture asked for one."""

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of all artifacts, in the order in which they were built."""
        groups = (self.documents, self.tokens, self.plans, self.shards)
        documents, tokens, plans, shards = (tuple(group.values()) for group in groups)
        lists = (self.duplicates,) if self.contamination is None else (self.duplicates, self.contamination)
        return (*documents, *lists, *tokens, *plans, *shards)


def list_builds(output: str) -> list[str]:
    """Return the paths of all build records of an output folder, sorted."""
    return [info.path for info in storage.glob(storage.join(output, BUILDS_FOLDER, "*.json"))]


def read_build(path: str) -> BuildRecord:
    """Read one build record.

    Raises:
        ArtifactError: the record is damaged or not written by this dataprep.
    """
    value = read_sealed_json(path)
    output = path.rsplit("/", 2)[0]
    try:
        artifacts = value["artifacts"]

        def folders(kind: str) -> dict[str, str]:
            return {name: storage.join(output, relative) for name, relative in artifacts[kind].items()}

        return BuildRecord(
            path=path,
            output=output,
            mixture=value["mixture"],
            mixture_config=value["mixture_config"],
            tokenizer=value["tokenizer"],
            source_ids=value["source_index"],
            stages=tuple(value["stages"]),
            documents=folders("documents"),
            duplicates=storage.join(output, artifacts["duplicates"]),
            tokens=folders("tokens"),
            plans=folders("plan"),
            shards=folders("shards"),
            contamination=_optional(output, artifacts.get("contamination")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path}: no build record of this dataprep ({error!r}): build again") from error


def _optional(output: str, relative: str | None) -> str | None:
    return None if relative is None else storage.join(output, relative)


def open_build(output: str, *, mixture: str | None = None) -> BuildRecord:
    """Return the record of a build; ``mixture`` may be left out where there is only one.

    Raises:
        ConfigError: no build, several and no choice, or none of this mixture.
        ArtifactError: the record is damaged.
    """
    names = {path.rsplit("/", 1)[-1].removesuffix(".json"): path for path in list_builds(output)}
    if not names:
        raise ConfigError(
            f"{output}: no finished build ({BUILDS_FOLDER}/*.json is not there); give the --output of a build"
        )
    if mixture is None:
        if len(names) > 1:
            raise ConfigError(f"{output}: holds the builds {', '.join(names)}; say which one with --mixture")
        mixture = next(iter(names))
    if mixture not in names:
        raise ConfigError(f"{output}: no build of mixture {mixture!r}; {nearest(mixture, names)}")
    return read_build(names[mixture])


def output_of(artifact: Artifact) -> str:
    """Return the output folder in which an artifact was published."""
    levels = f"{artifact.manifest.kind}/{artifact.manifest.name}".count("/") + 2
    return artifact.folder.rstrip("/").rsplit("/", levels)[0]
