"""The table of character bits against Python's own functions, over all code points."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from dataprep.text import characters
from dataprep.text.characters import character_table

ALL = range(0x110000)


def points_with(bit: int) -> set[int]:
    return set(character_table().code_points_with(bit))


@pytest.mark.parametrize(
    ("bit", "belongs"),
    [
        (characters.SPACE, str.isspace),
        (characters.ALPHA, str.isalpha),
        (characters.DIGIT, lambda c: unicodedata.category(c) == "Nd"),
        (characters.UPPER, lambda c: unicodedata.category(c) in ("Lu", "Lt")),
        (characters.LOWER, lambda c: unicodedata.category(c) == "Ll"),
        (characters.PUNCTUATION, lambda c: unicodedata.category(c)[0] == "P"),
        (characters.LINE_BREAK, lambda c: len(f"a{c}b".splitlines()) == 2),
        (characters.ICON, lambda c: c == "…" or unicodedata.category(c) == "So"),
    ],
)
def test_bits_mean_what_python_says(bit: int, belongs: object) -> None:
    assert callable(belongs)
    assert points_with(bit) == {c for c in ALL if belongs(chr(c))}


def test_what_is_not_looked_at_has_no_properties() -> None:
    looked_at = np.zeros(0x110000, np.bool_)
    for start, stop in characters._ASSIGNED:
        looked_at[start:stop] = True
    assert {unicodedata.category(chr(c)) for c in np.flatnonzero(~looked_at)} <= {"Cn", "Co"}


def test_texts_without_maybe_characters_are_composed() -> None:
    maybe = points_with(characters.NFC_MAYBE)
    assert {0x301, 0x1161, 0x11A8, 0x212B, 0x344, 0x958} <= maybe
    surely = [c for c in ALL if c not in maybe and not 0xD800 <= c < 0xE000]
    assert unicodedata.is_normalized("NFC", "".join(map(chr, surely)))
    assert not maybe & set(range(0x300)), "text in Latin letters never needs a closer look"


def test_datatrove_marks() -> None:
    symbols, terminals = points_with(characters.SYMBOL), points_with(characters.TERMINAL)
    assert len(symbols) == 281
    assert len(terminals) == 159
    assert {ord(c) for c in "!#，。…１\x07"} <= symbols
    assert not {ord(c) for c in "•\t\n a1"} & symbols


def test_the_table_is_small_and_begins_with_latin() -> None:
    table = character_table()
    assert len(table.blocks) < 64 * 1024
    assert table.first[0] == 0
    assert table[ord("a")] == characters.ALPHA | characters.LOWER
