"""Removal lists: which documents of one part of a document table are dropped as duplicates.

A ``duplicates`` artifact has one file for each part that loses documents, named
``<collection>/<stem of the part>.arrow``; a part without a file loses none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.artifacts import Artifact
from dataprep.dedup.files import read_arrow

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


def removed_documents(duplicates: Artifact, *, collection: str, part: str) -> UInt64Array:
    """Return the ids of the documents that a part loses: uint64[n], ascending.

    Args:
        duplicates: an artifact of kind ``duplicates``.
        part: file name of the part, e.g. ``part-00003-0000.parquet``.
    """
    relative = removals_path(collection, part)
    if not any(entry.path == relative for entry in duplicates.manifest.files):
        return np.zeros(0, dtype=np.uint64)
    table = read_arrow(duplicates.path(relative), columns=["doc_id"])
    ids: UInt64Array = table.column("doc_id").to_numpy()
    return ids
