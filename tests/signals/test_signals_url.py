"""What a URL says: listed hosts, listed pages, and listed words, by hand and against a slow reference."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tldextract
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dataprep.errors import ConfigError
from dataprep.signals import UrlSignals, measure, signal_names
from dataprep.signals.url import StringSet, url_hosts
from dataprep.url_lists import UrlLists

SUFFIXES = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def measured(family: UrlSignals, urls: list[str | None], texts: list[str | None] | None = None):
    text = pa.array(["a"] * len(urls) if texts is None else texts, pa.large_string())
    signals = measure([family], text, url=pa.array(urls, pa.string())).signals
    assert tuple(signals) == signal_names([family])
    assert all(values.dtype == np.float32 and len(values) == len(urls) for values in signals.values())
    return signals


@pytest.fixture
def lists(tmp_path: Path) -> UrlSignals:
    """Return a family with a list of every kind."""
    content = {
        "ut1/adult/domains": "# hosts\nBad.com\n\nblog.ok.org.\r\n10.0.0.1\nbücher.de\nshop.co.uk\n[::1]",
        "ut1/adult/urls": "ok.org/bad/\nhttps://ok.org/Worse?id=1\n",
        "ut1/press/domains": "press.example\n",
        "hard": "Casino\n# not a word\nf-oo\n",
        "soft": "slots\nbonus\nfree\n",
        "pieces": "p-o.rn\nxx\nxxx\n",
    }
    for name, text in content.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    return UrlSignals(
        folders=(str(tmp_path / "ut1"),),
        hard_words=(str(tmp_path / "hard"),),
        soft_words=(str(tmp_path / "soft"),),
        subwords=(str(tmp_path / "pieces"),),
    )


@pytest.mark.parametrize(
    ("url", "domain", "host"),
    [
        ("http://bad.com/", 1, 1),
        ("https://a.b.bad.com/x?y", 1, 0),
        ("HTTP://WWW.BAD.COM", 1, 0),
        ("http://notbad.com", 0, 0),
        ("http://bad.com.example.org", 0, 0),
        ("http://example.org/bad.com", 0, 0),
        ("http://blog.ok.org", 0, 1),
        ("http://x.blog.ok.org", 0, 0),  # neither its registered domain (ok.org) nor its host is listed
        ("http://user:pass@blog.ok.org:8080/", 0, 1),
        ("http://bad.com@ok.org/", 0, 0),  # bad.com is a user here
        ("http://blog.ok.org./x", 0, 1),
        ("blog.ok.org/x", 0, 1),
        ("//blog.ok.org", 0, 1),
        ("http://10.0.0.1:80/x", 0, 1),
        ("http://110.0.0.1/", 0, 0),
        ("http://[::1]:8080/", 0, 1),
        ("http://bücher.de", 1, 1),
        ("http://xn--bcher-kva.de/", 1, 1),
        ("http://www.XN--BCHER-KVA.de", 1, 0),
        ("http://my.shop.co.uk", 1, 0),
        ("http://co.uk", 0, 0),
        ("http://press.example?x", 0, 1),  # "example" is no public suffix: nobody registers there
        ("http://", 0, 0),
        ("...", 0, 0),
    ],
)
def test_hosts_and_registered_domains_match_exactly(lists, url, domain, host):
    signals = measured(lists, [url])
    assert (signals["url_blocked_domain"][0], signals["url_blocked_host"][0]) == (domain, host)


@pytest.mark.parametrize(
    ("url", "listed"),
    [
        ("http://ok.org/bad", 1),
        ("https://www.OK.org:443/bad/?utm_source=x#top", 1),
        ("http://ok.org/bad/page", 0),
        ("http://ok.org/BAD", 0),
        ("ok.org/Worse?id=1", 1),
        ("ok.org/Worse?id=2", 0),
    ],
)
def test_pages_match_however_their_address_is_written(lists, url, listed):
    assert measured(lists, [url])["url_blocked_url"][0] == listed


@pytest.mark.parametrize(
    ("url", "hard", "soft", "pieces"),
    [
        ("http://z.org/casino", 1, 0, 0),
        ("http://z.org/CASINO-casino", 1, 0, 0),
        ("http://casino.z.org/", 1, 0, 0),
        ("http://z.org/casinos", 0, 0, 0),
        ("http://z.org/foo", 1, 0, 0),  # "f-oo" is listed: marks in a word are removed, as in datatrove
        ("http://z.org/f-oo", 0, 0, 0),
        ("http://z.org/Slots_bonus.bonus", 0, 2, 0),
        ("http://z.org/?slots=free&q=bonus", 0, 3, 0),
        ("http://z.org/slotsbonus", 0, 0, 0),
        ("http://z.org/aPO-RNb", 0, 0, 1),
        ("http://z.org/po/rn", 0, 0, 0),  # folders are not glued together
        ("http://z.org/x.x.x-porn", 0, 0, 3),  # porn, xx and xxx
    ],
)
def test_words_are_counted_once_each_whatever_their_case(lists, url, hard, soft, pieces):
    signals = measured(lists, [url])
    found = tuple(signals[name][0] for name in ("url_hard_words", "url_soft_words", "url_banned_subwords"))
    assert found == (hard, soft, pieces)


def test_a_document_without_url_or_text_says_nothing(lists):
    signals = measured(lists, [None, "", " \n", "http://bad.com"], ["a", "a", "a", None])
    assert all(np.isnan(values).all() for values in signals.values())
    assert np.isnan(measure([lists], pa.array(["a"], pa.large_string())).signals["url_hard_words"]).all()


def test_a_kind_without_a_list_says_nothing(lists):
    signals = measured(UrlSignals(soft_words=lists.soft_words), ["http://bad.com/free"])
    assert {name for name, values in signals.items() if not math.isnan(values[0])} == {"url_soft_words"}
    assert signals["url_soft_words"][0] == 1
    assert all(np.isnan(values[0]) for values in measured(UrlSignals(), ["http://bad.com"]).values())


def test_a_category_of_ut1_can_be_named_alone(lists):
    adult = UrlSignals(folders=(lists.folders[0] + "/adult",))
    signals = measured(adult, ["http://bad.com", "http://press.example"])
    assert signals["url_blocked_host"].tolist() == [1, 0]


def test_no_url_and_an_empty_list_are_fine(tmp_path: Path):
    (tmp_path / "empty").write_text("# nothing yet\n")
    empty = (str(tmp_path / "empty"),)
    family = UrlSignals(domains=empty, urls=empty, hard_words=empty, soft_words=empty, subwords=empty)
    assert all(values.tolist() == [0] for values in measured(family, ["http://bad.com/a"]).values())
    assert all(len(values) == 0 for values in measured(family, []).values())


def test_a_missing_list_is_named(tmp_path: Path):
    nowhere = str(tmp_path / "nowhere.txt")
    for family in (UrlSignals(hard_words=(nowhere,)), UrlSignals(hard_words=(nowhere,), sha256="0" * 64)):
        with pytest.raises(ConfigError, match=r"url_lists.hard_words: the list .*nowhere.txt cannot be read"):
            measured(family, ["http://a.org"])
    with pytest.raises(ConfigError, match=r"url_lists.folders: .*ut1 holds no list"):
        UrlLists(folders=(str(tmp_path / "ut1"),)).pinned()


def test_a_list_that_is_no_text_is_named(tmp_path: Path):
    (tmp_path / "broken").write_bytes(b"bad.com\n\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"url_lists.domains: the list .*broken is not UTF-8 text"):
        UrlLists(domains=(str(tmp_path / "broken"),)).read()


def test_a_pinned_list_is_not_taken_for_a_changed_one(tmp_path: Path):
    path = tmp_path / "words"
    path.write_text("casino\n")
    before = UrlSignals(hard_words=(str(path),)).pinned()
    path.write_text("kasino\n")
    with pytest.raises(ConfigError, match="they were changed"):
        measured(before, ["http://a.org/casino"])
    after = UrlSignals(hard_words=(str(path),)).pinned()
    assert after.sha256 != before.sha256
    assert measured(after, ["http://a.org/casino"])["url_hard_words"][0] == 0


def test_lists_are_known_by_their_content_and_not_by_their_place(tmp_path: Path):
    for name, text in {"a": "x\n", "b": "y\n", "copy": "x\n"}.items():
        (tmp_path / name).write_text(text)
    a, b, copy = (str(tmp_path / name) for name in ("a", "b", "copy"))
    assert UrlLists(domains=(a, b)).pinned().sha256 == UrlLists(domains=(b, copy, a)).pinned().sha256
    assert UrlLists(domains=(a, b)).pinned().sha256 != UrlLists(urls=(a, b)).pinned().sha256
    dumped = UrlSignals(domains=(a,)).pinned().model_dump()
    assert set(dumped) == {"kind", "sha256"}
    assert UrlSignals.model_validate(dumped).sha256 == dumped["sha256"]


def test_a_list_is_read_once_by_a_process(lists, monkeypatch):
    family = lists.pinned()
    measured(family, ["http://bad.com"])
    monkeypatch.setattr(UrlLists, "read", lambda _: pytest.fail("read a second time"))
    assert measured(UrlSignals(**dict(family)), ["http://bad.com"])["url_blocked_host"][0] == 1


@given(st.lists(st.text(max_size=3)), st.lists(st.text(max_size=3)))
@example(["a", "a"], ["a", ""])
@settings(deadline=None, max_examples=100)
def test_a_string_set_is_a_set(listed, asked):
    found = StringSet(pa.array(listed, pa.large_string())).contains(pa.array(asked, pa.large_string()))
    assert found.tolist() == [one in set(listed) for one in asked]


def test_a_string_set_survives_strings_with_one_hash(monkeypatch):
    from dataprep.signals import url as module

    genuine = module.text_hashes
    monkeypatch.setattr(
        module, "text_hashes", lambda t, seed: genuine(t, seed=seed) % np.uint64(2 if seed == 0 else 1 << 60)
    )
    strings = pa.array(["a", "b", "c", "a"], pa.large_string())
    assert StringSet(strings).contains(pa.array(["c", "d", "b", "a"], pa.large_string())).tolist() == [
        True,
        False,
        True,
        True,
    ]


LABELS = st.sampled_from(
    ["bad", "blog", "ok", "www", "a-b", "CASINO", "com", "org", "co", "uk", "bücher", "10"]
)
WORDS = st.sampled_from(
    ["casino", "Slots", "bonus", "free", "foo", "po-rn", "x.x", "xxx", "bad", "%20", "é", "K"]
)
URLS = st.builds(
    lambda scheme, user, host, dot, port, path: f"{scheme}{user}{host}{dot}{port}{path}",
    st.sampled_from(["", "//", "http://", "HTTPS://"]),
    st.sampled_from(["", "me@", "me:bad.com@"]),
    st.lists(LABELS, min_size=1, max_size=4).map(".".join),
    st.sampled_from(["", ".", ".."]),
    st.sampled_from(["", ":80", ":8080", ":"]),
    st.lists(st.tuples(st.sampled_from("/?&=-#_"), WORDS)).map(
        lambda parts: "".join("/" * (k == 0) + mark + word for k, (mark, word) in enumerate(parts))
    ),
)


def slow_reference(url: str) -> tuple[int, ...]:
    """Return the signals of a URL for the lists of the fixture, pages aside, with plain Python."""
    lower = "".join(c.lower() if c.isascii() else c for c in url)
    host = re.split(r"[/?#\\]", re.sub(r"^([a-z][a-z0-9+.-]*:)?//", "", lower))[0].rpartition("@")[2]
    host = re.sub(r":[0-9]*$", "", host).rstrip(".").replace("bücher", "xn--bcher-kva")
    domains = {
        "bad.com",
        "blog.ok.org",
        "10.0.0.1",
        "xn--bcher-kva.de",
        "shop.co.uk",
        "[::1]",
        "press.example",
    }
    words = set(re.split("[^a-z0-9]+", lower))
    glued = lower.replace("-", "").replace(".", "")
    return (
        int(SUFFIXES(host).top_domain_under_public_suffix in domains),
        int(host in domains),
        len(words & {"casino", "foo"}),
        len(words & {"slots", "bonus", "free"}),
        sum(piece in glued for piece in ("porn", "xx", "xxx")),
    )


@given(st.lists(URLS, max_size=8))
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_signals_equal_a_slow_reference(lists, urls):
    signals = measured(lists, urls)
    del signals["url_blocked_url"]
    assert list(zip(*(values.tolist() for values in signals.values()))) == [slow_reference(u) for u in urls]


@given(st.lists(st.text(), max_size=5))
@example(["\x00", "http://\ud7ff..", "a@b@c:1:2", "http://" + "é." * 80])
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_url_is_too_odd(lists, urls):
    for values in measured(lists, urls).values():
        assert all(math.isnan(v) == (u.strip() == "") for v, u in zip(values.tolist(), urls))


def test_the_host_of_a_url():
    urls = [
        "HTTPS://me@WWW.Example.org.:8080/a",
        "example.org:80?x",
        "http://a.b#c",
        "http://[::1]:1/",
        "mailto",
    ]
    hosts = ["www.example.org", "example.org", "a.b", "[::1]", "mailto"]
    assert url_hosts(pa.array(urls, pa.large_string())).to_pylist() == hosts
