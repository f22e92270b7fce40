"""The token store: every source's documents as ids, in the order of a seeded hash.

The order makes the store a shuffle: any contiguous range of a stream is a uniform sample of
its source, so mixtures, epochs, stages and hold-outs are ranges, computed from the index.
"""

from __future__ import annotations

from dataprep.tokens.bins import BLOCK_TOKENS, BinSummary, TokenBlock, token_list, unsorted_schema, write_bin
from dataprep.tokens.encoding import DOCUMENT_COLUMNS, EVERY_SUBSET, DocumentEncoder, Routes
from dataprep.tokens.index import INDEX_NAME, StreamIndex, bin_path, read_index, write_index
from dataprep.tokens.keys import ALL, HOLDOUT, LONG, SHORT, Layout, document_keys
from dataprep.tokens.store import TokenSpan, TokenStore

__all__ = [
    "ALL",
    "BLOCK_TOKENS",
    "DOCUMENT_COLUMNS",
    "EVERY_SUBSET",
    "HOLDOUT",
    "INDEX_NAME",
    "LONG",
    "SHORT",
    "BinSummary",
    "DocumentEncoder",
    "Layout",
    "Routes",
    "StreamIndex",
    "TokenBlock",
    "TokenSpan",
    "TokenStore",
    "bin_path",
    "document_keys",
    "read_index",
    "token_list",
    "unsorted_schema",
    "write_bin",
    "write_index",
]
