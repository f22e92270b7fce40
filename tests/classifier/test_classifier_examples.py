"""Examples: no copy, nothing that both classes have, one side for each line, whatever the order."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.classifier import Counts, Examples, collect_examples
from dataprep.text.single_line import single_line


def _collect(
    positive: list[str | None], negative: list[str | None], folder: Path, *, seed: int = 1, **options
) -> Examples:
    settings = {"held_out": 0.5, "max_chars": 1000, "lower_case": False, **options}
    return collect_examples(positive, negative, folder=str(folder), seed=seed, **settings)


def test_every_text_is_counted_once(tmp_path: Path) -> None:
    positive = ["a", None, " \n", "b", "a", "both", "c\nd", "c d"]
    found = _collect(positive, ["both", "e", "both"], tmp_path)
    one, other = found.counts
    assert (one.texts, one.null, one.empty, one.copies, one.in_both) == (8, 1, 1, 2, 1)
    assert one.train + one.held_out == 3
    assert other == Counts(3, 0, 0, 0, 2, other.train, other.held_out)
    assert other.train + other.held_out == 1
    lines = sorted([*found.train(), *found.held_out()])
    assert lines == [(False, b"e"), (True, b"a"), (True, b"b"), (True, b"c d")]


lines = st.lists(st.one_of(st.none(), st.text(max_size=6)), max_size=40)


@given(lines, lines, st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(tmp_path_factory, positive, negative, draw) -> None:
    folder = tmp_path_factory.mktemp("lines")
    first = _collect(positive, negative, folder)
    train, held_out = list(first.train()), list(first.held_out())
    texts = {
        kind: {single_line(t).encode() for t in some if t is not None and t.strip()}
        for kind, some in ((True, positive), (False, negative))
    }
    assert not {line for _, line in train} & {line for _, line in held_out}
    assert len(train) + len(held_out) == len({*train, *held_out}), "no line comes twice"
    for kind, counts in zip((True, False), first.counts, strict=True):
        left_out = counts.null + counts.empty + counts.copies + counts.in_both
        assert left_out + counts.train + counts.held_out == counts.texts
        assert counts.train == sum(one is kind for one, _ in train)
        assert counts.train + counts.held_out <= len(texts[kind])
    shuffled = [*positive, *positive]
    draw.shuffle(shuffled)
    again = _collect(shuffled, negative[::-1], folder)
    assert list(again.train()) == train
    assert list(again.held_out()) == held_out


def test_the_share_is_met_and_the_classes_are_mixed(tmp_path: Path) -> None:
    positive, negative = ([f"{name} {k}" for k in range(2000)] for name in ("good", "bad"))
    found = _collect(positive, negative, tmp_path, held_out=0.2)
    assert [one.held_out / 2000 for one in found.counts] == [pytest.approx(0.2, abs=0.03)] * 2
    classes = [one for one, _ in found.train()]
    changes = sum(a != b for a, b in itertools.pairwise(classes))
    assert changes > 0.4 * len(classes), "fastText learns in the order of its file"
    other = _collect(positive, negative, tmp_path, held_out=0.2, seed=2)
    assert set(other.held_out()) != set(found.held_out())


def test_lines_are_prepared_as_documents_are(tmp_path: Path) -> None:
    text = "\ufeffE\u0301 One\r\nTwo __label__negative </s> behind" + "x" * 100
    found = _collect([text], ["n"], tmp_path, lower_case=True, max_chars=40)
    (line,) = (line.decode() for one, line in [*found.train(), *found.held_out()] if one)
    assert line == "\u00e9 one two __label_ negative < /s> behindx"


@pytest.mark.parametrize("text", ["__LABEL__x", "a __label__", "__label____label__", "x</S>", "</s></s>"])
def test_no_text_holds_a_word_of_fasttext_s_own(text: str) -> None:
    for lower_case in (False, True):
        line = single_line(text, lower_case=lower_case)
        assert "__label__" not in line
        assert "</s>" not in line


@given(st.text(max_size=50))
def test_one_line_stays_one_line(text: str) -> None:
    line = single_line(text)
    assert len(line.splitlines()) <= 1
    assert single_line(line) == line
