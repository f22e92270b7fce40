"""The kernel for prose on slices, beside other texts, around its steps of eight bytes, on megabytes."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pyarrow as pa
import pytest
from any_text import EDGES, columns, halves, texts_with
from hypothesis import given
from hypothesis import strategies as st
from reference_words import words_of
from web_texts import PIECES, assert_all_as_reference, assert_as_reference

from dataprep.signals import WebTextSignals
from dataprep.signals.web import ENGLISH_STOP_WORDS
from dataprep.signals.web_kernel import measure_scratch
from dataprep.text.buffers import utf8_buffers

LANGUAGES = st.sampled_from([None, "en", "de", "es", "fr", "nl", "pt"])
FAMILIES = st.builds(
    WebTextSignals,
    words=st.sampled_from(["unicode", "whitespace"]),
    short_line_chars=st.integers(0, 40),
    c4_terminal_punct=st.booleans(),
    c4_min_line_words=st.integers(0, 4),
    words_by_language=st.booleans(),
    stop_words=st.sampled_from([ENGLISH_STOP_WORDS, ("a", "naïve", "漢字", "a"), ("nineltrs9", "lorem"), ()]),
)
STRICT = WebTextSignals(words="whitespace", c4_terminal_punct=True, c4_min_line_words=0)
LOOSE = WebTextSignals(c4_min_line_words=0)


def check(texts: list[str]) -> None:
    """Compare a column with the reference, with two families that differ in every option."""
    for family in (LOOSE, STRICT):
        assert_all_as_reference(texts, family)


@given(columns(texts_with([*PIECES, "nineltrs9"], max_pieces=30)), FAMILIES, LANGUAGES)
def test_slices_equal_the_reference_with_any_settings(
    drawn: tuple[pa.LargeStringArray, list[str | None]], family: WebTextSignals, language: str | None
) -> None:
    assert_as_reference(*drawn, family, language)


@given(columns(texts_with([*PIECES, "漢", "a1", ".", "\n"], max_pieces=30)))
def test_scratch_memory_has_room_for_the_words_lines_and_bytes_of_the_largest_text(
    drawn: tuple[pa.LargeStringArray, list[str | None]],
) -> None:
    column, _ = drawn
    buffers, sizes = utf8_buffers(column), np.zeros(3, np.int64)
    measure_scratch(buffers.data, buffers.offsets, sizes)
    texts = [bytes(buffers.data[a:b]) for a, b in itertools.pairwise(buffers.offsets)]  # of nulls, too
    others = [len(re.findall(rb"[^A-Za-z0-9]", text)) for text in texts]
    most = [min(len(text), 2 * other + 1) for text, other in zip(texts, others, strict=True)]
    lines, bytes_ = [text.count(b"\n") + 1 for text in texts], [len(text) for text in texts]
    assert sizes.tolist() == [max(1, 1, *one) for one in (most, lines, bytes_)]
    assert all(len(words_of(text.decode())) <= sizes[0] for text in texts)


@pytest.mark.parametrize(
    "text",
    [
        "the cat", "that the that the", "a lorem ipsum b", "with JavaScript on", "we use coo\u212aies now",
        "See [12] and[edit] this[citation needed].", "Wait... what…", "one\n\none\n\none",
        "x y.\nx y.\r\nx y.", "• a\n- b", "a { b }", "a b c d e f a b c d e f", "«été» l’eau 3.14$",
        "漢字。漢字！", "e\u0301 \U0001d54f.", "eightltr eightltr nineltrs9 nineltrs9", "have# be#",
    ],
)  # fmt: skip
def test_nothing_is_read_beyond_the_end_of_a_text(text: str) -> None:
    check(halves(text, f"é{text}漢", f"\n{text}\n"))


@pytest.mark.parametrize("behind", ["", " ", ".", ". ", ", b", "\n", "é", "漢 ", "'s ", "-", "...", "\u2028"])
def test_words_of_every_size_around_the_steps_of_eight_bytes(behind: str) -> None:
    words = [f"{letter * size}{behind}" for letter in "aA1é" for size in range(28)]
    texts = [f"{word}{word}{word}" for word in words]
    check([*words, *texts, *(f"b {text}" for text in texts[::3])])
    longer = [f"{word} {word[:-1]}x {word}" for word in ("abcdefgh" * 3, "é" * 12, "漢字" * 5)]
    check([part for text in longer for k in range(30) for part in (text[k:], text[: len(text) - k])])


@pytest.mark.parametrize("language", [None, "de", "es", "nl", "pt"])
def test_every_two_marks_beside_letters_and_digits_in_every_language(language: str | None) -> None:
    single = ".+*^:<>=/,-–—~'’!?()[]{}\"”“«_#&@%$€§…•·。；、٪©😀\u0301\u00ad"
    marks = ["", *single, "--", "...", "://", "\u200d"]
    edges = ["", "a", "B", "BC", "ab", "1", "é", "漢", "٣"]
    texts = [
        " ".join(f"{left}{one}{other}{right}" for left in edges for right in edges)
        for one in marks
        for other in marks[:18]
    ]
    assert_all_as_reference(texts, LOOSE, language)


@pytest.mark.parametrize("text", ["one{}two {}three{}. Four{}", "1{}2 {}3{}4", "{}\n{}a{}\n\n{}a{}"])
def test_a_character_beside_a_word_is_the_whole_character(text: str) -> None:
    """The first blocks of Unicode, with their marks, digits and spaces, and what is at its edges."""
    points = [*range(0x590), *range(0x600, 0x700), *range(0x1680, 0x1690), *range(0x2000, 0x2300)]
    points += [*range(0x2E00, 0x2E60), *range(0x3000, 0x3040), *range(0xFF00, 0xFF70)]
    check([text.format(*(one,) * 5) for one in [*map(chr, points), *EDGES]])


@pytest.mark.parametrize(
    "piece", ["x", "\n", "1", "é", "漢", "\u3000", ".", "-", "#", "a\n", "\n\na", "x y. ", "[1]", "e\u0301 "]
)
def test_one_line_of_hundreds_of_kilobytes_and_very_many_lines_equal_the_reference(piece: str) -> None:
    check(["the", piece * (200_000 // len(piece.encode())), "the"])


def test_a_word_and_line_feeds_of_megabytes_equal_the_reference() -> None:
    assert_all_as_reference(["a b", "x" * 3_000_000, "漢" * 1_000_000, "\n" * 3_000_000, "a b"], STRICT)


def test_no_texts_and_empty_texts() -> None:
    for texts in ([], [""], ["", "\n", ""], ["\n"], ["a"], ["."], ["\ufeff", "\x00"]):
        check(texts)
