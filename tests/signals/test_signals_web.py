"""What the heuristics for prose measure: by hand, against the slow reference, on real pages."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from web_texts import PIECES, assert_all_as_reference

from dataprep.signals import WebTextSignals, measure, signal_names
from dataprep.text.normalize import normalize

texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=60).map("".join),
    st.lists(st.sampled_from(["a b c d e f. ", "\n", "\n\n", "x y. ", "the "]), max_size=80).map("".join),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=80),
)


def measured(texts: list[str | None], family: WebTextSignals | None = None) -> dict[str, np.ndarray]:
    return measure([family or WebTextSignals()], pa.array(texts, pa.large_string())).signals


def test_counts_words_and_lines_of_a_small_text() -> None:
    text = "The cat sat on the mat.\n- It had #1 rank...\n\nThe cat sat on the mat."
    signals = {name: float(values[0]) for name, values in measured([text]).items()}
    assert signals["num_words"] == 21  # "- It had # 1 rank ..." is seven words
    assert signals["num_non_symbol_words"] == 16
    assert signals["num_stop_words"] == 1
    assert signals["hash_ratio"] == np.float32(1 / 21)
    assert signals["bullet_line_ratio"] == 0.25
    assert signals["ellipsis_line_ratio"] == 0.25
    assert signals["dup_line_frac"] == np.float32(1 / 3)
    assert signals["dup_line_char_frac"] == np.float32(23 / len(text))
    assert signals["dup_5_gram_frac"] == np.float32(14 / len(text))  # "The cat sat on the"
    assert signals["line_punct_ratio"] == 1.0
    assert signals["c4_num_sentences"] == 3


@pytest.mark.parametrize(
    ("text", "signal", "value"),
    [
        ("", "num_words", 0),
        ("", "mean_word_length", math.nan),
        (" \n ", "line_punct_ratio", math.nan),
        ("\n", "dup_line_frac", 0.5),
        ("a b", "top_2_gram_frac", 1.0),
        ("a b", "top_3_gram_frac", 0.0),
        ("a b c a b", "top_2_gram_frac", np.float32(6 / 9)),
        ("x y\n\nx y\n\nz", "dup_para_frac", np.float32(1 / 3)),
        ("one two three lorem IPSUM", "c4_lorem_ipsum", 1),
        ("lorem ipsum", "c4_lorem_ipsum", 0),
        ("if (a) { b c }", "c4_curly_bracket", 1),
        ("enable JavaScript for { this", "c4_curly_bracket", 0),
        ("One two three. Four five! Six?", "c4_num_sentences", 3),
        ("we use cookies. Really. Often.", "c4_num_sentences", 0),
        ("One two[1]. Three [citation needed] four.", "c4_num_sentences", 2),
        ("a b " + "c" * 1001, "c4_num_sentences", 0),
    ],
)
def test_measures_the_edges(text: str, signal: str, value: float) -> None:
    assert measured([text])[signal][0] == pytest.approx(value, nan_ok=True, abs=0)


def test_equals_the_reference_on_prepared_edges() -> None:
    edges = ["", " ", "\n\n", "\r\n", "a\r\n\r\nb", "a\n\n\n\nb", " a\n\n a", "\n\na\n\na\n\n", *PIECES]
    other = WebTextSignals(words="whitespace", c4_terminal_punct=True, c4_min_line_words=1)
    assert_all_as_reference(edges, WebTextSignals())
    assert_all_as_reference(edges, other)


@settings(max_examples=150)
@given(st.lists(texts, max_size=5))
def test_equals_the_reference_on_any_text(texts: list[str]) -> None:
    assert_all_as_reference(texts, WebTextSignals())


@settings(max_examples=60)
@given(
    st.lists(texts, max_size=3),
    st.sampled_from(["unicode", "whitespace"]),
    st.booleans(),
    st.integers(0, 5),
    st.integers(0, 40),
    st.sampled_from([None, "de", "es", "fr", "nl", "pt"]),
    st.booleans(),
)
def test_equals_the_reference_with_any_settings(
    texts: list[str],
    words: str,
    terminal_punct: bool,
    min_line_words: int,
    short_line_chars: int,
    language: str | None,
    words_by_language: bool,
) -> None:
    family = WebTextSignals.model_validate(
        {
            "words": words,
            "c4_terminal_punct": terminal_punct,
            "c4_min_line_words": min_line_words,
            "short_line_chars": short_line_chars,
            "words_by_language": words_by_language,
        }
    )
    assert_all_as_reference(texts, family, language)


@pytest.mark.parametrize(
    ("text", "language", "num_words", "in_english"),
    [
        ("Video-Bearbeitung und 3-4 Tage", "de", 6, 8),
        ("am 3. Mai, 10.6.1. und 2^8", "de", 7, 11),
        ("f(x) und 1/6 in /usr/", "de", 11, 6),
        ("geht's geht’s", "de", 4, 4),
        ("+drei 5+ a+b 1+1", "de", 6, 8),
        ("ISO 8859-15", "es", 2, 4),
        ("dijo—él aquí–allí l’eau", "es", 3, 8),
        ("de pagina's zijn aan/uit 1+1", "nl", 5, 10),
        ("d'água 1954-07-20", "pt", 2, 7),
        ("disse—ele aqui–ali d’água", "pt", 7, 8),
    ],
)
def test_marks_join_or_separate_as_the_language_has_it(
    text: str, language: str, num_words: int, in_english: int
) -> None:
    column = pa.array([text], pa.large_string())
    by_language = measure([WebTextSignals()], column, expected_language=language).signals["num_words"][0]
    alike = WebTextSignals(words_by_language=False)
    as_english = measure([alike], column, expected_language=language).signals["num_words"][0]
    assert (by_language, as_english) == (num_words, in_english)


def test_a_null_text_has_no_signals_and_a_slice_has_its_own() -> None:
    column = pa.array(["skipped", None, "two words"], pa.large_string()).slice(1)
    signals = measure([WebTextSignals()], column).signals
    assert np.isnan([values[0] for values in signals.values()]).all()
    assert signals["num_words"][1] == 2


@given(st.lists(st.none() | texts, min_size=1, max_size=6), st.data())
def test_a_slice_with_nulls_measures_as_each_of_its_texts(
    column_texts: list[str | None], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(column_texts) - 1))
    column = pa.array(column_texts, pa.large_string()).slice(start)
    signals = measure([WebTextSignals()], column).signals
    for row, text in enumerate(column_texts[start:]):
        alone = measured([text])
        for name, values in signals.items():
            assert np.array_equal(values[row], alone[name][0], equal_nan=True), (name, text)


def test_a_huge_line_and_a_huge_word_equal_the_reference() -> None:
    assert_all_as_reference(["x" * 300_000, "ab, " * 3_000, "\n" * 30_000, "é." * 9_000], WebTextSignals())


def test_signals_do_not_depend_on_the_batch() -> None:
    texts = ["One two three. " * n for n in (1, 400, 3, 50)]
    together = measured(list(texts))
    for row, text in enumerate(texts):
        alone = measured([text])
        assert all(np.array_equal(alone[name][0], together[name][row], equal_nan=True) for name in alone)


def test_names_are_stable() -> None:
    assert signal_names([WebTextSignals()])[:4] == (
        "num_words",
        "num_non_symbol_words",
        "mean_word_length",
        "hash_ratio",
    )
    assert list(measured(["x"])) == list(signal_names([WebTextSignals()]))


@pytest.mark.corpus
def test_equals_the_reference_on_real_pages(corpus: Path) -> None:
    french = pq.read_table(corpus / "culturax/fr/fr_part_00000.parquet").column("text")
    english = pq.read_table(corpus / "refinedweb/data/train-00000-of-00004.parquet").column("content")
    columns = [normalize(column.slice(0, 60), code=False) for column in (french, english)]
    texts = [text for column in columns for text in column.to_pylist() if text]
    assert len(texts) > 100
    assert_all_as_reference(texts, WebTextSignals())
