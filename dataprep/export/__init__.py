"""Exports: a stage's rows, or the documents behind them, in the files that other trainers read.

::

    from dataprep.export import MdsExporter, find_stage, run_export

    exported = run_export(MdsExporter(find_stage("OUT")), "OUT-mds")

An export is an artifact: written whole, checked against the manifest of the shards, done once.
"""

from dataprep.export.gpt_neox import NeoxRun
from dataprep.export.job import Exported, Exporter, Part, Phase, Results, run_export, write_part
from dataprep.export.mds import MdsExporter
from dataprep.export.megatron import MegatronExporter, MegatronOptions
from dataprep.export.parquet import ParquetExporter
from dataprep.export.stage_rows import find_stage

__all__ = [
    "Exported",
    "Exporter",
    "MdsExporter",
    "MegatronExporter",
    "MegatronOptions",
    "NeoxRun",
    "ParquetExporter",
    "Part",
    "Phase",
    "Results",
    "find_stage",
    "run_export",
    "write_part",
]
