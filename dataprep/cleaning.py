"""Cleaning a batch: normalise, edit, measure, judge and sign, in one pass over raw rows.

This is the order in which text, signals, filters and dedup are applied; each of them is pure
and knows nothing of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from dataprep import documents
from dataprep.dedup import SIGNATURE_KERNELS, SignatureConfig, sign
from dataprep.filters import Perplexity, Preset, Quality, Url, judge, resolve_preset
from dataprep.filters.license import LICENSE_REASONS
from dataprep.hashing import mix64
from dataprep.kernels import KernelFunction
from dataprep.model_files import ModelFile, PerplexityModel, QualityModel
from dataprep.signals import LicenseSignals, PerplexitySignals, QualitySignals, UrlSignals, measure
from dataprep.sources import CorpusEntry, SubsetSettings
from dataprep.sources.own_rules import LicenseRules
from dataprep.text.edits import EditTally, apply_edits
from dataprep.text.normalize import NORMALIZE_KERNELS, normalize
from dataprep.url_lists import UrlLists
from dataprep.yaml_models import Frozen

Float32Array = npt.NDArray[np.float32]

REJECTED_TEXTS_PER_REASON = 8
"""Texts of so many rejected documents of each reason are kept in every part..."""
REJECTED_TEXT_SHARE = 64
"""...and beyond them one in so many, chosen by the hash of the document's id."""


class CleaningConfig(Frozen):
    """What ingest does beyond the corpus's own catalogue entry."""

    signature: SignatureConfig = SignatureConfig()
    """How documents are signed for deduplication."""
    keep_rejected_text: Literal["sample", "all", "none"] = "sample"
    """Whose text a table keeps of the documents that it drops."""
    max_split_bytes: int = Field(default=256 << 20, ge=1)
    """Size of a task's piece of a raw file."""
    batch_bytes: int = Field(default=8 << 20, ge=1)
    """Text in one Arrow batch; bounds a worker's memory."""


@dataclass(frozen=True)
class Cleaned:
    """A batch after cleaning."""

    documents: pa.RecordBatch
    """All rows, as ``documents.document_schema``."""
    signatures: pa.RecordBatch
    """The kept rows, as ``signature_schema``."""


@dataclass
class PartCounts:
    """Rows, kept rows and reasons of one part, by subset."""

    _subsets: dict[str, dict[str, int]] = field(default_factory=dict)
    _texts_kept: dict[str, int] = field(default_factory=dict)
    edits: EditTally = field(default_factory=EditTally)
    """What edits removed from the kept rows."""

    def add(self, subset: pa.DictionaryArray, verdict: pa.DictionaryArray, num_bytes: pa.UInt32Array) -> None:
        """Count the rows of a batch."""
        kept_bytes = pc.if_else(pc.equal(verdict.cast(pa.string()), documents.KEEP), num_bytes, 0)
        table = pa.table(
            {"subset": subset.cast(pa.string()), "verdict": verdict.cast(pa.string()), "b": kept_bytes}
        )
        for row in (
            table.group_by(["subset", "verdict"]).aggregate([("b", "sum"), ("b", "count")]).to_pylist()
        ):
            counts = self._subsets.setdefault(row["subset"] or "", {"rows": 0, "kept": 0, "text_bytes": 0})
            counts["rows"] += row["b_count"]
            counts["text_bytes"] += row["b_sum"]
            name = "kept" if row["verdict"] == documents.KEEP else f"reason:{row['verdict']}"
            counts[name] = counts.get(name, 0) + row["b_count"]

    def keep_text(self, doc_ids: npt.NDArray[np.uint64], verdicts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return which rejected documents keep their text: some of each reason, then one in 64.

        None that is rejected for its licence: its text is not ours to keep.
        """
        chosen: npt.NDArray[np.bool_] = mix64(doc_ids, key=0) % np.uint64(REJECTED_TEXT_SHARE) == 0
        for row, verdict in enumerate(verdicts):
            if verdict in LICENSE_REASONS:
                chosen[row] = False
                continue
            seen = self._texts_kept.get(verdict, 0)
            if seen < REJECTED_TEXTS_PER_REASON:
                self._texts_kept[verdict] = seen + 1
                chosen[row] = True
        return chosen

    def by_subset(self) -> dict[str, dict[str, int]]:
        """Return the counts of each subset."""
        edits = self.edits.by_subset()
        return {
            name: dict(sorted((self._subsets[name] | edits.get(name, {})).items()))
            for name in sorted(self._subsets)
        }

    def totals(self) -> dict[str, int]:
        """Return the counts of all subsets together."""
        total = {"rows": 0, "kept": 0, "text_bytes": 0}
        for counts in self.by_subset().values():
            for name, number in counts.items():
                total[name] = total.get(name, 0) + number
        return dict(sorted(total.items()))


def preset_of(entry: CorpusEntry, subset: str) -> Preset:
    """Return how a subset is cleaned: a packaged preset, its licences, URL lists, models and edits.

    Raises:
        ConfigError: its filters need an edit that it does without.
    """
    settings = entry.settings(subset)
    preset, lists = resolve_preset(settings.filters), entry.url_lists
    if lists is not None:
        family = UrlSignals(**{field: getattr(lists, field) for field in UrlLists.model_fields})
        preset = preset.with_url_rules(family, Url(max_soft_words=lists.max_soft_words))
    if settings.licenses is not None:
        preset = preset.with_licenses(LicenseSignals(**settings.licenses.model_dump()))
    quality, perplexity = settings.quality, settings.perplexity
    if quality is not None:
        model = QualitySignals(**{field: getattr(quality, field) for field in QualityModel.model_fields})
        preset = preset.with_model_rules(model, Quality(threshold=quality.threshold, reason=quality.reason))
    if perplexity is not None:
        fields = {field: getattr(perplexity, field) for field in PerplexityModel.model_fields}
        limits = perplexity.model_dump(include=set(Perplexity.model_fields))
        preset = preset.with_model_rules(PerplexitySignals(**fields), Perplexity(**limits))
    return preset if settings.edits is None else preset.with_edits(settings.edits)


def pinned(entry: CorpusEntry) -> CorpusEntry:
    """Return a corpus whose URL lists, models and licences carry their digests: part of the fingerprint,
    checked by workers.

    Raises:
        ConfigError: a list or model cannot be read, or does not fit what is said of it.
        MissingExtraError: what a model needs is not installed.
    """
    names = ("quality", "perplexity", "licenses")
    subsets = {
        name: own.model_copy(update={field: _pinned(getattr(own, field)) for field in names})
        for name, own in entry.subsets.items()
    }
    models = {field: _pinned(getattr(entry, field)) for field in names}
    lists = None if entry.url_lists is None else entry.url_lists.pinned()
    checked = entry.model_copy(update={"subsets": subsets, "url_lists": lists, **models})
    for subset in subsets:
        for family in preset_of(checked, subset).families:
            if isinstance(family, QualitySignals | PerplexitySignals):
                family.check()
    return checked


def _pinned(own: ModelFile | LicenseRules | None) -> ModelFile | LicenseRules | None:
    return None if own is None else own.pinned()


def signal_columns(entry: CorpusEntry, subset: str | None) -> tuple[str, ...]:
    """Return the signals that the document table of a collection has, in column order."""
    subsets = [subset] if subset is not None else list(entry.subsets)
    presets = {entry.settings(name).preset: preset_of(entry, name) for name in subsets}
    return tuple(dict.fromkeys(name for preset in presets.values() for name in preset.signal_names()))


def cleaning_kernels(entry: CorpusEntry, subset: str | None) -> tuple[KernelFunction, ...]:
    """Return the kernels that :func:`clean` needs for a collection."""
    subsets = [subset] if subset is not None else list(entry.subsets)
    presets = {entry.settings(name).preset: preset_of(entry, name) for name in subsets}
    measured = [one for preset in presets.values() for family in preset.families for one in family.kernels()]
    edited = [one for preset in presets.values() for edit in preset.edits for one in edit.kernels()]
    # Redaction and the rules take longest to compile: both begin early, whoever shares the work.
    return tuple(dict.fromkeys((*edited, *measured, *SIGNATURE_KERNELS, *NORMALIZE_KERNELS)))


def clean(
    raw: pa.RecordBatch,
    entry: CorpusEntry,
    *,
    columns: Sequence[str],
    config: CleaningConfig,
    counts: PartCounts,
) -> Cleaned:
    """Clean a batch of ``documents.RAW_SCHEMA`` and count its rows.

    Rows that share a filter preset are measured and judged together; a batch of The Pile may
    need several presets.
    """
    groups = _groups_of(raw, entry)
    if len(groups) == 1:
        ((settings, _),) = groups
        table = _judged(raw, settings, preset_of(entry, settings.name), columns, counts.edits)
    else:
        order = np.concatenate([rows for _, rows in groups])
        pieces = [
            _judged(
                raw.take(pa.array(rows)), settings, preset_of(entry, settings.name), columns, counts.edits
            )
            for settings, rows in groups
        ]
        # Tables of dictionaries that differ are unified when they are combined.
        joined = pa.Table.from_batches(pieces).unify_dictionaries().combine_chunks()
        table = joined.take(pa.array(np.argsort(order))).combine_chunks().to_batches()[0]
    counts.add(table.column("subset"), table.column("verdict"), table.column("num_bytes"))
    signatures = _signatures(table, entry, config)
    return Cleaned(_without_rejected_text(table, config, counts), signatures)


def _groups_of(raw: pa.RecordBatch, entry: CorpusEntry) -> list[tuple[SubsetSettings, npt.NDArray[np.int64]]]:
    """Return the rows that are treated alike: one group for each way of cleaning."""
    subset = raw.column("subset")
    names = subset.dictionary.to_pylist()
    codes = subset.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    groups: dict[tuple[object, ...], tuple[SubsetSettings, list[npt.NDArray[np.int64]]]] = {}
    for code in np.unique(codes):
        # A row of no known subset was refused by the adapter: how it is measured does not matter.
        name = names[code] if code >= 0 and names[code] in entry.subsets else next(iter(entry.subsets))
        settings = entry.settings(name)
        key = (settings.preset, settings.code, settings.language)
        rows = np.flatnonzero(codes == code)
        groups.setdefault(key, (settings, []))[1].append(rows)
    if not groups:
        return [(entry.settings(next(iter(entry.subsets))), np.empty(0, np.int64))]
    return [(settings, np.sort(np.concatenate(rows))) for settings, rows in groups.values()]


def _judged(
    raw: pa.RecordBatch,
    settings: SubsetSettings,
    preset: Preset,
    columns: Sequence[str],
    tally: EditTally,
) -> pa.RecordBatch:
    """Normalise, edit, measure and judge rows that share a preset; return full document rows."""
    text = normalize(raw.column("text"), code=settings.code)
    steps = apply_edits(preset.edits, text)
    if steps:
        text = steps[-1].edited.text
    measured = measure(
        preset.families,
        text,
        url=raw.column("url"),
        expected_language=settings.language,
        subset=settings.name,
        meta=raw.column("meta"),
        license=raw.column("license"),
    )
    signals = dict(measured.signals)
    for step in steps:
        signals.update(step.edited.signals)
    verdict = judge(preset, signals, text=text, prior=raw.column("verdict"))
    kept = pc.equal(verdict.cast(pa.string()), documents.KEEP).to_numpy(zero_copy_only=False)
    doc_ids = raw.column("doc_id").to_numpy()
    tally.add(steps, subset=raw.column("subset"), kept=kept, doc_ids=doc_ids)
    language = raw.column("language") if measured.language is None else measured.language
    num_rows = raw.num_rows
    absent = pa.nulls(num_rows, pa.float32())
    values = {
        **{name: raw.column(name) for name in raw.schema.names},
        "text": text,
        "language": language,
        "num_bytes": pc.fill_null(pc.binary_length(text), 0).cast(pa.uint32()),
        "verdict": verdict,
        **{
            name: pa.array(signals[name], pa.float32(), from_pandas=True) if name in signals else absent
            for name in columns
        },
    }
    schema = documents.document_schema(columns)
    return pa.record_batch(
        [values[name].cast(schema.field(name).type) for name in schema.names], schema=schema
    )


def _signatures(table: pa.RecordBatch, entry: CorpusEntry, config: CleaningConfig) -> pa.RecordBatch:
    kept = table.filter(pc.equal(table.column("verdict").cast(pa.string()), documents.KEEP))
    return sign(
        kept.column("text"),
        url=kept.column("url") if entry.web else None,
        doc_id=kept.column("doc_id").to_numpy(),
        subset=kept.column("subset"),
        config=config.signature,
        web=entry.web,
    )


def _without_rejected_text(
    table: pa.RecordBatch, config: CleaningConfig, counts: PartCounts
) -> pa.RecordBatch:
    """Blank the text of rejected documents, but for the sample that a person may want to read."""
    if config.keep_rejected_text == "all":
        return table
    verdict = table.column("verdict").cast(pa.string())
    keep = pc.equal(verdict, documents.KEEP).to_numpy(zero_copy_only=False).copy()
    rejected = np.flatnonzero(~keep)
    if len(rejected) == 0:
        return table
    if config.keep_rejected_text == "sample":
        doc_ids = table.column("doc_id").to_numpy()[rejected]
        reasons = verdict.take(pa.array(rejected)).to_pylist()
        keep[rejected] = counts.keep_text(doc_ids, reasons)
    text = pc.if_else(pa.array(keep), table.column("text"), pa.scalar(None, pa.large_string()))
    return table.set_column(table.schema.get_field_index("text"), table.schema.field("text"), text)
