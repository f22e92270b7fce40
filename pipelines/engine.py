"""Run many small tasks on a Beam runner, once each, with progress and resume.

A task is a descriptor (which file, which rows, where the result goes); documents never cross
a stage boundary. A finished task leaves a marker with its result, so a build that was killed
continues where it stopped, on any runner, and a task that a runner repeats does no harm:
tasks write the same bytes to the same names.
"""

from __future__ import annotations

import logging
import os
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from dataprep import artifacts, errors, storage
from dataprep.errors import ArtifactError, ConfigError, DataprepError
from dataprep.kernels import KernelFunction, prepare

logger = logging.getLogger(__name__)

Work = Callable[[Any], Mapping[str, Any]]
ExchangeKind = Literal["files", "shuffle"]

_SHUFFLE_RUNNERS = ("DataflowRunner", "FlinkRunner")
_COMPILING_PROCESSES = 4
"""More would not help: the two largest kernels take most of the time."""
_FAILED_SUFFIX = ".failed"

WORKER_LOG = os.path.join(tempfile.gettempdir(), f"dataprep-workers-{os.getuid()}.log")
"""Where local worker processes write what they have to say."""


@dataclass(frozen=True)
class Task:
    """One unit of work: what to do, and where its marker goes."""

    name: str
    """Unique in its run, and a legal file name."""
    done_path: str
    """Path of the marker that holds the task's result."""
    payload: Any
    """What ``work`` gets; small and picklable."""
    size_bytes: int = 0
    """Weight of the task in the progress display."""


@dataclass(frozen=True)
class Progress:
    """How far a run is: counted from the markers of finished tasks."""

    label: str
    num_done: int
    num_tasks: int
    bytes_done: int
    bytes_total: int
    rows_done: int
    elapsed_s: float
    finished: bool = False


ProgressSink = Callable[[Progress], None]


def no_progress(progress: Progress) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Engine:
    """Which runner does the work, with how many local workers.

    The local runner is Beam's FnApiRunner, named explicitly, because ``DirectRunner`` first tries
    to download another one. Its multi_threading mode loses elements silently and is refused.
    """

    beam_options: tuple[str, ...] = ()
    num_workers: int = 1
    progress: ProgressSink = no_progress
    exchange: ExchangeKind | None = None

    def __post_init__(self) -> None:
        if any("multi_threading" in option for option in self.beam_options):
            raise ConfigError(
                "--direct_running_mode=multi_threading is refused: Beam 2.77's local runner loses elements "
                "silently in this mode; leave it out, or use multi_processing"
            )
        if self.num_workers < 1:
            raise ConfigError(f"the number of workers must be 1 or more, got {self.num_workers}")

    @property
    def runner(self) -> str:
        """The Beam runner's name; local runners are always FnApiRunner."""
        for index, option in enumerate(self.beam_options):
            if option.startswith("--runner="):
                name = option.partition("=")[2]
            elif option == "--runner" and index + 1 < len(self.beam_options):
                name = self.beam_options[index + 1]
            else:
                continue
            return "FnApiRunner" if name == "DirectRunner" else name
        return "FnApiRunner"

    @property
    def is_local(self) -> bool:
        """Whether tasks run on this machine under Beam's own local runner."""
        return self.runner == "FnApiRunner"

    @property
    def exchange_kind(self) -> ExchangeKind:
        """How payload crosses between workers: the option if given, else what suits the runner."""
        if self.exchange is not None:
            return self.exchange
        return "shuffle" if self.runner in _SHUFFLE_RUNNERS else "files"

    def options(self, *, num_tasks: int) -> PipelineOptions:
        """Return the Beam options of one run with ``num_tasks`` parallel tasks."""
        arguments = [o for o in self.beam_options if o not in ("--runner=DirectRunner",)]
        if not any(o.startswith("--runner") for o in arguments):
            arguments.append("--runner=FnApiRunner")
        if self.num_local_processes(num_tasks) and not any("direct_num_workers" in o for o in arguments):
            arguments.append(f"--direct_num_workers={self.num_local_processes(num_tasks)}")
        return PipelineOptions(arguments)

    def num_local_processes(self, num_tasks: int) -> int:
        """Return how many worker processes a local run uses; 0 means this process alone does the work."""
        workers = min(self.num_workers, num_tasks)
        chosen_by_user = any("direct_running_mode" in o for o in self.beam_options)
        return workers if self.is_local and workers > 1 and not chosen_by_user else 0

    def pipeline(self, *, num_tasks: int) -> beam.Pipeline:
        """Return an empty pipeline on the chosen runner.

        Local worker processes are Beam's multi_processing mode, started by our own command line
        because Beam's leaves their log lines on the user's terminal; the log file is kept for
        the case that a worker dies.
        """
        options = self.options(num_tasks=num_tasks)
        if not self.num_local_processes(num_tasks):
            return beam.Pipeline(options=options)
        command = f"{shlex.quote(sys.executable)} -m apache_beam.runners.worker.sdk_worker_main"
        environment = SubprocessSDKEnvironment.from_command_string(f"{command} 2>>{shlex.quote(WORKER_LOG)}")
        return beam.Pipeline(runner=FnApiRunner(default_environment=environment), options=options)


class _RunTask(beam.DoFn):
    """Do one task and leave its marker."""

    def __init__(self, work: Work, kernels: Sequence[KernelFunction]) -> None:
        self._work = work
        self._kernels = kernels

    def setup(self) -> None:
        """Share the compilation of kernels with the machine's other workers."""
        prepare(self._kernels)

    def process(self, task: Task) -> Iterator[str]:
        run_one(task, self._work)
        yield task.name


def run_one(task: Task, work: Work) -> None:
    """Do one task unless its marker is there; leave the marker, or a note about the failure."""
    if read_marker(task.done_path) is not None:
        return
    try:
        result = work(task.payload)
    except DataprepError as error:
        note = {"task": task.name, "type": type(error).__name__, "message": str(error)}
        storage.write_json(task.done_path + _FAILED_SUFFIX, note)
        raise
    artifacts.write_sealed_json(task.done_path, {"task": task.name, "result": dict(result)})


def read_marker(path: str) -> dict[str, Any] | None:
    """Return the result in a task's marker, or None where there is none that can be trusted."""
    if not storage.exists(path):
        return None
    try:
        return dict(artifacts.read_sealed_json(path)["result"])
    except ArtifactError:
        logger.warning("%s: damaged marker, the task runs again", path)
        return None


def run_tasks(
    label: str,
    tasks: Sequence[Task],
    work: Work,
    *,
    engine: Engine,
    kernels: Sequence[KernelFunction] = (),
) -> dict[str, dict[str, Any]]:
    """Run every task that has no marker yet, in one Beam pipeline; return all results by task name.

    Args:
        label: what the run is called in logs, in the progress display and in the runner's job graph.
        tasks: descriptors; names must be unique.
        work: a module-level function or picklable callable from payload to a JSON object.
        engine: where the work runs.
        kernels: what the work calls that takes long to compile; compiled before, on all cores at once.

    Raises:
        DataprepError: what a task raised, with its own type and message.
    """
    assert len({task.name for task in tasks}) == len(tasks), "task names must be unique"
    pending = [task for task in tasks if not storage.exists(task.done_path)]
    if pending:
        if engine.is_local:
            prepare(kernels, num_processes=min(os.cpu_count() or 1, _COMPILING_PROCESSES))
        with watch(label, tasks, engine.progress), failures_of(tasks), quiet_workers():
            pipeline = engine.pipeline(num_tasks=len(pending))
            _ = (
                pipeline
                | f"{label}: list tasks" >> beam.Create(pending, reshuffle=False)
                | f"{label}: spread tasks" >> beam.Reshuffle()
                | f"{label}: run tasks" >> beam.ParDo(_RunTask(work, tuple(kernels))).with_output_types(str)
            )
            pipeline.run().wait_until_finish()
    return collect_results(tasks)


def collect_results(tasks: Sequence[Task]) -> dict[str, dict[str, Any]]:
    """Return the results of finished tasks by name, in the order of ``tasks``."""
    results = {}
    for task in tasks:
        result = read_marker(task.done_path)
        if result is None:
            raise ArtifactError(
                f"task {task.name} left no marker at {task.done_path} although the run ended: build again"
            )
        results[task.name] = result
    return results


class failures_of:  # noqa: N801 - reads as a clause: with failures_of(tasks)
    """Turn a runner's failure into the error that the failing task raised."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._paths = {task.done_path + _FAILED_SUFFIX for task in tasks}

    def __enter__(self) -> None:
        for path in self._paths:
            if storage.exists(path):
                storage.remove_tree(path)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, Exception):
            return
        notes = [storage.read_json(path) for path in sorted(self._paths) if storage.exists(path)]
        if not notes:
            return
        note = min(notes, key=lambda n: str(n["task"]))
        raised_type = getattr(errors, note["type"], errors.BuildError)
        raised = raised_type.__new__(raised_type)
        raised.args = (note["message"],)
        raise raised from error


class quiet_workers:  # noqa: N801 - a clause as well
    """Keep Beam's own log lines (one for every stage and worker) out of the user's terminal."""

    def __enter__(self) -> None:
        self._logger = logging.getLogger("apache_beam")
        self._level = self._logger.level
        self._logger.setLevel(logging.CRITICAL if not logger.isEnabledFor(logging.DEBUG) else logging.INFO)

    def __exit__(self, *_: object) -> None:
        self._logger.setLevel(self._level)


class watch:  # noqa: N801 - a clause as well
    """Report progress from a thread that counts markers, on any runner."""

    def __init__(self, label: str, tasks: Sequence[Task], sink: ProgressSink) -> None:
        self._label, self._sink = label, sink
        self._waiting = {task.done_path: task for task in tasks}
        self._num_tasks = len(tasks)
        self._bytes_total = sum(task.size_bytes for task in tasks)
        self._num_done = self._bytes_done = self._rows_done = 0
        self._stop = threading.Event()
        interval = 1.0 if all(storage.is_local(task.done_path) for task in tasks) else 15.0
        self._thread = threading.Thread(target=self._poll, args=(interval,), name="progress", daemon=True)

    def __enter__(self) -> None:
        self._started = time.monotonic()
        self._count()
        self._resumed_bytes = self._bytes_done
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=60)
        if kind is None:
            self._count()
            self._report(finished=True)

    def _poll(self, interval_s: float) -> None:
        while not self._stop.wait(interval_s):
            self._count()
            self._report(finished=False)

    def _count(self) -> None:
        folders = {os.path.dirname(path) for path in self._waiting}
        present = {info.path for folder in folders for info in storage.glob(storage.join(folder, "*"))}
        for path in [p for p in self._waiting if p in present]:
            task = self._waiting.pop(path)
            self._num_done += 1
            self._bytes_done += task.size_bytes
            result = read_marker(path) or {}
            counts = result.get("counts", result)
            rows = counts.get("rows", 0) if isinstance(counts, Mapping) else 0
            self._rows_done += rows if isinstance(rows, int) else 0

    def _report(self, *, finished: bool) -> None:
        self._sink(
            Progress(
                label=self._label,
                num_done=self._num_done,
                num_tasks=self._num_tasks,
                bytes_done=self._bytes_done - self._resumed_bytes,
                bytes_total=self._bytes_total - self._resumed_bytes,
                rows_done=self._rows_done,
                elapsed_s=time.monotonic() - self._started,
                finished=finished,
            )
        )
