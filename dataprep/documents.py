"""The document table: what every corpus becomes, one row for each raw row.

A document's id is the same in every build::

    63            52 51                    28 27                          0
    | collection 12 | raw file 24           | row in the raw file 28        |

The collection number is fixed in the catalogue (one for each folder-like subset of a
corpus), the file number is the position of the raw file in the sorted listing of its
collection, the row is the 0-based line or Parquet row. Splitting a file differently, or
keeping it elsewhere, changes no id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.errors import BadInputError

COLLECTION_BITS, FILE_BITS, ROW_BITS = 12, 24, 28
MAX_COLLECTION = (1 << COLLECTION_BITS) - 1
MAX_FILE = (1 << FILE_BITS) - 1
MAX_ROW = (1 << ROW_BITS) - 1

KEEP = "keep"
"""The verdict of a document that goes on; every other verdict is the reason it was dropped."""

#: Rows that could not be read as a document; together they count against ``max_bad_ratio``.
BAD_ROW_REASONS = (
    "invalid_json",
    "not_an_object",
    "blank_line",
    "invalid_utf8",
    "missing_text",
    "null_text",
    "text_not_a_string",
)

_DICTIONARY = pa.dictionary(pa.int32(), pa.string())

RAW_FIELDS: tuple[pa.Field, ...] = (
    pa.field("doc_id", pa.uint64(), nullable=False),
    pa.field("text", pa.large_string()),
    pa.field("source", _DICTIONARY, nullable=False),
    pa.field("subset", _DICTIONARY),
    pa.field("origin", _DICTIONARY, nullable=False),
    pa.field("origin_row", pa.uint32(), nullable=False),
    pa.field("url", pa.string()),
    pa.field("language", _DICTIONARY),
    pa.field("license", _DICTIONARY),
    pa.field("timestamp", pa.string()),
    pa.field("meta", pa.string()),
)
RAW_SCHEMA = pa.schema((*RAW_FIELDS, pa.field("verdict", _DICTIONARY, nullable=False)))
"""What a source adapter yields. ``verdict`` is ``keep``, a bad-row reason or an exclusion;
``text`` is null for every row that is not ``keep``."""


def document_schema(signal_names: Sequence[str]) -> pa.Schema:
    """Return the schema of a published document table: raw columns, size, signals, verdict."""
    return pa.schema(
        [
            *RAW_FIELDS,
            pa.field("num_bytes", pa.uint32(), nullable=False),
            *(pa.field(name, pa.float32()) for name in signal_names),
            pa.field("verdict", _DICTIONARY, nullable=False),
        ]
    )


@dataclass(frozen=True)
class DocumentPlace:
    """Where a document id points: collection number, raw file number, row in that file."""

    collection: int
    file: int
    row: int


def document_ids(*, collection: int, file: int, first_row: int, num_rows: int) -> npt.NDArray[np.uint64]:
    """Return the ids of consecutive rows of one raw file: uint64[num_rows].

    Raises:
        BadInputError: a part does not fit in its bits (a raw file of 2**28 rows or more).
    """
    if first_row + num_rows > MAX_ROW + 1:
        raise BadInputError(
            f"raw file number {file} of collection {collection} has more than {MAX_ROW + 1:,} rows, "
            "the most that a document id can name: split the file"
        )
    assert 0 <= collection <= MAX_COLLECTION
    assert 0 <= file <= MAX_FILE
    base = (collection << (FILE_BITS + ROW_BITS)) | (file << ROW_BITS)
    return np.uint64(base) + np.arange(first_row, first_row + num_rows, dtype=np.uint64)


def place_of(doc_id: int) -> DocumentPlace:
    """Return where ``doc_id`` points.

    >>> place_of(int(document_ids(collection=3, file=2, first_row=7, num_rows=1)[0]))
    DocumentPlace(collection=3, file=2, row=7)
    """
    return DocumentPlace(
        collection=int(doc_id) >> (FILE_BITS + ROW_BITS),
        file=(int(doc_id) >> ROW_BITS) & MAX_FILE,
        row=int(doc_id) & MAX_ROW,
    )
