"""StarCoderData: one folder for each language and four special ones, each with its own columns.

The text is ``content`` everywhere. In the language folders it may begin with the tags
``<reponame>``, ``<filename>`` and ``<gh_stars>``; they belong to the text and stay in it. All
other columns but the license go to ``meta`` under their raw names (repository, path, stars; of issues
their numbers; of commits message and file names): the special folders' columns differ between copies
of the corpus, so what a file has is taken from the file.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dataprep.sources.entries import CorpusEntry
from dataprep.sources.fields import Codes
from dataprep.sources.generic import GenericAdapter, Row

_STARS = "max_stars_count"


class StarCoderAdapter(GenericAdapter):
    """Reads StarCoderData; each kind of folder has columns of its own."""

    def __init__(self, entry: CorpusEntry, subset: str | None) -> None:
        """Prepare for one folder: notebooks, their scripts and commits have a license of their own."""
        super().__init__(entry, subset)
        license_name = entry.license_column(self.settings.name)
        self.columns = self.settings.columns.model_copy(update={"license": license_name})

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
