"""The word rule: ``re.findall(r"\\w+", text.lower().replace("ς", "σ"))``."""

from __future__ import annotations

import re

import numpy as np

from dataprep.dedup.word_kernels import WORD_ENDS
from dataprep.dedup.words import word_table

ALL_CHARACTERS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def test_letters_are_lower_cased_and_marks_separate():
    table = word_table()
    assert table[ord("A")] == ord("a")
    assert table[ord("é")] == ord("é")
    assert table[ord("É")] == ord("é")
    assert table[ord("7")] == ord("7")
    assert table[ord("_")] == ord("_")
    assert [table[ord(mark)] for mark in " .,-'’\n\u00a0"] == [0] * 8


def test_both_sigmas_are_one_letter():
    assert {int(word_table()[ord(c)]) for c in "Σσς"} == {ord("σ")}


def test_a_word_ends_behind_the_dotted_capital_i():
    # "İ".lower() is "i" and a combining dot, which is no word character.
    assert word_table()[ord("İ")] == ord("i") | WORD_ENDS
    assert re.findall(r"\w+", "İstanbul".lower()) == ["i", "stanbul"]


def test_every_code_point_follows_the_rule():
    table = word_table()
    for character in ALL_CHARACTERS:
        entry = int(table[ord(character)])
        words = re.findall(r"\w+", character.lower().replace("ς", "σ"))
        folded = chr(entry & (WORD_ENDS - 1)) if entry else ""
        assert "".join(words) == folded, hex(ord(character))
    assert not np.any(table[0xD800:0xE000])


def test_folding_lengthens_no_character_by_more_than_half():
    # The kernel's scratch memory relies on it.
    for character in ALL_CHARACTERS:
        entry = int(word_table()[ord(character)])
        folded = chr(entry & (WORD_ENDS - 1)).encode() + (b"\0" if entry & WORD_ENDS else b"")
        assert len(folded) <= max(1, len(character.encode()) * 3 // 2), hex(ord(character))


def test_the_table_cannot_be_changed():
    assert not word_table().flags.writeable
