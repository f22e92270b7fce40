"""Reports: what a build read, dropped, kept and mixed, from its manifests alone.

``statistics`` holds the parts, ``summary`` gathers them, ``text`` shows them to people.
"""

from dataprep.report.statistics import (
    DuplicateStatistics,
    SourceStatistics,
    StageSourceStatistics,
    StageStatistics,
)
from dataprep.report.summary import BuildSummary, summarise

__all__ = [
    "BuildSummary",
    "DuplicateStatistics",
    "SourceStatistics",
    "StageSourceStatistics",
    "StageStatistics",
    "summarise",
]
