"""The adapter for any corpus whose columns can simply be named, and the base of the others.

The catalogue's ``columns`` say which raw columns become text, url, timestamp, language and
license; every other column goes to ``meta``, except those that are ``ignored``. Works on JSON
rows and on Parquet columns alike.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.errors import SourceError, nearest
from dataprep.sources.entries import CorpusEntry
from dataprep.sources.fields import Codes, Fields
from dataprep.sources.json_columns import as_strings, json_objects, time_text

Row = dict[str, Any]

_TOO_DEEP = b'{"dropped":"nested deeper than 254 levels"}'


class GenericAdapter:
    """Raw rows and columns to document fields, as the catalogue's column map says."""

    def __init__(self, entry: CorpusEntry, subset: str | None) -> None:
        """Prepare for one collection; ``subset`` is ``None`` for a corpus that is read whole."""
        self.entry = entry
        name = next(iter(entry.subsets)) if subset is None else subset
        self.settings = entry.settings(name)
        self.position = list(entry.subsets).index(name)
        self.columns = self.settings.columns

    @property
    def text_column(self) -> str:
        """The raw column or JSON key that holds the text."""
        return self.columns.text

    def check_columns(self, names: Collection[str], *, place: str) -> None:
        """Check that the raw file at ``place`` has the columns this adapter needs.

        Raises:
            SourceError: names the column, what was found, and the nearest.
        """
        if self.text_column not in names:
            found = ", ".join(repr(name) for name in sorted(names)) or "no column at all"
            guess = nearest(self.text_column, names)
            raise SourceError(
                f"{place}: no text column {self.text_column!r}; found {found}"
                + (f"; {guess}" if guess.startswith("did you mean") else ".")
                + f" Is this a file of {self.entry.name!r}? If so, name its text column in the catalogue as "
                f"corpora.{self.entry.name}.columns.text"
            )

    def check_license_column(self, names: Collection[str], *, place: str) -> None:
        """Check that columns, which are the same for all rows, have the licence where licences are judged.

        Raises:
            SourceError: they have not, so that every row would be refused.
        """
        name = self.columns.license
        if self.settings.licenses is not None and name is not None and name not in names:
            found = ", ".join(repr(one) for one in sorted(names))
            guess = nearest(name, names)
            raise SourceError(
                f"{place}: no licence column {name!r}, so that no row is known to have an allowed licence; "
                f"found {found}; "
                + (f"{guess} " if guess.startswith("did you mean") else "")
                + f"name it in the catalogue as corpora.{self.entry.name}.columns.license, or take away "
                f"licenses of {self.settings.name!r}"
            )

    def fields_of_rows(self, rows: list[Row]) -> Fields:
        """Return the fields of JSON objects whose text was taken out; uses the rows up."""
        exclusion = self.prepare_rows(rows)
        columns = self.columns
        for name in columns.ignored:
            for row in rows:
                row.pop(name, None)
        return Fields(
            url=_taken(rows, columns.url, None),
            timestamp=_taken(rows, columns.timestamp, None),
            language=_taken(rows, columns.language, self.settings.language),
            license=self._licenses_of_rows(rows),
            meta=pa.array([json_text(row) for row in rows], pa.string()),
            subset=self.position,
            exclusion=exclusion,
        )

    def fields_of_columns(self, batch: pa.RecordBatch) -> Fields:
        """Return the fields of a batch of Parquet columns from which the text was taken out."""
        batch, exclusion = self.prepare_columns(batch)
        names = batch.schema.names
        columns = self.columns
        own = {columns.url, columns.timestamp, columns.language, columns.license}
        rest = batch.select([name for name in names if name not in own])

        def column(name: str | None) -> pa.Array | None:
            return batch.column(names.index(name)) if name in names else None

        url, timestamp = column(columns.url), column(columns.timestamp)
        return Fields(
            url=None if url is None else as_strings(url),
            timestamp=None if timestamp is None else time_text(timestamp),
            language=_with_default(column(columns.language), self.settings.language),
            license=_with_default(column(columns.license), self._license_of_silent_rows),
            meta=json_objects(rest),
            subset=self.position,
            exclusion=exclusion,
        )

    @property
    def _license_of_silent_rows(self) -> str | None:
        """What stands in the table where a row says nothing: where licences are judged, nothing either."""
        return self.settings.license if self.settings.licenses is None else None

    def _licenses_of_rows(self, rows: list[Row]) -> pa.StringArray | str | None:
        name = self.columns.license
        if self.settings.licenses is not None and name is not None:
            for row in rows:
                value = row.get(name)
                if isinstance(value, list) and all(isinstance(one, str) for one in value):
                    row[name] = orjson.dumps(value).decode()
        return _taken(rows, name, self._license_of_silent_rows)

    def prepare_rows(self, rows: list[Row]) -> Codes | None:
        """Rearrange raw rows in place; return the codes of exclusions, 0 for none."""
        return None

    def prepare_columns(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Codes | None]:
        """Return the columns rearranged, and the codes of exclusions, 0 for none."""
        return batch, None


def json_text(row: Row) -> bytes | None:
    """Return what is left of a row as JSON, ``None`` when nothing is."""
    if not row:
        return None
    try:
        return orjson.dumps(row, default=str)
    except TypeError:
        return _TOO_DEEP  # orjson reads 1,024 levels but writes 254


def _taken(rows: list[Row], name: str | None, default: str | None) -> pa.StringArray | str | None:
    """Take a column out of the rows; what is no text and no number stays where it is."""
    if name is None:
        return default
    values = []
    for row in rows:
        value = row.get(name)
        if isinstance(value, str):
            del row[name]
            values.append(value or default)
        elif isinstance(value, int | float):
            del row[name]
            values.append(str(value))
        else:
            if value is None:
                row.pop(name, None)
            values.append(default)
    return pa.array(values, pa.string())


def _with_default(column: pa.Array | None, default: str | None) -> pa.Array | str | None:
    if column is None:
        return default
    texts = as_strings(column)
    return texts if default is None else pc.fill_null(texts, default)
