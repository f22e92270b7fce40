"""What texts with unwanted lines are made of, and what the edits of lines have to make of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from reference_lines import Piece, c4_lines, refinedweb_lines

from dataprep.text.edited import Edited
from dataprep.text.lines import C4Lines, RefinedWebLines

PIECES = [
    "a", "the cat sat", "THE", "USA TODAY", "Straße", "слово", "漢字", "ǅ", "12", "3.5", "٣", "½", "²", "_",
    " ", " ", "  ", "\t", "\u00a0", "\u3000", "\n", "\n", "\n\n", ".", "...", "!", "'", '"', "-", "—", "😀",
    "e\u0301", "items in cart", "Items In Cart", "Read more...", "read more…", "Sign-in", "SIGN-IN",
    "sign-in to", "3 likes", "1,024.5K Views", "12 followers", "shares", "\u212a", "7 li\u212aes", "[1]",
    "[]", "[٣]", "[edit]", "[citation needed]", "[", "]", "{", "lorem ipsum", "JavaScript", "java[2]script",
    "use cookies", "Privacy Policy", "x" * 1001,
]  # fmt: skip


def pieces_of(edited: Edited) -> list[list[Piece]]:
    """Return the removed pieces of every text."""
    edited.text.validate(full=True)
    found: list[list[Piece]] = [[] for _ in range(len(edited.text))]
    for row, kind, start, stop in edited.pieces.tolist():
        found[row].append((edited.kinds[kind], start, stop))
    return found


def assert_as_refinedweb(
    edit: RefinedWebLines, column: pa.LargeStringArray, texts: Sequence[str | None]
) -> None:
    """Compare every text, piece and ratio with the reference."""
    edited = edit.apply(column)
    found, made, ratios = pieces_of(edited), edited.text.to_pylist(), edited.signals["removed_word_ratio"]
    assert len(made) == len(ratios) == len(texts)
    for row, text in enumerate(texts):
        if text is None:
            assert made[row] is None
            assert math.isnan(ratios[row])
            assert found[row] == []
            continue
        expected, pieces, share = refinedweb_lines(
            text,
            max_upper=edit.max_upper_ratio,
            max_numeric=edit.max_numeric_ratio,
            min_words=edit.min_words,
            short=edit.short_line_words,
        )
        assert made[row] == expected
        assert found[row] == pieces
        assert ratios[row] == np.float32(share) or (math.isnan(ratios[row]) and math.isnan(share))


def assert_as_c4(edit: C4Lines, column: pa.LargeStringArray, texts: Sequence[str | None]) -> None:
    """Compare every text and piece with the reference."""
    edited = edit.apply(column)
    found, made = pieces_of(edited), edited.text.to_pylist()
    assert len(made) == len(texts)
    for row, text in enumerate(texts):
        if text is None:
            assert made[row] is None
            assert found[row] == []
            continue
        expected, pieces = c4_lines(text, terminal_punct=edit.terminal_punct, min_words=edit.min_words)
        assert made[row] == expected
        assert found[row] == pieces
