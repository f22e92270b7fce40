"""Cutting items out: what goes, what stays, and that no item is left or put together."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.decontamination import (
    ITEM_SCHEMA,
    CutConfig,
    DecontaminationConfig,
    EvaluationSet,
    ItemIndex,
    cut_batch,
    cut_out,
    pieces_by_document,
    pieces_of,
)
from dataprep.text.pieces import BREAK, keep_pieces

ITEM = "the keeper polishes the brass lens on every third evening unless the tide bell rings twice"
SETS = (EvaluationSet(name="quiz", path="quiz.jsonl", fields=("text",)),)


def _index(*items: str, **options) -> ItemIndex:
    table = pa.table([["quiz"] * len(items), [str(k) for k in range(len(items))], items], schema=ITEM_SCHEMA)
    return ItemIndex(table, DecontaminationConfig(sets=SETS, **options))


def _cut(text: str, index: ItemIndex, config: CutConfig) -> str | None:
    """Return what stays of a text, None if it goes as a whole."""
    column = pa.array([text], pa.large_string())
    pieces = cut_out(column, index.find(column), index, config)
    if pieces == {0: ()}:
        return None
    return keep_pieces(column, pieces)[0].as_py()


def _kept(text: str, spans: list[tuple[int, int]], **options: int) -> list[str]:
    data = text.encode()
    config = CutConfig(**{"window_chars": 0, "min_piece_chars": 1, **options})
    return [data[start:stop].decode() for start, stop in pieces_of(data, spans, config)]


def test_pieces_by_hand() -> None:
    assert _kept("aa bb cc dd", [(3, 5)]) == ["aa", "cc dd"]
    assert _kept("aa bb cc dd", [(3, 5)], window_chars=2) == ["dd"], "a window grows to white space"
    assert _kept("aa bb cc dd", [(0, 2), (9, 11)]) == ["bb cc"]
    assert _kept("aa bb cc dd", [(3, 5), (6, 8)]) == ["aa", "dd"], "white space alone is no piece"
    assert _kept("aa bb cccc", [(3, 5)], min_piece_chars=3) == ["cccc"]
    assert _kept("aa bb cc dd", [(0, 11)]) == []
    assert _kept("a x b x c", [(2, 3), (6, 7)], max_pieces=3) == ["a", "b", "c"]
    assert _kept("a x b x c", [(2, 3), (6, 7)], max_pieces=2) == []


def test_windows_are_characters_and_not_bytes() -> None:
    text = "äö " * 100 + "x" + " üß" * 100
    start = len(("äö " * 100).encode())
    assert _kept(text, [(start, start + 1)], window_chars=30) == [text[:270].strip(), text[-270:].strip()]


def test_a_script_without_spaces_is_cut_within_fifty_characters() -> None:
    before, after = _kept("字" * 500, [(600, 603)])
    assert (len(before), len(after)) == (150, 249)


@given(
    st.text(alphabet="ab é字\n", max_size=80),
    st.lists(st.tuples(st.integers(0, 80), st.integers(1, 20)), max_size=4),
    st.integers(0, 9),
)
def test_pieces_and_windows_are_the_whole_text(text: str, places: list[tuple[int, int]], window: int) -> None:
    ends = [len(text[:k].encode()) for k in range(len(text) + 1)]
    spans = [(ends[a], ends[min(a + n, len(text))]) for a, n in places if a < len(text)]
    data = text.encode()
    config = CutConfig(window_chars=window, min_piece_chars=1, max_pieces=99)
    pieces = pieces_of(data, spans, config)
    edges = [edge for piece in pieces for edge in piece]
    assert edges == sorted(set(edges)), "ascending and apart"
    assert not [1 for a, b in pieces for c, d in spans if a < d and c < b]
    cut = data
    for start, stop in reversed(pieces):
        piece = data[start:stop].decode()
        assert piece == piece.strip() != ""
        cut = cut[:start] + cut[stop:]
    longest = sum(d - c for c, d in spans) + len(spans) * 4 * (2 * window + 100)
    assert len("".join(cut.decode().split())) <= longest


def test_an_item_goes_with_its_window_and_the_rest_stays() -> None:
    before, after = "first " * 60, " last" * 60
    found = _cut(before + ITEM.upper() + after, _index(ITEM), CutConfig(window_chars=12, min_piece_chars=20))
    assert found == "first " * 57 + "first" + BREAK + ("last " * 56 + "last")
    assert _cut("short " + ITEM, _index(ITEM), CutConfig()) is None, "nothing of 200 characters is left"


def test_what_is_left_is_searched_again() -> None:
    first, last = "one two three four five six seven", "eight nine ten eleven twelve thirteen fourteen"
    other, text = f"{first} {last}", f"{first} {ITEM} {last}"
    config = CutConfig(window_chars=0, min_piece_chars=1)
    assert _cut(text, _index(ITEM), config) == first + BREAK + last
    assert _cut(text, _index(ITEM, other), config) is None, "it would bring the other item together"


@given(st.lists(st.sampled_from(["item", "x y z", "word " * 30]), max_size=8), st.integers(0, 60))
def test_no_cut_text_holds_an_item(parts: list[str], window: int) -> None:
    text = " ".join(ITEM if part == "item" else part for part in parts)
    index = _index(ITEM)
    left = _cut(text, index, CutConfig(window_chars=window, min_piece_chars=5))
    if left is not None:
        assert index.find(pa.array([left], pa.large_string())) == []
    if "item" not in parts:
        assert left == text


def test_lists_of_cut_documents_are_read_as_they_were_written() -> None:
    pieces = {3: ((0, 4), (9, 12)), 7: ((2, 5),)}
    assert pieces_by_document(cut_batch(list(pieces), list(pieces.values()))) == pieces


def test_only_the_named_rows_are_cut() -> None:
    column = pa.array(["äbc", None, "one two", "x"], pa.large_string())
    assert keep_pieces(column, {}) is column
    assert keep_pieces(column, {2: [(4, 7)], 0: [(0, 2), (3, 4)]}).to_pylist() == ["ä\n\nc", None, "two", "x"]
    assert keep_pieces(column[2:], {0: [(0, 3)]}).to_pylist() == ["one", "x"], "a slice counts from its begin"


@pytest.mark.parametrize("window", [0, 200])
def test_one_long_text_with_many_items_takes_linear_time(window: int) -> None:
    text = (ITEM + " " + "filler words between two of them " * 20) * 2000
    index = _index(ITEM)
    config = CutConfig(window_chars=window, max_pieces=3000)
    left = _cut(text, index, config)
    assert left is not None
    assert left.count(BREAK) >= 1900
