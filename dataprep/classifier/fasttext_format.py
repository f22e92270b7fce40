"""floret's binary models in fastText's format.

floret (Boyd et al. 2022) is a fork of fastText whose wheels train where fastText's need a compiler.
In its mode ``fasttext`` a model is the same but for two numbers that floret adds to the settings at
the head of the file: without them it is fastText's version 12, byte for byte.
"""

from __future__ import annotations

import struct
from typing import IO

_MAGIC = 793712314
_VERSION = 12
_HEAD = struct.Struct("<2i")
_SETTINGS = struct.Struct("<11i")
"""dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn; both have these first."""
_ADDED = struct.Struct("<2i")
"""mode and hashCount, which only floret has."""
_FASTTEXT_MODE, _ONE_HASH = 1, 1
_COPIED_BYTES = 16 << 20


def write_as_fasttext(source: IO[bytes], sink: IO[bytes]) -> None:
    """Copy a model that floret saved to ``sink`` in fastText's format.

    Raises:
        ValueError: it is no such model: floret's format has changed.
    """
    head = source.read(_HEAD.size)
    settings = source.read(_SETTINGS.size)
    added = source.read(_ADDED.size)
    if head != _HEAD.pack(_MAGIC, _VERSION) or added != _ADDED.pack(_FASTTEXT_MODE, _ONE_HASH):
        raise ValueError(f"not a model of floret 0.10 in fastText's mode: it begins with {(head + added)!r}")
    sink.write(head + settings)
    while piece := source.read(_COPIED_BYTES):
        sink.write(piece)
