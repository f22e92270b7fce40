"""One page has one hash, however its address is written."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dataprep.dedup.urls import NO_URL, normalize_urls, url_hashes


def normalize(url: str | None) -> str | None:
    return normalize_urls(pa.array([url], pa.large_string())).to_pylist()[0]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a",
        "https://example.org/a",
        "HTTPS://WWW.Example.ORG/a",
        "//example.org/a",
        "example.org/a",
        "  http://example.org/a\n",
        "http://example.org:80/a",
        "https://example.org:443/a",
        "https://example.org./a",
        "https://user:secret@example.org/a",
        "https://example.org/a/",
        "https://example.org/a//",
        "https://example.org/a#top",
        "https://example.org/a?",
        "https://example.org/a/?utm_source=x&utm_medium=y",
        "https://example.org/a?ref=home",
        "https://example.org/a?REF=home&fbclid=1&gclid=2&msclkid=3",
        "https://example.org/a?&&",
        "https://example.org/a?utm_campaign#part?x=1",
    ],
)
def test_spellings_of_one_address(url):
    assert normalize(url) == "example.org/a"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/A", "example.org/A"),
        ("https://example.org:8080/a", "example.org:8080/a"),
        ("https://docs.example.org/a", "docs.example.org/a"),
        ("https://www2.example.org/a", "www2.example.org/a"),
        ("https://example.org/a.html", "example.org/a.html"),
        ("https://example.org/a?id=7", "example.org/a?id=7"),
        ("https://example.org/a?b=1&a=2", "example.org/a?b=1&a=2"),
        ("https://example.org/a?a=2&b=1", "example.org/a?a=2&b=1"),
        ("https://example.org/a?refer=7", "example.org/a?refer=7"),
        ("https://example.org/a?xref=7&utm_id=3&y", "example.org/a?xref=7&y"),
        ("https://example.org/a?q=a%26ref=1", "example.org/a?q=a%26ref=1"),
        ("https://example.org/a@b", "example.org/a@b"),
        ("https://example.org", "example.org"),
        ("https://example.org/?utm_source=x", "example.org"),
        ("https://Bücher.example/Ä?Ö=1", "bücher.example/Ä?Ö=1"),
        ("", ""),
        ("#top", ""),
    ],
)
def test_what_makes_another_page_stays(url, expected):
    assert normalize(url) == expected


def test_no_url_has_no_hash():
    assert url_hashes(pa.array([None, "", "  ", "https://"], pa.string())).tolist() == [NO_URL] * 4


def test_hashes_follow_the_normalised_form():
    same_a, same_b, other = url_hashes(
        pa.array(["http://a.org/x/", "https://www.a.org/x", "a.org/y"])
    ).tolist()
    assert same_a == same_b != other
    assert NO_URL not in (same_a, other)


def reference(url: str) -> str:
    bare = re.sub(r"^([a-z][a-z0-9+.-]*:)?//", "", url.split("#")[0].strip(), flags=re.IGNORECASE)
    address, _, query = bare.partition("?")
    host, slash, path = address.partition("/")
    host = host.lower().rpartition("@")[2]
    if host.endswith((":80", ":443")):
        host = host.rpartition(":")[0]
    host = host.removesuffix(".").removeprefix("www.")
    parameters = [
        parameter
        for parameter in query.split("&")
        if parameter
        and not re.fullmatch(r"(utm_[^=]*|ref|gclid|fbclid|msclkid)(=.*)?", parameter, re.IGNORECASE)
    ]
    return host + (slash + path).rstrip("/") + ("?" + "&".join(parameters) if parameters else "")


pieces = st.sampled_from([*"aZ9é ./?&=#@:-_%~", "//", "https:", "www.", ":80", "utm_x", "ref", "ref=1", "&&"])


@given(st.lists(pieces, max_size=25).map("".join))
@example("0 #x")
@example("a?ref&ref=2&utm_&refs")
@example("a.:80")
def test_normalising_equals_the_description_in_plain_python(url):
    assert normalize(url) == reference(url)
