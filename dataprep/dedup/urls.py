"""URLs of web documents as 64-bit hashes: one page, one hash, however its address is written.

Two addresses are the same when they differ only in scheme, ``www.``, user, a default port,
letter case of the host, trailing slashes of the path, fragment, or parameters that follow a
reader around (``utm_*``, ``ref`` and the click ids of advertising networks).

Among n documents with URLs about ``n**2 / 2**65`` pairs share a hash by chance: one pair
among six thousand million. Its worse document is dropped.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.dedup.content import text_hashes

NO_URL = 0
"""The hash of a document without a URL, which is like no other document's."""

_URL_SEED = 0x75726C  # "url"

_TRACKING_PARAMETER = r"(?i)&(?:utm_[^=&]*|ref|gclid|fbclid|msclkid)(?:=[^&]*)?&"


def normalize_urls(url: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return what identifies the page of each URL: host, path and the parameters that matter.

    ``HTTPS://www.Example.org:443/a/?utm_source=x&id=7#top`` becomes ``example.org/a?id=7``.
    Nulls stay null.
    """
    bare = pc.utf8_trim_whitespace(_remove(url, r"(?s)#.*$"))
    bare = _remove(bare, r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//")
    parts = pc.extract_regex(bare, r"(?s)^(?P<host>[^/?]*)(?P<path>[^?]*)\??(?P<query>.*)$")
    host = pc.utf8_lower(pc.struct_field(parts, "host"))
    host = _remove(host, r"^.*@")
    host = _remove(host, r"\.?(?::80|:443)?$")
    host = _remove(host, r"^www\.")
    path = _remove(pc.struct_field(parts, "path"), r"/+$")
    # Every parameter between two ampersands of its own, so that neighbours can both be removed.
    query = pc.replace_substring(pc.struct_field(parts, "query"), "&", "&&")
    query = _remove(_join("&", query, "&"), _TRACKING_PARAMETER)
    query = _remove(pc.replace_substring_regex(query, r"&+", "&"), r"^&|&$")
    return _join(host, path, pc.if_else(pc.equal(query, ""), query, _join("?", query)))


def _remove(text: pa.LargeStringArray, pattern: str) -> pa.LargeStringArray:
    return pc.replace_substring_regex(text, pattern, "")


def _join(*pieces: pa.LargeStringArray | str) -> pa.LargeStringArray:
    typed = [pa.scalar(piece, pa.large_string()) if isinstance(piece, str) else piece for piece in pieces]
    return pc.binary_join_element_wise(*typed, pa.scalar("", pa.large_string()))


def url_hashes(url: pa.StringArray | pa.LargeStringArray) -> npt.NDArray[np.uint64]:
    """Return the hash of each normalised URL: uint64[n]; ``NO_URL`` for null and blank ones."""
    normalized = pc.fill_null(normalize_urls(url.cast(pa.large_string())), "")
    hashes = text_hashes(normalized, seed=_URL_SEED)
    # A real URL never gets the value that means "none".
    hashes[hashes == NO_URL] = 1
    hashes[np.asarray(pc.equal(normalized, ""))] = NO_URL
    return hashes
