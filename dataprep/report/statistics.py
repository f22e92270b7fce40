"""The statistics of a build, read from the manifests of its artifacts; no data file is opened.

Every number is a sum over manifests, so the statistics of 2 T tokens take seconds, and what
they say is what the readers of these artifacts are bound to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dataprep import storage
from dataprep.artifacts import Artifact, open_artifact, sum_counts
from dataprep.dedup.removals import KINDS
from dataprep.mixture import VALIDATION, Mixture
from dataprep.output import BuildRecord, open_build
from dataprep.plan import StagePlan

UNSELECTED = "(in no source)"
"""Stands for the documents of ingested subsets that no source of the mixture selects."""

_REASON = "reason:"


@dataclass(frozen=True)
class SourceStatistics:
    """What became of the raw rows of one source."""

    source: str
    corpus: str
    rows: int
    kept: int
    """Rows that every filter kept; ``rows`` is ``kept`` and all reasons together."""
    reasons: Mapping[str, int]
    """Why rows were dropped, the most frequent first."""
    text_bytes: int
    """Text of the kept rows."""
    duplicates: Mapping[str, int]
    """Kept rows that were removed as copies, by kind: exact, url, near."""
    documents: int
    """Documents in the token store: ``kept`` without duplicates."""
    tokens: int
    tokenized_bytes: int
    """Text of the documents in the token store."""
    classes: Mapping[str, int]
    """Tokens by length class; ``holdout`` is never trained on."""
    license: str

    @property
    def bytes_per_token(self) -> float:
        """Text bytes that a token stands for; 0 where there is no token."""
        return self.tokenized_bytes / self.tokens if self.tokens else 0.0


@dataclass(frozen=True)
class DuplicateStatistics:
    """What deduplication removed, over all sources."""

    removed: Mapping[str, int]
    """Documents by kind."""
    removed_bytes: int
    clusters: int
    largest_cluster: int
    across: Mapping[str, Mapping[str, int]]
    """For each source that lost documents, the sources whose copies survived."""


@dataclass(frozen=True)
class StageSourceStatistics:
    """What one stage asked of a source and what its shards hold."""

    source: str
    requested: float
    """Share of the stage's tokens that the mixture asks for."""
    realised: float
    """Share of the tokens in the stage's shards."""
    rows: int
    tokens: int
    available: int
    """Tokens of the source that the stage draws from."""
    epochs: float
    """How often the stage reads them."""
    epochs_so_far: float
    """How often this stage and those before it have read them."""


@dataclass(frozen=True)
class StageStatistics:
    """The shards of one stage."""

    stage: str
    sequence_length: int
    packing: str
    rows: int
    shards: int
    size_bytes: int
    tokens: int
    """Input positions that hold a token."""
    targets: int
    """Targets that bear loss."""
    padding: int
    """Input positions that hold none."""
    folder: str
    sources: tuple[StageSourceStatistics, ...]

    @property
    def largest_deviation(self) -> float:
        """Largest difference between a realised and a requested share."""
        return max((abs(source.realised - source.requested) for source in self.sources), default=0.0)


@dataclass(frozen=True)
class BuildStatistics:
    """Everything that the manifests of one build say about its data."""

    mixture: str
    tokenizer: str
    output: str
    sources: tuple[SourceStatistics, ...]
    duplicates: DuplicateStatistics
    stages: tuple[StageStatistics, ...]
    skipped_files: tuple[str, ...]
    """Raw files that were unreadable and left out."""

    def to_json(self) -> dict[str, Any]:
        """Return the statistics as JSON values."""
        return asdict(self)


def build_statistics(output: str, *, mixture: str | None = None) -> BuildStatistics:
    """Return the statistics of the last build of a mixture in an output folder.

    Args:
        output: output folder of a build.
        mixture: its name; may be left out where there is only one.

    Raises:
        ConfigError: no such build.
        ArtifactError: an artifact of the build is missing or damaged.
    """
    record = open_build(output, mixture=mixture)
    return statistics_of(record)


def statistics_of(record: BuildRecord) -> BuildStatistics:
    """Return the statistics of a build whose record is open; see ``build_statistics``."""
    mixture = Mixture.model_validate(record.mixture_config)
    tables = [open_artifact(folder, kind="documents") for folder in record.documents.values()]
    duplicates = open_artifact(record.duplicates, kind="duplicates")
    tokens = {name: open_artifact(folder, kind="tokens") for name, folder in record.tokens.items()}
    skipped = [
        f"{table.manifest.name}: {file['origin']}: {file['reason']}"
        for table in tables
        for file in table.manifest.details.get("skipped_files", ())
    ]
    return BuildStatistics(
        mixture=record.mixture,
        tokenizer=record.tokenizer,
        output=record.output,
        sources=tuple(_sources(mixture, tables, duplicates, tokens)),
        duplicates=_duplicates(duplicates),
        stages=tuple(
            _stage(record.shards[name], _read_plan(record.plans[name])) for name in _stage_order(record)
        ),
        skipped_files=tuple(skipped),
    )


def _stage_order(record: BuildRecord) -> list[str]:
    """Return the stages that have shards, training first."""
    ordered = [*record.stages, VALIDATION]
    return [name for name in dict.fromkeys(ordered) if name in record.shards and name in record.plans]


def _read_plan(folder: str) -> StagePlan:
    return StagePlan.from_json(storage.read_json(open_artifact(folder, kind="plan").path("plan.json")))


def _sources(
    mixture: Mixture, tables: Iterable[Artifact], duplicates: Artifact, tokens: Mapping[str, Artifact]
) -> list[SourceStatistics]:
    counts: dict[str, list[Mapping[str, int]]] = {name: [] for name in mixture.sources}
    unselected: list[Mapping[str, int]] = []
    for table in tables:
        corpus = str(table.manifest.details["corpus"])
        for subset, numbers in table.manifest.details["subsets"].items():
            source = mixture.source_of(corpus, subset)
            (unselected if source is None else counts[source]).append(numbers)
    removed = duplicates.manifest.details["per_source"]
    found = []
    for name, parts in counts.items():
        own = removed.get(name, {})
        found.append(
            _source(
                name,
                mixture.sources[name].corpus,
                sum_counts(parts),
                {kind: int(own.get(kind, 0)) for kind in KINDS},
                tokens.get(name),
            )
        )
    if unselected:
        found.append(_source(UNSELECTED, "", sum_counts(unselected), {}, None))
    return found


def _source(
    name: str, corpus: str, counts: Mapping[str, int], removed: Mapping[str, int], tokens: Artifact | None
) -> SourceStatistics:
    reasons = {key.removeprefix(_REASON): n for key, n in counts.items() if key.startswith(_REASON)}
    totals = tokens.manifest.counts if tokens is not None else {}
    details = tokens.manifest.details if tokens is not None else {}
    return SourceStatistics(
        source=name,
        corpus=corpus,
        rows=counts.get("rows", 0),
        kept=counts.get("kept", 0),
        reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        text_bytes=counts.get("text_bytes", 0),
        duplicates=removed,
        documents=totals.get("documents", 0),
        tokens=totals.get("tokens", 0),
        tokenized_bytes=totals.get("text_bytes", 0),
        classes={name: one["tokens"] for name, one in details.get("classes", {}).items()},
        license=str(details.get("license", "")),
    )


def _duplicates(artifact: Artifact) -> DuplicateStatistics:
    details, counts = artifact.manifest.details, artifact.manifest.counts
    names = details["sources"]
    across: dict[str, dict[str, int]] = {}
    for matrix in details["across_sources"].values():
        for loser, row in zip(names, matrix, strict=True):
            for survivor, number in zip(names, row, strict=True):
                if number:
                    own = across.setdefault(loser, {})
                    own[survivor] = own.get(survivor, 0) + number
    sizes = [int(size) for size in details["cluster_sizes"]]
    return DuplicateStatistics(
        removed={kind: counts.get(kind, 0) for kind in KINDS},
        removed_bytes=counts.get("removed_bytes", 0),
        clusters=counts.get("clusters", 0),
        largest_cluster=max(sizes, default=0),
        across=across,
    )


def _stage(folder: str, plan: StagePlan) -> StageStatistics:
    artifact = open_artifact(folder, kind="shards")
    counts, details = artifact.manifest.counts, artifact.manifest.details
    held = {source["name"]: source for source in details["sources"]}
    tokens = counts.get("tokens", 0)
    sources = []
    for name in plan.source_rows:
        streams = [plan.streams[i] for i in plan.classes_of(name)]
        available = sum(stream.tokens_available for stream in streams)
        own_tokens = int(held[name]["tokens"])
        sources.append(
            StageSourceStatistics(
                source=name,
                requested=sum(stream.weight for stream in streams),
                realised=own_tokens / tokens if tokens else 0.0,
                rows=int(held[name]["rows"]),
                tokens=own_tokens,
                available=available,
                epochs=sum(stream.num_tokens for stream in streams) / available if available else 0.0,
                epochs_so_far=sum(s.end_token for s in streams) / available if available else 0.0,
            )
        )
    rows = counts.get("rows", 0)
    return StageStatistics(
        stage=plan.name,
        sequence_length=plan.sequence_length,
        packing=plan.packing,
        rows=rows,
        shards=len(artifact.manifest.files),
        size_bytes=sum(entry.size_bytes for entry in artifact.manifest.files),
        tokens=tokens,
        targets=counts.get("targets", 0),
        padding=rows * plan.sequence_length - tokens,
        folder=artifact.folder,
        sources=tuple(sources),
    )
