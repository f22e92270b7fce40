"""What a document's URL says: whether its host or page is on a list, and which listed words it has.

Compared to datatrove 0.10.0's ``URLFilter``: that splits a URL into words as it is written while its
lists are in lower case, so that words with capitals pass (a bug); compares pages as they are written,
scheme and all, which the entries of UT1 do not have; and never matches an IP address. Here everything
but the path of a page is compared in lower case, pages as ``dataprep.dedup`` identifies them, and
addresses like other hosts. It also removes every mark before it looks for pieces of words, which
glues the path's folders together; as in RefinedWeb, here ``-`` and ``.`` are removed and no more.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.dedup.content import CONTENT_KERNELS, text_hashes
from dataprep.dedup.urls import normalize_urls
from dataprep.errors import MissingExtraError
from dataprep.kernels import KernelFunction
from dataprep.signals.batch import Float32Array, Measured, TextBatch
from dataprep.url_lists import UrlLists

_SUBWORDS_IN_PATTERN = 256
"""Pieces of words in one regular expression: RE2 refuses patterns of more than a few thousand."""


class UrlSignals(UrlLists):
    """Membership of hosts and pages (0 or 1), and the number of different listed words.

    A signal is NaN where a document has no URL and where no list of its kind is given.
    """

    NAMES: ClassVar[tuple[str, ...]] = (
        "url_blocked_domain",
        "url_blocked_host",
        "url_blocked_url",
        "url_hard_words",
        "url_soft_words",
        "url_banned_subwords",
    )
    kind: Literal["url"] = "url"

    def names(self) -> tuple[str, ...]:
        """Return the names of the signals, in column order."""
        return self.NAMES

    def kernels(self) -> tuple[KernelFunction, ...]:
        """Return the kernels that measure."""
        return CONTENT_KERNELS

    def measure(self, batch: TextBatch) -> Measured:
        """Return the signals of a batch.

        Raises:
            ConfigError: a list is missing, is no text, or has changed.
        """
        signals = {name: np.full(len(batch), np.nan, np.float32) for name in self.NAMES}
        sets = _loaded(self, () if self.sha256 else self.sizes())
        if batch.url is None or sets.is_empty:
            return Measured(signals)
        address = pc.utf8_trim_whitespace(batch.url.cast(pa.large_string()))
        known = pc.fill_null(pc.not_equal(address, ""), fill_value=False).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(known & batch.present)
        for name, values in sets.measure(address.take(pa.array(rows))).items():
            signals[name][rows] = values
        return Measured(signals)


class StringSet:
    """Exact membership in millions of strings, in about 20 bytes each beside the text itself."""

    def __init__(self, values: pa.LargeStringArray) -> None:
        self._seed = -1
        collision = True
        while collision:
            self._seed += 1
            hashes = text_hashes(values, seed=self._seed)
            order = np.argsort(hashes)
            hashes, ordered = hashes[order], values.take(pa.array(order))
            repeated = np.flatnonzero(hashes[1:] == hashes[:-1])
            copies = pc.equal(ordered.take(pa.array(repeated)), ordered.take(pa.array(repeated + 1)))
            # Two strings with one hash (odds of 1 in a million among five million) would hide one another.
            collision = not pc.all(copies, min_count=0).as_py()
        first = np.ones(len(values), np.bool_)
        first[repeated + 1] = False
        self._hashes = hashes[first]
        self._values = ordered.filter(pa.array(first))

    def __len__(self) -> int:
        return len(self._hashes)

    def contains(self, values: pa.LargeStringArray) -> npt.NDArray[np.bool_]:
        """Return bool[n]: which of ``values``, none of them null, are in the set."""
        found = np.zeros(len(values), np.bool_)
        hashes = text_hashes(values, seed=self._seed)
        places = np.searchsorted(self._hashes, hashes)
        places[places == len(self)] = 0
        candidates = np.flatnonzero(self._hashes[places] == hashes) if len(self) else np.empty(0, np.int64)
        same = pc.equal(
            values.take(pa.array(candidates)), self._values.take(pa.array(places[candidates], pa.int64()))
        )
        found[candidates] = same.to_numpy(zero_copy_only=False)
        return found


@dataclass(frozen=True)
class _Sets:
    """Lists in the form in which URLs are compared to them; None where no list of a kind is given."""

    domains: StringSet | None
    urls: StringSet | None
    hard_words: pa.LargeStringArray | None
    soft_words: pa.LargeStringArray | None
    subwords: tuple[str, ...] | None

    @property
    def is_empty(self) -> bool:
        lists = (self.domains, self.urls, self.hard_words, self.soft_words, self.subwords)
        return all(one is None for one in lists)

    def measure(self, address: pa.LargeStringArray) -> dict[str, Float32Array]:
        """Return the signals of URLs, none of them null, for the kinds of lists that are given."""
        signals: dict[str, npt.NDArray[np.generic]] = {}
        lower = pc.ascii_lower(address)
        if self.domains is not None:
            signals["url_blocked_domain"], signals["url_blocked_host"] = _blocked(address, self.domains)
        if self.urls is not None:
            signals["url_blocked_url"] = self.urls.contains(normalize_urls(address))
        if self.hard_words is not None or self.soft_words is not None:
            words = pc.split_pattern_regex(lower, "[^a-z0-9]+")
            if self.hard_words is not None:
                signals["url_hard_words"] = _num_listed(words, self.hard_words)
            if self.soft_words is not None:
                signals["url_soft_words"] = _num_listed(words, self.soft_words)
        if self.subwords is not None:
            signals["url_banned_subwords"] = _num_subwords(_glued(lower), self.subwords)
        return {name: values.astype(np.float32) for name, values in signals.items()}


@functools.lru_cache(maxsize=8)
def _loaded(lists: UrlLists, _sizes: tuple[tuple[str, int], ...]) -> _Sets:
    """Return lists in the form in which they are compared: read once by every worker process.

    Lists with a digest are what they are; those without are read again when a size has changed.
    """
    entries = lists.read()
    return _Sets(
        domains=StringSet(_listed_hosts(entries["domains"])) if "domains" in entries else None,
        urls=StringSet(normalize_urls(entries["urls"])) if "urls" in entries else None,
        hard_words=_word_list(entries["hard_words"]) if "hard_words" in entries else None,
        soft_words=_word_list(entries["soft_words"]) if "soft_words" in entries else None,
        subwords=_subword_list(entries["subwords"]) if "subwords" in entries else None,
    )


def _word_list(entries: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return words as they appear between the marks of a URL (datatrove cleans its lists so, too)."""
    words = pc.replace_substring_regex(pc.ascii_lower(entries), "[^a-z0-9]+", "").unique()
    return words.filter(pc.not_equal(words, ""))


def _subword_list(entries: pa.LargeStringArray) -> tuple[str, ...]:
    return tuple(sorted(piece for piece in _glued(pc.ascii_lower(entries)).unique().to_pylist() if piece))


def _glued(text: pa.LargeStringArray) -> pa.LargeStringArray:
    return pc.replace_substring_regex(text, "[-.]+", "")


def url_hosts(address: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return the host of each URL: lower case, without user, port and final dots.

    ``HTTPS://me@WWW.Example.org.:8080/a`` has ``www.example.org``; the scheme may be missing.
    """
    bare = pc.replace_substring_regex(address, r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//", "")
    host = pc.replace_substring_regex(bare, r"(?s)[/?#\\].*$", "")
    host = pc.replace_substring_regex(host, r"(?s)^.*@", "")
    return pc.ascii_lower(pc.replace_substring_regex(host, r"\.*(?::[0-9]*)?$", ""))


def _listed_hosts(entries: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return the hosts of a list in one spelling; its rare entries with a scheme, port or path as well."""
    odd = pc.or_(pc.match_substring(entries, "/"), pc.match_substring(entries, ":"))
    plain = pc.replace_with_mask(entries, odd, url_hosts(entries.filter(odd)))
    return _in_punycode(pc.utf8_trim(pc.ascii_lower(plain), "."))


def _in_punycode(hosts: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return hosts with letters beyond ASCII written as registries do."""
    foreign = pc.invert(pc.string_is_ascii(hosts))
    names = [_punycode(name) for name in hosts.filter(foreign).to_pylist()]
    return pc.replace_with_mask(hosts, foreign, pa.array(names, pa.large_string()))


def _punycode(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return host  # not a name that could be registered: it is equal to its own spelling only


def _blocked(
    address: pa.LargeStringArray, domains: StringSet
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return whether the registered domain, and whether the host, of each URL is listed: bool[n] each.

    The work is done once for every different host.
    """
    encoded = url_hosts(address).dictionary_encode()
    hosts = _in_punycode(encoded.dictionary)
    of_url = encoded.indices.to_numpy(zero_copy_only=False)
    host_listed = domains.contains(hosts)
    # A registered domain is an end of its host: without a listed end there is nothing to look up.
    candidates = np.flatnonzero(_has_listed_end(hosts, domains))
    registered = [_registered_domain(host) for host in hosts.take(pa.array(candidates)).to_pylist()]
    domain_listed = np.zeros(len(hosts), np.bool_)
    domain_listed[candidates] = domains.contains(pa.array(registered, pa.large_string()))
    return domain_listed[of_url], host_listed[of_url]


def _has_listed_end(hosts: pa.LargeStringArray, domains: StringSet) -> npt.NDArray[np.bool_]:
    """Return bool[n]: whether a host, or what is left of it after some of its dots, is listed."""
    listed = np.zeros(len(hosts), np.bool_)
    rows = np.arange(len(hosts))
    while len(rows):
        listed[rows[domains.contains(hosts)]] = True
        dot = pc.find_substring(hosts, ".").to_numpy()
        more = pa.array((dot >= 0) & ~listed[rows])
        rows = rows[more.to_numpy(zero_copy_only=False)]
        hosts = pc.replace_substring_regex(hosts.filter(more), r"(?s)^[^.]*\.", "")
    return listed


def _registered_domain(host: str) -> str:
    """Return the domain that somebody registered, e.g. ``b.co.uk`` of ``a.b.co.uk``; empty for an address."""
    return str(_suffix_list()(host).top_domain_under_public_suffix)


@functools.cache
def _suffix_list() -> Any:
    """Return the public suffix list as it comes with its package: never fetched, the same everywhere."""
    try:
        import tldextract
    except ImportError as error:
        raise MissingExtraError(module="tldextract", extra="pipeline", purpose="URL lists") from error
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def _num_listed(words: pa.LargeListArray, listed: pa.LargeStringArray) -> npt.NDArray[np.int64]:
    """Return how many different listed words each URL has: int64[n]."""
    places = pc.index_in(words.flatten(), value_set=listed)
    hit = pc.is_valid(places).to_numpy(zero_copy_only=False)
    urls = pc.list_parent_indices(words).to_numpy()[hit]
    pairs = np.unique(urls * len(listed) + places.drop_null().to_numpy())
    return np.bincount(pairs // max(len(listed), 1), minlength=len(words))


def _num_subwords(glued: pa.LargeStringArray, subwords: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return how many different pieces of words each URL holds: int64[n]."""
    number = np.zeros(len(glued), np.int64)
    for start in range(0, len(subwords), _SUBWORDS_IN_PATTERN):
        pieces = subwords[start : start + _SUBWORDS_IN_PATTERN]
        pattern = "|".join(re.escape(piece) for piece in pieces)
        rows = np.flatnonzero(pc.match_substring_regex(glued, pattern).to_numpy(zero_copy_only=False))
        # Hits are few: only they are looked at piece by piece.
        for row, url in zip(rows, glued.take(pa.array(rows)).to_pylist()):
            number[row] += sum(piece in url for piece in pieces)
    return number
