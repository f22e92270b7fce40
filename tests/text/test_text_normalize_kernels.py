"""The kernels of normalisation on slices, beside other texts, at the edges of their steps, on megabytes."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from any_text import columns, halves, texts_with
from hypothesis import given
from reference_normalize import prose, source_code

from dataprep.text.composition import compose
from dataprep.text.normalize import normalize

PIECES = [
    "\r\n", "\r\r\n", "\n", "\x85", "\u2028", "\ufeff", "\ufeff\ufeff", "\x07\ufeff", "\x00", "\x7f", "plain",
    "e\u0301", "\u0301\u0323", "\u1100\u1161\u11a8", "\u212b", "\u0958", "\U0001d15e", "\U0002f800", "Größe",
]  # fmt: skip


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def assert_as_reference(column: pa.LargeStringArray, texts: list[str | None]) -> None:
    made = {
        prose: normalize(column, code=False),
        source_code: normalize(column, code=True),
        nfc: compose(column),
    }
    for reference, result in made.items():
        result.validate(full=True)
        assert result.to_pylist() == [None if text is None else reference(text) for text in texts]


@given(columns(texts_with(PIECES)))
def test_slices_of_columns_equal_the_reference(drawn: tuple[pa.LargeStringArray, list[str | None]]) -> None:
    assert_as_reference(*drawn)


def test_what_only_two_texts_together_hold_is_not_seen() -> None:
    texts = halves(
        "\r\n", "a\r\n\r\nb", "e\u0301\u0323", "\u1100\u1161\u11a8", "\ufeff\ufeffx", "\x00\ufeff\x85é"
    )
    assert_as_reference(pa.array(texts, pa.large_string()), list(texts))


@pytest.mark.parametrize("mark", ["\r", "\r\n", "\x00", "\u2028", "\x85", "e\u0301", "\U0001d15e", "é", "漢"])
def test_a_mark_at_every_place_of_the_steps_of_64_bytes(mark: str) -> None:
    texts = [f"{'a' * size}{mark}{'b' * more}" for size in range(130) for more in (0, 1, 63)]
    assert_as_reference(pa.array(texts, pa.large_string()), list(texts))
    assert_as_reference(pa.array(["x" * 37, *texts], pa.large_string())[1:], list(texts))


@pytest.mark.parametrize(
    "piece",
    ["a", "\r\n", "\r", "\x00", "\ufeff", "e\u0301", "漢字", "😀", "a" * 63 + "\u2028", "\u1100\u1161"],
)
def test_megabytes_of_one_line_equal_the_reference(piece: str) -> None:
    text = piece * (3_000_000 // len(piece.encode()))
    assert_as_reference(pa.array(["\r", text, "\n" + text], pa.large_string()), ["\r", text, "\n" + text])


def test_no_texts_and_empty_texts() -> None:
    assert_as_reference(pa.array([], pa.large_string()), [])
    assert_as_reference(pa.array(["", "\r", ""], pa.large_string()).slice(2), [""])
    assert_as_reference(pa.array(["", None, "\r"], pa.large_string()).slice(0, 2), ["", None])
