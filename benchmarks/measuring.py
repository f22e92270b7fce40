"""Run cases one after the other, each in a process of its own, and show them beside each other."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
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


def run_cases(cases: Sequence[Case], spec: TextsSpec) -> list[Measurement]:
    """Measure every case whose packages are installed."""
    measured = []
    for case in cases:
        result = _in_own_process(case, spec)
        if isinstance(result, str):
            print(f"  {case.name}: not measured ({result})", flush=True)
        else:
            measured.append(result)
    return measured


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
        texts = load_texts(spec if case.max_bytes is None else spec.up_to(case.max_bytes))
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
    ours = {one.name: one for one in measured}
    lines = [("case", "MB", "documents", "MB/s", "Mtokens/s", "CPU s", "peak MB", "ratio")]
    for one in measured:
        own = ours.get(one.peer_of or "")
        lines.append(
            (
                one.name,
                f"{one.amount.text_bytes / 1e6:.1f}" if one.amount.text_bytes else "",
                f"{one.amount.documents:,}" if one.amount.documents else "",
                f"{one.mb_per_s:.2f}" if one.amount.text_bytes else "",
                f"{one.tokens_per_s / 1e6:.2f}" if one.amount.tokens else "",
                f"{one.cpu_s:.2f}",
                f"{one.peak_mb:,.0f}",
                f"{_rate(own) / _rate(one):.1f} x" if own is not None else "",
            )
        )
    return aligned(lines)


def _rate(one: Measurement) -> float:
    return one.mb_per_s if one.amount.text_bytes else one.tokens_per_s
