"""Encoding and decoding: every document's ids are the reference's, and text never forges a special id."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from tokenizers_texts import SPECIAL_LOOKING, TRAINING_TEXTS, texts

from dataprep.errors import ArtifactError, ConfigError
from dataprep.tokenizers import (
    NEOX,
    Tokenizer,
    load_recorded_tokenizer,
    load_tokenizer,
    record_tokenizer,
    strip_tags,
    train_demo_vocabulary,
)
from dataprep.tokenizers.encoder import FastEncoder, resident_bytes
from dataprep.tokenizers.formats import parse_ranks
from dataprep.tokenizers.specs import CODE_TAGS


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """A demo vocabulary: Arcade100k's rules without its ranks."""
    path = tmp_path_factory.mktemp("demo") / "arcade-demo.tiktoken"
    train_demo_vocabulary(TRAINING_TEXTS, str(path), 600)
    return load_tokenizer("arcade-demo", vocab_path=str(path))


@pytest.fixture(scope="session")
def arcade(vocab: Path) -> Tokenizer:
    return load_tokenizer("arcade100k", vocab_path=str(vocab))


@pytest.fixture(scope="session")
def neox(vocab: Path) -> Tokenizer:
    return load_tokenizer("neox", vocab_path=str(vocab))


def large(values: Sequence[str]) -> pa.LargeStringArray:
    return pa.array(values, pa.large_string())


def encode(tokenizer: Tokenizer, values: Sequence[str], *, allow_tags: bool = False) -> list[list[int]]:
    offsets, ids = tokenizer.encode_batch(large(values), allow_tags=allow_tags)
    assert (offsets.dtype, ids.dtype) == (np.int64, np.uint32)
    return [ids[start:stop].tolist() for start, stop in pairwise(offsets)]


def reference(tokenizer: Tokenizer, values: Sequence[str], *, allow_tags: bool = False) -> list[list[int]]:
    return [list(tokenizer.reference.encode(value, allow_tags=allow_tags)) for value in values]


# --- by example ------------------------------------------------------------------------------


@pytest.mark.vocab
def test_arcade100k_by_example(arcade):
    assert encode(arcade, ["hello world", "", " 2023"]) == [[15339, 1917], [], [220, 17, 15, 17, 18]]


@pytest.mark.vocab
def test_neox_by_example(neox):
    """Runs of 2 to 24 spaces are added tokens, counted down from the longest."""
    assert encode(neox, ["hello world", "x" + " " * 24 + "y"]) == [[25521, 1533], [89, 50254, 90]]


@pytest.mark.vocab
@pytest.mark.parametrize("allow_tags", [False, True])
def test_end_of_text_in_text_is_text(arcade, neox, allow_tags):
    for tokenizer in (arcade, neox):
        (ids,) = encode(tokenizer, ["a<|endoftext|>b"], allow_tags=allow_tags)
        assert tokenizer.spec.eos_id not in ids
        assert tokenizer.decode(ids) == "a<|endoftext|>b"


@pytest.mark.vocab
def test_tags_become_ids_only_where_allowed(arcade):
    text = "<reponame>a/b<filename>c.py<gh_stars>1-10\nx = 1 # <fim_prefix> <|fim_prefix|>"
    (tagged,) = encode(arcade, [text], allow_tags=True)
    (plain,) = encode(arcade, [text])
    assert [i for i in tagged if i >= 100257] == [100275, 100263, 100262]
    assert max(plain) < 100257
    assert arcade.decode(tagged) == arcade.decode(plain) == text


@pytest.mark.vocab
def test_neox_has_no_tags_so_they_stay_text(neox):
    text = "<filename>c.py"
    assert encode(neox, [text], allow_tags=True) == encode(neox, [text])


def test_code_is_brought_to_nfc_like_prose(demo):
    """Ingest leaves code as it is; the models' tokenizer classes normalise everything."""
    assert encode(demo, ["# e\u0301"]) == encode(demo, ["# \u00e9"])


def test_digits_stand_alone(demo):
    (ids,) = encode(demo, ["20232023"])
    assert [demo.decode([i]) for i in ids] == list("20232023")


# --- properties ------------------------------------------------------------------------------


@settings(max_examples=100)
@given(value=texts)
def test_demo_ids_are_the_references(demo, value):
    for allow_tags in (False, True):
        assert encode(demo, [value], allow_tags=allow_tags) == reference(demo, [value], allow_tags=allow_tags)


@pytest.mark.vocab
@settings(max_examples=100)
@given(value=texts)
def test_arcade100k_ids_are_the_references(arcade, value):
    for allow_tags in (False, True):
        assert encode(arcade, [value], allow_tags=allow_tags) == reference(
            arcade, [value], allow_tags=allow_tags
        )


@pytest.mark.vocab
@settings(max_examples=100)
@given(value=texts)
def test_neox_ids_are_the_references(neox, value):
    assert encode(neox, [value]) == reference(neox, [value])


@settings(max_examples=100)
@given(value=texts)
def test_decoding_gives_the_normalised_text_back(demo, value):
    for allow_tags in (False, True):
        (ids,) = encode(demo, [value], allow_tags=allow_tags)
        assert demo.decode(ids) == unicodedata.normalize("NFC", value)


@settings(max_examples=60)
@given(value=texts)
def test_no_special_id_comes_from_text(demo, value):
    tags = {demo.spec.special_tokens[tag] for tag in CODE_TAGS}
    special = set(demo.spec.special_tokens.values())
    (plain,) = encode(demo, [value])
    (tagged,) = encode(demo, [value], allow_tags=True)
    assert not special & set(plain)
    assert not (special - tags) & set(tagged)


def test_every_special_looking_string_is_tried(demo):
    """Guards the property above against vacuity: each string alone, between words, and repeated."""
    special = set(demo.spec.special_tokens.values())
    for name in SPECIAL_LOOKING:
        values = [name, f"a {name} b", name * 3]
        assert not special & {i for ids in encode(demo, values) for i in ids}
        found = {i for ids in encode(demo, values, allow_tags=True) for i in ids} & special
        assert found == ({demo.spec.special_tokens[name]} if name in CODE_TAGS else set())


def test_a_batch_is_its_documents_one_by_one(demo):
    """Slices, empty texts and neighbours change nothing."""
    values = ["", "one", "", "", "two  three", "<filename>", ""] * 3
    expected = [encode(demo, [value])[0] for value in values]
    assert encode(demo, values) == expected
    offsets, ids = demo.encode_batch(large(values).slice(4, 9), allow_tags=False)
    assert [ids[a:b].tolist() for a, b in pairwise(offsets)] == expected[4:13]
    assert encode(demo, []) == []


# --- decoding --------------------------------------------------------------------------------


@pytest.mark.vocab
def test_special_ids_are_decoded_by_name(arcade, neox):
    assert arcade.decode(np.array([15339, 100257, 100275], np.uint32)) == "hello<|endoftext|><reponame>"
    assert neox.decode([25521, 0, 1, 50276]) == "hello<|endoftext|><|padding|>  "


@pytest.mark.vocab
def test_half_a_character_is_decoded_as_a_replacement(arcade):
    (ids,) = encode(arcade, ["𝒳"])
    assert len(ids) > 1
    assert "\ufffd" in arcade.decode(ids[:1])


@pytest.mark.vocab
@pytest.mark.parametrize("bad", [100_256, 100_289, -1])
def test_an_id_that_stands_for_nothing_is_named(arcade, bad):
    with pytest.raises(ArtifactError, match=rf"token id {bad} stands for nothing in 'arcade100k'"):
        arcade.decode([15339, bad])


# --- stripping tags --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("<reponame>a/b<filename>c.py<gh_stars>1-10\nx", "a/b\nc.py\n1-10\nx"),
        ("<issue_start><issue_comment>u: hi<issue_closed>", "u: hi\n"),
        ("code\n<jupyter_output>1\n", "code\n1\n"),
        ("no tags <fim_prefix> <|endoftext|>", "no tags <fim_prefix> <|endoftext|>"),
        ("", ""),
    ],
)
def test_tags_become_line_breaks(text, stripped):
    assert strip_tags(large([text, "other"])).to_pylist() == [stripped, "other"]


def test_stripped_text_has_no_tags_left():
    text = "".join(f"{tag}x{tag}{tag}\n{tag}" for tag in CODE_TAGS)
    (stripped,) = strip_tags(large([text])).to_pylist()
    assert not any(tag in stripped for tag in CODE_TAGS)
    assert stripped.count("x") == len(CODE_TAGS)


# --- one tokenizer for each process, and its memory ---------------------------------------------


def test_a_process_has_one_tokenizer(demo):
    assert load_tokenizer("arcade-demo", vocab_path=demo.vocabulary.path) is demo


def test_threads_may_share_a_tokenizer(demo):
    values = [f"{text} {i}" for i, text in enumerate(TRAINING_TEXTS * 20)]
    expected = encode(demo, values)
    results: list[list[list[int]]] = []
    threads = [threading.Thread(target=lambda: results.append(encode(demo, values))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


@pytest.mark.skipif(resident_bytes() == 0, reason="this system does not tell a process its size")
def test_the_cache_of_words_is_bounded(demo):
    """100 MB of words that never repeat; unbounded, gigatoken's cache takes ten times the limit."""
    builds = []
    limit = 64 << 20

    def build():
        import gigatoken

        builds.append(1)
        return gigatoken.Tokenizer.from_tiktoken(demo.vocabulary.path, "qwen2", None).backend

    encoder = FastEncoder(build, max_cache_bytes=limit)
    rng = np.random.default_rng(1)
    before = resident_bytes()
    peak = 0
    for _ in range(25):
        letters = rng.integers(97, 123, size=4 << 20, dtype=np.uint8)
        letters[::9] = 32
        encoder.encode(large([letters.tobytes().decode()]))
        peak = max(peak, resident_bytes() - before)
    assert encoder.num_rebuilds == len(builds) - 1 >= 1
    # The check comes every 8 MB of text, and a table that is full doubles, so the limit is passed a little.
    assert peak < 256 << 20


# --- the vocabulary that is kept with a build -------------------------------------------------


def test_a_build_keeps_its_vocabulary(demo, tmp_path):
    recorded = record_tokenizer(demo, output_root=str(tmp_path))
    assert recorded["vocabulary"].endswith("/arcade-demo.tiktoken")
    again = load_recorded_tokenizer(recorded, output_root=str(tmp_path))
    assert again.spec == demo.spec
    assert again.decode(encode(demo, ["kept"])[0]) == "kept"


def test_a_changed_vocabulary_is_refused(demo, tmp_path):
    recorded = record_tokenizer(demo, output_root=str(tmp_path))
    path = tmp_path / recorded["vocabulary"]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(
        ArtifactError, match=r"arcade-demo\.tiktoken: SHA-256 .* but the tokens were made with"
    ):
        load_recorded_tokenizer(recorded, output_root=str(tmp_path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"YQ== 0\nYg== 0\n", "ranks are not 0 to 1"),
        (b"YQ== 0\n", "255 single bytes have no rank"),
        (b"YQ== zero\n", "line 1: expected '<base64> <rank>'"),
        (b'{"version": 1}\n', "line 1: expected"),
    ],
)
def test_a_file_that_holds_no_ranks(tmp_path, content, message):
    path = tmp_path / "arcade-demo.tiktoken"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_tokenizer("arcade-demo", vocab_path=str(path))


def test_ranks_round_trip(demo):
    ranks = parse_ranks(demo.vocabulary.data, place="demo")
    assert len(ranks) == demo.spec.vocab_size - 32
    assert NEOX.special_tokens["<|endoftext|>"] == 0
