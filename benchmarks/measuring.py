"""Run cases one after the other, each in a process of its own, and show them beside each other.

All cases are run in turn, several rounds of it, so that what else the machine does falls on all of
them; of each the median round counts. Every run starts anew: nothing is warm from the one before.
A peer is compared with our case on the same documents.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.texts import Texts, TextsSpec, load_texts
from dataprep.errors import DataprepError
from dataprep.text_table import aligned


@dataclass(frozen=True)
class Amount:
    """What a run worked through."""

    text_bytes: int = 0
    documents: int = 0
    tokens: int = 0


Run = Callable[[], Amount]
Prepare = Callable[[Texts], Run]


@dataclass(frozen=True)
class Case:
    """One thing to measure."""

    name: str
    prepare: Prepare
    """Module-level; imports, compiles and warms up, and returns what is timed."""
    peer_of: str | None = None
    """Name of our case that does the same work."""
    max_bytes: int | None = None
    """Text to measure on, where the whole would take too long."""


@dataclass(frozen=True)
class Measurement:
    """What was measured of a case."""

    name: str
    amount: Amount
    wall_s: float
    cpu_s: float
    peak_mb: float
    """Largest resident memory of the process, texts included."""
    peer_of: str | None = None
    ratio: float | None = None
    """How many times faster our case is on the same documents; None where there is no peer."""

    @property
    def mb_per_s(self) -> float:
        """Text per second of wall time."""
        return self.amount.text_bytes / 1e6 / self.wall_s

    @property
    def tokens_per_s(self) -> float:
        """Tokens per second of wall time."""
        return self.amount.tokens / self.wall_s

    def to_json(self) -> dict[str, Any]:
        """Return the measurement as JSON values."""
        return asdict(self) | {"mb_per_s": self.mb_per_s, "tokens_per_s": self.tokens_per_s}


def run_cases(cases: Sequence[Case], spec: TextsSpec, *, rounds: int = 3) -> list[Measurement]:
    """Measure every case whose packages are installed; the median of ``rounds`` runs."""
    ours = {case.name: case for case in cases}
    runs: dict[tuple[str, int], list[Measurement]] = {}
    failed: set[str] = set()
    for number in range(rounds):
        for case in cases:
            size = _size(case, spec)
            own = ours.get(case.peer_of or "")
            pair = {(case.name, size): case} | ({(own.name, size): own} if own is not None else {})
            for key, one in pair.items():
                if one.name in failed or len(runs.get(key, [])) > number:
                    continue
                result = _in_own_process(one, spec.up_to(size))
                if isinstance(result, str):
                    print(f"  {one.name}: not measured ({result})", flush=True)
                    failed.add(one.name)
                else:
                    runs.setdefault(key, []).append(result)
    medians = {key: _median(measured) for key, measured in runs.items()}
    return [
        _with_ratio(medians[case.name, size], medians.get((case.peer_of or "", size)))
        for case, size in ((case, _size(case, spec)) for case in cases)
        if (case.name, size) in medians
    ]


def _size(case: Case, spec: TextsSpec) -> int:
    return spec.max_bytes if case.max_bytes is None else min(case.max_bytes, spec.max_bytes)


def _median(measured: Sequence[Measurement]) -> Measurement:
    middle = statistics.median_low(one.wall_s for one in measured)
    return next(one for one in measured if one.wall_s == middle)


def _with_ratio(one: Measurement, own: Measurement | None) -> Measurement:
    return one if own is None else replace(one, ratio=_rate(own) / _rate(one))


def _in_own_process(case: Case, spec: TextsSpec) -> Measurement | str:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(case, spec, sender))
    process.start()
    sender.close()
    try:
        result: Measurement | str = receiver.recv()
    except EOFError:
        result = "the process died"
    process.join()
    return result


def _measure(case: Case, spec: TextsSpec, sender: Connection) -> None:
    try:
        texts = load_texts(spec)
        run = case.prepare(texts)
    except ImportError as error:
        sender.send(f"{error.name} is not installed")
        return
    except DataprepError as error:
        sender.send(str(error))
        return
    wall, cpu = time.perf_counter(), time.process_time()
    amount = run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    # Kilobytes on Linux.
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sender.send(Measurement(case.name, amount, wall, cpu, peak_mb, case.peer_of))


def table(measured: Sequence[Measurement]) -> str:
    """Return the measurements as a table; ``ratio`` says how many times faster ours is than a peer."""
    lines = [("case", "MB", "documents", "MB/s", "Mtokens/s", "CPU s", "peak MB", "ratio")]
    for one in measured:
        lines.append(
            (
                one.name,
                f"{one.amount.text_bytes / 1e6:.1f}" if one.amount.text_bytes else "",
                f"{one.amount.documents:,}" if one.amount.documents else "",
                f"{one.mb_per_s:.2f}" if one.amount.text_bytes else "",
                f"{one.tokens_per_s / 1e6:.2f}" if one.amount.tokens else "",
                f"{one.cpu_s:.2f}",
                f"{one.peak_mb:,.0f}",
                f"{one.ratio:.1f} x" if one.ratio is not None else "",
            )
        )
    return aligned(lines)


def _rate(one: Measurement) -> float:
    return one.mb_per_s if one.amount.text_bytes else one.tokens_per_s
