"""Files on any filesystem that fsspec knows: local paths, s3://, gs://, hf://, http(s)://.

Paths are strings; a path without ``://`` is local. A file written here appears whole under
its name or not at all: locally a temporary name, fsync and rename; on object stores one put.
"""

from __future__ import annotations

import contextlib
import glob as local_glob
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import fsspec

from dataprep.errors import ArtifactError, MissingExtraError

TEMPORARY_PREFIX = ".tmp-"
_PACKAGES = {
    "s3": ("s3fs", "s3"),
    "s3a": ("s3fs", "s3"),
    "gs": ("gcsfs", "gcs"),
    "gcs": ("gcsfs", "gcs"),
    "hf": ("huggingface_hub", "hub"),
    "http": ("aiohttp", "http"),
    "https": ("aiohttp", "http"),
}
"""Python package, and extra of dataprep, that reads each kind of URL."""


@dataclass(frozen=True)
class FileInfo:
    """A file that was listed: its full path and size."""

    path: str
    size_bytes: int


def is_local(path: str) -> bool:
    """Tell whether ``path`` is on a local filesystem."""
    return "://" not in path or path.startswith("file://")


def local_path(path: str) -> str:
    """Return a local path without its ``file://`` scheme."""
    return path.removeprefix("file://")


def join(base: str, *parts: str) -> str:
    """Join path parts with single slashes, keeping the scheme of ``base``."""
    pieces = [base.rstrip("/") or "/", *(p.strip("/") for p in parts if p)]
    return "/".join(pieces).replace("//", "/", 1) if pieces[0] == "/" else "/".join(pieces)


def filesystem(path: str) -> tuple[Any, str]:
    """Return the fsspec filesystem of ``path`` and the path inside it.

    Raises:
        MissingExtraError: the package for this kind of URL is not installed.
    """
    try:
        fs, inside = fsspec.core.url_to_fs(path)
    except ImportError as error:
        scheme = path.partition("://")[0]
        module, extra = _PACKAGES.get(scheme, (error.name or scheme, "pipeline"))
        raise MissingExtraError(module=module, extra=extra, purpose=f"reading {path}") from error
    return fs, str(inside)


def open_input(path: str, *, block_size_bytes: int | None = None) -> IO[bytes]:
    """Open a file for reading bytes. Remote files are read in blocks with read-ahead."""
    if is_local(path):
        return open(local_path(path), "rb")
    fs, inside = filesystem(path)
    options: dict[str, Any] = {} if block_size_bytes is None else {"block_size": block_size_bytes}
    stream: IO[bytes] = fs.open(inside, "rb", **options)
    return stream


def read_bytes(path: str) -> bytes:
    """Return the whole content of a file."""
    with open_input(path) as stream:
        return stream.read()


def exists(path: str) -> bool:
    """Tell whether a file or folder exists."""
    if is_local(path):
        return os.path.exists(local_path(path))
    fs, inside = filesystem(path)
    return bool(fs.exists(inside))


def glob(pattern: str) -> list[FileInfo]:
    """Return the files that match, sorted by path. ``*`` stays inside a folder, ``**`` does not.

    Temporary files of an unfinished write are never listed.
    """
    if is_local(pattern):
        found = [
            FileInfo(path, os.path.getsize(path))
            for path in local_glob.glob(local_path(pattern), recursive=True)
            if os.path.isfile(path)
        ]
    else:
        fs, inside = filesystem(pattern)
        details = fs.glob(inside, detail=True)
        found = [
            FileInfo(str(fs.unstrip_protocol(name)), int(info["size"]))
            for name, info in details.items()
            if info["type"] == "file"
        ]
    visible = [f for f in found if not f.path.rsplit("/", 1)[-1].startswith(TEMPORARY_PREFIX)]
    return sorted(visible, key=lambda f: f.path)


def make_folder(path: str) -> None:
    """Create a local folder with its parents; object stores need none."""
    if is_local(path):
        os.makedirs(local_path(path), exist_ok=True)


def remove_tree(path: str) -> None:
    """Remove a folder and all in it; a folder that is not there is fine."""
    if not exists(path):
        return
    fs, inside = filesystem(path)
    fs.rm(inside, recursive=True)


def remove_temporaries(folder: str) -> None:
    """Remove what writers that were killed have left below a local folder; object stores keep nothing."""
    if not is_local(folder):
        return
    for parent, _, names in os.walk(local_path(folder)):
        for name in names:
            if name.startswith(TEMPORARY_PREFIX):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(parent, name))


@contextlib.contextmanager
def atomic_output(path: str) -> Iterator[IO[bytes]]:
    """Open ``path`` for writing; it appears, whole, only when the block ends without an error.

    Two writers of the same path do not disturb each other: the last one to finish wins, and
    since every writer of a path writes the same bytes, it does not matter which.
    """
    if not is_local(path):
        fs, inside = filesystem(path)
        stream = fs.open(inside, "wb", autocommit=True)
        try:
            yield stream
        except BaseException:
            discard = getattr(stream, "discard", None)
            stream.closed = True
            if discard is not None:
                with contextlib.suppress(Exception):
                    discard()
            raise
        stream.close()
        return
    target = local_path(path)
    folder = os.path.dirname(target) or "."
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f"{TEMPORARY_PREFIX}{os.path.basename(target)}-{uuid.uuid4().hex}")
    try:
        with open(temporary, "wb") as local_stream:
            yield local_stream
            local_stream.flush()
            os.fsync(local_stream.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def write_bytes(path: str, data: bytes) -> None:
    """Write a whole file atomically."""
    with atomic_output(path) as stream:
        stream.write(data)


def json_bytes(value: object) -> bytes:
    """Return the canonical JSON of a value: sorted keys, two-space indent, UTF-8, final newline."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8")


def write_json(path: str, value: object) -> None:
    """Write a value as canonical JSON, atomically."""
    write_bytes(path, json_bytes(value))


def read_json(path: str) -> Any:
    """Return the JSON value of a file.

    Raises:
        ArtifactError: the file is not JSON.
    """
    try:
        return json.loads(read_bytes(path))
    except ValueError as error:
        raise ArtifactError(f"{path}: not a JSON file ({error}); was it edited or cut?") from error


def sha256_of(path: str, *, chunk_bytes: int = 1 << 20) -> str:
    """Return the SHA-256 of a file's content as hexadecimal digits."""
    digest = hashlib.sha256()
    with open_input(path) as stream:
        while chunk := stream.read(chunk_bytes):
            digest.update(chunk)
    return digest.hexdigest()
