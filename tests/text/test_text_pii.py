"""Redaction: what goes, what stays, and that a second time changes nothing."""

from __future__ import annotations

import ipaddress
import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pii_texts import PIECES, assert_as_reference
from pydantic import ValidationError

from dataprep.text.edited import KIND, ROW, START, STOP
from dataprep.text.normalize import normalize
from dataprep.text.pii import PII_KINDS, Pii, PiiKind
from dataprep.text.pii_addresses import SPECIAL_IPV4

# Written in parts, so that nobody takes them for real ones.
GITHUB = "ghp_" + "A1b2C3d4E5f6" * 3
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
SLACK = "xoxb-" + "1234567890-abcdefghijk"
GOOGLE = "AIza" + "SyD-9tSrke72PouQMnMX_a7eZSW0jkFMBWY"[:35]
OPENAI = "sk-" + "proj-" + "aB3" * 12
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + "SflKxwRJSMeKKF2QT4fw"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIB\n-----END RSA " + "PRIVATE KEY-----"


def redacted(text: str, *kinds: PiiKind) -> str:
    edit = Pii(kinds=kinds) if kinds else Pii()
    return str(edit.apply(pa.array([text], pa.large_string())).text[0].as_py())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mail jo.doe+list@mail.example.org, please.", "Mail <EMAIL>, please."),
        ("<müller@bücher.example.de>", "<<EMAIL>>"),
        ("请写信给foo@bar.com谢谢", "请写信给<EMAIL>谢谢"),
        ("mailto:a@b.co?subject=x", "mailto:<EMAIL>?subject=x"),
        ("see...foo@bar.com.", "see...<EMAIL>."),
        ("o'foo@bar.com- x", "o'<EMAIL>- x"),
        ("A server at 93.184.216.34:80 and 8.8.200.8.", "A server at <IP_ADDRESS>:80 and <IP_ADDRESS>."),
        ("http://93.184.216.34/x", "http://<IP_ADDRESS>/x"),
        ("::ffff:93.184.216.34", "::ffff:<IP_ADDRESS>"),
        ("At 2a00:1450:4001:800::200e.", "At <IP_ADDRESS>."),
        ("[2606:4700:0:0:0:0:6810:85e5]:443", "[<IP_ADDRESS>]:443"),
        ("Call +1-415-555-0107 now", "Call <PHONE_NUMBER> now"),
        ("Call (202) 555-0110 or 1-800-555-0199", "Call <PHONE_NUMBER> or <PHONE_NUMBER>"),
        ("+33 1 99 00 19 13, +44 20 7946 0142", "<PHONE_NUMBER>, <PHONE_NUMBER>"),
        ("(+49) 30 23125 003; +49 (0)30 23125 003", "<PHONE_NUMBER>; <PHONE_NUMBER>"),
        ("020 7946 0034 / (030) 23125 489", "<PHONE_NUMBER> / <PHONE_NUMBER>"),
        ("Tel.: 555-1234. Tél. : 01 23 45 67 89", "Tel.: <PHONE_NUMBER>. Tél. : <PHONE_NUMBER>"),
        (f"token={GITHUB}; {AWS}, {SLACK}", "token=<KEY>; <KEY>, <KEY>"),
        (f"{GOOGLE} {OPENAI} Bearer {JWT}", "<KEY> <KEY> Bearer <KEY>"),
        (f"before\n{PEM}\nafter", "before\n<KEY>\nafter"),
    ],
)
def test_what_goes(text: str, expected: str) -> None:
    assert redacted(text) == expected
    assert redacted(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "user@localhost, react@16.8.0, logo@2x.png, a@b.c, @handle, foo@, foo.@bar.com",
        "10.1.2.3 172.16.200.1 192.168.1.255 127.0.0.1 169.254.1.99 100.64.1.1",
        "192.0.2.99 198.51.100.7 203.0.113.200 224.0.0.251 255.255.255.0 0.0.0.99",
        "version 1.2.3.4.5, v93.184.216.34, Chrome/93.184.216.34, pkg-93.184.216.34, ==93.184.216.34",
        "See section 14.3.2.1, and 1.2.3.4-5.\n12.3.99.1. A heading; §93.184.216.34",
        "300.1.2.99 093.184.216.34 93.184.216 93.184.216.34.example.org",
        "::1 fe80::1 2001:db8::1 3fff::1 2001:0:1::1 2001:db8:: 2a00:1450:: 12:30:45 00:1B:44:11:3A:B7",
        "ISBN 978-0-306-40615-7, ISBN 0-306-40615-2, ISSN 0317-8471",
        "2003-05-12, 12.05.2003, 05/12/2003 10:30, 1998-2005, 01 02 2003",
        "$1,234,567.89 and 1 234 567 890 and 12345678901 and 3.14159265358979",
        "x = +3.14159265358, y=-0.123-456, +2147483647, 2+49301234567",
        "123-456-7890, 202-555-01100, 1202-555-0110, 202-555-0110-3, #202-555-0110",
        "00 01 02 03 04, 05 12 23 34 41, 001 002 003 004, 0800",
        "call 2000 people, phone 1998, mobile 2010 2011, microphone: 5551234, tel: 12345",
        "AKIA1234, xAKIAIOSFODNN7EXAMPLE, ghp_short, sk-some-long-css-class-name-for-a-button-element",
        "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----",
        "-----BEGIN RSA " + "PRIVATE KEY-----\nnever ends -----BEGIN X-----",
        "eyJhbGciOi.short.parts",
        "<EMAIL> <IP_ADDRESS> <PHONE_NUMBER> <KEY>",
        "",
    ],
)
def test_what_stays(text: str) -> None:
    assert redacted(text) == text


def test_only_the_kinds_that_are_asked_for() -> None:
    text = f"a@b.org 93.184.216.34 +44 20 7946 0142 {AWS}"
    assert redacted(text, "email") == f"<EMAIL> 93.184.216.34 +44 20 7946 0142 {AWS}"
    assert redacted(text, "phone", "aws_key") == "a@b.org 93.184.216.34 <PHONE_NUMBER> <KEY>"
    assert Pii(kinds=("phone", "email")) == Pii(kinds=("email", "phone"))
    with pytest.raises(ValidationError, match="names no kind"):
        Pii(kinds=())


def test_pieces_say_what_went_and_where() -> None:
    text = f"é a@b.org 漢 93.184.216.34 {AWS}"
    edited = Pii().apply(pa.array(["x", None, text, ""], pa.large_string()))
    pieces = [
        (PII_KINDS[kind], text.encode()[start:stop].decode())
        for _, kind, start, stop in edited.pieces.tolist()
    ]
    assert pieces == [("email", "a@b.org"), ("ipv4", "93.184.216.34"), ("aws_key", AWS)]
    assert set(edited.pieces[:, ROW].tolist()) == {2}
    counts = edited.signals["num_redactions"]
    assert counts[[0, 2, 3]].tolist() == [0, 3, 0]
    assert np.isnan(counts[1])


def test_clean_columns_are_not_copied_and_slices_are_read_in_place() -> None:
    column = pa.array(["skip a@b.org", "Nothing here 12.", None, "слово 3-4"], pa.large_string()).slice(1)
    assert Pii().apply(column).text is column
    with_one = pa.array(["a@b.org", "x", None, "c@d.org y"], pa.large_string()).slice(1)
    assert Pii().apply(with_one).text.to_pylist() == ["x", None, "<EMAIL> y"]
    for empty in (pa.array([], pa.large_string()), pa.nulls(2, pa.large_string())):
        assert Pii().apply(empty).text.to_pylist() == empty.to_pylist()


texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    st.text("0123456789 -.+()/:@a", max_size=40),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=40),
)


@given(st.lists(st.one_of(st.none(), texts), max_size=8))
@settings(max_examples=300)
@example(
    ["020 7946 0685 789foo@x.com", "2a00::8foo@x.com", "8.8.8.99-ghp_" + "A1b2" * 9, "x@y.tel: 0301234567"]
)
def test_equals_the_reference_and_is_idempotent(texts: list[str | None]) -> None:
    assert_as_reference(pa.array(texts, pa.large_string()), texts)


def test_public_ipv4_ranges_are_those_of_the_standard_library() -> None:
    edges = {0, 2**32 - 1}
    for network, length in SPECIAL_IPV4:
        low = int(ipaddress.IPv4Address(network))
        edges |= {low - 1, low, low + (1 << (32 - length)) - 1, low + (1 << (32 - length))}
    addresses = [ipaddress.IPv4Address(edge) for edge in sorted(edges) if 0 <= edge < 2**32]
    for address in addresses:
        public = address.is_global and not address.is_multicast
        if max(address.packed) < 64 or address in ipaddress.IPv4Network("192.0.0.0/24"):
            continue  # looks like a version; the library of some Pythons knows only a part of the range
        assert (redacted(f"at {address} now") != f"at {address} now") == public, address


@pytest.mark.parametrize(
    "piece",
    [
        "word ", "1 ", "1.1.", "@a.", "a@", "sk-", "-", "eyJ", "eyJa-", "9", "+49 30 ", "20a0:", "Tel.: 0",
        "a@b.cc", "-----BEGIN RSA PRIVATE KEY-----", "020 7946 ", "(202) ", "ghp_A", "x.", "é@",
    ],
)  # fmt: skip
def test_the_time_of_a_huge_line_is_linear(piece: str) -> None:
    Pii().apply(pa.array(["x"], pa.large_string()))
    column = pa.array([piece * (3_000_000 // len(piece.encode()))], pa.large_string())
    started = time.process_time()
    Pii().apply(column)
    assert time.process_time() - started < 5  # quadratic would take hours


@pytest.mark.corpus
def test_planted_cases_of_the_corpus(corpus: Path) -> None:
    planted = zstandard.ZstdDecompressor().decompress(
        (corpus / "truth/planted.jsonl.zst").read_bytes(), max_output_size=1 << 28
    )
    cases = [case for case in map(json.loads, planted.splitlines()) if case["case"] == "c_pii"]
    seen: Counter[tuple[str, bool]] = Counter()
    for case in cases:
        place = case["at"][0]
        if not place["file"].endswith(".parquet"):
            continue
        table = pq.read_table(corpus / place["file"])
        name = "text" if "text" in table.column_names else "content"
        raw = table.column(name)[place["row"]].as_py()
        column = pa.array([raw], pa.large_string())
        spans = Pii().apply(normalize(column, code=True))
        pieces = {
            raw.encode()[start:stop].decode(): PII_KINDS[kind]
            for _, kind, start, stop in spans.pieces[:, [ROW, KIND, START, STOP]].tolist()
        }
        for item in case["items"]:
            assert raw[item["start"] : item["end"]] == item["value"]
            seen[item["type"], item["value"] in pieces] += 1
            if item["value"] in pieces:
                assert pieces[item["value"]] == item["type"]
    found = {kind for kind, is_found in seen if is_found}
    missed = {kind for kind, is_found in seen if not is_found}
    assert found == {"email", "aws_key", "github_token", "slack_token", "jwt", "phone", "private_key"}
    # The planted addresses are all private or of documentation ranges; nothing tells a password.
    assert missed == {"ipv4", "password"}
    assert sum(number for (kind, is_found), number in seen.items() if is_found) >= 100
