"""One stage of a mixture as shards: the manifest's contract between the bake and the trainer.

The artifact's folder holds ``shard-00000.arrow`` and so on. Row g of the stage is row
``g % rows_per_shard`` of shard ``g // rows_per_shard``; record batches are counted alike.
Everything a trainer has to know stands in ``Manifest.details``, which is ``StageHeader`` as JSON
with the totals of each source; everything about one shard in its ``FileEntry``::

    counts   rows, tokens (input positions that hold one), targets (that bear loss)
    details  crc32 (base64 of little-endian uint32: head, each record batch, tail of the file)

An entry is lean on purpose: a stage of a trillion tokens has 30,000 of them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from dataprep import artifacts
from dataprep.artifacts import Artifact, FileEntry
from dataprep.errors import ArtifactError
from dataprep.shards.layout import RowLayout
from dataprep.shards.reading import ShardReader
from dataprep.shards.rows import Rows
from dataprep.shards.writing import ROWS_PER_BATCH, ROWS_PER_SHARD

KIND = "shards"


@dataclass(frozen=True)
class Boundaries:
    """What a trainer does where one document of a row ends and the next begins."""

    reset_attention: bool = True
    """Tokens attend only to their own document."""
    reset_positions: bool = True
    """Position ids start at 0 in each document."""
    cross_document_loss: bool = False
    """The last token of a document is asked to predict the first of the next."""


@dataclass(frozen=True)
class StageSource:
    """A source of the mixture and what the stage holds of it. Its ``id`` stands in the rows."""

    id: int
    name: str
    license: str | None = None
    weight: float = 0.0
    """Share of the stage's rows that the plan asked for."""
    rows: int = 0
    tokens: int = 0
    """Input positions (the first ``sequence_length`` of each row) that hold a token."""
    targets: int = 0
    """Targets that bear loss."""


@dataclass(frozen=True)
class Fork:
    """Where a stage went its own way: its rows before ``row`` are those of another stage."""

    row: int
    """A multiple of ``rows_per_batch``."""
    identity: str
    """Of the other stage, as states of the loader name it."""
    folder: str
    """Of the other stage, relative to the output folder."""
    source_rows: tuple[int, ...]
    """Rows before ``row`` by source id."""


@dataclass(frozen=True)
class StageHeader:
    """What all shards of a stage have in common."""

    mixture: str
    stage: str
    stage_index: int
    sequence_length: int
    vocab_size: int
    padded_vocab_size: int
    eos_id: int
    pad_id: int
    tokenizer: str
    tokenizer_sha256: str
    sources: tuple[StageSource, ...]
    """In the order of their ids, which are 0, 1, 2, ..."""
    plan: str
    """Fingerprint of the plan."""
    seed: int
    vocabulary: str = ""
    """Path, below the output folder, of the vocabulary file that made the ids."""
    packing: str = "concat"
    overlap: int = 1
    """Tokens that consecutive rows of a stream share: 1 with ``concat``, 0 with ``best_fit``."""
    boundaries: Boundaries = field(default_factory=Boundaries)
    rows_per_shard: int = ROWS_PER_SHARD
    rows_per_batch: int = ROWS_PER_BATCH
    forks: tuple[Fork, ...] = ()
    """Of the parent that the stage begins with first, then those of the parent itself; see
    ``pipelines.continuation``. Their rows do not rise."""

    def __post_init__(self) -> None:
        assert [source.id for source in self.sources] == list(range(len(self.sources))), self.sources
        assert self.rows_per_shard % self.rows_per_batch == 0, "a shard holds whole record batches"
        assert 0 <= self.eos_id < self.vocab_size, self
        assert 0 <= self.pad_id < self.vocab_size, self

    @property
    def layout(self) -> RowLayout:
        """How wide a row and an id are."""
        return RowLayout(sequence_length=self.sequence_length, vocab_size=self.vocab_size)


@dataclass(frozen=True)
class RowPlace:
    """Where a row of a stage lies."""

    shard: int
    batch: int
    row_in_batch: int


@dataclass(frozen=True)
class ShardEntry:
    """One shard as the manifest lists it."""

    index: int
    path: str
    """Relative to the artifact's folder."""
    size_bytes: int
    sha256: str
    first_row: int
    num_rows: int
    num_tokens: int
    num_targets: int
    crc32_base64: str

    @property
    def crc32(self) -> npt.NDArray[np.uint32]:
        """uint32[batches + 2] checksum of each piece of the file: head, record batches, tail."""
        return np.frombuffer(base64.b64decode(self.crc32_base64), dtype="<u4")


class _ShardEntries(Sequence[ShardEntry]):
    """The shards of a manifest, made into objects when they are asked for.

    A trainer opens a stage of 30,000 shards and reads a few of them.
    """

    def __init__(self, files: Sequence[FileEntry], rows_per_shard: int) -> None:
        self._files = files
        self._rows_per_shard = rows_per_shard

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, index: int) -> ShardEntry: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ShardEntry, ...]: ...
    def __getitem__(self, index: int | slice) -> ShardEntry | tuple[ShardEntry, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        number = range(len(self))[index]
        entry = self._files[number]
        return ShardEntry(
            index=number,
            path=entry.path,
            size_bytes=entry.size_bytes,
            sha256=entry.sha256,
            first_row=number * self._rows_per_shard,
            num_rows=entry.counts["rows"],
            num_tokens=entry.counts["tokens"],
            num_targets=entry.counts["targets"],
            crc32_base64=entry.details["crc32"],
        )


class ShardStage:
    """A published stage: its header, its shards and random access to its rows.

    Raises:
        ArtifactError: the artifact is no shards artifact, or its manifest does not add up.
    """

    def __init__(self, artifact: Artifact) -> None:
        manifest = artifact.manifest
        if manifest.kind != KIND:
            raise ArtifactError(f"{artifact.folder}: holds {manifest.kind!r}, expected {KIND!r}")
        self.artifact = artifact
        try:
            self.header = _header_from_json(manifest.details)
            self.num_rows = int(manifest.details["num_rows"])
            rows_per_shard = self.header.rows_per_shard
            self.shards: Sequence[ShardEntry] = _ShardEntries(manifest.files, rows_per_shard)
            shard_rows = [int(entry.counts["rows"]) for entry in manifest.files]
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"{artifact.folder}: the manifest lacks what a stage needs ({error!r})"
            ) from error
        if sum(shard_rows) != self.num_rows:
            raise ArtifactError(f"{artifact.folder}: its shards do not add up to {self.num_rows} rows")
        for entry, num_rows in zip(manifest.files[:-1], shard_rows):
            if num_rows != rows_per_shard:
                raise ArtifactError(f"{artifact.path(entry.path)}: {num_rows} rows, not {rows_per_shard}")

    @classmethod
    def open(cls, folder: str) -> ShardStage:
        """Open the stage that was published in ``folder``."""
        return cls(artifacts.open_artifact(folder, kind=KIND))

    @cached_property
    def source_names(self) -> tuple[str, ...]:
        """Names by source id."""
        return tuple(source.name for source in self.header.sources)

    def locate(self, row: int) -> RowPlace:
        """Return where row ``row`` of the stage lies.

        Raises:
            IndexError: the stage has no such row.
        """
        if not 0 <= row < self.num_rows:
            raise IndexError(
                f"row {row} of stage {self.header.stage!r}: it has rows 0 to {self.num_rows - 1}"
            )
        shard, rest = divmod(row, self.header.rows_per_shard)
        return RowPlace(shard, *divmod(rest, self.header.rows_per_batch))

    def open_shard(self, index: int, *, path: str | None = None) -> ShardReader:
        """Return a reader of one shard (of its copy in ``path``, if given) that checks every batch."""
        shard = self.shards[index]
        return ShardReader(
            self.artifact.path(shard.path) if path is None else path,
            crc32=shard.crc32,
            name=self.artifact.path(shard.path),
            first_row=shard.first_row,
            rows_per_batch=self.header.rows_per_batch,
        )

    def read_row(self, row: int) -> Rows:
        """Return one row (as ``Rows`` of length 1)."""
        place = self.locate(row)
        rows = self.open_shard(place.shard).read_rows(place.batch)
        return rows.part(place.row_in_batch, place.row_in_batch + 1)


def _header_from_json(details: Mapping[str, Any]) -> StageHeader:
    values = {one.name: details[one.name] for one in fields(StageHeader) if one.name != "forks"}
    forks = details.get("forks", ())
    values["forks"] = tuple(Fork(**{**fork, "source_rows": tuple(fork["source_rows"])}) for fork in forks)
    values["sources"] = tuple(StageSource(**source) for source in details["sources"])
    values["boundaries"] = Boundaries(**details["boundaries"])
    return StageHeader(**values)
