"""How kernels are compiled before they are needed, by several processes together."""

from __future__ import annotations

import fcntl
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataprep.kernels import kernel, prepare
from dataprep.signals.size import count_characters

TWO_KERNELS = """
from dataprep.kernels import kernel, read

@kernel("int64", read("int64"))
def first(values):
    return values[0]

@kernel("int64", read("int64"))
def last(values):
    return values[len(values) - 1]
"""

PREPARE = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
sys.path.insert(0, {folder!r})
import numpy as np, two_kernels
from numba.core import event
from dataprep.kernels import prepare
with event.install_recorder("numba:compile") as recorder:
    prepare([two_kernels.first, two_kernels.last, two_kernels.first], num_processes={num_processes})
print("results", two_kernels.first(np.arange(5, 8)), two_kernels.last(np.arange(7, 9)))
print("compiled here:", sum(one.is_start for _, one in recorder.buffer))
"""


def start_preparing(folder: Path, *, num_processes: int = 1) -> subprocess.Popen[str]:
    (folder / "two_kernels.py").write_text(TWO_KERNELS)
    script = PREPARE.format(folder=str(folder), num_processes=num_processes)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, "-W", "error", "-c", script]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def output_of(process: subprocess.Popen[str]) -> list[str]:
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return said.splitlines()


def test_missing_kernels_are_compiled_once_and_kept(tmp_path: Path) -> None:
    announced, *results = output_of(start_preparing(tmp_path))
    assert announced.startswith("compiling 2 kernels with 1 process(es) for the first time on this machine")
    assert results == ["results 5 8", "compiled here: 2"]
    assert output_of(start_preparing(tmp_path)) == ["results 5 8", "compiled here: 0"]


def test_processes_share_the_work_and_all_have_all_kernels(tmp_path: Path) -> None:
    workers = [start_preparing(tmp_path, num_processes=2) for _ in range(3)]
    said = [output_of(worker) for worker in workers]
    assert all("results 5 8" in lines for lines in said)
    here = [int(lines[-1].removeprefix("compiled here: ")) for lines in said]
    assert sum(here) <= 2, "what their own helpers compiled is not counted"
    assert output_of(start_preparing(tmp_path)) == ["results 5 8", "compiled here: 0"]


def test_a_kernel_that_another_process_is_at_is_waited_for_last(tmp_path: Path) -> None:
    output_of(start_preparing(tmp_path))
    (lock,) = (tmp_path / "cache").rglob("two_kernels.first*.lock")
    for compiled in (tmp_path / "cache").rglob("*.nb?"):
        compiled.unlink()
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        process = start_preparing(tmp_path)
        deadline = time.monotonic() + 60
        while not list((tmp_path / "cache").rglob("two_kernels.last*.nbc")):
            assert time.monotonic() < deadline, "the kernel that is free was not compiled"
            time.sleep(0.02)
        assert process.poll() is None, "it waits for the other"
    assert output_of(process)[1:] == ["results 5 8", "compiled here: 2"]


def test_a_kernel_travels_to_other_processes_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(count_characters)) is count_characters


def test_only_kernels_are_prepared() -> None:
    with pytest.raises(TypeError, match="len"):
        prepare([len])


def test_a_kernel_that_no_other_process_can_import_is_compiled_here() -> None:
    @kernel("int64", "int64")
    def double(x: int) -> int:
        return 2 * x

    prepare([double, double], num_processes=2)
    assert double(4) == 8
