"""Bytes of raw files, local or remote, with patience for networks.

A corpus is read for days, so a dropped connection must not end a build: a remote read that
fails is tried again at the same place. What still fails is a ``BuildError`` and never taken for
damage of the file, which ``--skip-bad-files`` would count and pass over.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, TypeVar

from dataprep import storage
from dataprep.errors import BuildError, DataprepError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_LOG = logging.getLogger(__name__)

WAITS_SECONDS = (1.0, 4.0, 16.0, 60.0)
"""Pauses before the second and later tries; long enough for a server to restart."""
BUFFER_BYTES = 8 << 20
_PERMANENT = (FileNotFoundError, PermissionError)

Result = TypeVar("Result")


def patiently(action: Callable[[], Result], *, place: str) -> Result:
    """Return what ``action`` returns, trying again when a remote place fails.

    Raises:
        BuildError: it failed every time, or in a way that will not change; names the place and
            the last error.
    """
    for wait in (*WAITS_SECONDS, None):
        try:
            return action()
        except DataprepError:
            raise
        except _PERMANENT as error:
            raise BuildError(f"{place}: cannot be read ({type(error).__name__}: {error})") from error
        except Exception as error:  # every filesystem library has a tree of errors of its own
            if wait is None:
                raise BuildError(
                    f"{place}: cannot be read after {len(WAITS_SECONDS) + 1} tries "
                    f"({type(error).__name__}: {error}). Run the same build again, it continues"
                ) from error
            _LOG.warning("%s: %s (%s), trying again in %g s", place, error, type(error).__name__, wait)
            time.sleep(wait)
    raise AssertionError("unreachable")


class RemoteStream(io.RawIOBase):
    """A readable, seekable remote file that reconnects where it was."""

    def __init__(self, path: str, *, size_bytes: int) -> None:
        """Name the file; the first read opens it."""
        super().__init__()
        self._path = path
        self._size_bytes = size_bytes
        self._position = 0
        self._stream: IO[bytes] | None = None

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position; nothing is fetched."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size_bytes}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill ``buffer`` from the position on; return the number of bytes."""
        view = memoryview(buffer).cast("B")
        data = patiently(lambda: self._read(len(view)), place=self._path)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def readall(self) -> bytes:
        """Return everything from the position on."""
        parts = []
        while self._position < self._size_bytes:
            part = bytearray(self._size_bytes - self._position)
            parts.append(part[: self.readinto(part)])
        return b"".join(parts)

    def close(self) -> None:
        """Close the connection."""
        self._drop()
        super().close()

    def _read(self, num_bytes: int) -> bytes:
        try:
            if self._stream is None:
                # Buffered above; a cache below would fetch parts twice.
                fs, inside = storage.filesystem(self._path)
                self._stream = fs.open(inside, "rb", cache_type="none")
            stream: IO[bytes] = self._stream
            stream.seek(self._position)
            data = stream.read(max(0, min(num_bytes, self._size_bytes - self._position)))
        except BaseException:
            self._drop()
            raise
        if not data and num_bytes and self._position < self._size_bytes:
            self._drop()
            raise OSError(f"nothing came at byte {self._position:,} of {self._size_bytes:,}")
        return data

    def _drop(self) -> None:
        if self._stream is not None:
            with contextlib.suppress(Exception):
                self._stream.close()
            self._stream = None


@contextlib.contextmanager
def opened(path: str, *, size_bytes: int, buffer_bytes: int = BUFFER_BYTES) -> Iterator[IO[bytes]]:
    """Open a raw file for reading.

    Args:
        size_bytes: Its size when it was listed.
        buffer_bytes: How much of a remote file is fetched at a time.

    Raises:
        BuildError: it cannot be read, or is no longer the file that was listed.
    """
    if not storage.is_local(path):
        with io.BufferedReader(RemoteStream(path, size_bytes=size_bytes), buffer_bytes) as remote:
            yield remote
        return
    try:
        with open(storage.local_path(path), "rb") as stream:
            found = os.fstat(stream.fileno()).st_size
            if found != size_bytes:
                raise BuildError(
                    f"{path}: has {found:,} bytes, but had {size_bytes:,} when it was listed. Do not change "
                    "raw files while a build runs; start the build again"
                )
            yield stream
    except OSError as error:
        if error.errno is None:  # not the system's: pyarrow reports damage this way
            raise
        raise BuildError(f"{path}: cannot be read ({error.strerror})") from error


def read_ranges(path: str, starts: Sequence[int], *, num_bytes: int, size_bytes: int) -> list[bytes]:
    """Return ``num_bytes`` from each of several places of a file; remote ones are fetched together."""
    if storage.is_local(path):
        with opened(path, size_bytes=size_bytes) as stream:
            return [_read_at(stream, start, num_bytes) for start in starts]
    return patiently(lambda: _read_remote_ranges(path, list(starts), num_bytes), place=path)


def _read_remote_ranges(path: str, starts: list[int], num_bytes: int) -> list[bytes]:
    fs, inside = storage.filesystem(path)
    if fs.async_impl:
        ends = [start + num_bytes for start in starts]
        return list(fs.cat_ranges([inside] * len(starts), starts, ends, on_error="raise"))
    # Other filesystems would read a whole block ahead of every range.
    with fs.open(inside, "rb", cache_type="none") as stream:
        return [_read_at(stream, start, num_bytes) for start in starts]


def sha256_of(path: str, *, size_bytes: int) -> str:
    """Return the SHA-256 of a whole raw file as hexadecimal digits."""
    digest = hashlib.sha256()
    with opened(path, size_bytes=size_bytes) as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _read_at(stream: IO[bytes], start: int, num_bytes: int) -> bytes:
    stream.seek(start)
    return stream.read(num_bytes)
