"""The chain: `dataprep build` from raw files to shards, with one worker and with one per core."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from dataprep.report import summarise
from dataprep.text_table import aligned


@dataclass(frozen=True)
class ChainResult:
    """One whole build."""

    workers: int
    wall_s: float
    cpu_s: float
    largest_process_mb: float
    text_bytes: int
    documents: int
    tokens: int
    stages: tuple[tuple[str, str], ...]
    """Progress line and duration of each run of tasks."""


def run_chain(
    mixture: str, *, data_root: str, tokens: str | None, vocab: str | None, workers: int
) -> ChainResult:
    """Build a mixture into a temporary folder and return what it took."""
    with tempfile.TemporaryDirectory(prefix="dataprep-bench-") as output:
        command = [sys.executable, "-m", "pipelines.cli", "build", mixture, "--output", output]
        command += ["--data-root", data_root, "--missing", "skip", "--workers", str(workers)]
        command += ["--tokens", tokens] if tokens else []
        command += ["--vocab", vocab] if vocab else []
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        wall_s = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if ran.returncode != 0:
            raise SystemExit(f"the build failed:\n{ran.stderr[-2000:]}")
        summary = summarise(output)
    done = re.findall(r"^(.*?) +\d+/\d+ tasks.*done in (.+)$", ran.stderr, re.MULTILINE)
    return ChainResult(
        workers=workers,
        wall_s=wall_s,
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        largest_process_mb=after.ru_maxrss / 1024,
        text_bytes=sum(source.text_bytes for source in summary.sources),
        documents=sum(source.rows for source in summary.sources),
        tokens=sum(source.tokens for source in summary.sources),
        stages=tuple(done),
    )


def chain_text(results: list[ChainResult]) -> str:
    """Return the builds as a table, and what their steps took."""
    lines = [("workers", "MB kept", "raw rows", "MB/s", "tokens/s", "wall s", "CPU s", "largest process MB")]
    lines += [
        (
            str(one.workers),
            f"{one.text_bytes / 1e6:.1f}",
            f"{one.documents:,}",
            f"{one.text_bytes / 1e6 / one.wall_s:.2f}",
            f"{one.tokens / one.wall_s:,.0f}",
            f"{one.wall_s:.1f}",
            f"{one.cpu_s:.1f}",
            f"{one.largest_process_mb:,.0f}",
        )
        for one in results
    ]
    steps = [f"  {one.workers} worker(s): " + ", ".join(f"{n} {d}" for n, d in one.stages) for one in results]
    return "\n".join([aligned(lines), *steps])


def worker_counts() -> list[int]:
    """Return one, and the number of cores where there are several."""
    return sorted({1, len(os.sched_getaffinity(0))})
