"""Documents to tokens with their keys and buckets: what one task of the tokenization does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.arrays import empty_array
from dataprep.documents import KEEP
from dataprep.text.buffers import large_strings, utf8_buffers
from dataprep.text.pieces import Pieces, keep_pieces
from dataprep.tokenizers import TAGGED_CORPORA, ParityGuard, TagPolicy, Tokenizer, strip_tags
from dataprep.tokens.bins import token_list, unsorted_schema
from dataprep.tokens.keys import Layout, document_keys
from dataprep.tokens.ragged import copy_rows, offsets_of

DOCUMENT_COLUMNS = ("doc_id", "text", "subset", "origin", "origin_row", "verdict")
"""What is read of a document table."""

FLUSH_TOKENS = 1 << 22
"""Tokens that are gathered before they are handed on, so that slices for buckets are not tiny: 16 MB.
Four times as many measured a tenth slower, in memory that is touched for the first time."""

EVERY_SUBSET = "*"
"""Stands in ``Routes.source_of`` for all subsets of a corpus."""


@dataclass(frozen=True)
class Routes:
    """Where the documents of one collection go."""

    collection: str
    corpus: str
    source_of: Mapping[str, int]
    """Subset, or ``EVERY_SUBSET``, to the number of the mixture source that selects it."""
    layouts: tuple[Layout, ...]
    """Of every mixture source, by number."""

    def first_bucket(self, source: int) -> int:
        """Return the number of a source's first bucket; buckets are numbered through all sources."""
        return sum(layout.num_buckets for layout in self.layouts[:source])

    def source_of_rows(self, subset: pa.DictionaryArray) -> npt.NDArray[np.int64]:
        """Return the source of each row, -1 for none: int64[n]."""
        default = self.source_of.get(EVERY_SUBSET, -1)
        by_code = [self.source_of.get(name, default) for name in subset.dictionary.to_pylist()]
        codes = subset.indices.fill_null(len(by_code)).to_numpy(zero_copy_only=False)
        return np.asarray([*by_code, default], dtype=np.int64)[np.asarray(codes, dtype=np.int64)]


class DocumentEncoder:
    """Encodes the documents of one part, batch by batch.

    Taken are documents with verdict ``keep`` that are no duplicates and whose subset a mixture
    source selects. Each becomes its ids and the end-of-text id.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        routes: Routes,
        *,
        seed: int,
        tags: TagPolicy,
        removed: npt.NDArray[np.uint64],
        pieces: Mapping[int, Pieces] | None = None,
        flush_tokens: int = FLUSH_TOKENS,
    ) -> None:
        """Start a part.

        Args:
            tokenizer: this process's tokenizer.
            routes: where documents go.
            seed: the mixture's seed.
            tags: what becomes of tags that the vocabulary lacks.
            removed: uint64, ascending: ids of the part's duplicates.
            pieces: what stays of the documents that are cut, by id; all others are taken whole.
            flush_tokens: see ``FLUSH_TOKENS``.
        """
        self._tokenizer = tokenizer
        self._routes = routes
        self._seed = seed
        self._removed = removed
        self._pieces = pieces or {}
        self._allow_tags = routes.corpus in TAGGED_CORPORA
        self._strip_tags = self._allow_tags and not tokenizer.spec.tags and tags == "strip"
        self._guard = ParityGuard(tokenizer)
        self._flush_tokens = flush_tokens
        self._waiting: list[_Encoded] = []
        self._num_waiting = 0

    def add(self, documents: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Encode a batch with ``DOCUMENT_COLUMNS``; yield (bucket, rows) whenever enough has gathered.

        Raises:
            ParityError: the fast tokenizer and its reference disagree on a sampled document.
        """
        source = self._routes.source_of_rows(documents.column("subset"))
        doc_id = documents.column("doc_id").to_numpy()
        chosen = (source >= 0) & _is_kept(documents.column("verdict")) & ~self._is_removed(doc_id)
        if not chosen.any():
            return
        if not chosen.all():
            documents, source, doc_id = documents.filter(pa.array(chosen)), source[chosen], doc_id[chosen]
        encoded = self._encode(documents, source, doc_id)
        self._waiting.append(encoded)
        self._num_waiting += len(encoded.tokens)
        if self._num_waiting >= self._flush_tokens:
            yield from self.flush()

    def flush(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield what has gathered, one batch of ``unsorted_schema`` for each bucket."""
        waiting, self._waiting, self._num_waiting = self._waiting, [], 0
        if waiting:
            yield from _by_bucket(waiting, self._tokenizer)

    def _encode(
        self, documents: pa.RecordBatch, source: npt.NDArray[np.int64], doc_id: npt.NDArray[np.uint64]
    ) -> _Encoded:
        text = large_strings(documents.column("text"))
        if self._pieces:
            rows = enumerate(doc_id.tolist())
            text = keep_pieces(text, {row: self._pieces[one] for row, one in rows if one in self._pieces})
        if self._strip_tags:
            text = strip_tags(text)
        offsets, tokens = self._tokenizer.encode_batch(text, allow_tags=self._allow_tags)
        self._guard.check(text, doc_id, offsets, tokens, allow_tags=self._allow_tags)
        key = document_keys(
            documents.column("origin"),
            documents.column("origin_row").to_numpy(),
            seed=self._seed,
            collection=self._routes.collection,
        )
        num_tokens = np.diff(offsets) + 1
        bucket = np.empty(len(key), dtype=np.int64)
        for number in np.unique(source).tolist():
            rows = source == number
            own = self._routes.layouts[number].assign(key[rows], num_tokens[rows])
            bucket[rows] = self._routes.first_bucket(number) + own
        num_bytes = np.diff(utf8_buffers(text).offsets).astype(np.uint32)
        return _Encoded(key, doc_id, bucket, num_bytes, offsets, tokens)

    def _is_removed(self, doc_id: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        if len(self._removed) == 0:
            return np.zeros(len(doc_id), dtype=np.bool_)
        place = np.searchsorted(self._removed, doc_id)
        return np.asarray(self._removed[np.minimum(place, len(self._removed) - 1)] == doc_id)


@dataclass(frozen=True)
class _Encoded:
    """Documents of one batch: one element each, ids ragged and without end-of-text."""

    key: npt.NDArray[np.uint64]
    doc_id: npt.NDArray[np.uint64]
    bucket: npt.NDArray[np.int64]
    num_bytes: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.uint32]


def _is_kept(verdict: pa.DictionaryArray) -> npt.NDArray[np.bool_]:
    kept = [reason == KEEP for reason in verdict.dictionary.to_pylist()]
    codes = np.asarray(verdict.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
    return np.array(kept, dtype=np.bool_)[codes]


def _by_bucket(waiting: list[_Encoded], tokenizer: Tokenizer) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the documents of each bucket, lowest bucket first, with their end-of-text ids."""
    spec = tokenizer.spec
    columns: dict[str, npt.NDArray[Any]] = {
        name: np.concatenate([getattr(encoded, name) for encoded in waiting])
        for name in ("key", "doc_id", "bucket", "num_bytes")
    }
    order = np.argsort(columns["bucket"], kind="stable")
    columns = {name: column[order] for name, column in columns.items()}
    lengths = np.concatenate([np.diff(encoded.offsets) for encoded in waiting])
    offsets = offsets_of(lengths[order] + 1)
    tokens = empty_array((int(offsets[-1]),), spec.numpy_dtype)
    starts = np.empty(len(order), dtype=np.int64)
    starts[order] = offsets[:-1]
    first = 0
    for encoded in waiting:
        rows = slice(first, first + len(encoded.key))
        copy_rows(encoded.tokens, encoded.offsets[:-1], lengths[rows], tokens, starts[rows])
        first = rows.stop
    tokens[offsets[1:] - 1] = spec.eos_id
    buckets, row_starts = np.unique(columns["bucket"], return_index=True)
    schema = unsorted_schema(spec.dtype)
    for bucket, start, stop in zip(buckets.tolist(), row_starts, [*row_starts[1:], len(order)]):
        own = offsets[start : stop + 1]
        batch = pa.record_batch(
            [
                pa.array(columns["key"][start:stop]),
                pa.array(columns["doc_id"][start:stop]),
                token_list(own - own[0], tokens[own[0] : own[-1]], dtype=spec.dtype),
                pa.array(columns["num_bytes"][start:stop]),
            ],
            schema=schema,
        )
        yield bucket, batch
