"""What a measurement depends on besides the code: the machine and the versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = (
    "apache-beam",
    "datasketch",
    "datatrove",
    "gigatoken",
    "numba",
    "numpy",
    "pyarrow",
    "rensa",
    "spacy",
    "tiktoken",
    "tokenizers",
    "torch",
)


def machine() -> dict[str, str]:
    """Return processor, cores, memory, system, Python and the versions of what was measured."""
    versions = {name: _version(name) for name in PACKAGES}
    return {
        "processor": _processor(),
        "cores": f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}",
        "memory": f"{_memory_bytes() / 2**30:.0f} GiB",
        "load": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version for name, version in versions.items() if version},
    }


def machine_text() -> str:
    """Return the machine as one paragraph."""
    return ", ".join(f"{name} {value}" for name, value in machine().items())


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
