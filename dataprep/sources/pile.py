"""The Pile: 22 subsets in one stream, told apart by ``meta.pile_set_name``.

Books3 is refused, and so is every row whose subset is not known: it could be a row of Books3.
A copy without ``meta`` (the deduplicated one has text only) is refused before any work, because
Books3 cannot be recognised in it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from dataprep.errors import SourceError
from dataprep.sources.entries import CorpusEntry
from dataprep.sources.fields import CODE_OF, Fields
from dataprep.sources.generic import GenericAdapter, Row, json_text

_NAME = "pile_set_name"


class PileAdapter(GenericAdapter):
    """Reads The Pile, from its JSON lines or from a Parquet copy that kept ``meta``."""

    def __init__(self, entry: CorpusEntry, subset: str | None) -> None:
        super().__init__(entry, subset)
        self._position_of: dict[str, int] = {}
        exclusions, languages, licenses = [], [], []
        for position, (name, one) in enumerate(entry.subsets.items()):
            settings = entry.settings(name)
            self._position_of |= dict.fromkeys((name, *one.aliases), position)
            exclusions.append(0 if settings.excluded is None else CODE_OF[settings.excluded])
            languages.append(settings.language)
            licenses.append(settings.license)
        # The last element serves position -1, the rows of no known subset.
        self._exclusions = np.array([*exclusions, CODE_OF["excluded_unknown_subset"]], np.int8)
        self._languages = pa.array([*languages, None], pa.string())
        self._licenses = pa.array([*licenses, entry.license], pa.string())

    def check_columns(self, names: Collection[str], *, place: str) -> None:
        """Check for the text, and for what tells Books3 apart.

        Raises:
            SourceError: no text column, or neither ``meta`` nor ``pile_set_name``.
        """
        super().check_columns(names, place=place)
        if "meta" not in names and _NAME not in names:
            found = ", ".join(repr(name) for name in sorted(names))
            raise SourceError(
                f"{place}: no column 'meta', only {found}. Without meta.pile_set_name the books of "
                "Books3 cannot be recognised and removed, so this copy of The Pile is refused "
                "(EleutherAI/the_pile_deduplicated is such a copy): use one that kept meta"
            )

    def fields_of_rows(self, rows: list[Row]) -> Fields:
        """Return the fields of rows; the subset of each is found in its ``meta``."""
        positions = np.array([self._subset_position(row) for row in rows], np.int16)
        by_subset = pa.array(np.where(positions < 0, len(self.entry.subsets), positions))
        return Fields(
            url=None,
            timestamp=None,
            language=self._languages.take(by_subset),
            license=self._licenses.take(by_subset),
            meta=pa.array([json_text(row) for row in rows], pa.string()),
            subset=positions,
            exclusion=self._exclusions[positions],
        )

    def fields_of_columns(self, batch: pa.RecordBatch) -> Fields:
        """Go through rows: there is nothing but ``meta``, which is small."""
        return self.fields_of_rows(batch.to_pylist())

    def _subset_position(self, row: Row) -> int:
        """Return the subset's position, -1 if unknown; its name leaves the row when it is known."""
        meta: Any = row.get("meta")
        if isinstance(meta, str):
            try:
                meta = orjson.loads(meta)
            except orjson.JSONDecodeError:
                return -1
        holder: Row = meta if isinstance(meta, dict) else row
        name = holder.get(_NAME)
        position = self._position_of.get(name, -1) if isinstance(name, str) else -1
        if position >= 0:
            del holder[_NAME]
            if holder is not row:
                row["meta"] = holder
                if not holder:
                    del row["meta"]
        return position
