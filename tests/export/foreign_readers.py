"""The real readers of other projects, run in an interpreter of their own: their dependencies are not ours.

DATAPREP_TEST_MDS_PYTHON names one that can import ``streaming`` (mosaicml-streaming),
DATAPREP_TEST_MEGATRON_PYTHON one that can import ``megatron.core``. Without them the interpreter that
runs the tests is asked.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

_READERS = {
    "streaming": ("DATAPREP_TEST_MDS_PYTHON", "read_with_streaming.py"),
    "megatron": ("DATAPREP_TEST_MEGATRON_PYTHON", "read_with_megatron.py"),
}


def read_with(package: str, folder: Path, *arguments: str | Path) -> dict[str, Any]:
    """Run a reader; return the arrays that it saved. Skips where the package is not there."""
    variable, script = _READERS[package]
    python = os.environ.get(variable)
    if python is None:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed, and {variable} names no interpreter that has it")
        python = sys.executable
    saved = folder / f"read-with-{package}.npz"
    command = [python, "-W", "ignore", Path(__file__).with_name(script), saved, *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=240, check=False, cwd=folder, env=environment
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    with np.load(saved) as arrays:
        return dict(arrays)
