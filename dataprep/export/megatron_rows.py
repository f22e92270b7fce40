"""Rows of a stage as a Megatron pair: one row of L + 1 tokens is one sequence, in the stage's order.

Where a target of the stage bears no loss (padding, or the first token of a document where the
mixture says so), a second pair of the same shape holds the labels, with -100 in place of such
targets: GPT-NeoX shifts them by one like the tokens, so the label at position i is token i itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dataprep import storage
from dataprep.artifacts import sum_counts
from dataprep.errors import ConfigError
from dataprep.export.mmap_pair import MAX_SEQUENCES, PairLayout, RangeWriter
from dataprep.export.stage_rows import row_counts, rows_of_shard, worker_stage
from dataprep.loader.boundaries import IGNORED_LABEL, make_labels
from dataprep.shards import Rows, ShardStage

FOLDER = "rows"
LABEL_TYPE = "int32"
"""Labels are negative where they are ignored, so unsigned types cannot hold them."""


@dataclass(frozen=True)
class RowsPart:
    """The rows of one shard, written to their places in a pair, and in the one of labels if any."""

    stage: str
    """Folder of the stage."""
    shard: int
    size_bytes: int
    tokens: PairLayout
    labels: PairLayout | None

    @property
    def name(self) -> str:
        """Unique among the shards."""
        return f"shard-{self.shard:05d}"

    def write(self) -> Mapping[str, Any]:
        """Write the rows; return their counts."""
        stage = worker_stage(self.stage)
        width = stage.header.layout.row_tokens
        first = stage.shards[self.shard].first_row
        counts = []
        with contextlib.ExitStack() as stack:

            def open_range(layout: PairLayout) -> RangeWriter:
                writer = RangeWriter(layout, first_sequence=first, first_token=first * width)
                return stack.enter_context(writer)

            tokens = open_range(self.tokens)
            labels = None if self.labels is None else open_range(self.labels)
            for rows in rows_of_shard(stage, self.shard):
                lengths = np.full(len(rows), width, dtype=np.int64)
                tokens.append(lengths, rows.tokens.reshape(-1))
                if labels is not None:
                    labels.append(lengths, _labels(rows, stage).reshape(-1))
                counts.append(row_counts(rows))
        return sum_counts(counts)


def rows_layout(stage: ShardStage, folder: str, *, id_type: str, labels: bool = False) -> PairLayout:
    """Return the pair of a stage's rows, or of their labels.

    Raises:
        ConfigError: more rows than readers can number.
    """
    if stage.num_rows > MAX_SEQUENCES:
        raise ConfigError(
            f"{stage.artifact.folder}: {stage.num_rows:,} rows, but readers of this format number at most "
            f"{MAX_SEQUENCES:,}: export it with --layout documents, or as mds"
        )
    name = stage.header.stage + ("_label" if labels else "")
    return PairLayout(
        storage.join(folder, FOLDER, name),
        LABEL_TYPE if labels else id_type,
        stage.num_rows,
        stage.num_rows * stage.header.layout.row_tokens,
    )


def rows_parts(stage: ShardStage, tokens: PairLayout, labels: PairLayout | None) -> list[RowsPart]:
    """Return one part for each shard."""
    width = stage.header.layout.row_tokens
    item_bytes = tokens.item_bytes + (0 if labels is None else labels.item_bytes)
    return [
        RowsPart(stage.artifact.folder, entry.index, entry.num_rows * width * item_bytes, tokens, labels)
        for entry in stage.shards
    ]


def masks_targets(stage: ShardStage) -> bool:
    """Tell whether any target of the stage bears no loss, so that labels differ from tokens."""
    targets = stage.artifact.manifest.counts["targets"]
    return bool(targets != stage.num_rows * stage.header.sequence_length)


def _labels(rows: Rows, stage: ShardStage) -> npt.NDArray[np.int64]:
    """Return int64[n, L+1]; nothing predicts the first token of a row, so it is ignored as well."""
    policy = stage.header.boundaries
    labels = make_labels(rows, rows.tokens, cross_document_loss=policy.cross_document_loss)
    return np.pad(labels, ((0, 0), (1, 0)), constant_values=IGNORED_LABEL)
