"""What the commands print about a build."""

from __future__ import annotations

from dataprep.report import build_statistics, statistics_text
from dataprep.storage import json_bytes
from pipelines.build import BuildResult


def print_build_summary(result: BuildResult) -> None:
    """Print the statistics of a build that has ended, and where its shards lie."""
    statistics = build_statistics(result.output, mixture=result.mixture.name)
    print(statistics_text(statistics))
    print("\nshards, in the order of training:")
    for stage in statistics.stages:
        print(f"  {stage.stage}: {stage.folder}")


def render_statistics(folder: str, *, mixture: str | None, as_json: bool) -> str:
    """Return what ``dataprep stats`` prints of a build.

    Raises:
        ConfigError: no such build.
    """
    statistics = build_statistics(folder, mixture=mixture)
    return json_bytes(statistics.to_json()).decode().rstrip() if as_json else statistics_text(statistics)
