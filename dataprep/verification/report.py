"""What verification found: one line for each check, and a sentence for each problem."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from dataprep.errors import DataprepError

MAX_PROBLEMS_SHOWN = 20
"""Sentences that are kept of one check; the rest are counted."""


@dataclass(frozen=True)
class Check:
    """One check of one artifact."""

    artifact: str
    """Folder of the artifact below the output folder, or the path of a build record."""
    name: str
    """What was checked, e.g. ``files``."""
    numbers: Mapping[str, int]
    """How much was compared."""
    num_problems: int
    problems: tuple[str, ...]
    """Sentences that name the file; the first ``MAX_PROBLEMS_SHOWN``."""

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return self.num_problems == 0

    def to_text(self) -> str:
        """Return the check as a line, and a further line for each problem."""
        numbers = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in self.numbers.items())
        lines = [f"{'ok    ' if self.ok else 'FAILED'}  {self.artifact}  {self.name}: {numbers or 'nothing'}"]
        lines += [f"        {problem}" for problem in self.problems]
        if self.num_problems > len(self.problems):
            lines.append(f"        and {self.num_problems - len(self.problems):,} more")
        return "\n".join(lines)


@dataclass(frozen=True)
class VerifyReport:
    """All checks of an output folder or of one artifact."""

    folder: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "folder": self.folder,
            "ok": self.ok,
            "checks": [{**asdict(check), "ok": check.ok} for check in self.checks],
        }

    def to_text(self) -> str:
        """Return the report for people: a line for each check, problems below it, a verdict."""
        failed = sum(1 for check in self.checks if not check.ok)
        verdict = (
            f"{self.folder}: all {len(self.checks)} checks passed"
            if self.ok
            else f"{self.folder}: {failed} of {len(self.checks)} checks FAILED"
        )
        return "\n".join([*(check.to_text() for check in self.checks), verdict])


class Findings:
    """Collects what one check finds; several threads may add to it."""

    def __init__(self, artifact: str, name: str) -> None:
        self.artifact = artifact
        self.name = name
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._problems: list[str] = []

    def count(self, **numbers: int) -> None:
        """Add to the numbers of what was compared."""
        with self._lock:
            for name, value in numbers.items():
                self._numbers[name] = self._numbers.get(name, 0) + int(value)

    def problem(self, sentence: str) -> None:
        """Note one thing that is wrong; the sentence begins with the file."""
        with self._lock:
            self._problems.append(sentence)

    def expect(self, found: object, expected: object, what: str) -> None:
        """Note a problem unless two values are equal; ``what`` begins with the file."""
        if found != expected:
            self.problem(f"{what}: found {_shown(found)}, expected {_shown(expected)}")

    @contextlib.contextmanager
    def reading(self, path: str) -> Iterator[None]:
        """Turn whatever goes wrong while a file is read into a problem that names it."""
        try:
            yield
        except DataprepError as error:
            sentence = str(error)
            self.problem(sentence if path in sentence else f"{path}: {sentence}")
        except (pa.ArrowException, OSError, ValueError, KeyError, IndexError, TypeError) as error:
            self.problem(f"{path}: cannot be read as what it should be ({type(error).__name__}: {error})")

    def to_check(self) -> Check:
        """Return what was found, problems in order of their text (threads add in any order)."""
        problems = sorted(self._problems)
        return Check(
            self.artifact, self.name, dict(self._numbers), len(problems), tuple(problems[:MAX_PROBLEMS_SHOWN])
        )


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else repr(value)
