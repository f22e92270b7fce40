"""The summary of a build, read from the manifests of its artifacts; no data file is opened.

Every number is a sum over manifests, so the summary of 2 T tokens takes seconds, and what it
says is what the readers of these artifacts are bound to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dataprep import storage
from dataprep.artifacts import Artifact, open_artifact, sum_counts
from dataprep.decontamination import CONTAMINATED
from dataprep.dedup.removals import KINDS
from dataprep.mixture import VALIDATION, Mixture
from dataprep.output import BuildRecord, open_build
from dataprep.plan import StagePlan
from dataprep.report.statistics import (
    UNSELECTED,
    ContaminationStatistics,
    DuplicateStatistics,
    EditStatistics,
    SourceStatistics,
    StageSourceStatistics,
    StageStatistics,
)
from dataprep.report.text import (
    contamination_text,
    documents_text,
    duplicates_text,
    edit_examples_text,
    edits_text,
    list_text,
    reasons_text,
    stage_text,
)
from dataprep.text.edits import EDITED, EDITED_BYTES, PIECE_PREFIX

_REASON = "reason:"
_EXAMPLES_OF_SOURCE = 24
"""Of so many texts before and after a source's summary holds examples, however many subsets it has."""


@dataclass(frozen=True)
class BuildSummary:
    """Everything that the manifests of one build say about its data."""

    mixture: str
    tokenizer: str
    output: str
    sources: tuple[SourceStatistics, ...]
    duplicates: DuplicateStatistics
    stages: tuple[StageStatistics, ...]
    skipped_files: tuple[str, ...]
    """Raw files that were unreadable and left out."""
    contamination: ContaminationStatistics | None = None
    """None: the mixture names no evaluation sets."""

    def to_json(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return asdict(self)

    def to_text(self) -> str:
        """Return the summary for a terminal: documents, reasons, duplicates, stages, folders."""
        folders = [f"{stage.stage}: {stage.folder}" for stage in self.stages]
        sections = [
            f"mixture {self.mixture}, tokenizer {self.tokenizer}",
            documents_text(self.sources),
            reasons_text(self.sources),
            edits_text(self.sources),
            edit_examples_text(self.sources),
            duplicates_text(self.duplicates),
            contamination_text(self.contamination) if self.contamination is not None else "",
            *(stage_text(stage) for stage in self.stages),
            list_text("raw files left out as unreadable", self.skipped_files),
            list_text("shards, in the order of training", folders),
        ]
        return "\n\n".join(section for section in sections if section)


def summarise(output: str, mixture: str | None = None) -> BuildSummary:
    """Return the summary of the last build of a mixture in an output folder.

    Args:
        output: output folder of a build.
        mixture: its name; may be left out where there is only one.

    Raises:
        ConfigError: no such build.
        ArtifactError: an artifact of the build is missing or damaged.
    """
    record = open_build(output, mixture=mixture)
    tables = [open_artifact(folder, kind="documents") for folder in record.documents.values()]
    duplicates = open_artifact(record.duplicates, kind="duplicates")
    checked = record.contamination
    contamination = None if checked is None else open_artifact(checked, kind="contamination")
    tokens = {name: open_artifact(folder, kind="tokens") for name, folder in record.tokens.items()}
    skipped = [
        f"{table.manifest.name}: {file['origin']}: {file['reason']}"
        for table in tables
        for file in table.manifest.details.get("skipped_files", ())
    ]
    stages = [_stage(record.shards[name], _read_plan(record.plans[name])) for name in _stage_order(record)]
    return BuildSummary(
        mixture=record.mixture,
        tokenizer=record.tokenizer,
        output=record.output,
        sources=tuple(_sources(record, tables, duplicates, contamination, tokens)),
        duplicates=_duplicates(duplicates),
        stages=tuple(stages),
        skipped_files=tuple(skipped),
        contamination=None if contamination is None else _contamination(contamination),
    )


def _stage_order(record: BuildRecord) -> list[str]:
    """Return the stages that have shards, training first."""
    ordered = [*record.stages, VALIDATION]
    return [name for name in dict.fromkeys(ordered) if name in record.shards and name in record.plans]


def _read_plan(folder: str) -> StagePlan:
    return StagePlan.from_json(storage.read_json(open_artifact(folder, kind="plan").path("plan.json")))


def _sources(
    record: BuildRecord,
    tables: Iterable[Artifact],
    duplicates: Artifact,
    contamination: Artifact | None,
    tokens: Mapping[str, Artifact],
) -> list[SourceStatistics]:
    mixture = Mixture.model_validate(record.mixture_config)
    # A record's JSON is sorted by name; the numbers keep the order of the mixture's file.
    names = sorted(mixture.sources, key=lambda name: record.source_ids[name])
    counts: dict[str, list[Mapping[str, int]]] = {name: [] for name in names}
    unselected: list[Mapping[str, int]] = []
    examples: dict[str, list[Mapping[str, Any]]] = {name: [] for name in names}
    for table in tables:
        corpus = str(table.manifest.details["corpus"])
        for subset, numbers in table.manifest.details["subsets"].items():
            source = mixture.source_of(corpus, subset)
            (unselected if source is None else counts[source]).append(numbers)
        for example in table.manifest.details.get("edit_examples", ()):
            source = mixture.source_of(corpus, example["subset"])
            if source is not None:
                examples[source].append(example)
    removed = duplicates.manifest.details["per_source"]
    action = None if contamination is None else contamination.manifest.details["action"]
    found = []
    for name, parts in counts.items():
        own = removed.get(name, {})
        lost = {kind: int(own.get(kind, 0)) for kind in KINDS}
        if contamination is not None and action != "report":
            hit = contamination.manifest.details["per_source"].get(name, {})
            lost[CONTAMINATED] = int(hit.get("removed" if action == "cut" else CONTAMINATED, 0))
        found.append(
            _source(
                name,
                mixture.sources[name].corpus,
                sum_counts(parts),
                lost,
                tokens.get(name),
                examples[name],
            )
        )
    if unselected:
        found.append(_source(UNSELECTED, "", sum_counts(unselected), {}, None))
    return found


def _source(
    name: str,
    corpus: str,
    counts: Mapping[str, int],
    removed: Mapping[str, int],
    tokens: Artifact | None,
    examples: Iterable[Mapping[str, Any]] = (),
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
        edits=_edits(counts, examples),
    )


def _edits(counts: Mapping[str, int], examples: Iterable[Mapping[str, Any]]) -> EditStatistics | None:
    if not counts.get(EDITED):
        return None
    pieces = {key.removeprefix(PIECE_PREFIX): n for key, n in counts.items() if key.startswith(PIECE_PREFIX)}
    # The lowest ranks first, whatever their subset: the choice is the same whatever was ingested beside.
    chosen = sorted(examples, key=lambda one: (one["rank"], one["kind"]))[:_EXAMPLES_OF_SOURCE]
    return EditStatistics(
        documents=counts[EDITED],
        removed_bytes=counts.get(EDITED_BYTES, 0),
        pieces=dict(sorted(pieces.items(), key=lambda item: (-item[1], item[0]))),
        examples=tuple(sorted(chosen, key=lambda one: (one["kind"], one["rank"]))),
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


def _contamination(artifact: Artifact) -> ContaminationStatistics:
    details, counts = artifact.manifest.details, artifact.manifest.counts
    return ContaminationStatistics(
        action=details["action"],
        documents=counts.get("documents", 0),
        contaminated=counts.get("contaminated", 0),
        contaminated_bytes=counts.get("contaminated_bytes", 0),
        cut=counts.get("cut", 0),
        cut_bytes=counts.get("cut_bytes", 0),
        sets=details["sets"],
        folder=artifact.folder,
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
