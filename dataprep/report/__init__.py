"""Reports: what a build read, dropped, kept and mixed, from its manifests alone.

``statistics`` is the model and gathers it, ``summary`` shows it to people.
"""

from dataprep.report.statistics import (
    BuildStatistics,
    DuplicateStatistics,
    SourceStatistics,
    StageSourceStatistics,
    StageStatistics,
    build_statistics,
)
from dataprep.report.summary import statistics_text

__all__ = [
    "BuildStatistics",
    "DuplicateStatistics",
    "SourceStatistics",
    "StageSourceStatistics",
    "StageStatistics",
    "build_statistics",
    "statistics_text",
]
