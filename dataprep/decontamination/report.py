"""What a ``contamination`` artifact says: removal lists, hits of each part, documents of each item.

::

    <collection>/part-00003-0000.arrow          documents to drop, in the form of the duplicates' lists
    cuts/<collection>/part-00003-0000.arrow     documents of which pieces stay, where items are cut out
    hits/<collection>/part-00003-0000.parquet   which item each document holds, and where
    items.parquet                               every item, and how many documents hold it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.decontamination.matching import ItemIndex, Match
from dataprep.dedup.removals import REMOVAL_SCHEMA

CONTAMINATED = "contaminated"
"""The kind of removal; nothing survives in the document's place, so its cluster is itself."""

ITEMS_FILE = "items.parquet"

HIT_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.uint64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("subset", pa.string()),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("origin_row", pa.uint32(), nullable=False),
        pa.field("set", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("num_runs", pa.uint32(), nullable=False),
        pa.field("of_runs", pa.uint32(), nullable=False),
        pa.field("starts", pa.list_(pa.uint64()), nullable=False),
        pa.field("stops", pa.list_(pa.uint64()), nullable=False),
    ]
)
"""One row for each document, item and rule, in the order of the documents. ``starts`` and ``stops``
are bytes of the document's text; ``num_runs`` of the item's ``of_runs`` runs of words lie there."""


def hits_path(collection: str, part: str) -> str:
    """Return the path of a part's hits in its artifact.

    >>> hits_path("redpajama/arxiv", "part-00003-0000.parquet")
    'hits/redpajama/arxiv/part-00003-0000.parquet'
    """
    return f"hits/{collection}/{part}"


def hit_batch(
    documents: pa.RecordBatch, sources: Sequence[str], items: pa.Table, matches: Sequence[Match]
) -> pa.RecordBatch:
    """Return the hits of a batch of documents as ``HIT_SCHEMA``.

    Args:
        documents: doc_id, subset, origin, origin_row of the texts that were searched.
        sources: the mixture source of each of them.
        items: the table of items.
        matches: what ``ItemIndex.find`` returned for their texts.
    """
    rows = pa.array([match.text for match in matches], pa.int64())
    chosen = pa.array([match.item for match in matches], pa.int64())
    columns: dict[str, Any] = {
        "doc_id": documents.column("doc_id").take(rows),
        "source": pa.array([sources[match.text] for match in matches], pa.string()),
        "subset": documents.column("subset").take(rows).cast(pa.string()),
        "origin": documents.column("origin").take(rows).cast(pa.string()),
        "origin_row": documents.column("origin_row").take(rows),
        "set": items.column("set").combine_chunks().take(chosen),
        "item": items.column("item").combine_chunks().take(chosen),
        "rule": [match.rule for match in matches],
        "num_runs": [match.num_runs for match in matches],
        "of_runs": [match.of_runs for match in matches],
        "starts": [[start for start, _ in match.spans] for match in matches],
        "stops": [[stop for _, stop in match.spans] for match in matches],
    }
    arrays = [
        value if isinstance(value, pa.Array) else pa.array(value, HIT_SCHEMA.field(name).type)
        for name, value in columns.items()
    ]
    return pa.record_batch(arrays, schema=HIT_SCHEMA)


def removal_of(doc_id: npt.NDArray[np.uint64]) -> pa.RecordBatch:
    """Return the removal list of contaminated documents; ``doc_id`` ascends."""
    kinds = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(len(doc_id)), pa.int8()), pa.array([CONTAMINATED])
    )
    ids = pa.array(doc_id, pa.uint64())
    return pa.record_batch([ids, kinds, ids], schema=REMOVAL_SCHEMA)


def item_report(items: pa.Table, index: ItemIndex, documents: Mapping[int, int]) -> pa.Table:
    """Return every item with its number of words, whether it was looked for, and its documents.

    Args:
        items: the table of items.
        index: made from them.
        documents: number of documents that hold an item, by its row.
    """
    counts = np.zeros(items.num_rows, np.uint64)
    for row, number in documents.items():
        counts[row] = number
    return pa.table(
        {
            "set": items.column("set"),
            "item": items.column("item"),
            "num_words": pa.array(index.num_words, pa.uint32()),
            "searched": pa.array(index.is_searched),
            "documents": pa.array(counts, pa.uint64()),
        }
    )
