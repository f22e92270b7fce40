"""What stays of a document when the windows around evaluation items are cut out of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.decontamination.config import CutConfig
from dataprep.decontamination.matching import ItemIndex, Match, joined
from dataprep.text.pieces import Pieces, keep_pieces

CUT_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.uint64(), nullable=False),
        pa.field("starts", pa.list_(pa.uint64()), nullable=False),
        pa.field("stops", pa.list_(pa.uint64()), nullable=False),
    ]
)
"""Rows ascend by ``doc_id``; ``starts`` and ``stops`` are the bytes of the document's text that stay."""

CUTS_FOLDER = "cuts"
"""Holds the lists of cut documents in an artifact."""

_MAX_WORD_CHARS = 50
"""A window grows to the next white space, but by no more than this: not every script has spaces."""


def cuts_path(collection: str, part: str) -> str:
    """Return the path of a part's list of cut documents in its artifact.

    >>> cuts_path("redpajama/arxiv", "part-00003-0000.parquet")
    'cuts/redpajama/arxiv/part-00003-0000.arrow'
    """
    return f"{CUTS_FOLDER}/{collection}/{part.removesuffix('.parquet')}.arrow"


def cut_batch(doc_id: Sequence[int], pieces: Sequence[Pieces]) -> pa.RecordBatch:
    """Return a list of cut documents as ``CUT_SCHEMA``; ``doc_id`` ascends."""
    columns = {
        "doc_id": doc_id,
        "starts": [[start for start, _ in own] for own in pieces],
        "stops": [[stop for _, stop in own] for own in pieces],
    }
    return pa.record_batch(
        [pa.array(columns[field.name], field.type) for field in CUT_SCHEMA], schema=CUT_SCHEMA
    )


def pieces_by_document(table: pa.Table | pa.RecordBatch) -> dict[int, Pieces]:
    """Return the pieces of each document in a list of cut documents."""
    rows = zip(*(table.column(name).to_pylist() for name in CUT_SCHEMA.names), strict=True)
    return {doc_id: tuple(zip(starts, stops, strict=True)) for doc_id, starts, stops in rows}


def cut_out(
    text: pa.LargeStringArray, matches: Sequence[Match], index: ItemIndex, config: CutConfig
) -> dict[int, Pieces]:
    """Return the pieces that stay of each text with a match, by row; none: it must go as a whole.

    What stays is searched again, so that no item is put together by what is cut out.
    """
    spans: dict[int, list[tuple[int, int]]] = {}
    for match in matches:
        spans.setdefault(match.text, []).extend(match.spans)
    pieces: dict[int, Pieces] = {
        row: pieces_of(bytes(memoryview(text[row].as_buffer())), own, config) for row, own in spans.items()
    }
    left = [row for row, own in pieces.items() if own]
    shortened = keep_pieces(
        text.take(pa.array(left, pa.int64())), {place: pieces[row] for place, row in enumerate(left)}
    )
    for match in index.find(shortened):
        pieces[left[match.text]] = ()
    return pieces


def pieces_of(data: bytes, spans: Iterable[tuple[int, int]], config: CutConfig) -> Pieces:
    """Return what stays of one text, as bytes; nothing if it is too little or falls into too many pieces.

    Args:
        data: the text in UTF-8.
        spans: bytes of it that hold items, at the bounds of characters.
        config: how much around them goes, and how much must be left.

    >>> pieces_of(b"one two three four", [(4, 7)], CutConfig(window_chars=0, min_piece_chars=1))
    ((0, 3), (8, 18))
    """
    text = data.decode("utf-8")
    byte_of = _character_starts(data)
    windows = joined(
        _window(text, int(np.searchsorted(byte_of, start)), int(np.searchsorted(byte_of, stop)), config)
        for start, stop in spans
    )
    edges = [0, *(edge for window in windows for edge in window), len(text)]
    between = [_trimmed(text, edges[i], edges[i + 1]) for i in range(0, len(edges), 2)]
    parts = [(start, stop) for start, stop in between if start < stop]
    if len(parts) > config.max_pieces:
        return ()
    long = [(start, stop) for start, stop in parts if stop - start >= config.min_piece_chars]
    return tuple((int(byte_of[start]), int(byte_of[stop])) for start, stop in long)


def _character_starts(data: bytes) -> npt.NDArray[np.int64]:
    """Return the byte at which each character begins, and the end: int64[characters + 1]."""
    codes = np.frombuffer(data, np.uint8)
    return np.append(np.flatnonzero((codes & 0xC0) != 0x80), len(data))


def _window(text: str, start: int, stop: int, config: CutConfig) -> tuple[int, int]:
    start, stop = max(0, start - config.window_chars), min(len(text), stop + config.window_chars)
    first, last = max(0, start - _MAX_WORD_CHARS), min(len(text), stop + _MAX_WORD_CHARS)
    while start > first and not text[start - 1].isspace():
        start -= 1
    while stop < last and not text[stop].isspace():
        stop += 1
    return start, stop


def _trimmed(text: str, start: int, stop: int) -> tuple[int, int]:
    """Return [start, stop) without white space at its ends."""
    inner = text[start:stop]
    return start + len(inner) - len(inner.lstrip()), start + len(inner.rstrip())
