"""Removal lists: which documents of one part of a document table are dropped as duplicates.

A ``duplicates`` artifact has one file for each part that loses documents, named
``<collection>/<stem of the part>.arrow``; a part without a file loses none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

UInt64Array = npt.NDArray[np.uint64]

KINDS = ("exact", "url", "near")
"""Why a document was dropped, in the order of the passes: the first pass that drops it counts."""

REMOVAL_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.uint64(), nullable=False),
        pa.field("kind", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("cluster", pa.uint64(), nullable=False),
    ]
)
"""Rows ascend by ``doc_id``; ``cluster`` is the id of the document that survives in its place."""


def removal_batch(*, doc_id: UInt64Array, kind: npt.NDArray[np.int8], cluster: UInt64Array) -> pa.RecordBatch:
    """Return a removal list as a record batch; ``kind`` indexes ``KINDS``, rows ascend by ``doc_id``."""
    kinds = pa.DictionaryArray.from_arrays(pa.array(kind, pa.int8()), pa.array(KINDS))
    columns = [pa.array(doc_id, pa.uint64()), kinds, pa.array(cluster, pa.uint64())]
    return pa.record_batch(columns, schema=REMOVAL_SCHEMA)


def removals_path(collection: str, part: str) -> str:
    """Return the path of a part's removal list in its artifact.

    >>> removals_path("redpajama/arxiv", "part-00003-0000.parquet")
    'redpajama/arxiv/part-00003-0000.arrow'
    """
    return f"{collection}/{part.removesuffix('.parquet')}.arrow"
