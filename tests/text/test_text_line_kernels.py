"""The kernels that edit lines on slices, beside other texts and characters, with any option, on megabytes."""

from __future__ import annotations

import pyarrow as pa
import pytest
from any_text import EDGES, columns, halves, texts_with
from hypothesis import given
from hypothesis import strategies as st
from line_texts import PIECES, assert_as_c4, assert_as_refinedweb

from dataprep.text.lines import C4Lines, RefinedWebLines

SHARES = st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 2 / 3, 0.999999, 1.0])
REFINEDWEB = st.builds(
    RefinedWebLines,
    max_upper_ratio=SHARES,
    max_numeric_ratio=SHARES,
    min_words=st.integers(0, 4),
    short_line_words=st.integers(0, 12),
)
C4 = st.builds(C4Lines, terminal_punct=st.booleans(), min_words=st.integers(0, 5))
TEXTS = texts_with(
    [*PIECES, "\n", "\n", " ", "\x85", "\u2028", "\r\n", "İ", "ſign-in", "ITEMS IN CART"], max_pieces=30
)
LINES = [
    "3 likes", "Seen by 7\n1.2K Views!", "two items in cart", "a teaser Read more...", "Sign-in or register",
    "A TITLE é", "1234\u0663", "We use cookies now.", "Terms of use apply.", "enable JavaScript now.",
    "Lorem ipsum { dolor.", "It is[12] so[edit] here[citation needed].", "on and on...", "漢字 e\u0301 ٣!",
]  # fmt: skip


def check(texts: list[str]) -> None:
    """Compare a column with both references, with the usual options and where single words may stay."""
    column = pa.array(texts, pa.large_string())
    for refinedweb in (RefinedWebLines(), RefinedWebLines(min_words=0)):
        assert_as_refinedweb(refinedweb, column, texts)
    for c4 in (C4Lines(), C4Lines(terminal_punct=False, min_words=0)):
        assert_as_c4(c4, column, texts)


@given(columns(TEXTS), REFINEDWEB)
def test_refinedweb_of_slices_equals_the_reference_with_any_options(
    drawn: tuple[pa.LargeStringArray, list[str | None]], edit: RefinedWebLines
) -> None:
    assert_as_refinedweb(edit, *drawn)


@given(columns(TEXTS), C4)
def test_c4_of_slices_equals_the_reference_with_any_options(
    drawn: tuple[pa.LargeStringArray, list[str | None]], edit: C4Lines
) -> None:
    assert_as_c4(edit, *drawn)


@pytest.mark.parametrize("line", LINES)
def test_nothing_is_found_in_two_texts_together(line: str) -> None:
    check(halves(line, f"é {line} 漢", f"one\n{line}\n"))


@pytest.mark.parametrize("line", LINES)
def test_a_character_beside_a_phrase_is_the_whole_character(line: str) -> None:
    """All of the first blocks of Unicode with their spaces, digits and letters, and what is at its edges."""
    beside = [*map(chr, range(0x3100) if line == "3 likes" else range(0x1700, 0x3100)), *EDGES]
    beside = beside if line == "3 likes" else beside[::7] + [c for c in beside if c.isspace()]
    check([f"{one}{line}{one}" for one in beside])
    check([line.replace(" ", one) for one in beside if one.isspace() or one in EDGES])


@pytest.mark.parametrize(
    "piece",
    [
        "word ", "A\n", "\n", "items in cart ", "Read more...", "sign-in ", "3 likes\n", "[1]",
        "[edit] a b c.\n", "we use cookies.\n", "lorem ipsum ", "é\u2028", "漢", "\u3000", "7", ".", "x\x85",
    ],
)  # fmt: skip
def test_one_line_of_megabytes_and_very_many_lines_equal_the_reference(piece: str) -> None:
    size = 1_000_000 if piece == "".join(piece.splitlines()) else 200_000
    text = piece * (size // len(piece.encode()))
    check(["Read", text, "é" + text + "likes"])


def test_a_word_of_a_thousand_characters_and_one_more() -> None:
    words = [letter * size for letter in "xé漢😀" for size in (999, 1000, 1001, 4001)]
    check([f"It is {word} long." for word in words] + halves("x" * 1001 + " a b.")[::67])


def test_no_texts_and_empty_texts() -> None:
    for texts in ([], [""], ["", "\n", ""], ["\n"], ["a"], ["."], ["\ufeff", "\x00"]):
        check(texts)
