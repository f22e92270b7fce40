"""Compile kernels beside another process: ``python -m dataprep.kernels MODULE:NAME ...``."""

from __future__ import annotations

import importlib
import sys

from dataprep.kernels.compilation import compile_unclaimed

if __name__ == "__main__":
    named = (name.partition(":") for name in sys.argv[1:])
    compile_unclaimed([getattr(importlib.import_module(module), name) for module, _, name in named])
