"""Edits of lines: by hand, against the slow reference, and beside the signals about the same rules."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from line_texts import PIECES, assert_as_c4, assert_as_refinedweb
from pydantic import ValidationError
from reference_lines import CITATION, c4_lines, refinedweb_lines

from dataprep.signals import WebTextSignals, measure
from dataprep.text.edited import KIND, ROW, START, STOP, Edited
from dataprep.text.lines import C4Lines, RefinedWebLines
from dataprep.text.normalize import normalize

texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=60),
)


def column(texts: list[str | None]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


def kinds_of(edited: Edited, row: int) -> Counter[str]:
    own = edited.pieces[edited.pieces[:, ROW] == row]
    return Counter(edited.kinds[kind] for kind in own[:, KIND].tolist())


@pytest.mark.parametrize(
    ("text", "expected", "kinds"),
    [
        ("All of it stays.\n\nEven this one.\n", "All of it stays.\n\nEven this one.\n", {}),
        ("MAINLY CAPITALS here\nBut not here", "But not here", {"line_uppercase": 1}),
        ("Half: AB cd\nand ABC def", "Half: AB cd\nand ABC def", {}),
        ("A page of\n123456\nnumbers", "A page of", {"line_numeric": 1, "line_single_word": 1}),
        ("Nice picture there\n3 likes", "Nice picture there", {"line_counter": 1}),
        ("Seen by all\n1.2K Views!", "Seen by all", {"line_counter": 1}),
        ("He got 3 likes\n3 likes each", "He got 3 likes\n3 likes each", {}),
        ("One\n\nand only", "and only", {"line_single_word": 1}),
        ("You have 3 Items in Cart now", "You have 3 now", {"line_items_in_cart": 1}),
        ("A teaser text Read more...", "A teaser text", {"line_read_more": 1}),
        ("Read more... of that", "Read more... of that", {}),
        ("Sign-in or register", "or register", {"line_sign_in": 1}),
        ("Please Sign-in now", "Please Sign-in now", {}),
        ("one two three four five six seven eight nine ten Read more...", None, {}),
        ("first of two\nRead more...\nlast of two", "first of two\nlast of two", {"line_read_more": 1}),
        ("", "", {}),
        (" \n\t\n", " \n\t\n", {}),
    ],
)  # fmt: skip
def test_refinedweb_by_hand(text: str, expected: str | None, kinds: dict[str, int]) -> None:
    edited = RefinedWebLines().apply(column([text]))
    assert edited.text.to_pylist() == [text if expected is None else expected]
    assert kinds_of(edited, 0) == kinds


@given(
    st.lists(st.one_of(st.none(), texts), max_size=5), st.sampled_from([0.3, 0.5, 1.0]), st.integers(0, 12)
)
def test_refinedweb_equals_the_reference(texts: list[str | None], max_upper: float, short: int) -> None:
    edit = RefinedWebLines(max_upper_ratio=max_upper, short_line_words=short)
    assert_as_refinedweb(edit, column(texts), texts)


@pytest.mark.parametrize(
    ("text", "expected", "kinds"),
    [
        ("  A line of words.  \n\nAnother line here!", "A line of words.\nAnother line here!", {}),
        ("It has no mark\nThis one has it.", "This one has it.", {"c4_no_end_mark": 1}),
        ("It goes on...\nThis one stops.", "This one stops.", {"c4_no_end_mark": 1}),
        ("Too short.\nIt has three.", "It has three.", {"c4_few_words": 1}),
        ("Said so[12] once[citation needed].", "Said so once.", {"c4_citation": 2}),
        ("Please enable JavaScript now.", "", {"c4_javascript": 1}),
        ("We use cookies on this page.", "", {"c4_policy": 1}),
        ("It is " + "x" * 1001 + " long.", "", {"c4_long_word": 1}),
        ("Lorem ipsum with javascript dolor.", "Lorem ipsum with javascript dolor.", {}),
        ("main() { use cookies; } it is.", "main() { use cookies; } it is.", {}),
    ],
)
def test_c4_by_hand(text: str, expected: str, kinds: dict[str, int]) -> None:
    edited = C4Lines().apply(column([text]))
    assert edited.text.to_pylist() == [expected]
    assert kinds_of(edited, 0) == kinds


@given(st.lists(st.one_of(st.none(), texts), max_size=5), st.booleans(), st.integers(0, 5))
def test_c4_equals_the_reference(texts: list[str | None], terminal_punct: bool, min_words: int) -> None:
    edit = C4Lines(terminal_punct=terminal_punct, min_words=min_words)
    assert_as_c4(edit, column(texts), texts)


@given(st.lists(texts, min_size=1, max_size=3), st.booleans(), st.integers(0, 5))
def test_signals_count_the_lines_that_the_edit_keeps(
    texts: list[str], terminal_punct: bool, min_words: int
) -> None:
    edited = C4Lines(terminal_punct=terminal_punct, min_words=min_words).apply(column(texts)).text
    assume(not any(CITATION.search(text) for text in edited.to_pylist()))
    family = WebTextSignals(c4_terminal_punct=terminal_punct, c4_min_line_words=min_words)
    of_all = measure([family], column(texts)).signals
    of_kept = measure([WebTextSignals(c4_terminal_punct=False, c4_min_line_words=0)], edited).signals
    for name in ("c4_lorem_ipsum", "c4_curly_bracket", "c4_num_sentences"):
        np.testing.assert_array_equal(of_all[name], of_kept[name])


@pytest.mark.parametrize("edit", [RefinedWebLines(), C4Lines(), C4Lines(terminal_punct=False)])
def test_a_column_without_unwanted_lines_is_not_copied(edit: RefinedWebLines | C4Lines) -> None:
    texts = column(["Nothing is wrong here.\nNor is it here.", None, "Слова и ещё слова."]).slice(0)
    assert edit.apply(texts).text is texts
    assert edit.apply(column([])).text.to_pylist() == []
    assert edit.apply(pa.nulls(2, pa.large_string())).text.to_pylist() == [None, None]


@pytest.mark.parametrize("edit", [RefinedWebLines(), C4Lines()])
def test_slices_are_edited_like_whole_columns(edit: RefinedWebLines | C4Lines) -> None:
    texts = column(["SKIP THIS", "Keep this line.\nDROP THIS", None, "x\nDrop that\nKeep this one."])
    edited = edit.apply(texts.slice(1))
    assert edited.text.to_pylist() == edit.apply(column(texts.to_pylist()[1:])).text.to_pylist()
    for row, kind, start, stop in edited.pieces.tolist():
        piece = texts[1 + row].as_py().encode()[start:stop].decode()
        assert piece in ("DROP THIS", "x", "Drop that"), edited.kinds[kind]
    assert (edited.counts().sum(axis=1) == np.bincount(edited.pieces[:, ROW], minlength=3)).all()
    assert (edited.pieces[:, STOP] > edited.pieces[:, START]).all()


@pytest.mark.parametrize(
    "text",
    ["word " * 600_000, "A\n" * 1_500_000, "\n" * 3_000_000, "items in cart " * 200_000, "[1]" * 1_000_000],
)
def test_the_time_of_a_huge_text_is_linear(text: str) -> None:
    for edit in (RefinedWebLines(), C4Lines()):
        edit.apply(column(["x"]))
        started = time.process_time()
        edit.apply(column([text]))
        assert time.process_time() - started < 3  # quadratic would take hours


def test_thresholds_are_checked() -> None:
    with pytest.raises(ValidationError):
        RefinedWebLines(max_upper_ratio=-0.1)
    with pytest.raises(ValidationError):
        C4Lines(min_words=-1)


@pytest.mark.corpus
def test_real_pages_equal_the_reference(corpus: Path) -> None:
    pages = pq.read_table(corpus / "refinedweb/data/train-00000-of-00004.parquet").column("content")
    texts = normalize(pages, code=False)
    corrected, kept = RefinedWebLines().apply(texts), C4Lines().apply(texts)
    for row, text in enumerate(texts.to_pylist()):
        if text is not None and row % 4 == 0:
            assert corrected.text[row].as_py() == refinedweb_lines(text)[0]
            assert kept.text[row].as_py() == c4_lines(text, terminal_punct=True, min_words=3)[0]
    assert len(corrected.pieces) > 1000
    assert len(kept.pieces) > 1000
