"""JSON lines: bytes to lines to rows, strictly.

A line is one JSON object in UTF-8. orjson refuses what the standard says is not JSON: ``NaN``,
raw control characters, lone surrogate escapes, two values on a line. Lines end at ``\\n`` alone,
since U+2028 and U+0085 are ordinary characters in a JSON string; a carriage return before it
and a byte order mark at the file's begin are fine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import orjson
import pyarrow as pa

from dataprep.sources.fields import CODE_OF, Codes

_BOM = b"\xef\xbb\xbf"
_JSON_SPACE = b" \t\r\n"
_PIECE_BYTES = 1 << 20
_ABSENT = object()


@dataclass
class RowBatch:
    """Consecutive lines of a file, read."""

    texts: list[str | None] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The objects without their text; empty where the line is no object."""
    codes: list[int] = field(default_factory=list)
    """Codes of bad-row reasons, 0 where the row is readable."""

    def text_array(self) -> pa.LargeStringArray:
        """Return the texts, null where the row is bad."""
        return pa.array(self.texts, pa.large_string())

    def bad(self) -> Codes:
        """Return the codes as an array."""
        return np.array(self.codes, np.int8)


def pieces_of_range(stream: IO[bytes], start: int, stop: int) -> Iterator[bytes]:
    """Yield the bytes [start, stop) of a stream in pieces."""
    stream.seek(start)
    left = stop - start
    while left > 0 and (piece := stream.read(min(_PIECE_BYTES, left))):
        left -= len(piece)
        yield piece


def lines_of(pieces: Iterator[bytes], *, at_file_start: bool) -> Iterator[list[bytes]]:
    """Yield the lines in lists, without their newlines; the last one need not end in one."""
    head: list[bytes] = []
    """Parts of a line that is longer than a piece."""
    for piece in pieces:
        lines = piece.split(b"\n")
        if len(lines) == 1:
            head.append(piece)
            continue
        head.append(lines[0])
        lines[0] = b"".join(head)
        head = [lines.pop()]
        if at_file_start:
            lines[0] = lines[0].removeprefix(_BOM)
            at_file_start = False
        yield lines
    last = b"".join(head)
    if last:
        yield [last.removeprefix(_BOM) if at_file_start else last]


def read_rows(lines: Iterator[list[bytes]], *, text_key: str, batch_bytes: int) -> Iterator[RowBatch]:
    """Yield every line as a row, about ``batch_bytes`` of input at a time.

    Where a batch ends depends on the lines alone, not on how they arrived.
    """
    loads = orjson.loads
    batch, size = RowBatch(), 0
    for some in lines:
        for line in some:
            size += len(line)
            text: Any = None
            row: Any = None
            code = 0
            try:
                row = loads(line)
            except orjson.JSONDecodeError:
                code = _code_of_unreadable(line)
            if type(row) is dict:
                text = row.pop(text_key, _ABSENT)
                if type(text) is not str:
                    code = _code_of_text(text)
                    text = None
            else:
                row = {}
                code = code or CODE_OF["not_an_object"]
            batch.texts.append(text)
            batch.rows.append(row)
            batch.codes.append(code)
            if size >= batch_bytes:
                yield batch
                batch, size = RowBatch(), 0
    if batch.texts:
        yield batch


def _code_of_unreadable(line: bytes) -> int:
    if not line.strip(_JSON_SPACE):
        return CODE_OF["blank_line"]
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return CODE_OF["invalid_utf8"]
    return CODE_OF["invalid_json"]


def _code_of_text(text: object) -> int:
    if text is _ABSENT:
        return CODE_OF["missing_text"]
    return CODE_OF["null_text" if text is None else "text_not_a_string"]
