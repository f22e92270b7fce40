"""What program code is made of, and what is to be measured of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
from reference_code import code_signals

from dataprep.signals import CodeSignals, measure

PIECES = [
    "a", "def f(x):", "return", "naïve", "é", "١", "1", "23", "456", "abcdefghij", "abcdefgh", " ", "  ",
    "\t", "\n", "\n", "\n", "\n\n", "# note", "#include <x>", "#!", "#[derive]", "//", "/* a", "*/", "*",
    "* b", "**", "--", ";", "%", "<!--", "<!-", "-->", '"""', "'''", "'", '"', "\\", "[1, 2]", "true",
    "null", "None", "false", "tune", "{", "}", ",", ":", "x", "=", "<?xml version=", "Copyright",
    "LICENSE", "auto-generated", "Generated", "DO NOT EDIT", "<reponame>me/x", "<filename>a.py",
    "<gh_stars>10-100", "<rep\nx\n>ame>", "\u00a0", "\x0c", "\u2028",
]  # fmt: skip

PATHS = {"data": "a.json", "html": "a.html", "script": "a.js", "minified": "a.min.css", "other": "a.py"}


def assert_as_reference(
    column: pa.LargeStringArray,
    texts: Sequence[str | None],
    *,
    kind: Literal["data", "html", "script", "minified", "other"],
) -> None:
    """Compare every measure with the reference, rounded to float32.

    The raw row's path says what kind of file it is, whatever a tag in the text says.
    """
    meta = pa.array([f'{{"path": "{PATHS[kind]}"}}'] * len(texts), pa.string())
    signals = measure([CodeSignals()], column, meta=meta).signals
    for row, text in enumerate(texts):
        expected = {} if text is None else code_signals(text, path=PATHS[kind])
        for name, values in signals.items():
            got, value = values[row], expected.get(name, math.nan)
            same = got == np.float32(value) or (math.isnan(value) and math.isnan(got))
            assert same, f"{name} of {text!r:.300} is {got}, the reference says {value}"
