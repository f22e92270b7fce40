"""RedPajama-1T: seven folders of JSON lines whose ``meta`` takes three forms.

``meta`` is an object in the published files, a JSON string in copies made by the hub's script,
and absent in ``common_crawl``, whose fields stand beside the text. All three become one.

``book`` mixes PG-19 with Books3 and says so only by its ``meta``: PG-19 rows have
``short_book_title``, Books3 rows have nothing but ``title``. A row is kept when it is known to
be PG-19, and refused otherwise.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from dataprep.sources.entries import Columns, CorpusEntry
from dataprep.sources.fields import CODE_OF, Codes, Fields
from dataprep.sources.generic import GenericAdapter, Row

_COLUMNS = Columns(text="text", url="url", timestamp="timestamp", language="language", license="license")


class RedPajamaAdapter(GenericAdapter):
    """Reads any folder of RedPajama-1T, from its JSON lines or from a Parquet copy."""

    def __init__(self, entry: CorpusEntry, subset: str | None) -> None:
        super().__init__(entry, subset)
        self.columns = _COLUMNS

    def check_license_column(self, names: Collection[str], *, place: str) -> None:
        """Pass all columns: the licence is inside ``meta``, where some rows have one and some do not."""

    def prepare_rows(self, rows: list[Row]) -> Codes | None:
        """Bring the fields of ``meta`` up into the row, and judge the rows of ``book``."""
        for row in rows:
            _lift_meta(row)
        if self.settings.name == "book":
            return np.array([book_exclusion(row) for row in rows], np.int8)
        if self.settings.name == "github":
            for row in rows:
                row["language"] = _main_language(row)
        return None

    def fields_of_columns(self, batch: pa.RecordBatch) -> Fields:
        """Go through rows: ``meta`` differs from row to row, so there are no columns to speak of."""
        return self.fields_of_rows(batch.to_pylist())


def book_exclusion(fields: Row) -> int:
    """Return the code of a book's exclusion, 0 for a row that is known to be PG-19."""
    if isinstance(fields.get("short_book_title"), str):
        return 0
    present = {name for name, value in fields.items() if value is not None}
    return CODE_OF["excluded_books3" if present == {"title"} else "excluded_unknown_book"]


def _lift_meta(row: Row) -> None:
    meta: Any = row.get("meta")
    if isinstance(meta, str):
        try:
            meta = orjson.loads(meta)
        except orjson.JSONDecodeError:
            return
    if isinstance(meta, dict):
        del row["meta"]
        for key, value in meta.items():
            row.setdefault(key, value)


def _main_language(row: Row) -> Any:
    """Return the language of most bytes of a GitHub row, lower case; its list goes to ``languages``."""
    languages = row.get("language")
    if not isinstance(languages, list):
        return languages
    row["languages"] = languages
    named = [one for one in languages if isinstance(one, dict) and isinstance(one.get("name"), str)]
    return max(named, key=_num_bytes)["name"].lower() if named else None


def _num_bytes(language: dict[str, Any]) -> int:
    value = str(language.get("bytes", ""))
    return int(value) if value.isascii() and value.isdigit() else 0
