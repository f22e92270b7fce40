"""Export for Megatron-LM and GPT-NeoX: ``.bin`` and ``.idx`` pairs, index maps, lines for the config.

::

    DIR/documents/<source>-<class>.bin, .idx   each document once: the trainer shuffles and mixes by weight
    DIR/rows/<stage>.bin, .idx                 the rows in our order, replayed by GPT-NeoX as they are
    DIR/rows/<stage>_label.bin, .idx           where targets bear no loss: -100 in their place
    DIR/rows/<stage>_train_0_indexmap_*.npy    what makes GPT-NeoX keep the order
    DIR/gpt-neox-documents.yml, gpt-neox-rows.yml, megatron-core-documents.json
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from dataprep import artifacts, storage
from dataprep.artifacts import FileEntry, sum_counts
from dataprep.errors import ArtifactError, ConfigError
from dataprep.export.gpt_neox import NeoxRun, write_identity_maps
from dataprep.export.id_types import id_type
from dataprep.export.job import Contents, Exporter, Part, Phase, Results
from dataprep.export.megatron_documents import DocumentSet, document_parts, find_document_sets
from dataprep.export.megatron_rows import masks_targets, rows_layout, rows_parts
from dataprep.export.mmap_pair import MAX_SEQUENCES, PairLayout
from dataprep.export.trainer_configs import (
    Blend,
    TrainerDocuments,
    core_documents_config,
    neox_documents_config,
    neox_rows_config,
)
from dataprep.shards import ShardStage

NEOX_DOCUMENTS_NAME = "gpt-neox-documents.yml"
NEOX_ROWS_NAME = "gpt-neox-rows.yml"
CORE_DOCUMENTS_NAME = "megatron-core-documents.json"

MAX_UINT16_VOCAB = 65_500
"""Vocabularies below it are uint16, larger ones int32. Source: ``make_builder`` of GPT-NeoX and
``DType.optimal_dtype`` of Megatron-core."""

MAX_BLENDED = 254
"""Pairs that GPT-NeoX can mix: it numbers them with uint8 and asserts fewer than 255."""


@dataclass(frozen=True)
class MegatronOptions:
    """What is written, and for which training run."""

    layout: Literal["documents", "rows", "both"] = "both"
    labels: Literal["auto", "always", "never"] = "auto"
    """Whether rows get a pair of labels; ``auto``: where some target of the stage bears no loss."""
    dtype: str | None = None
    run: NeoxRun = field(default_factory=NeoxRun)
    max_documents: int = MAX_SEQUENCES
    """Documents in a pair."""


@dataclass(frozen=True)
class SealPart:
    """Check a pair that is filled, and make it one that readers accept."""

    layout: PairLayout
    folder: str

    @property
    def name(self) -> str:
        """Unique among the pairs."""
        return os.path.relpath(self.layout.prefix, self.folder).replace("/", "-")

    @property
    def size_bytes(self) -> int:
        """Size of the pair."""
        return self.layout.bin_bytes + self.layout.idx_bytes

    def write(self) -> Mapping[str, Any]:
        """Seal the pair; return sizes and checksums of its files."""
        self.layout.seal()
        entries = [
            artifacts.describe_file(self.folder, os.path.relpath(path, self.folder))
            for path in (self.layout.bin_path, self.layout.idx_path)
        ]
        return {"files": [[entry.path, entry.size_bytes, entry.sha256] for entry in entries]}


class MegatronExporter(Exporter):
    """Writes pairs. Every byte has its place, so parts fill them in any order and in any number at once.

    Raises:
        ConfigError: a type that cannot hold the ids, a batch larger than the stage, or token stores
            that are not beside the shards.
    """

    export_format: ClassVar[str] = "megatron"
    needs_local_folder: ClassVar[bool] = True

    def __init__(self, stage: ShardStage, options: MegatronOptions | None = None) -> None:
        super().__init__(stage)
        self.options = options or MegatronOptions()
        header = stage.header
        self.id_type = id_type(
            self.options.dtype,
            export_format=self.export_format,
            allowed=("uint16", "int32"),
            default="uint16" if header.vocab_size < MAX_UINT16_VOCAB else "int32",
            tokenizer=header.tokenizer,
            vocab_size=header.vocab_size,
        )
        self.with_rows = self.options.layout != "documents"
        self.with_labels = self.with_rows and (
            self.options.labels == "always" or (self.options.labels == "auto" and masks_targets(stage))
        )
        if self.with_rows and self.options.run.iterations(stage.num_rows) == 0:
            raise ConfigError(
                f"--train-batch-size {self.options.run.batch_rows:,}: stage {header.stage!r} has only "
                f"{stage.num_rows:,} rows"
            )
        self.document_sets: list[DocumentSet] = []
        if self.options.layout != "rows":
            self.document_sets = find_document_sets(stage, max_documents=self.options.max_documents)
            if len(self.training_sets) > MAX_BLENDED:
                raise ConfigError(
                    f"{stage.artifact.folder}: {len(self.training_sets)} pairs of documents, but GPT-NeoX "
                    f"mixes at most {MAX_BLENDED}: export with --layout rows"
                )

    @property
    def training_sets(self) -> list[DocumentSet]:
        """Pairs of documents that the stage trains on."""
        return [one for one in self.document_sets if not one.is_held_out]

    @property
    def held_out_sets(self) -> list[DocumentSet]:
        """Pairs of documents for validation."""
        return [one for one in self.document_sets if one.is_held_out]

    @property
    def config(self) -> Mapping[str, Any]:
        """What is written; the training run shapes companions only."""
        return {
            "layout": self.options.layout,
            "id_type": self.id_type,
            "labels": self.with_labels,
            "max_documents": self.options.max_documents,
        }

    @property
    def inputs(self) -> Mapping[str, str]:
        """The shards, and what they were mixed from where documents are written."""
        inputs = self.stage.artifact.manifest.inputs if self.document_sets else {}
        return {**inputs, **super().inputs}

    def phases(self, folder: str) -> Sequence[Phase]:
        """Fill the pairs, then seal each."""
        layouts = self._layouts(folder)
        for layout in layouts:
            layout.allocate()
        fill: list[Part] = list(
            document_parts(
                self.document_sets, folder, id_type=self.id_type, vocab_size=self.stage.header.vocab_size
            )
        )
        if self.with_rows:
            tokens, labels = self._row_layouts(folder)
            fill += rows_parts(self.stage, tokens, labels)
        return [Phase("export", fill), Phase("check", [SealPart(layout, folder) for layout in layouts])]

    def finish(self, folder: str, results: Sequence[Results]) -> Contents:
        """Compare the totals with the manifests of what was read."""
        filled, sealed = results
        if self.document_sets:
            _check_documents(self.document_sets, filled)
        counts = dict(sum_counts(one for name, one in filled.items() if "rows" in one))
        files = [FileEntry(*entry) for one in sealed.values() for entry in one["files"]]
        details = {
            "id_type": self.id_type,
            "documents": [
                {
                    "name": one.name,
                    "source": one.source,
                    "class": one.length_class,
                    "weight": one.weight,
                    "documents": one.num_documents,
                    "tokens": one.num_tokens,
                }
                for one in self.document_sets
            ],
        }
        documents = {
            "documents": sum(one.num_documents for one in self.document_sets),
            "document_tokens": sum(one.num_tokens for one in self.document_sets),
        }
        return Contents(files, {**counts, **(documents if self.document_sets else {})}, details)

    def companions(self, folder: str, final_folder: str) -> Sequence[FileEntry]:
        """Write index maps and lines for the configs of trainers, which name ``final_folder``."""
        documents = self._documents_of(final_folder)
        header, run = self.stage.header, self.options.run
        contents: dict[str, bytes] = {}
        maps: list[str] = []
        if self.document_sets:
            contents[NEOX_DOCUMENTS_NAME] = neox_documents_config(header, documents)
            contents[CORE_DOCUMENTS_NAME] = core_documents_config(documents)
        if self.with_rows:
            maps = self._index_maps(folder)
            tokens, labels = self._row_layouts(final_folder)
            contents[NEOX_ROWS_NAME] = neox_rows_config(
                header,
                num_rows=self.stage.num_rows,
                tokens=tokens.prefix,
                labels=None if labels is None else labels.prefix,
                held_out=documents.held_out if self._validates_on_documents else [],
                run=run,
            )
        for name, content in contents.items():
            storage.write_bytes(storage.join(folder, name), content)
        names = [*contents, *(os.path.relpath(path, folder) for path in maps)]
        return [artifacts.describe_file(folder, name) for name in names]

    def usage(self, folder: str) -> str:
        """Return which lines of which file go where."""
        lines = []
        if self.document_sets:
            held_out = f", {len(self.held_out_sets)} held out" if self.held_out_sets else ""
            num_pairs = len(self.training_sets)
            lines += [
                f"documents  {num_pairs} pairs{held_out}, {self.id_type}; the trainer shuffles and mixes:",
                f"  GPT-NeoX       add {folder}/{NEOX_DOCUMENTS_NAME} to its configs",
                f"  Megatron-core  --per-split-data-args-path {folder}/{CORE_DOCUMENTS_NAME}",
            ]
        if self.with_rows:
            labels = " with a pair of labels" if self.with_labels else ""
            size = f"{self.stage.num_rows:,} rows of {self.stage.header.layout.row_tokens:,} tokens"
            lines += [
                f"rows       {size}, {self.id_type}{labels}; in our order:",
                f"  GPT-NeoX       add {folder}/{NEOX_ROWS_NAME} to its configs; every line of it counts",
            ]
        return "\n".join(lines)

    def _layouts(self, folder: str) -> list[PairLayout]:
        layouts = [one.layout(folder, self.id_type) for one in self.document_sets]
        if self.with_rows:
            layouts += [layout for layout in self._row_layouts(folder) if layout is not None]
        return layouts

    def _row_layouts(self, folder: str) -> tuple[PairLayout, PairLayout | None]:
        tokens = rows_layout(self.stage, folder, id_type=self.id_type)
        if not self.with_labels:
            return tokens, None
        return tokens, rows_layout(self.stage, folder, id_type=self.id_type, labels=True)

    def _index_maps(self, folder: str) -> list[str]:
        prefix = self._row_layouts(folder)[0].prefix
        length = self.stage.header.sequence_length
        datasets = ["train_0"] if self._validates_on_documents else ["train_0", "valid_0", "test_0"]
        stems = [
            stem
            for dataset in datasets
            for stem in self.options.run.map_stems(
                prefix, dataset, num_rows=self.stage.num_rows, sequence_length=length
            )
        ]
        return write_identity_maps(stems, num_rows=self.stage.num_rows, sequence_length=length)

    @property
    def _validates_on_documents(self) -> bool:
        """Whether a run over the rows can take held-out documents; labels are there for all or none."""
        return bool(self.held_out_sets) and not self.with_labels

    def _documents_of(self, folder: str) -> TrainerDocuments:
        def blend(sets: Sequence[DocumentSet]) -> Blend:
            return [(one.layout(folder, self.id_type).prefix, one.weight) for one in sets]

        return TrainerDocuments(blend(self.training_sets), blend(self.held_out_sets))


def _check_documents(sets: Sequence[DocumentSet], filled: Results) -> None:
    """Compare what the parts of each set wrote with the indexes of the token stores."""
    for one in sets:
        parts = [result for name, result in filled.items() if name.rpartition("-bin-")[0] == one.name]
        written = sum_counts(parts)
        expected = {"documents": one.num_documents, "tokens": one.num_tokens}
        if written != expected:
            raise ArtifactError(
                f"{one.store}: {written} were written, but its index says {expected}: run verify, then build "
                "these tokens again"
            )
