"""When a document holds an item: one shared run, or a share of the item's runs."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dataprep.decontamination import ITEM_SCHEMA, DecontaminationConfig, ItemIndex
from dataprep.decontamination.matching import words_of

SETS = [{"name": "quiz", "path": "quiz.jsonl", "fields": ["question"]}]
ALPHABET = "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar"


def _config(**options: Any) -> DecontaminationConfig:
    return DecontaminationConfig.model_validate({"sets": SETS, **options})


def _items(*texts: str) -> pa.Table:
    names = [str(number) for number in range(len(texts))]
    return pa.table([["quiz"] * len(texts), names, pa.array(texts, pa.large_string())], schema=ITEM_SCHEMA)


def _found(items: pa.Table, *texts: str, **options: Any) -> list[tuple[int, int, str, int, int]]:
    matches = ItemIndex(items, _config(**options)).find(pa.array(texts, pa.large_string()))
    return [(one.text, one.item, one.rule, one.num_runs, one.of_runs) for one in matches]


def _words(first: int, last: int) -> str:
    return " ".join(ALPHABET.split()[first:last])


def test_one_run_of_thirteen_words_is_enough() -> None:
    item = _items(ALPHABET)  # 15 words: 3 runs of 13
    assert _found(item, f"He said: {_words(1, 14).upper()}!") == [(0, 0, "ngram", 1, 3)]
    assert _found(item, _words(0, 12)) == [], "12 words are no run"
    assert _found(item, "", ALPHABET, ALPHABET + " " + ALPHABET) == [
        (1, 0, "ngram", 3, 3),
        (2, 0, "ngram", 3, 3),
    ]


def test_words_in_another_order_are_no_run() -> None:
    assert _found(_items(ALPHABET), " ".join(sorted(ALPHABET.split(), reverse=True))) == []


def test_a_share_of_the_runs_of_eight_words() -> None:
    item = _items(_words(0, 14))  # 7 runs of 8; 70 % of them are 4.9
    rule = {"ngram": None, "overlap": {"ngram": 8, "min_share": 0.7}}
    assert _found(item, _words(0, 12), **rule) == [(0, 0, "overlap", 5, 7)]
    assert _found(item, _words(0, 11), **rule) == []
    apart = f"{_words(0, 9)} -- something else -- {_words(4, 14)}"
    assert _found(item, apart, **rule) == [(0, 0, "overlap", 5, 7)], "runs may lie apart"


def test_a_share_that_is_a_whole_number_of_runs_is_reached() -> None:
    item = _items(_words(0, 15))  # 10 runs of 6; 0.7 of 10 is 7 and not a little more
    rule = {"ngram": None, "overlap": {"ngram": 6, "min_share": 0.7}}
    assert _found(item, _words(0, 12), **rule) == [(0, 0, "overlap", 7, 10)]
    assert _found(item, _words(0, 11), **rule) == []


def test_both_rules_at_once() -> None:
    rules = {"ngram": 13, "overlap": {}}
    assert _found(_items(ALPHABET), ALPHABET, **rules) == [(0, 0, "ngram", 3, 3), (0, 0, "overlap", 8, 8)]


def test_a_short_item_is_looked_for_as_a_whole() -> None:
    items = _items(_words(0, 9), _words(0, 7), "")
    assert _found(items, f"x {_words(0, 9)} y") == [(0, 0, "ngram", 1, 1)]
    assert _found(items, _words(0, 8)) == [], "7 words are fewer than min_words, and are not looked for"
    assert _found(items, f"x {_words(0, 7)} y", min_words=7) == [(0, 1, "ngram", 1, 1)]
    index = ItemIndex(items, _config())
    assert (index.num_words.tolist(), index.is_searched.tolist()) == ([9, 7, 0], [True, False, False])


def test_nothing_to_look_for_finds_nothing() -> None:
    assert _found(_items("too short", ""), "too short") == []


def test_spans_are_bytes_of_the_text() -> None:
    text = f"Größe… {_words(0, 13)}; {_words(0, 2)} “{_words(2, 15)}”"
    (match,) = ItemIndex(_items(ALPHABET), _config()).find(pa.array([text], pa.large_string()))
    data = text.encode()
    assert [data[start:stop].decode() for start, stop in match.spans] == [
        _words(0, 13),
        f"{_words(0, 2)} “{_words(2, 15)}",
    ]


def test_items_that_share_runs_are_both_found() -> None:
    items = _items(ALPHABET, _words(0, 13) + " zulu")
    assert [found[1] for found in _found(items, _words(0, 13))] == [0, 1]


def test_hashes_that_collide_are_no_match() -> None:
    index = ItemIndex(_items(ALPHABET), _config())
    # The words of another item under the same hash: what a collision would look like.
    index._text = pa.array([ALPHABET.replace("lima", "zulu")], pa.large_string())
    assert index.find(pa.array([ALPHABET], pa.large_string())) == []


_SENTENCES = st.lists(st.sampled_from(["a", "b", "C,", "d.", "É"]), max_size=14).map(" ".join)


@given(st.lists(_SENTENCES, min_size=1, max_size=4), st.lists(_SENTENCES, max_size=4), st.booleans())
def test_matches_are_those_of_the_definition(items: list[str], texts: list[str], share: bool) -> None:
    rule = {"ngram": None, "overlap": {"ngram": 3, "min_share": 0.5}} if share else {"ngram": 3}
    expected = []
    for row, text in enumerate(texts):
        for number, item in enumerate(items):
            size = min(3, len(words_of(item)))
            if size < 2:
                continue
            own, there = _runs(item, size), _runs(text, size)
            enough = max(1, -(-len(own) // 2)) if share else 1
            if len(own & there) >= enough:
                expected.append((row, number, "overlap" if share else "ngram", len(own & there), len(own)))
    assert _found(_items(*items), *texts, min_words=2, **rule) == expected


def _runs(text: str, size: int) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ngram": None}, "no rule is left"),
        ({"sets": []}, "at least 1 item"),
        ({"sets": SETS * 2}, "names must differ"),
        ({"ngram": 51}, "less than or equal to 50"),
        ({"action": "mask"}, "'remove', 'cut' or 'report'"),
        ({"cut": {}}, "is for action: cut"),
        ({"action": "cut", "cut": {"max_pieces": 0}}, "greater than or equal to 1"),
        ({"sets": [{"name": "x", "fields": ["q"]}]}, "give either path or hub"),
        ({"sets": [{"name": "x", "path": "p", "config": "c", "fields": ["q"]}]}, "are for sets on the hub"),
        ({"overlap": {"min_share": 0}}, "greater than 0"),
    ],
)
def test_a_config_that_means_nothing_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _config(**options)
