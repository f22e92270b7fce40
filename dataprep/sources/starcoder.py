"""StarCoderData: one folder for each language and four special ones, each with its own columns.

The text is ``content`` everywhere. In the language folders it may begin with the tags
``<reponame>``, ``<filename>`` and ``<gh_stars>``; they belong to the text and stay in it. All
other columns go to ``meta`` under their raw names: the special folders' columns differ between
copies of the corpus, so what a file has is taken from the file.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from dataprep.sources.entries import Columns, CorpusEntry
from dataprep.sources.fields import Codes
from dataprep.sources.generic import GenericAdapter, Row

_STARS = "max_stars_count"


def language_columns(columns: Columns) -> Columns:
    """A language folder: repository, path, stars and id of the file go to ``meta``."""
    return columns


def issue_columns(columns: Columns) -> Columns:
    """``github-issues-filtered-structured``: the repository and the issue's numbers go to ``meta``."""
    return columns


def commit_columns(columns: Columns) -> Columns:
    """``git-commits-cleaned``: commit and file names go to ``meta``, the license to its column."""
    return columns.model_copy(update={"license": "license"})


def notebook_columns(columns: Columns) -> Columns:
    """``jupyter-structured-clean-dedup``: repository and path go to ``meta``, the license to its column."""
    return columns.model_copy(update={"license": "license"})


def script_columns(columns: Columns) -> Columns:
    """``jupyter-scripts-dedup-filtered``: repository and path go to ``meta``, the license to its column."""
    return columns.model_copy(update={"license": "license"})


_COLUMNS_OF: dict[str, Callable[[Columns], Columns]] = {
    "github-issues-filtered-structured": issue_columns,
    "git-commits-cleaned": commit_columns,
    "jupyter-structured-clean-dedup": notebook_columns,
    "jupyter-scripts-dedup-filtered": script_columns,
}


class StarCoderAdapter(GenericAdapter):
    """Reads StarCoderData; each kind of folder has its own column map."""

    def __init__(self, entry: CorpusEntry, subset: str | None) -> None:
        """Prepare for one folder."""
        super().__init__(entry, subset)
        self.columns = _COLUMNS_OF.get(self.settings.name, language_columns)(self.settings.columns)

    def prepare_rows(self, rows: list[Row]) -> Codes | None:
        """Write star counts as whole numbers: some files have them as floating point."""
        for row in rows:
            stars = row.get(_STARS)
            if isinstance(stars, float):
                row[_STARS] = int(stars) if stars.is_integer() else None
        return None

    def prepare_columns(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Codes | None]:
        """Write star counts as whole numbers: some files have them as floating point, NaN for none."""
        if _STARS not in batch.schema.names:
            return batch, None
        position = batch.schema.names.index(_STARS)
        stars = batch.column(position)
        if not pa.types.is_floating(stars.type):
            return batch, None
        is_whole = pc.and_(pc.is_finite(stars), pc.equal(pc.floor(stars), stars))
        whole = pc.if_else(is_whole, stars, pa.scalar(None, stars.type))
        return batch.set_column(position, _STARS, whole.cast(pa.int64(), safe=False)), None
