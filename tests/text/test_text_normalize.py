"""Normalisation: hand-written cases, then equality with a slow reference on any text."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dataprep.errors import BadInputError
from dataprep.text.normalize import compose, normalize

#: All planes, with the characters that mean something here far more often than by chance.
TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from(
            "\r\n\t\v\f\0\x1b\x7f\x85\x9f\u2028\u2029\ufeff\u200b\u0301\u0323e\u212b\u1100\u1161\u11a8"
        ),
    ),
    max_size=60,
)


def reference(text: str, *, code: bool) -> str:
    """Normalise one text, slowly and obviously."""
    if code:
        return re.sub("\r\n?", "\n", text.replace("\0", ""))
    line_ends = "\v\f\x85\u2028\u2029"
    kept = "".join(c for c in text if c in "\t\n\r" + line_ends or unicodedata.category(c) != "Cc")
    kept = kept.lstrip("\ufeff")
    kept = re.sub("\r\n?", "\n", kept)
    for end in line_ends:
        kept = kept.replace(end, "\n")
    return unicodedata.normalize("NFC", kept)


def one(text: str, *, code: bool = False) -> str:
    value: str = normalize(pa.array([text], pa.large_string()), code=code)[0].as_py()
    return value


@pytest.mark.parametrize(
    ("raw", "prose", "code"),
    [
        ("plain text\n", "plain text\n", "plain text\n"),
        ("a\r\nb\rc", "a\nb\nc", "a\nb\nc"),
        ("a\r\r\nb", "a\n\nb", "a\n\nb"),
        ("a\0b", "ab", "ab"),
        ("a\x07\x1bb\tc", "ab\tc", "a\x07\x1bb\tc"),
        ("a\x0bb\x0cc", "a\nb\nc", "a\x0bb\x0cc"),
        ("a\x85b\u2028c\u2029d", "a\nb\nc\nd", "a\x85b\u2028c\u2029d"),
        ("\ufeffa\ufeffb", "a\ufeffb", "\ufeffa\ufeffb"),
        ("e\u0301", "\u00e9", "e\u0301"),
        ("\u212b", "\u00c5", "\u212b"),
        ("a\u200bb", "a\u200bb", "a\u200bb"),
        ("", "", ""),
    ],
)
def test_what_becomes_of_each_character(raw, prose, code):
    assert one(raw) == prose
    assert one(raw, code=True) == code


@given(TEXT, st.booleans())
@example("\r\0\nx", True)
@example("\x01\ufeff\ufeffx", False)
@example("a\0\u0301", False)
def test_every_text_equals_the_reference(text, code):
    assert one(text, code=code) == reference(text, code=code)


@given(TEXT, st.booleans())
def test_normalising_twice_changes_nothing_more(text, code):
    once = one(text, code=code)
    assert one(once, code=code) == once


@given(st.lists(st.none() | TEXT, max_size=8), st.integers(0, 3))
def test_rows_stay_where_they_are_and_nulls_null(texts, skipped):
    column = pa.array(texts, pa.large_string()).slice(min(skipped, len(texts)))
    expected = [None if t is None else reference(t, code=False) for t in column.to_pylist()]
    assert normalize(column, code=False).to_pylist() == expected


def test_ordinary_strings_and_chunks_are_accepted():
    chunked = pa.chunked_array([["a\r\n"], [], ["b"]], pa.string())
    assert normalize(chunked, code=False).to_pylist() == ["a\n", "b"]


def test_a_clean_column_is_not_copied():
    column = pa.array(["one line\n", "caf\u00e9"], pa.large_string())
    assert normalize(column, code=False) is column
    assert compose(column) is column


def test_compose_touches_nothing_but_composition():
    assert compose(pa.array(["e\u0301\r\n\0", None], pa.large_string())).to_pylist() == ["\u00e9\r\n\0", None]


def test_a_long_text_without_an_edit_is_as_long_afterwards():
    text = "word " * 600_000 + "end\r"
    assert one(text) == text[:-1] + "\n"


def test_invalid_utf8_never_reaches_a_kernel():
    bad = pa.LargeStringArray.from_buffers(
        1, pa.array([0, 2], pa.int64()).buffers()[1], pa.py_buffer(b"\xff\xfe")
    )
    with pytest.raises(BadInputError, match="not valid UTF-8"):
        normalize(bad, code=False)
