"""Runs of words: what the kernel finds is what a regular expression and a window find."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.decontamination.matching import words_of
from dataprep.decontamination.word_runs import bitmap_of, every_run, find_runs


def _column(texts: list[str | None]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


def _reference(text: str, lengths: list[int]) -> list[tuple[int, int, int, list[str]]]:
    """Return (length, start byte, stop byte, words) of every run, in the order of its last word."""
    lowered, origin = [], []
    for place, character in enumerate(text):
        # Character by character, since lower-casing İ gives two; the final sigma is folded anyway.
        for low in character.lower().replace("ς", "σ"):
            lowered.append(low)
            origin.append(place)
    origin.append(len(text))
    words = []
    for found in re.finditer(r"\w+", "".join(lowered)):
        start, stop = origin[found.start()], origin[found.end() - 1] + 1
        words.append((len(text[:start].encode()), len(text[:stop].encode()), found.group()))
    runs = []
    for last in range(len(words)):
        for length in sorted(lengths):
            if last + 1 >= length:
                own = words[last + 1 - length : last + 1]
                runs.append((length, own[0][0], own[-1][1], [word for _, _, word in own]))
    return runs


def test_a_run_is_as_many_words_whatever_stands_between_them() -> None:
    runs = find_runs(_column(["The tide\n bell -- RINGS twice_now."]), [2, 4], every_run())
    text = b"The tide\n bell -- RINGS twice_now."
    found = [(int(n), text[a:b]) for n, a, b in zip(runs.lengths, runs.starts, runs.stops, strict=True)]
    assert found == [
        (2, b"The tide"),
        (2, b"tide\n bell"),
        (2, b"bell -- RINGS"),
        (4, b"The tide\n bell -- RINGS"),
        (2, b"RINGS twice_now"),
        (4, b"tide\n bell -- RINGS twice_now"),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße naïve ÉCOLE", "straße, NAÏVE (école)"),
        ("ΟΔΟΣ ΟΔΥΣΣΕΥΣ", "οδος οδυσσευς"),
        ("İstanbul x", "i stanbul x"),
        ("\N{KELVIN SIGN}elvin unit", "kelvin UNIT"),
        ("exactly8 sixteenletters_x", "EXACTLY8\tSIXTEENLETTERS_X"),
    ],
)
def test_case_and_punctuation_do_not_change_a_hash(one: str, other: str) -> None:
    assert words_of(one) == words_of(other)
    first, second = (find_runs(_column([text]), [2], every_run()) for text in (one, other))
    assert first.hashes.tolist() == second.hashes.tolist()


def test_runs_do_not_cross_texts_and_nulls_have_none() -> None:
    runs = find_runs(_column(["a b", None, "", "c d"]), [2], every_run())
    assert runs.texts.tolist() == [0, 3]
    sliced = _column(["x y", "a b", "c d e"]).slice(1)
    assert find_runs(sliced, [2], every_run()).texts.tolist() == [0, 1, 1]


_TEXTS = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.text(alphabet="aB_9 é-ΣςİK漢", max_size=80),
        st.text(alphabet="abcdefgh ", min_size=20, max_size=120),
    ),
    max_size=6,
)


@given(_TEXTS, st.sets(st.sampled_from([1, 2, 3, 5, 13]), min_size=1))
def test_runs_are_those_of_the_reference(texts: list[str], lengths: set[int]) -> None:
    runs = find_runs(_column(texts), sorted(lengths), every_run())
    expected = [(row, *run) for row, text in enumerate(texts) for run in _reference(text, sorted(lengths))]
    found = list(zip(runs.texts.tolist(), runs.lengths.tolist(), runs.starts.tolist(), runs.stops.tolist()))
    assert found == [(row, n, start, stop) for row, n, start, stop, _ in expected]
    # One hash for the same words, different hashes for different words.
    of_words = {}
    for value, (_, _, _, _, words) in zip(runs.hashes.tolist(), expected, strict=True):
        assert of_words.setdefault(tuple(words), value) == value
    assert len(set(of_words.values())) == len(of_words)


@given(st.sets(st.integers(0, (1 << 64) - 1), max_size=300), _TEXTS)
def test_a_bitmap_lets_what_it_was_made_of_pass(others: set[int], texts: list[str]) -> None:
    column = _column(texts)
    runs = find_runs(column, [2], every_run())
    wanted = runs.hashes[::2]
    bitmap = bitmap_of(np.concatenate([wanted, np.array(sorted(others), np.uint64)]))
    passed = set(find_runs(column, [2], bitmap).hashes.tolist())
    assert set(wanted.tolist()) <= passed <= set(runs.hashes.tolist())


def test_more_runs_than_there_was_room_for_are_all_returned() -> None:
    text = " ".join(f"w{number}" for number in range(5000))
    runs = find_runs(_column([text]), [1, 3], every_run())
    assert len(runs) == 5000 + 4998


def test_a_bitmap_stops_nearly_all_else() -> None:
    words = " ".join(f"w{number}" for number in range(20_000))
    bitmap = bitmap_of(np.arange(1, 1001, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    assert len(find_runs(_column([words]), [13], bitmap)) < 400, "2 % of 20,000"
