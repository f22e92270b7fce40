"""The quality score: what the model is shown, what comes back, and what is refused."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dataprep.classifier import NEGATIVE, POSITIVE, TrainingOptions, train_classifier
from dataprep.errors import ConfigError, MissingExtraError
from dataprep.filters import Quality, verdicts
from dataprep.signals import QualitySignals, measure, quality
from dataprep.text.single_line import single_line

pytest.importorskip("floret", reason="floret is not installed (pip install 'dataprep[classifier]')")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Knows two words: ``good`` is positive, ``bad`` is not."""
    folder = tmp_path_factory.mktemp("model")
    for name in ("good", "bad"):
        (folder / f"{name}.txt").write_text("".join(f"{name} {k}\n" for k in range(400)))
    options = TrainingOptions(dim=4, buckets=10, min_count=100, word_ngrams=1, epochs=20)
    train_classifier([str(folder / "good.txt")], [str(folder / "bad.txt")], str(folder / "q.bin"), options)
    return folder / "q.bin"


def _scores(family: QualitySignals, *texts: str | None) -> list[float]:
    return measure([family], pa.array(texts, pa.large_string())).signals["quality_score"].tolist()


def test_the_score_is_the_probability_of_the_label(model: Path) -> None:
    import fasttext

    own = fasttext.load_model(str(model))
    texts = ["good", "bad", "good bad bad", "good\nbad", "unknown", "good </s> bad bad bad"]
    for label in (POSITIVE, NEGATIVE):
        expected = [
            dict(zip(*own.predict(single_line(text), 2), strict=True))[f"__label__{label}"] for text in texts
        ]
        scores = _scores(QualitySignals(model=str(model), label=label), *texts)
        assert scores == pytest.approx([min(one, 1) for one in expected], abs=1e-7)
    good, bad, *_ = _scores(QualitySignals(model=str(model), label=POSITIVE), *texts)
    assert good > 0.9
    assert bad < 0.1


def test_nulls_have_no_score_and_a_sign_in_a_text_hides_nothing(model: Path) -> None:
    family = QualitySignals(model=str(model), label=POSITIVE)
    null, hidden, plain = _scores(family, None, "good </s> bad bad bad", "good x x bad bad bad")
    assert np.isnan(null)
    assert hidden == pytest.approx(plain, abs=0.02), "fastText alone would read no further than </s>"


def test_only_so_many_characters_are_shown(model: Path) -> None:
    family = QualitySignals(model=str(model), label=POSITIVE, max_chars=9)
    shown, first = _scores(family, "good äöü bad bad", "good äöü ")
    assert shown == first


def test_equality_keeps_and_the_reason_is_the_user_s() -> None:
    scores = {"quality_score": np.array([0.3, 0.29999, np.nan, 0.9], np.float32)}
    rules = Quality(threshold=0.3, reason="not_wanted").rules()
    assert verdicts(rules, scores, prior=pa.array(["keep"] * 4)).to_pylist() == [
        "keep",
        "not_wanted",
        "keep",
        "keep",
    ]


def test_time_is_in_proportion_to_the_text(model: Path) -> None:
    family = QualitySignals(model=str(model), label=POSITIVE, max_chars=100_000_000)
    text = "good bad words that nobody has ever seen before " * 20_000

    def seconds(value: str) -> float:
        start = time.perf_counter()
        _scores(family, value)
        return time.perf_counter() - start

    one = min(seconds(text) for _ in range(3))
    assert min(seconds(text * 4) for _ in range(3)) < 4 * 3 * one + 0.05


def test_what_does_not_fit_is_refused_before_any_work(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no label 'positiv': did you mean 'positive'\?"):
        QualitySignals(model=str(model), label="positiv").check()
    with pytest.raises(ConfigError, match=r"was trained with lower_case: false .* say so here, too"):
        QualitySignals(model=str(model), label=POSITIVE, lower_case=True).check()
    with pytest.raises(ConfigError, match="'none.bin' cannot be read"):
        QualitySignals(model="none.bin", label=POSITIVE).check()
    (tmp_path / "text.bin").write_text("nothing of the kind")
    with pytest.raises(ConfigError, match="is no fastText classifier"):
        QualitySignals(model=str(tmp_path / "text.bin"), label=POSITIVE).check()


def test_a_model_that_changes_is_refused(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.bin"
    path.write_bytes(model.read_bytes())
    pinned = QualitySignals(model=str(path), label=POSITIVE).pinned()
    path.write_bytes(model.read_bytes()[:-1] + b"\x01")
    quality.load_fasttext.cache_clear()
    with pytest.raises(ConfigError, match="the file was changed"):
        _scores(pinned, "good")


def test_a_description_of_another_model_is_not_believed(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "q.bin"
    path.write_bytes(model.read_bytes()[:-1] + b"\x01")
    (tmp_path / "q.bin.json").write_bytes(Path(f"{model}.json").read_bytes())
    with pytest.raises(ConfigError, match=r"q.bin.json describes another model than .*q.bin"):
        QualitySignals(model=str(path), label=POSITIVE).check()
    (tmp_path / "q.bin.json").write_text('{"something": "of the user"}')
    QualitySignals(model=str(path), label=POSITIVE).check()


def test_a_remote_model_is_copied_and_read_once(model: Path, tmp_path: Path, monkeypatch) -> None:
    import fsspec

    fsspec.filesystem("memory").pipe("/models/q.bin", model.read_bytes())
    remote = QualitySignals(model="memory://models/q.bin", label=POSITIVE).pinned()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    local = QualitySignals(model=str(model), label=POSITIVE)
    assert _scores(remote, "good", "bad") == _scores(local, "good", "bad")
    assert list(tmp_path.iterdir()) == []
    fsspec.filesystem("memory").rm("/models/q.bin")
    assert _scores(remote, "good") == _scores(local, "good"), "a worker reads the model once"


def test_without_fasttext_the_extra_is_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fasttext", None)
    quality.load_fasttext.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install 'dataprep\[pipeline\]'"):
        QualitySignals(model=str(model), label=POSITIVE).check()
