"""Compressed files, read as a stream in constant memory, with every end checked.

The usual readers accept a file that was cut: zstandard's and Beam's stop silently, so rows
vanish without a trace. Here every frame (zstd), member (gzip) or stream (xz) is decompressed by
an object of its own that knows whether it saw its end, and a file that stops inside one is an
error. Several frames after one another, skippable frames and windows up to 2 GiB are read.

What a file is compressed with is told by its first bytes, not by its name.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator
from typing import IO, Any, Literal

import zstandard

from dataprep.sources.damage import DAMAGED, TRUNCATED, DamagedFileError

Compression = Literal["none", "zstd", "gzip", "xz"]

_INPUT_BYTES = 256 << 10
"""Compressed bytes at a time: text shrinks 3 to 10 times, so a piece is a few megabytes."""
_MAX_WINDOW_BYTES = 1 << 31
"""zstandard's own limit of 128 MiB refuses files made with ``zstd --long=31``."""
_SKIPPABLE = tuple(bytes([0x50 + i, 0x2A, 0x4D, 0x18]) for i in range(16))
_MAGIC: tuple[tuple[Compression, tuple[bytes, ...]], ...] = (
    ("zstd", (b"\x28\xb5\x2f\xfd", *_SKIPPABLE)),
    ("gzip", (b"\x1f\x8b",)),
    ("xz", (b"\xfd7zXZ\x00",)),
)
MAGIC_BYTES = 6
"""How many bytes ``compression_of`` wants to see."""


def compression_of(head: bytes) -> Compression:
    """Return how a file is compressed, from its first bytes."""
    for name, magics in _MAGIC:
        if head.startswith(magics):
            return name
    return "none"


def decompressed(stream: IO[bytes], compression: Compression, *, path: str) -> Iterator[bytes]:
    """Yield the content of a stream in pieces.

    Args:
        path: The file's name, for messages.

    Raises:
        DamagedFileError: the data is damaged, or ends before its end mark.
    """
    if compression == "none":
        while piece := stream.read(_INPUT_BYTES * 4):
            yield piece
        return
    decoder: Any = None
    consumed = 0
    while data := stream.read(_INPUT_BYTES):
        consumed += len(data)
        while data:
            if decoder is None and compression != "zstd":
                data = data.lstrip(b"\0")  # padding between or after gzip members and xz streams
                if not data:
                    break
            decoder = decoder or _decoder(compression)
            try:
                piece = decoder.decompress(data)
            except (zstandard.ZstdError, zlib.error, lzma.LZMAError) as error:
                raise DamagedFileError(
                    path,
                    reason=DAMAGED,
                    detail=f"damaged {compression} data before byte {consumed:,} of the file ({error})",
                ) from error
            if piece:
                yield piece
            data = b""
            if decoder.eof:
                data, decoder = decoder.unused_data, None
    if decoder is not None:
        raise DamagedFileError(
            path,
            reason=TRUNCATED,
            detail=f"cut off, the {compression} data stops in the middle after {consumed:,} bytes",
        )


def _decoder(compression: Compression) -> Any:
    if compression == "zstd":
        return zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj()
    if compression == "gzip":
        return zlib.decompressobj(wbits=31)
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
