"""CulturaX: ``<language>/*.parquet`` with text, timestamp, url, source.

Only rows from OSCAR are kept. ``source`` is ``mC4`` or an OSCAR release such as ``OSCAR-2109``;
a value that is neither is refused, because it cannot be told what it is.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dataprep.sources.fields import CODE_OF, Codes
from dataprep.sources.generic import GenericAdapter, Row

_SOURCE = "source"


class CulturaXAdapter(GenericAdapter):
    """Reads CulturaX, keeping OSCAR."""

    def prepare_rows(self, rows: list[Row]) -> Codes | None:
        """Judge each row by its source."""
        return np.array([exclusion_of(row.get(_SOURCE)) for row in rows], np.int8)

    def prepare_columns(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Codes | None]:
        """Judge each row by its source, looking at every distinct source once."""
        if _SOURCE not in batch.schema.names:
            return batch, np.full(batch.num_rows, CODE_OF["excluded_unknown_source"], np.int8)
        column = batch.column(batch.schema.names.index(_SOURCE))
        encoded = column.dictionary_encode(null_encoding="encode")
        codes = np.array([exclusion_of(value) for value in encoded.dictionary.to_pylist()], np.int8)
        return batch, codes[encoded.indices.to_numpy(zero_copy_only=False)]


def exclusion_of(source: object) -> int:
    """Return the code of a source's exclusion, 0 for OSCAR in any spelling of its case."""
    name = source.lower() if isinstance(source, str) else ""
    if name.startswith("oscar"):
        return 0
    return CODE_OF["excluded_mc4" if name.startswith("mc4") else "excluded_unknown_source"]
