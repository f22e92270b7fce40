"""How kernels are compiled, cached and checked."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dataprep.kernels import (
    add_rows,
    borrowed,
    count_ones,
    kernel,
    load_8_bytes,
    read,
    subroutine,
    trailing_zeros,
    write,
)

SCRIPT = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
import numpy as np
sys.path.insert(0, {folder!r})
import one_kernel
print("result", one_kernel.total(np.arange(4)))
"""
KERNEL = """
from dataprep.kernels import kernel, read, subroutine
STEP = {step}

@subroutine
def advance(x):
    return x + STEP

@kernel("int64", read("int64"))
def total(values):
    result = 0
    for i in range(len(values)):
        result = advance(result) + values[i]
    return result
"""


@kernel("none", read("uint8"), write("int64"))
def probe(data: object, out: object) -> None:
    """Write what the intrinsics return."""
    view = borrowed(data)
    word = load_8_bytes(view, 1)
    out[0] = word  # type: ignore[index]
    out[1] = trailing_zeros(word)  # type: ignore[index]
    out[2] = count_ones(word)  # type: ignore[index]


@kernel("none", read("float32", 2), read("int32"), "int64", write("float32"))
def add_some(rows: object, chosen: object, count: int, total: object) -> None:
    """Add rows."""
    add_rows(rows, chosen, count, total)


@kernel("int64", read("int64"), "int64")
def pick(values: object, i: int) -> int:
    """Return one value, wherever that is."""
    return values[i]  # type: ignore[index,no-any-return]


@subroutine
def picked(values: object, i: int) -> int:
    """Return one value, wherever that is."""
    return values[i]  # type: ignore[index,no-any-return]


@kernel("int64", read("int64"), "int64")
def pick_through(values: object, i: int) -> int:
    """Return one value by a subroutine."""
    return picked(values, i)


def run_script(folder: Path, *, step: int, cache: Path, checked: bool = False) -> str:
    (folder / "one_kernel.py").write_text(KERNEL.format(step=step))
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "NUMBA_BOUNDSCHECK": str(int(checked))}
    script = SCRIPT.format(folder=str(folder))
    command = [sys.executable, "-W", "error", "-c", script]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_compiles_once_and_again_when_a_subroutine_changes(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = run_script(tmp_path, step=1, cache=cache)
    again = run_script(tmp_path, step=1, cache=cache)
    changed = run_script(tmp_path, step=10, cache=cache)
    assert "compiling kernels" in first
    assert "result 10" in first
    assert "compiling kernels" not in again
    assert "result 10" in again
    assert "compiling kernels" in changed
    assert "result 46" in changed


def test_builds_with_and_without_checks_of_bounds_never_stand_in_for_each_other(tmp_path: Path) -> None:
    runs = [run_script(tmp_path, step=1, cache=tmp_path, checked=checked) for checked in (False, True)]
    assert all("compiling kernels" in run for run in runs)
    again = [run_script(tmp_path, step=1, cache=tmp_path, checked=checked) for checked in (False, True)]
    assert not any("compiling kernels" in run for run in again)


def test_reading_behind_the_end_is_caught_where_bounds_are_checked() -> None:
    inside = np.arange(4)[:3]  # what lies behind it is ours, so that nothing breaks without the check
    for one in (pick, pick_through):
        if os.environ.get("NUMBA_BOUNDSCHECK") == "1":
            with pytest.raises(IndexError):
                one(inside, 3)
        else:
            assert one(inside, 3) == 3
        assert one(inside, 2) == 2


def test_intrinsics_and_read_only_input() -> None:
    data = np.array([9, 0, 4, 0, 0, 0, 0, 0, 1, 7], np.uint8)
    data.setflags(write=False)
    out = np.zeros(3, np.int64)
    probe(data, out)
    assert out.tolist() == [(1 << 56) + (4 << 8), 10, 2]


def test_rows_are_added_one_after_the_other() -> None:
    rows = np.arange(3 * 32, dtype=np.float32).reshape(3, 32)
    rows[1, 0], rows[2, 0] = 2**24, 1
    chosen = np.array([1, 2, 2, 0], np.int32)
    total = np.arange(32, dtype=np.float32)
    add_some(rows, chosen, 3, total)
    assert total[1:].tolist() == (rows[0] + rows[1] + 2 * rows[2])[1:].tolist()
    assert total[0] == 2**24, "2**24 + 1 is no float32: each sum is rounded before the next"
    add_some(rows, chosen, 0, total)
    assert total[0] == 2**24, "no row, nothing added"


def test_other_types_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    probe(np.zeros(10, np.uint8), np.zeros(3, np.int64))
    with pytest.raises(TypeError):
        probe(np.zeros(10, np.int32), np.zeros(2, np.int64))


def test_subroutines_take_any_signed_integer() -> None:
    @subroutine
    def double(x: int) -> int:
        return x * 2

    @kernel("int64", read("int32"), "int64")
    def use(values: object, x: int) -> int:
        return double(values[0]) + double(3) + double(x)  # type: ignore[index]

    assert use(np.array([5], np.int32), 7) == 30
    assert len(double.signatures) == 1  # type: ignore[attr-defined]
