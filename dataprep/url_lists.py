"""Lists of URLs and words that web documents are judged by: which files, and what is in them.

The lists are the user's; none is packaged. A list is a text file with one entry a line; blank
lines and lines that begin with ``#`` are comments. A folder may be one of the UT1 blocklists
(Université Toulouse Capitole): ``<category>/domains`` and ``<category>/urls`` below it, or the
folder of one category. Paths go from the working folder, or are URLs that fsspec knows.
"""

from __future__ import annotations

import hashlib
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from dataprep import storage
from dataprep.errors import ConfigError
from dataprep.yaml_models import Frozen

LIST_KINDS = ("domains", "urls", "hard_words", "soft_words", "subwords")
"""What the entries of a list can be."""

_UT1_KINDS = ("domains", "urls")

Lists = TypeVar("Lists", bound="UrlLists")


class UrlLists(Frozen):
    """The files of a corpus's URL lists, and a digest of what is in them.

    Paths are left out when a model is dumped: what shapes a result is the content, wherever it lies.
    """

    folders: tuple[str, ...] = Field(default=(), exclude=True)
    """Folders in the layout of the UT1 blocklists."""
    domains: tuple[str, ...] = Field(default=(), exclude=True)
    """Files of host names: registered domains or single hosts."""
    urls: tuple[str, ...] = Field(default=(), exclude=True)
    """Files of pages."""
    hard_words: tuple[str, ...] = Field(default=(), exclude=True)
    """Files of words of which one in a URL is enough."""
    soft_words: tuple[str, ...] = Field(default=(), exclude=True)
    """Files of words of which it takes several."""
    subwords: tuple[str, ...] = Field(default=(), exclude=True)
    """Files of pieces of words."""
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    """Digest of the content of all lists; lists with another content are refused. Empty: any content."""

    def files(self) -> dict[str, tuple[str, ...]]:
        """Return the paths of the lists of each kind.

        Raises:
            ConfigError: a folder has no list in it.
        """
        found: dict[str, list[str]] = {kind: list(getattr(self, kind)) for kind in LIST_KINDS}
        for folder in self.folders:
            in_folder = {
                kind: [
                    file.path
                    for pattern in (kind, f"*/{kind}")
                    for file in storage.glob(storage.join(folder, pattern))
                ]
                for kind in _UT1_KINDS
            }
            if not any(in_folder.values()):
                raise ConfigError(
                    f"url_lists.folders: {folder} holds no list: looked for domains, urls, "
                    "*/domains and */urls"
                )
            for kind, paths in in_folder.items():
                found[kind] += paths
        return {kind: tuple(paths) for kind, paths in found.items() if paths}

    def read(self) -> dict[str, pa.LargeStringArray]:
        """Return the entries of each kind that has a list, as they are written.

        Raises:
            ConfigError: a list is missing or is no text, or the content is not that of ``sha256``.
        """
        return self._read()[0]

    def sizes(self) -> tuple[tuple[str, int], ...]:
        """Return the path and size of every list: what tells, without reading, that one has changed.

        Raises:
            ConfigError: a list is missing.
        """
        return tuple(
            (path, _size_bytes(path, kind)) for kind, paths in self.files().items() for path in paths
        )

    def pinned(self: Lists) -> Lists:
        """Return these lists with the digest of their content: they will not be taken for others.

        Raises:
            ConfigError: as ``read``.
        """
        return self.model_copy(update={"sha256": self._read()[1]})

    def _read(self) -> tuple[dict[str, pa.LargeStringArray], str]:
        total = hashlib.sha256()
        entries: dict[str, pa.LargeStringArray] = {}
        for kind, paths in self.files().items():
            contents = [_content(path, kind) for path in paths]
            # The order of files makes no difference, nor does one that is named twice.
            for digest in sorted({hashlib.sha256(content).hexdigest() for content in contents}):
                total.update(f"{kind} {digest}\n".encode("ascii"))
            entries[kind] = pa.concat_arrays([_entries(content) for content in contents])
        digest = total.hexdigest()
        if self.sha256 not in ("", digest):
            raise ConfigError(
                f"url_lists: the lists have the digest {digest}, and not {self.sha256} as stated: they were "
                f"changed; the files are {', '.join(p for paths in self.files().values() for p in paths)}"
            )
        return entries, digest


def _size_bytes(path: str, kind: str) -> int:
    try:
        fs, inside = storage.filesystem(path)
        return int(fs.size(inside))
    except OSError as error:
        raise _unreadable(path, kind, error) from error


def _unreadable(path: str, kind: str, error: OSError) -> ConfigError:
    return ConfigError(f"url_lists.{kind}: the list {path} cannot be read ({error.strerror or error})")


def _content(path: str, kind: str) -> bytes:
    try:
        content = storage.read_bytes(path)
    except OSError as error:
        raise _unreadable(path, kind, error) from error
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"url_lists.{kind}: the list {path} is not UTF-8 text ({error})") from error
    return content


def _entries(content: bytes) -> pa.LargeStringArray:
    """Return the entries of one list; millions of them never become Python objects."""
    offsets = np.array([0, len(content)], np.int64)
    whole = pa.LargeStringArray.from_buffers(1, pa.py_buffer(offsets), pa.py_buffer(content))
    lines = pc.utf8_trim(pc.split_pattern(whole, "\n").flatten(), " \t\r\f\v\ufeff")
    comment = pc.or_(pc.equal(lines, ""), pc.starts_with(lines, "#"))
    return lines.filter(pc.invert(comment))
