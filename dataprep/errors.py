"""The exceptions a user of dataprep can meet.

::

    DataprepError
    ├── UsageError            the command, recipe or input is wrong; nothing was started   (exit 2)
    │   ├── ConfigError       a YAML file or option does not mean anything
    │   ├── SourceError       raw files are missing, unknown or have another layout
    │   │   └── MissingSourceError  a corpus has no raw file at all
    │   ├── MissingExtraError an optional dependency is not installed
    │   └── PlanError         a mixture cannot be realised with the tokens there are
    └── BuildError            the work started and could not be finished                   (exit 1)
        ├── BadInputError     raw data is damaged beyond what the recipe allows
        ├── ArtifactError     an artifact is missing, incomplete, damaged or of another version
        ├── ParityError       a fast path and its reference disagree
        └── StreamError       the loader cannot deliver the next batch

Every message says what is wrong, where (file, row, YAML path), what was found, what is
allowed or nearest, and what to do next. ``assert`` is for our own invariants only.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DataprepError(Exception):
    """Base of every error that is reported to the user without a traceback."""

    exit_code = 1


class UsageError(DataprepError, ValueError):
    """The command, recipe or input is wrong; nothing was started."""

    exit_code = 2


class ConfigError(UsageError):
    """A YAML file or an option does not mean anything."""


class SourceError(UsageError):
    """Raw files are missing, unknown or have another layout than declared."""


class MissingSourceError(SourceError):
    """A corpus has no raw file at all; a build may go on without it when told so."""


class MissingExtraError(UsageError):
    """An optional dependency is needed and not installed."""

    def __init__(self, *, module: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the Python package {module!r}, which is not installed: "
            f"pip install 'dataprep[{extra}]'"
        )


class PlanError(UsageError):
    """A mixture cannot be realised with the tokens there are."""


class BuildError(DataprepError):
    """The work started and could not be finished."""


class BadInputError(BuildError):
    """Raw data is damaged beyond what the recipe allows."""


class ArtifactError(BuildError):
    """An artifact is missing, incomplete, damaged or of another format version."""


class ParityError(BuildError):
    """A fast path and its reference disagree."""


class StreamError(BuildError):
    """The loader cannot deliver the next batch."""


def nearest(name: str, known: Iterable[str], *, limit: int = 3) -> str:
    """Return a phrase that names the known spellings closest to ``name``.

    >>> nearest("arxvi", ["arxiv", "book", "c4"])
    "did you mean 'arxiv'?"
    >>> nearest("zzz", ["b", "a"])
    "known: 'a', 'b'"
    """
    choices = sorted(set(known))
    close = difflib.get_close_matches(name, choices, n=limit, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    if len(choices) > 12:
        return "known: " + ", ".join(repr(c) for c in choices[:12]) + f" and {len(choices) - 12} more"
    return "known: " + ", ".join(repr(c) for c in choices) if choices else "none is known"
