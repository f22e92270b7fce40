"""Where a text begins behind StarCoder's tags, for kernels that read what its folders hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from dataprep.kernels import subroutine
from dataprep.text.phrases import matches

_LF = 0x0A
_REPONAME = np.frombuffer(b"<reponame>", np.uint8)
_FILENAME = np.frombuffer(b"<filename>", np.uint8)
_GH_STARS = np.frombuffer(b"<gh_stars>", np.uint8)


@subroutine
def starts_with_tags(data: Any, start: int, stop: int) -> bool:
    """Return whether a text begins with a tag that names its repository, its file or its stars."""
    return (
        matches(data, start, stop, _REPONAME)
        or matches(data, start, stop, _FILENAME)
        or matches(data, start, stop, _GH_STARS)
    )


@subroutine
def header_end(data: Any, start: int, stop: int) -> int:
    """Return where the code begins behind StarCoder's tags, which end with the first line."""
    if not starts_with_tags(data, start, stop):
        return start
    for k in range(start, stop):
        if data[k] == _LF:
            return k + 1
    return stop
