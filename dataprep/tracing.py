"""Trace a row of the shards back to the raw documents that it is made of.

The way back needs no index: a shard names its token stores, a token store its document tables,
and a document id says collection, raw file and row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact, FileEntry
from dataprep.documents import place_of
from dataprep.errors import ArtifactError, ConfigError, nearest
from dataprep.output import open_build, output_of
from dataprep.shards import ENDS_DOCUMENT, STARTS_DOCUMENT, ShardStage
from dataprep.tokenizers import Tokenizer, load_recorded_tokenizer

SHOWN_CHARACTERS = 500
"""Text of a segment that the view for people shows; JSON has all of it."""

_COLUMNS = ("subset", "origin", "origin_row", "url", "language", "license", "timestamp", "meta")


@dataclass(frozen=True)
class SegmentTrace:
    """A part of a row, and the document that it is from."""

    doc_id: int
    collection: str
    subset: str | None
    raw_file: str
    """Relative to the root of the collection's raw files."""
    raw_row: int
    """Line or Parquet row in the raw file, from 0."""
    url: str | None
    license: str | None
    language: str | None
    timestamp: str | None
    meta: str | None
    """JSON of what the raw row also had."""
    offset: int
    """Tokens of the document before the segment."""
    length: int
    """Tokens of the segment, its end-of-text token included."""
    starts_document: bool
    ends_document: bool
    text: str
    """The segment decoded; a character that is cut at an end appears as U+FFFD."""


@dataclass(frozen=True)
class RowTrace:
    """A row of a stage: where it lies, and what it is made of."""

    mixture: str
    stage: str
    row: int
    shard: str
    batch: int
    row_in_batch: int
    source: str
    epoch: int
    """How often the source's stream had been used up before this row."""
    tokens: int
    """Tokens that are not padding."""
    targets: int
    """Targets that bear loss."""
    segments: tuple[SegmentTrace, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the trace as JSON values."""
        return asdict(self)

    def to_text(self) -> str:
        """Return the trace for people; long texts are cut."""
        lines = [
            f"row {self.row} of {self.mixture}, stage {self.stage}",
            f"  lies in  {self.shard}, record batch {self.batch}, row {self.row_in_batch}",
            f"  source   {self.source}, epoch {self.epoch}",
            f"  holds    {self.tokens} tokens in {len(self.segments)} segments, {self.targets} with loss",
        ]
        for number, segment in enumerate(self.segments):
            edges = " (whole)" if segment.starts_document and segment.ends_document else ""
            last = segment.offset + segment.length - 1
            subset = f" ({segment.subset})" if segment.subset else ""
            lines += [
                "",
                f"  segment {number}: document {segment.doc_id}, tokens {segment.offset} to {last}{edges}",
                f"    raw row   {segment.raw_row} of {segment.raw_file} in {segment.collection}{subset}",
            ]
            for name in ("url", "license", "language", "timestamp"):
                value = getattr(segment, name)
                if value:
                    lines.append(f"    {name:<9} {value}")
            shown = segment.text[:SHOWN_CHARACTERS]
            lines += [f"    | {line}" for line in shown.split("\n")]
            if len(segment.text) > SHOWN_CHARACTERS:
                lines.append(
                    f"    ... {len(segment.text) - SHOWN_CHARACTERS:,} more characters (--json has all)"
                )
        return "\n".join(lines)


def trace_row(folder: str, row: int, *, stage: str | None = None, mixture: str | None = None) -> RowTrace:
    """Return where row ``row`` of a stage comes from.

    Args:
        folder: the output folder of a build, or the folder of one stage's shards.
        row: number of the row in its stage, from 0.
        stage: which stage of the build; default: its first.
        mixture: which build, where the folder holds several.

    Raises:
        ConfigError: no such build, stage or row.
        ArtifactError: an artifact on the way is missing or damaged.
    """
    shards = ShardStage.open(_stage_folder(folder, stage=stage, mixture=mixture))
    header = shards.header
    if not 0 <= row < shards.num_rows:
        raise ConfigError(
            f"stage {header.stage!r} has rows 0 to {shards.num_rows - 1:,}, so there is no row {row:,}"
        )
    place = shards.locate(row)
    found = shards.read_row(row)
    source = header.sources[int(found.source[0])].name
    origins = _Origins.of(shards.artifact, source)
    segments = []
    start = 0
    columns = (found.seg_doc, found.seg_off, found.seg_len, found.seg_flags)
    for doc_id, offset, length, flags in zip(*(column.tolist() for column in columns), strict=True):
        ids = found.tokens[0, start : start + length - (1 if flags & ENDS_DOCUMENT else 0)]
        start += length
        segments.append(
            SegmentTrace(
                doc_id=doc_id,
                **origins.find(doc_id),
                offset=offset,
                length=length,
                starts_document=bool(flags & STARTS_DOCUMENT),
                ends_document=bool(flags & ENDS_DOCUMENT),
                text=origins.tokenizer.decode(ids),
            )
        )
    return RowTrace(
        mixture=header.mixture,
        stage=header.stage,
        row=row,
        shard=shards.artifact.path(shards.shards[place.shard].path),
        batch=place.batch,
        row_in_batch=place.row_in_batch,
        source=source,
        epoch=int(found.epoch[0]),
        tokens=int(found.n_tok[0]),
        targets=int(found.n_loss[0]),
        segments=tuple(segments),
    )


def _stage_folder(folder: str, *, stage: str | None, mixture: str | None) -> str:
    if artifacts.is_published(folder):
        return folder
    build = open_build(folder.rstrip("/"), mixture=mixture)
    if stage is None:
        stage = build.stages[0]
    if stage not in build.shards:
        raise ConfigError(f"{build.path}: no shards of a stage {stage!r}; {nearest(stage, build.shards)}")
    return build.shards[stage]


@dataclass(frozen=True)
class _Origins:
    """The document tables behind one source of a stage, and the tokenizer of its ids."""

    tables: Mapping[int, Artifact]
    """By collection number."""
    tokenizer: Tokenizer

    @classmethod
    def of(cls, shards: Artifact, source: str) -> _Origins:
        """Follow the fingerprints from the shards to the token store to the document tables."""
        output = output_of(shards)
        name = f"{shards.manifest.details['tokenizer']}/{source}"
        tokens = _open_input(shards, f"tokens/{source}", output, "tokens", name)
        tables = {}
        for key in tokens.manifest.inputs:
            kind, _, collection = key.partition("/")
            if kind == "documents":
                table = _open_input(tokens, key, output, "documents", collection)
                tables[int(table.manifest.details["number"])] = table
        return cls(tables, load_recorded_tokenizer(tokens.manifest.details["tokenizer"], output_root=output))

    def find(self, doc_id: int) -> dict[str, Any]:
        """Return what the document table says of a document.

        Raises:
            ArtifactError: no table has it.
        """
        place = place_of(doc_id)
        if place.collection not in self.tables:
            raise ArtifactError(
                f"document {doc_id}: no document table has collection number {place.collection}"
            )
        table = self.tables[place.collection]
        parts = [entry for entry in table.manifest.files if entry.details.get("file") == place.file]
        parts = [entry for entry in parts if entry.details["first_row"] <= place.row]
        if not parts:
            raise ArtifactError(
                f"{table.folder}: no part has row {place.row} of raw file number {place.file}"
            )
        entry = max(parts, key=lambda one: int(one.details["first_row"]))
        values = _read_row(table, entry, doc_id)
        return {
            "collection": table.manifest.details["collection"],
            "subset": values["subset"],
            "raw_file": values["origin"],
            "raw_row": values["origin_row"],
            "license": values["license"] or table.manifest.details.get("license"),
            **{name: values[name] for name in ("url", "language", "timestamp", "meta")},
        }


def _open_input(artifact: Artifact, key: str, output: str, kind: str, name: str) -> Artifact:
    fingerprint = artifact.manifest.inputs.get(key)
    if fingerprint is None:
        raise ArtifactError(f"{artifact.folder}: its manifest names no input {key!r}")
    return artifacts.open_artifact(artifacts.folder_of(output, kind, name, fingerprint), kind=kind)


def _read_row(table: Artifact, entry: FileEntry, doc_id: int) -> dict[str, Any]:
    """Read one row of a part; of its row groups only the one that holds it."""
    path = table.path(entry.path)
    try:
        with storage.open_input(path) as stream, pq.ParquetFile(stream) as part:
            for group in range(part.num_row_groups):
                bounds = part.metadata.row_group(group).column(0).statistics
                if bounds is not None and not bounds.min <= doc_id <= bounds.max:
                    continue
                ids = part.read_row_group(group, columns=["doc_id"])["doc_id"].to_numpy()
                rows = (ids == doc_id).nonzero()[0]
                if len(rows):
                    values = part.read_row_group(group, columns=list(_COLUMNS)).slice(int(rows[0]), 1)
                    return dict(values.to_pylist()[0])
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(
            f"{path}: missing or damaged ({error}): run verify, then build it again"
        ) from error
    raise ArtifactError(f"{path}: has no document {doc_id}: run verify")
