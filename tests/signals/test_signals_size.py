"""Characters of a text, all and visible."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from any_text import columns, halves, texts_with
from hypothesis import given

from dataprep.signals import SizeSignals, measure
from dataprep.signals.size import count_characters
from dataprep.text.buffers import utf8_buffers
from dataprep.text.characters import character_table

SPACES = "".join(chr(c) for c in range(0x3001) if chr(c).isspace())


def counted(column: pa.LargeStringArray) -> list[tuple[int, int]]:
    """Return what the kernel counts in every text, also where that is null."""
    buffers, table = utf8_buffers(column), character_table()
    out = np.full((2, len(column)), -1, np.int64)
    count_characters(buffers.data, buffers.offsets, table.first, table.blocks, out)
    return list(zip(*out.tolist(), strict=True))


def expected(text: str) -> tuple[int, int]:
    """The slow reference: Python's own characters and white space."""
    return len(text), sum(not character.isspace() for character in text)


@given(columns(texts_with([*SPACES, " \n ", "word", "漢字", "e\u0301"])))
def test_counts_characters(drawn: tuple[pa.LargeStringArray, list[str | None]]) -> None:
    column, texts = drawn
    signals = measure([SizeSignals()], column).signals
    for row, text in enumerate(texts):
        got = [signals[name][row] for name in ("num_chars", "num_visible_chars")]
        if text is None:
            assert np.isnan(got).all()
        else:
            assert counted(column)[row] == expected(text)
            assert got == [np.float32(count) for count in expected(text)]


def test_every_space_counts_as_a_space() -> None:
    signals = measure([SizeSignals()], pa.array([SPACES, SPACES + "x"], pa.large_string())).signals
    assert signals["num_visible_chars"].tolist() == [0, 1]
    assert signals["num_chars"].tolist() == [len(SPACES), len(SPACES) + 1]


def test_a_character_is_counted_in_its_own_text() -> None:
    texts = halves("é\u3000漢\u2028😀\u1680\U0010ffff", " \x00\x85\u0301 ")
    assert counted(pa.array(texts, pa.large_string())) == [expected(text) for text in texts]


def test_no_texts_and_empty_texts() -> None:
    assert counted(pa.array([], pa.large_string())) == []
    assert counted(pa.array(["", "", "x"], pa.large_string()).slice(0, 2)) == [(0, 0), (0, 0)]


@pytest.mark.parametrize("piece", ["x", "\n", "é ", "\u2028", "漢", "😀\u3000", "a" * 63 + "\u0085"])
def test_megabytes_are_counted_like_lines(piece: str) -> None:
    text = piece * (3_000_000 // len(piece.encode()))
    assert counted(pa.array(["é" + text, text, "\u3000"], pa.large_string())) == [
        expected("é" + text),
        expected(text),
        (1, 0),
    ]
