"""Verdicts by new thresholds, from the signal columns of a build's document tables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from dataprep import storage
from dataprep.artifacts import Artifact, open_artifact
from dataprep.documents import KEEP
from dataprep.errors import ArtifactError, ConfigError, nearest
from dataprep.filters import Preset, Rule, resolve_preset, verdicts
from dataprep.judging.thresholds import Thresholds
from dataprep.mixture import Mixture
from dataprep.output import BuildRecord
from dataprep.signals import signal_names

UNSELECTED = "(in no source)"
"""Stands for the documents of ingested subsets that no source of the mixture selects."""

CHANGE_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.uint64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("subset", pa.string()),
        pa.field("before", pa.string(), nullable=False),
        pa.field("after", pa.string(), nullable=False),
    ]
)
"""A table of the documents whose verdict is another one now, in the order of the tables."""


@dataclass(frozen=True)
class Move:
    """Documents of one source that had one verdict and now have another, or the same."""

    before: str
    after: str
    documents: int
    text_bytes: int


@dataclass(frozen=True)
class SourceChange:
    """What new thresholds mean for one source."""

    source: str
    moves: tuple[Move, ...]
    """By verdict before and after; every document of the source is counted once."""

    @property
    def documents(self) -> int:
        """Rows of the source, bad ones included."""
        return sum(move.documents for move in self.moves)

    def kept(self, *, after: bool) -> tuple[int, int]:
        """Return the number of kept documents and their text bytes, before or after."""
        own = [move for move in self.moves if (move.after if after else move.before) == KEEP]
        return sum(move.documents for move in own), sum(move.text_bytes for move in own)

    def reasons(self) -> dict[str, tuple[int, int]]:
        """Return for each reason the documents dropped before and after, the largest change first."""
        counts: dict[str, list[int]] = {}
        for move in self.moves:
            for place, reason in enumerate((move.before, move.after)):
                if reason != KEEP:
                    counts.setdefault(reason, [0, 0])[place] += move.documents
        ordered = sorted(counts.items(), key=lambda item: (-abs(item[1][1] - item[1][0]), item[0]))
        return {reason: (before, after) for reason, (before, after) in ordered}


@dataclass(frozen=True)
class Rejudgement:
    """The verdicts of all documents of a build by new thresholds, beside the old ones."""

    mixture: str
    sources: tuple[SourceChange, ...]
    """In the order of the mixture; what no source selects comes last."""
    changes: pa.Table
    """``CHANGE_SCHEMA``: one row for each document whose verdict changed."""

    def to_json(self) -> dict[str, Any]:
        """Return everything but the single documents as JSON values."""
        return {
            "mixture": self.mixture,
            "changed": self.changes.num_rows,
            "sources": [
                {
                    "source": one.source,
                    "documents": one.documents,
                    "kept_before": one.kept(after=False)[0],
                    "kept_after": one.kept(after=True)[0],
                    "text_bytes_before": one.kept(after=False)[1],
                    "text_bytes_after": one.kept(after=True)[1],
                    "reasons": {
                        reason: {"before": before, "after": after}
                        for reason, (before, after) in one.reasons().items()
                    },
                    "moves": [asdict(move) for move in one.moves if move.before != move.after],
                }
                for one in self.sources
            ],
        }


def rejudge(record: BuildRecord, thresholds: Thresholds | None = None, *, place: str = "") -> Rejudgement:
    """Judge the documents of a build again; reads signal columns only.

    A verdict that no filter gave (a row that could not be read, an excluded subset, a held-out
    split) stays.

    Args:
        record: the build.
        thresholds: what changes; None: every subset is judged by its preset as this dataprep has it.
        place: name of the thresholds' file, for messages.

    Raises:
        ConfigError: thresholds name what was not ingested, or need signals that were not measured.
        ArtifactError: a document table is damaged, or of a dataprep whose filters this one lacks.
    """
    mixture = Mixture.model_validate(record.mixture_config)
    tables = [open_artifact(folder, kind="documents") for folder in record.documents.values()]
    if thresholds is not None:
        ingested: dict[str, list[str]] = {}
        for table in tables:
            ingested.setdefault(table.manifest.details["corpus"], []).extend(table.manifest.config["subsets"])
        thresholds.check_names(ingested, place=place)
    judges = [_judge_of(table, thresholds, mixture, place=place) for table in tables]
    work = [
        (judge, table.path(entry.path))
        for judge, table in zip(judges, tables, strict=True)
        for entry in table.manifest.files
        if entry.path.endswith(".parquet")
    ]
    # Reading Parquet and comparing columns both leave the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count() or 1) as executor:
        parts = list(executor.map(lambda one: one[0].judge_part(one[1]), work))
    names = sorted(mixture.sources, key=lambda name: record.source_ids.get(name, 0))
    changes = [part.changes for part in parts]
    return Rejudgement(
        record.mixture,
        tuple(_sum_moves([*names, UNSELECTED], parts)),
        pa.concat_tables(changes) if changes else CHANGE_SCHEMA.empty_table(),
    )


@dataclass(frozen=True)
class _SubsetJudge:
    """How the documents of one subset were judged, and how they are judged now."""

    source: str
    filter_reasons: frozenset[str]
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class _JudgedPart:
    moves: Mapping[tuple[str, str, str], tuple[int, int]]
    """(source, before, after) to documents and text bytes."""
    changes: pa.Table


@dataclass(frozen=True)
class _TableJudge:
    """Judges the parts of one document table."""

    subsets: Mapping[str, _SubsetJudge]

    def judge_part(self, path: str) -> _JudgedPart:
        signals = sorted(
            {name for one in self.subsets.values() for rule in one.rules for name in rule.signals()}
        )
        columns = ["doc_id", "subset", "num_bytes", "verdict", *signals]
        with storage.open_input(path) as stream, pq.ParquetFile(stream) as file:
            table = file.read(columns=columns, use_threads=False).combine_chunks()
        moves: dict[tuple[str, str, str], tuple[int, int]] = {}
        changes = []
        subsets = pc.fill_null(table.column("subset").cast(pa.string()), "")
        for name in pc.unique(subsets).to_pylist():
            judge = self.subsets.get(name)
            rows = table.filter(pc.equal(subsets, name))
            before = rows.column("verdict").cast(pa.string())
            if judge is None:  # a row of no known subset was never judged
                judge, after = _SubsetJudge(UNSELECTED, frozenset(), ()), before
            else:
                after = _judged(judge, rows, before)
            _count_moves(moves, judge.source, before, after, rows.column("num_bytes"))
            changes.append(_changed(judge.source, name, rows.column("doc_id"), before, after))
        found = pa.concat_tables(changes) if changes else CHANGE_SCHEMA.empty_table()
        return _JudgedPart(moves, found.sort_by("doc_id"))


def _judged(judge: _SubsetJudge, rows: pa.Table, before: pa.ChunkedArray) -> pa.ChunkedArray:
    by_filter = pc.is_in(before, value_set=pa.array(sorted(judge.filter_reasons), pa.string()))
    prior = pc.if_else(by_filter, KEEP, before).combine_chunks()
    signals: dict[str, npt.NDArray[np.float32]] = {
        name: pc.fill_null(rows.column(name), np.nan).to_numpy()
        for rule in judge.rules
        for name in rule.signals()
    }
    return pa.chunked_array([verdicts(judge.rules, signals, prior=prior).cast(pa.string())])


def _count_moves(
    moves: dict[tuple[str, str, str], tuple[int, int]],
    source: str,
    before: pa.ChunkedArray,
    after: pa.ChunkedArray,
    num_bytes: pa.ChunkedArray,
) -> None:
    table = pa.table({"before": before, "after": after, "bytes": num_bytes})
    counted = table.group_by(["before", "after"]).aggregate([("bytes", "count"), ("bytes", "sum")])
    for row in counted.to_pylist():
        key = (source, row["before"], row["after"])
        documents, text_bytes = moves.get(key, (0, 0))
        moves[key] = (documents + row["bytes_count"], text_bytes + row["bytes_sum"])


def _changed(
    source: str, subset: str, doc_id: pa.ChunkedArray, before: pa.ChunkedArray, after: pa.ChunkedArray
) -> pa.Table:
    differs = pc.not_equal(before, after)
    ids = doc_id.filter(differs)
    constant = [pa.array([value] * len(ids), pa.string()) for value in (source, subset)]
    return pa.table([ids, *constant, before.filter(differs), after.filter(differs)], schema=CHANGE_SCHEMA)


def _judge_of(table: Artifact, thresholds: Thresholds | None, mixture: Mixture, *, place: str) -> _TableJudge:
    manifest = table.manifest
    corpus = str(manifest.details["corpus"])
    subsets = {}
    for subset, settings in manifest.config["subsets"].items():
        recorded = _recorded_preset(table, settings.get("preset", settings["filters"]))
        where = f"{place}: filters.{corpus}/{subset}" if place else f"{corpus}/{subset}"
        now = _preset_now(recorded, thresholds, corpus, subset, where=where)
        _check_measured(now, recorded, columns=manifest.details["signals"], where=where)
        source = mixture.source_of(corpus, subset) or UNSELECTED
        reasons = frozenset(rule.reason for rule in recorded.rules())
        subsets[subset] = _SubsetJudge(source, reasons, now.rules())
    return _TableJudge(subsets)


def _preset_now(
    recorded: Preset, thresholds: Thresholds | None, corpus: str, subset: str, *, where: str
) -> Preset:
    if thresholds is None:
        return resolve_preset(recorded.name).with_own_rules_of(recorded)
    override = thresholds.override_for(corpus, subset)
    if override is None:
        return recorded
    try:
        return override.applied_to(recorded)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _recorded_preset(table: Artifact, name: str) -> Preset:
    try:
        return Preset.model_validate(table.manifest.config["presets"][name])
    except (KeyError, ValidationError) as error:
        raise ArtifactError(
            f"{table.folder}: was judged by filters that this dataprep does not have (preset {name!r}): "
            "build again, or use the dataprep that built it"
        ) from error


def _check_measured(now: Preset, recorded: Preset, *, columns: Sequence[str], where: str) -> None:
    """Refuse rules about signals that were not measured, or were measured in another way.

    ``columns`` are those of the table: its families may have had fewer signals when it was built.
    """
    names = [name for name in recorded.signal_names() if name in columns]
    families = {family.kind: family for family in recorded.families}
    judged_by = [(name, rule.reason) for rule in now.rules() for name in rule.signals()]
    for name, reason in judged_by:
        if name not in names:
            raise ConfigError(
                f"{where}: {reason!r} judges by the signal {name!r}, which was not measured there; "
                f"{nearest(name, names)}. Give the subset a preset with that signal in the catalogue and "
                "build again"
            )
    used = dict(judged_by)
    for family in now.families:
        before = families.get(family.kind)
        if before is not None and before != family and used.keys() & set(signal_names([family])):
            raise ConfigError(
                f"{where}: preset {now.name!r} measures {family.kind} signals in another way than the build "
                "did: build again, or name thresholds only (filters: [...])"
            )


def _sum_moves(names: Sequence[str], parts: Iterable[_JudgedPart]) -> list[SourceChange]:
    totals: dict[str, dict[tuple[str, str], list[int]]] = {name: {} for name in names}
    for part in parts:
        for (source, before, after), (documents, text_bytes) in part.moves.items():
            total = totals[source].setdefault((before, after), [0, 0])
            total[0] += documents
            total[1] += text_bytes
    return [
        SourceChange(
            source,
            tuple(Move(*pair, documents, size) for pair, (documents, size) in sorted(moves.items())),
        )
        for source, moves in totals.items()
        if moves or source != UNSELECTED
    ]
