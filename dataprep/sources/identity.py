"""The identity of a raw file's content: what a document table's fingerprint depends on.

It is a function of the bytes alone, never of the path or the time, so a corpus that is copied
elsewhere is recognised. Files up to 16 MiB are hashed whole. Of a larger file the size and 8
probes of 64 KiB are hashed, evenly spaced from its first to its last byte: reading terabytes
only to name them would cost as much as the work itself, and a hub counts every request. A
change of a large file that keeps its size and lies between the probes is therefore not noticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from dataprep.sources import access
from dataprep.storage import FileInfo

WHOLE_FILE_BYTES = 16 << 20
PROBE_BYTES = 64 << 10
NUM_PROBES = 8
_THREADS = 16
"""Files are looked at in parallel: on object stores the time goes into waiting."""


def identities(files: Sequence[FileInfo]) -> list[str]:
    """Return the identity of each file, in order."""
    if len(files) <= 1:
        return [content_identity(file) for file in files]
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(content_identity, files))


def content_identity(file: FileInfo) -> str:
    """Return the identity of a file: ``sha256:`` or ``probes:`` and 64 hexadecimal digits."""
    size_bytes = file.size_bytes
    if size_bytes <= WHOLE_FILE_BYTES:
        return "sha256:" + access.sha256_of(file.path, size_bytes=size_bytes)
    last = size_bytes - PROBE_BYTES
    starts = [last * i // (NUM_PROBES - 1) for i in range(NUM_PROBES)]
    digest = hashlib.sha256(size_bytes.to_bytes(8, "little"))
    for probe in access.read_ranges(file.path, starts, num_bytes=PROBE_BYTES, size_bytes=size_bytes):
        digest.update(probe)
    return "probes:" + digest.hexdigest()
