"""The kernels of redaction on slices, beside other texts and characters, at every limit, on megabytes."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from any_text import columns, halves, texts_with
from hypothesis import given
from hypothesis import strategies as st
from pii_texts import PIECES, assert_as_reference
from reference_pii import CLASSES, matches

from dataprep.text.pii import PII_KINDS, Pii, PiiKind, placeholder_of
from dataprep.text.pii_keys import KEY_FORMS, KeyForm

# Written in parts, so that nobody takes them for real ones.
BODY = "aB3" * 24
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIB\n-----END RSA " + "PRIVATE KEY-----"
JWT = "eyJ" + "hbGciOi." + "eyJzdWIiOi." + "SflKxwRJSM"
PATTERNS = {
    "email": "jö.doe+x@mail.example.org",
    "ipv4": "93.184.216.34",
    "ipv6": "2a00:1450:4001:800::200e",
    "phone with a country code": "(+49) 30 23125 003",
    "phone of North America": "1-800-555-0199",
    "phone with a trunk zero": "(030) 23125 489",
    "phone behind a keyword": "Tél. : 01 23 45 67 89",
    "AWS": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub": "ghp_" + BODY[:36],
    "OpenAI": "sk-" + "proj-" + BODY[:36],
    "JSON web token": JWT,
    "private key": PEM,
}


MEMBERS = {
    body: [chr(c) for c in range(128) if re.fullmatch(f"[{one}]", chr(c))] for body, one in CLASSES.items()
}
"""The characters of each class that a key may hold."""


def column_of(texts: list[str]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


def check(texts: list[str], *, matches: int | None = None) -> None:
    """Compare a column with the reference; ``matches`` says how many there are, at the least."""
    column = column_of(texts)
    assert_as_reference(column, texts)
    if matches is not None:
        assert len(Pii().apply(column).pieces) >= matches


@given(
    columns(texts_with([*PIECES, *PATTERNS.values()])),
    st.sets(st.sampled_from(PII_KINDS), min_size=1) | st.just(set(PII_KINDS)),
)
def test_slices_and_kinds_equal_the_reference(
    drawn: tuple[pa.LargeStringArray, list[str | None]], kinds: set[PiiKind]
) -> None:
    assert_as_reference(*drawn, kinds)


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_nothing_is_put_together_of_two_texts(pattern: str) -> None:
    check(halves(pattern, f"é{pattern}漢"), matches=2)
    check(halves(f"{pattern} {pattern}"))


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_a_match_at_the_begin_and_the_end_of_its_text_whatever_stands_beside_that(pattern: str) -> None:
    beside = ["", "a", "0", "-", ".", "@", ":", "é", "\u00a0", "漢", "😀", "\U0010ffff", "+1", "x@", "2a00:"]
    texts = [part for one in beside for part in (pattern, one, pattern, one)]
    check(texts, matches=2 * len(beside))
    assert_as_reference(column_of([*beside, *texts])[len(beside) :], texts)


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_a_character_beside_a_match_is_the_whole_character(pattern: str) -> None:
    """Every last byte that a character of two, three or four bytes can have, and every letter of Latin."""
    points = [*range(0x80, 0x250), *range(0x400, 0x440), *range(0x4E00, 0x4E40), *range(0x20000, 0x20040)]
    beside = [chr(point) for point in points]
    check([f"{one}{pattern}{one}" for one in beside])
    if pattern == PATTERNS["ipv4"]:
        check([f"{one}.{pattern}" for one in beside] + [f"{one}-{pattern}-{one}" for one in beside])


@pytest.mark.parametrize("form", KEY_FORMS, ids=lambda form: form.prefix)
def test_keys_of_every_length_around_the_shortest_and_the_longest(form: KeyForm) -> None:
    letters = MEMBERS[form.body]
    turns = "".join(letters[k * 7 % len(letters)] for k in range(form.longest + 3)).replace("--", "-A")
    lengths = {size + k for size in (form.shortest, form.longest) for k in (-1, 0, 1, 2)}
    keys = [form.prefix + turns[:length] for length in sorted(lengths)]
    beside = [(left, right) for left in ("", " ", "é", "-", "a") for right in ("", " é")]
    check([left + key + right for key in keys for left, right in beside])
    alike = [form.prefix + letter * form.shortest for letter in ("A", "a", "1") if letter in letters]
    check([*alike, *(key + "_" for key in keys), *halves(keys[1])])


def test_addresses_at_the_limits_of_their_parts() -> None:
    local = [f"{letter * size}@b.de" for letter in "aé" for size in (1, 63, 64, 65, 200)]
    top = [f"a@b.{letter * size}" for letter in "aé" for size in (1, 2, 23, 24, 25)]
    sizes = (1, 50, 51, *range(120, 130), *range(245, 260))
    long = [f"a@{letter * size}.de" for letter in "aé漢" for size in sizes]
    labels = [f"a@{'b.' * size}{end}" for size in sizes for end in ("de", "d", "é.de", "-de", "")]
    check([*local, *top, *long, *labels, *(f"{one} x" for one in [*long, *labels])], matches=60)


def test_numbers_at_the_limits_of_their_parts() -> None:
    address = "2a00:1450:4001:0800:1111:2222:3333:200e"
    dots = [f"{address}{mark * size}" for mark in (".", ":", "::", "0") for size in range(30)]
    marks = [(mark, size, step) for mark in "\u00a0 .-/" for size in range(18) for step in (1, 2, 3)]
    groups = [
        mark.join(["49302312500312345678"[k : min(k + step, size)] for k in range(0, size, step)])
        for mark, size, step in marks
    ]
    spaced = [f"{lead}{group}" for group in groups for lead in ("+", "Fax: ", "Fax: (", "0")]
    longest = [
        lead + "".join("493023125003123"[k] + ("\u00a0" if k < wide else " ") for k in range(15)).strip()
        for wide in range(15)  # 29 bytes and one more for every wide space
        for lead in ("+", "Fax: ")
    ]
    bracket = [f"(+49{'(' * k}30) {'1' * size}" for k in range(2) for size in range(14)]
    digits = [
        f"{lead}{'12345678901234567'[:size]}" for lead in ("+", "+1", "Tel. ", "0") for size in range(18)
    ]
    check(
        [*dots, *spaced, *longest, *bracket, *digits, *(f"{one} x" for one in [*dots, *spaced, *digits])],
        matches=200,
    )
    check([f"+{code:03}{rest}" for code in range(1000) for rest in ("2345678", " 234 567 890")], matches=500)


def test_private_keys_at_the_limits_of_their_labels() -> None:
    labels = [f"{letter * size}PRIVATE KEY" for letter in "Aé\n漢" for size in range(30)]
    labels += [f"PRIVATE KEY{letter * size}" for letter in "A-é" for size in range(30)]
    labels += ["X", "", "PRIVATE", "X-----PRIVATE KEY", "----PRIVATE KEY"]
    whole = [f"-----BEGIN {one}-----\nMII\n-----END {one}-----" for one in labels]
    check([*whole, *(f"é{one}é" for one in whole), *(one[:-1] for one in whole)], matches=90)
    sizes = [(a, b, c) for a in (6, 7, 8) for b in (9, 10, 11) for c in (0, 9, 10, 600)]
    parts = [f"eyJ{'a' * a}.{'b' * b}.{'c' * c}" for a, b, c in sizes]
    check(parts, matches=8)


@pytest.mark.parametrize(
    "piece",
    [
        *(f"{pattern} and so on;\n" for pattern in PATTERNS.values()),
        "word é漢 ", "1 ", "9.9.", "@a ", "sk- ", "- ", "eyJ ", "+49 30 x ", "20a0: ", "a@b.cc ", "ghp_A ",
    ],
)  # fmt: skip
def test_megabytes_equal_as_many_short_texts(piece: str) -> None:
    own, twice = matches(piece), matches(piece * 2)
    shifted = [(kind, start + len(piece), stop + len(piece)) for kind, start, stop in own]
    assert twice == own + shifted, "a piece must have nothing to do with the one beside it"
    number = 2_000_000 // len(piece.encode())
    edited = Pii().apply(column_of([piece * number]))
    one = [(PII_KINDS.index(k), len(piece[:a].encode()), len(piece[:b].encode())) for k, a, b in own]
    size = len(piece.encode())
    expected = np.array([[0, *match] for match in one] or np.zeros((0, 4)), np.int64)
    steps = np.repeat(np.arange(number), len(one))[:, None] * np.array([0, 0, size, size])
    assert (edited.pieces == np.tile(expected, (number, 1)) + steps).all()
    assert len(edited.pieces) == number * len(one)
    redacted, place = "", 0
    for kind, start, stop in own:
        redacted, place = redacted + piece[place:start] + placeholder_of(kind), stop
    assert edited.text[0].as_py() == (redacted + piece[place:]) * number


@pytest.mark.parametrize("letter", ["7", "a", "-", "@", ".", "é", "漢", "😀", "\x00"])
def test_a_megabyte_of_one_character_holds_nothing(letter: str) -> None:
    texts = column_of(["+49 30 23125 003", letter * 1_000_000, "a@b.org"])
    edited = Pii().apply(texts)
    assert edited.text.to_pylist() == ["<PHONE_NUMBER>", letter * 1_000_000, "<EMAIL>"]


def test_no_texts_and_empty_texts() -> None:
    for texts in ([], [""], ["", "", ""]):
        check(texts)
    assert_as_reference(column_of(["a@b.org", "", "a@b.org"])[1:2], [""])
