"""Our URL filter beside datatrove's, with the same lists on both sides."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

if importlib.util.find_spec("datatrove") is None or importlib.util.find_spec("ahocorasick") is None:
    pytest.skip("datatrove is not installed: pip install '.[peers]'", allow_module_level=True)

from benchmarks.agreement.sample import draw_documents
from benchmarks.agreement.theirs import url_filter
from dataprep.documents import KEEP
from dataprep.filters import verdicts
from dataprep.filters.url import Url
from dataprep.signals import UrlSignals, measure

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # datatrove warns about its own affairs when it is imported
    pytest.mark.timeout(600),
]

THEIR_REASONS = {
    "url_domain": "domain",
    "url_subdomain": "subdomain",
    "url_listed": "url",
    "url_hard_word": "hard_blacklisted",
    "url_soft_words": "soft_blacklisted",
    "url_subword": "blacklisted_subword",
    KEEP: KEEP,
}
THEIR_NAMES = {
    "domains": "extra_domains",
    "urls": "extra_urls",
    "hard_words": "banned_words",
    "soft_words": "soft_banned_words",
    "subwords": "banned_subwords",
}

Lists = dict[str, list[str]]


def _ours(urls: Sequence[str], lists: Lists, folder: Path) -> list[str]:
    for kind, entries in lists.items():
        (folder / kind).write_text("\n".join(entries), "utf-8")
    family = UrlSignals(**{kind: (str(folder / kind),) for kind in lists})
    text = pa.array(["some text"] * len(urls), pa.large_string())
    measured = measure([family], text, url=pa.array(urls, pa.string()))
    prior = pa.array([KEEP] * len(urls)).dictionary_encode()
    judged = verdicts(Url().rules(), measured.signals, prior=prior).cast(pa.string()).to_pylist()
    return [THEIR_REASONS[verdict] for verdict in judged]


def _theirs(urls: Sequence[str], lists: Lists) -> list[str]:
    judge = url_filter(**{THEIR_NAMES[kind]: entries for kind, entries in lists.items()})
    return [judge(url) for url in urls]


def test_every_reason_is_given_by_both(tmp_path: Path) -> None:
    lists = {
        "domains": ["worse.co.uk", "bad.example.org"],
        "urls": ["http://fine.com/but/not/this"],
        "hard_words": ["casino"],
        "soft_words": ["win", "money"],
        "subwords": ["xxxx"],
    }
    urls = {
        "http://a.worse.co.uk/page": "domain",
        "http://bad.example.org/": "subdomain",
        "http://other.example.org/": KEEP,
        "http://fine.com/but/not/this": "url",
        "http://fine.com/casino/": "hard_blacklisted",
        "http://fine.com/casinos/": KEEP,
        "http://fine.com/win-some": KEEP,
        "http://fine.com/win-money": "soft_blacklisted",
        "http://fine.com/axxxxb": "blacklisted_subword",
    }
    assert _ours(list(urls), lists, tmp_path) == list(urls.values())
    assert _theirs(list(urls), lists) == list(urls.values())


def test_capitals_hide_a_word_from_datatrove_only(tmp_path: Path) -> None:
    lists = {"hard_words": ["casino"]}
    urls = ["http://fine.com/CASINO/"]
    assert _theirs(urls, lists) == [KEEP]
    assert (
        _ours(urls, lists, tmp_path) == _theirs([url.lower() for url in urls], lists) == ["hard_blacklisted"]
    )


@pytest.mark.corpus
@pytest.mark.slow
def test_urls_of_the_corpus_are_judged_alike(corpus: Path, tmp_path: Path) -> None:
    drawn = draw_documents(str(corpus), per_stratum=300, max_bytes=60_000)
    urls = [document.url for document in drawn if document.url]
    assert len(urls) >= 300
    hosts = sorted({url.split("/")[2] for url in urls if "://" in url})
    lists = {
        "domains": [host.removeprefix("www.") for host in hosts[::20]],
        "urls": urls[::50],
        "hard_words": ["page", "quote"],
        "soft_words": ["docs", "blog", "wiki", "id", "php"],
        "subwords": ["ation"],
    }
    ours, theirs = _ours(urls, lists, tmp_path), _theirs(urls, lists)
    assert len(set(theirs)) >= 5, "the lists try every rule"
    assert [(url, a, b) for url, a, b in zip(urls, ours, theirs) if a != b] == []
