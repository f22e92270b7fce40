"""Shards: the rows of tokens that a trainer reads, as they lie on disk.

``rows`` is a row in memory, ``layout`` in Arrow; ``writing`` and ``reading`` are one shard,
``stage`` and ``publishing`` all shards of a stage with the manifest's contract. Imports numpy,
pyarrow and fsspec, and nothing of the pipeline.
"""

from dataprep.shards.layout import RowLayout, decode_annotations, decode_rows, decode_tokens, encode_rows
from dataprep.shards.publishing import publish_stage, shard_file_name, summarise_shard, write_stage
from dataprep.shards.reading import ShardReader
from dataprep.shards.rows import (
    ENDS_DOCUMENT,
    REPEATS_TOKEN,
    STARTS_DOCUMENT,
    TRUNCATED,
    Rows,
    check_rows,
    concat_rows,
    row_problems,
)
from dataprep.shards.stage import (
    Boundaries,
    Fork,
    RowPlace,
    ShardEntry,
    ShardStage,
    StageHeader,
    StageSource,
)
from dataprep.shards.writing import ROWS_PER_BATCH, ROWS_PER_SHARD, ShardSummary, write_shard

__all__ = [
    "ENDS_DOCUMENT",
    "REPEATS_TOKEN",
    "ROWS_PER_BATCH",
    "ROWS_PER_SHARD",
    "STARTS_DOCUMENT",
    "TRUNCATED",
    "Boundaries",
    "Fork",
    "RowLayout",
    "RowPlace",
    "Rows",
    "ShardEntry",
    "ShardReader",
    "ShardStage",
    "ShardSummary",
    "StageHeader",
    "StageSource",
    "check_rows",
    "concat_rows",
    "decode_annotations",
    "decode_rows",
    "decode_tokens",
    "encode_rows",
    "publish_stage",
    "row_problems",
    "shard_file_name",
    "summarise_shard",
    "write_shard",
    "write_stage",
]
