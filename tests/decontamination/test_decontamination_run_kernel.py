"""The kernel that hashes runs of words: every hash, slices, neighbours, megabytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow as pa
import pytest
from any_text import columns, halves, texts_with
from hypothesis import given
from hypothesis import strategies as st

from dataprep.decontamination.word_runs import bitmap_of, every_run, find_runs

Run = tuple[int, int, int, int, int]

MASK = (1 << 64) - 1
# The first 64 bits behind the point of the square roots of 2, 3, 5, 7 and 11, as SHA-512 begins.
START, WORD, RUN, LENGTH, FINAL = (
    0x6A09E667F3BCC908 | 1,
    0xBB67AE8584CAA73B,
    0x3C6EF372FE94F82B,
    0x510E527FADE682D1,
    0xA54FF53A5F1D36F1,
)
PIECES = [
    " ", " ", " ", "a", "The", "TIDE", "bell_9", "é", "ÉCOLE", "ΣΟΦΟΣ", "İx", "K\u212a", "漢字", "٣",
    "\U0001d7d9", "\U00010400", "\u0301", "-", "_", "eightltr", "EightLtr", "nineltrs9", "é" * 4,
]  # fmt: skip


def word_hash(word: str) -> int:
    """Return the hash of a lower-cased word: eight bytes after eight, the last filled up with zeros."""
    data, state = word.encode(), START
    for place in range(0, len(data), 8):
        state = ((state ^ int.from_bytes(data[place : place + 8], "little")) * WORD) & MASK
        state ^= state >> 32
    return state


def run_hash(words: Sequence[str]) -> int:
    """Return the hash of a run: a polynomial in its words' hashes, then mixed with its length."""
    value = 0
    for word in words:
        value = (value * RUN + word_hash(word)) & MASK
    value = ((value ^ len(words)) * LENGTH) & MASK
    value = ((value ^ value >> 32) * FINAL) & MASK
    return value ^ value >> 32


def words_in(text: str) -> list[tuple[int, int, str]]:
    """Return first byte, byte behind and lower-cased form of every word."""
    lowered = [character.lower().replace("ς", "σ") for character in text]  # of İ, two characters
    size = np.cumsum([0, *(len(character.encode()) for character in text)]).tolist()
    origin = [place for place, low in enumerate(lowered) for _ in low]
    found = re.finditer(r"\w+", "".join(lowered))
    return [(size[origin[one.start()]], size[origin[one.end() - 1] + 1], one.group()) for one in found]


def reference(
    texts: Sequence[str | None], lengths: Sequence[int], passes: Callable[[int], bool]
) -> list[Run]:
    """Return (text, words, hash, first byte, byte behind) of every run that passes, by its last word."""
    runs = []
    for row, text in enumerate(texts):
        words = words_in(text or "")
        for last in range(1, len(words) + 1):
            for length in sorted(lengths):
                own = words[last - length : last] if last >= length else []
                hashed = run_hash([word for _, _, word in own])
                if own and passes(hashed):
                    runs.append((row, length, hashed, own[0][0], own[-1][1]))
    return runs


def found(column: pa.LargeStringArray, lengths: Sequence[int], bitmap: np.ndarray) -> list[Run]:
    runs = find_runs(column, lengths, bitmap)
    columns = (runs.texts, runs.lengths, runs.hashes, runs.starts, runs.stops)
    return list(zip(*(values.tolist() for values in columns), strict=True))


def everything(_: int) -> bool:
    return True


@given(columns(texts_with(PIECES, max_pieces=24)), st.sets(st.sampled_from([1, 2, 3, 8, 50]), min_size=1))
def test_slices_have_the_runs_and_hashes_of_the_reference(
    drawn: tuple[pa.LargeStringArray, list[str | None]], lengths: set[int]
) -> None:
    column, texts = drawn
    assert found(column, list(lengths), every_run()) == reference(texts, list(lengths), everything)


@given(columns(texts_with(PIECES)), st.sets(st.integers(0, MASK), max_size=40), st.data())
def test_what_passes_a_bitmap_are_the_runs_both_of_whose_bits_are_set(
    drawn: tuple[pa.LargeStringArray, list[str | None]], others: set[int], data: st.DataObject
) -> None:
    column, texts = drawn
    known = sorted({run[2] for run in reference(texts, [1, 2], everything)})
    hashes = sorted(others | set(data.draw(st.lists(st.sampled_from(known), max_size=3)) if known else set()))
    bitmap = bitmap_of(np.array(hashes, np.uint64))

    assert found(column, [1, 2], bitmap) == reference(texts, [1, 2], bits_are_in(hashes, len(bitmap)))


@pytest.mark.parametrize("num_hashes", [1, 100, 2000])
def test_thousands_of_runs_of_which_some_have_one_of_their_bits(num_hashes: int) -> None:
    random = np.random.default_rng(num_hashes)
    hashes = random.integers(0, MASK, num_hashes, dtype=np.uint64, endpoint=True)
    bitmap, text = bitmap_of(hashes), " ".join(f"w{number}" for number in range(20_000))
    expected = reference([text], [1], bits_are_in(hashes.tolist(), len(bitmap)))
    assert found(pa.array([text], pa.large_string()), [1], bitmap) == expected
    assert len(expected) < 400


def bits_are_in(hashes: Iterable[int], size: int) -> Callable[[int], bool]:
    """Return whether a hash has both of its bits in the bitmap of others: two in one of ``size`` words."""

    def bits(hashed: int) -> set[tuple[int, int]]:
        return {(hashed % size, hashed >> shift & 63) for shift in (52, 58)}

    there = {bit for hashed in hashes for bit in bits(hashed)}
    return lambda hashed: bits(hashed) <= there


def test_no_run_begins_in_one_text_and_ends_in_the_next() -> None:
    texts = halves("the tide bell", "eightltr9", "ÉCOLE漢字", "sixteen_letters_", "K\u212aİx", "é\u0301é")
    column = pa.array(texts, pa.large_string())
    assert found(column, [1, 2, 3], every_run()) == reference(texts, [1, 2, 3], everything)


@pytest.mark.parametrize("behind", ["", "x", "é", " ", "_" * 9])
@pytest.mark.parametrize("letter", ["a", "Z", "é", "İ", "漢", "\U00010400"])
def test_words_of_every_size_around_the_steps_of_eight_bytes(letter: str, behind: str) -> None:
    words = [letter * size for size in range(40)]
    texts = [part for word in words for part in (word, behind, f"a {word}", f"{word}-b", f"a{word}")]
    column = pa.array(["x" * 5, *texts], pa.large_string())[1:]
    assert found(column, [1, 2], every_run()) == reference(texts, [1, 2], everything)


@pytest.mark.parametrize("word", ["a", "word", "eightltr", "nineltrs9", "Größe", "漢字", "\U00010400"])
def test_a_word_of_megabytes_and_megabytes_of_equal_words(word: str) -> None:
    number = 2_000_000 // len(word.encode())
    huge = word * number
    column = pa.array(["x", huge, "y"], pa.large_string())
    assert found(column, [1, 2], every_run()) == reference(["x", huge, "y"], [1, 2], everything)
    size, lowered = len(word.encode()), word.lower()
    runs = find_runs(pa.array([f"{word} " * number], pa.large_string()), [1, 50], every_run())
    starts = np.arange(number) * (size + 1)
    for length in (1, 50):
        own = runs.lengths == length
        assert (runs.starts[own] == starts[: number - length + 1]).all()
        assert (runs.stops[own] == starts[length - 1 :] + size).all()
        assert set(runs.hashes[own].tolist()) == {run_hash([lowered] * length)}


def test_fifty_words_at_a_time_come_round_the_ring() -> None:
    text = " ".join(f"w{number}" for number in range(300))
    lengths = [1, 49, 50]
    assert found(pa.array([text]).cast(pa.large_string()), lengths, every_run()) == reference(
        [text], lengths, everything
    )


def test_no_texts_and_no_words() -> None:
    for texts in ([], [""], [None], ["", " \u2028 ", "\x00", "\U0010ffff"]):
        assert found(pa.array(texts, pa.large_string()), [1], every_run()) == []
