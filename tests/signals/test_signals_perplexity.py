"""Perplexity by a language model that is small enough to compute by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dataprep.errors import ConfigError, MissingExtraError
from dataprep.filters import Perplexity, verdicts
from dataprep.signals import PerplexitySignals, measure

#: log10 p of words, of pairs of words, and log10 of the weight with which a word falls back on single words.
ARPA = """
\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-1.0\t<unk>\t0
0\t<s>\t-0.3
-0.7\t</s>\t0
-0.5\ta\t-0.2
-0.9\tb\t-0.1

\\2-grams:
-0.4\t<s> a
-0.25\ta b
-0.3\tb </s>

\\end\\
"""


@pytest.fixture
def model(tmp_path: Path) -> PerplexitySignals:
    pytest.importorskip("kenlm", reason="KenLM is not installed (pip install 'dataprep[perplexity]')")
    path = tmp_path / "tiny.arpa"
    path.write_text(ARPA)
    return PerplexitySignals(model=str(path))


def _perplexity(model: PerplexitySignals, *texts: str | None) -> list[float]:
    return measure([model], pa.array(texts, pa.large_string())).signals["perplexity"].tolist()


@pytest.mark.parametrize(
    ("text", "log10", "words"),
    [
        ("a b", -0.4 - 0.25 - 0.3, 3),  # <s> a, a b, b </s>: all three pairs are known
        ("a", -0.4 + (-0.2 - 0.7), 2),  # "a </s>" is not: weight of a, then </s> alone
        ("b a", (-0.3 - 0.9) + (-0.1 - 0.5) + (-0.2 - 0.7), 3),  # no pair is known
        ("A  B\t", -0.95, 3),  # in lower case, whatever white space
        ("x", (-0.3 - 1.0) + (0 - 0.7), 2),  # an unknown word
        ("a b\n\n \na\n", -0.95 - 1.3, 5),  # two sentences; lines without words are none
        ("<s>", (-0.3 - 1.0) + (0 - 1.0) + (0 - 0.7), 3),  # a text's own sign is two unknown words
    ],
)
def test_what_the_model_file_says_by_hand(model, text: str, log10: float, words: int) -> None:
    assert _perplexity(model, text) == [pytest.approx(10 ** (-log10 / words), rel=1e-5)]


def test_no_words_have_no_perplexity_and_pass(model) -> None:
    values = measure([model], pa.array([None, " \n", "a b"], pa.large_string())).signals["perplexity"]
    assert np.isnan(values[:2]).all()
    kept = verdicts(Perplexity(maximum=1.5).rules(), {"perplexity": values}, prior=pa.array(["keep"] * 3))
    assert kept.to_pylist() == ["keep", "keep", "high_perplexity"]


def test_agrees_with_kenlm_itself(model) -> None:
    import kenlm

    own = kenlm.Model(model.model)
    for text in ("a b a b b", "b b b", "a x b a"):
        assert _perplexity(model, text) == [pytest.approx(own.perplexity(text), rel=1e-5)]


def test_case_and_length_are_parameters(model) -> None:
    upper = model.model_copy(update={"lower_case": False})
    assert _perplexity(upper, "A b") == [pytest.approx(10 ** ((1.3 + 0.9 + 0.3) / 3), rel=1e-5)]
    first = model.model_copy(update={"max_chars": 3})
    assert _perplexity(first, "a b" + " x" * 1000) == _perplexity(model, "a b")
    assert first.sentences("É É") == [["é", "é"]]


def test_a_text_of_unknown_words_has_a_finite_perplexity(model, tmp_path: Path) -> None:
    Path(model.model).write_text(ARPA.replace("-1.0\t<unk>", "-100\t<unk>"))
    (value,) = _perplexity(model, "x " * 50)
    assert math.isfinite(value)
    assert value == pytest.approx(1e38, rel=1e-5)


def test_a_changed_or_missing_model_is_named(model, tmp_path: Path) -> None:
    pinned = model.pinned()
    Path(model.model).write_text(ARPA.replace("-0.9", "-0.8"))
    with pytest.raises(ConfigError, match=r"has the SHA-256 .* and not .* as stated: the file was changed"):
        _perplexity(pinned, "a")
    with pytest.raises(ConfigError, match=r"'nowhere.arpa' cannot be read"):
        PerplexitySignals(model="nowhere.arpa").check()
    (tmp_path / "text.arpa").write_text("nothing of the kind")
    with pytest.raises(ConfigError, match=r"text.arpa is none of KenLM's \(neither ARPA nor binary\)"):
        PerplexitySignals(model=str(tmp_path / "text.arpa")).check()
    (tmp_path / "cut.arpa").write_text(ARPA[:60])
    with pytest.raises(ConfigError, match=r"cut.arpa is none of KenLM's"):
        PerplexitySignals(model=str(tmp_path / "cut.arpa")).check()


def test_without_kenlm_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "kenlm", None)
    (tmp_path / "unseen.arpa").write_text(ARPA)
    with pytest.raises(MissingExtraError, match=r"pip install 'dataprep\[perplexity\]'"):
        PerplexitySignals(model=str(tmp_path / "unseen.arpa")).check()
