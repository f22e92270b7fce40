"""Damaged raw files: what is wrong with one, in a word that is counted and a sentence."""

from __future__ import annotations

from dataprep.errors import BadInputError

EMPTY, TRUNCATED, DAMAGED, WRONG_FORMAT = "empty_file", "truncated_file", "damaged_file", "wrong_format_file"
FILE_REASONS = (EMPTY, TRUNCATED, DAMAGED, WRONG_FORMAT)
"""Why a whole raw file cannot be read."""


class DamagedFileError(BadInputError):
    """A raw file is empty, cut, damaged, or not what its name says."""

    def __init__(self, path: str, reason: str, detail: str) -> None:
        """Describe the damage.

        Args:
            path: The file.
            reason: One of ``FILE_REASONS``.
            detail: What was found; must not name the path, since it is kept in artifacts that do
                not depend on where the data lies.
        """
        super().__init__(path, reason, detail)  # so that it can be pickled on its way from a worker
        self.path, self.reason, self.detail = path, reason, detail

    def __str__(self) -> str:
        """Return the message."""
        return (
            f"{self.path}: {self.detail}: fetch the file again, or have it counted as skipped with "
            "--skip-bad-files"
        )
