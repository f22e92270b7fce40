"""What every adapter fills in: the document columns beside the text, and the verdicts.

A batch comes as rows (dictionaries, from JSON) or as columns (Arrow, from Parquet). Either way
an adapter returns ``Fields``, and ``assemble`` puts text and fields into one record batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.documents import BAD_ROW_REASONS, KEEP, RAW_SCHEMA, document_ids

HELD_OUT = "held_out_split"
"""Rows of validation and test files: counted, never trained on."""

EXCLUSION_REASONS = (
    "excluded_books3",
    "excluded_unknown_book",
    "excluded_unknown_subset",
    "excluded_mc4",
    "excluded_unknown_source",
)
"""Rows that a corpus must not contribute; what each means stands in the catalogue."""

VERDICTS = (KEEP, *BAD_ROW_REASONS, HELD_OUT, *EXCLUSION_REASONS)
"""All verdicts of a raw row, in the order of their codes."""

CODE_OF = {verdict: code for code, verdict in enumerate(VERDICTS)}

Codes = npt.NDArray[np.int8]
"""One index into ``VERDICTS`` for each row."""

Constant = str | None
"""A value that all rows of a batch have."""


@dataclass(frozen=True)
class Fields:
    """The document columns of a batch beside its text; a ``Constant`` holds for all rows."""

    url: pa.Array | Constant
    timestamp: pa.Array | Constant
    language: pa.Array | Constant
    license: pa.Array | Constant
    meta: pa.Array | Constant
    """JSON objects, null where the raw row had nothing else."""
    subset: npt.NDArray[np.int16] | int
    """Positions in the corpus's subsets, -1 where unknown."""
    exclusion: Codes | None = None
    """Codes of exclusion reasons, 0 where the row is not excluded."""


def assemble(
    *,
    text: pa.LargeStringArray,
    bad: Codes,
    fields: Fields,
    source: str,
    subsets: Sequence[str],
    origin: str,
    held_out: bool,
    collection: int,
    file: int,
    first_row: int,
) -> pa.RecordBatch:
    """Return the batch as ``documents.RAW_SCHEMA``.

    The verdict of a row is its bad-row reason if it has one, else ``held_out_split`` in a
    held-out file, else its exclusion reason, else ``keep``. Only kept rows have a text.

    Args:
        text: LargeString[num_rows].
        bad: Codes of bad-row reasons, 0 where the row could be read.
        subsets: The corpus's subsets, to which ``fields.subset`` points.
    """
    num_rows = len(text)
    codes = bad.copy()
    readable = bad == 0
    if held_out:
        codes[readable] = CODE_OF[HELD_OUT]
    elif fields.exclusion is not None:
        codes[readable] = fields.exclusion[readable]
    if codes.any():
        text = pc.if_else(pa.array(codes == 0), text, pa.scalar(None, pa.large_string()))
    positions = (
        np.full(num_rows, fields.subset, np.int32) if isinstance(fields.subset, int) else fields.subset
    )
    columns = {
        "doc_id": pa.array(
            document_ids(collection=collection, file=file, first_row=first_row, num_rows=num_rows)
        ),
        "text": text,
        "source": _constant(source, num_rows),
        "subset": pa.DictionaryArray.from_arrays(
            pa.array(positions.astype(np.int32), mask=positions < 0), pa.array(list(subsets), pa.string())
        ),
        "origin": _constant(origin, num_rows),
        "origin_row": pa.array(np.arange(first_row, first_row + num_rows, dtype=np.uint32)),
        "url": _strings(fields.url, num_rows),
        "language": _dictionary(fields.language, num_rows),
        "license": _dictionary(fields.license, num_rows),
        "timestamp": _strings(fields.timestamp, num_rows),
        "meta": _strings(fields.meta, num_rows),
        "verdict": pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(VERDICTS)),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in RAW_SCHEMA.names], schema=RAW_SCHEMA)


def _constant(value: Constant, num_rows: int) -> pa.DictionaryArray:
    indices = np.zeros(num_rows, np.int32)
    if value is None:
        return pa.DictionaryArray.from_arrays(pa.nulls(num_rows, pa.int32()), pa.array([], pa.string()))
    return pa.DictionaryArray.from_arrays(pa.array(indices), pa.array([value], pa.string()))


def _strings(values: pa.Array | Constant, num_rows: int) -> pa.Array:
    if values is None or isinstance(values, str):
        return pa.repeat(pa.scalar(values, pa.string()), num_rows)
    return values if values.type == pa.string() else values.cast(pa.string())


def _dictionary(values: pa.Array | Constant, num_rows: int) -> pa.Array:
    if values is None or isinstance(values, str):
        return _constant(values, num_rows)
    return values.cast(pa.string()).dictionary_encode()
