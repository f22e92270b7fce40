"""The kernel for program code on slices, beside other texts, on every kind of file, on megabytes."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pytest
from any_text import CHARACTERS, EDGES, columns, halves, texts_with
from code_texts import PIECES, assert_as_reference
from hypothesis import given
from hypothesis import strategies as st

Kind = Literal["data", "html", "other"]
MARKUP = [
    "<", ">", "<p>", "</p>", "<!--", "-->", "<!-->", "<!--->", "--", "<script>", "<SCRIPT a=1>",
    "</script>", "</Script ", "<style>", "<STYLE", "</style>", "<strong>", "</strong>", "<st", "<sty", "<sc",
    "</sc", "</st",
    "<\u017fcript>", "a", " ", "\n", "\u00a0", "\u2003", "é", "漢", "😀", "if a < b > c", "/",
]  # fmt: skip
KINDS = st.sampled_from(["data", "html", "other"])


def check(texts: list[str]) -> None:
    """Compare a column with the reference, as every kind of file."""
    column = pa.array(texts, pa.large_string())
    for kind in ("data", "html", "other"):
        assert_as_reference(column, texts, kind=kind)  # type: ignore[arg-type]


@given(columns(texts_with([*PIECES, *MARKUP], max_pieces=40)), KINDS)
def test_slices_equal_the_reference(drawn: tuple[pa.LargeStringArray, list[str | None]], kind: Kind) -> None:
    assert_as_reference(*drawn, kind=kind)


@given(columns(st.lists(st.sampled_from(MARKUP) | CHARACTERS, max_size=25).map("".join)))
def test_the_visible_text_of_html_equals_the_reference(
    drawn: tuple[pa.LargeStringArray, list[str | None]],
) -> None:
    assert_as_reference(*drawn, kind="html")


@pytest.mark.parametrize(
    "text",
    [
        "<reponame>a/b<filename>c.py\nx = 1", "<gh_stars>0\n", "/* a */ x", '/*\n*/\n"""a\n"""', "'''a''' b",
        "<!-- a -->b", "<script>a</script>b<style>c</style>d", "#include <x>", "#!x", "#pragma y",
        "// a", "-- b",
        "* c", "*/", "; d % e", "true", "false, null, None", "'a\\' b'", '["a", 1]', "auto-generated",
        "Generated; DO NOT EDIT", "# Copyright", "% redistribut\u212a", "a b  c  1 22 333 abcdefgh",
        "é漢😀\u0301",
        "<?xml version=", " " * 95 + "<?xml version=", "x\n\ny\n",
    ],
)  # fmt: skip
def test_nothing_is_read_beyond_the_end_of_a_text(text: str) -> None:
    check(halves(text, f"é{text}漢", f"a\n{text}\nb"))


@pytest.mark.parametrize("head", [0, 95, 99, 100, 101])
def test_where_a_declaration_of_xml_may_begin_and_a_text_may_end(head: int) -> None:
    texts = [" " * head + "<?xml version="[:size] for size in range(14)]
    check([*texts, *("é" * (head // 2) + " " * (head % 2) + "<?xml"[:size] for size in range(6))])


def test_a_character_beside_a_mark_is_the_whole_character() -> None:
    """The first blocks of Unicode, with their letters, digits and spaces, and what is at its edges."""
    points = [*range(0x250), *range(0x660, 0x66A), *range(0x1680, 0x1690), *range(0x2000, 0x2130)]
    beside = [*map(chr, points), *EDGES]
    check([f"{one}# a{one}//{one}1{one * 9}<{one}>{one}" for one in beside])
    check(
        [f"/*{one}*/{one}\n{one}" for one in beside] + [f"{one}generated{one}do not edit" for one in beside]
    )


@pytest.mark.parametrize(
    "piece",
    [
        "x", "ab ", "1", " ", "\n", "x\n", "[1, 2],", "'a',", "# a\n", "/* a\n", "<b>c</b> ", "<!--", "</sc",
        "<", "漢", "é\n", "😀 ", "license ", '"',
    ],
)  # fmt: skip
def test_one_line_of_a_megabyte_and_very_many_lines_equal_the_reference(piece: str) -> None:
    text = piece * ((300_000 if "\n" in piece else 1_000_000) // len(piece.encode()))
    texts = ["x", text, "*/ >"]
    assert_as_reference(pa.array(texts, pa.large_string()), texts, kind="html")


def test_no_texts_and_empty_texts() -> None:
    for texts in ([], [""], ["", "\n", ""], ["\n"], ["<"], ["#"], ["\x00"], ["'"]):
        check(texts)
