"""Training: the same texts give the same bytes, in a format that fastText itself reads."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from classifier_texts import UNWANTED, WANTED, texts

from dataprep.artifacts import read_sealed_json
from dataprep.classifier import TrainingOptions, evaluate, train_classifier
from dataprep.classifier.fasttext_format import write_as_fasttext
from dataprep.errors import ArtifactError, ConfigError, MissingExtraError, SourceError
from dataprep.signals import QualitySignals, measure
from pipelines.cli import main

SMALL = TrainingOptions(dim=8, buckets=1000, held_out=0.2)

floret = pytest.importorskip("floret", reason="floret is not installed (pip install 'dataprep[classifier]')")


@pytest.fixture
def sets(tmp_path: Path) -> tuple[list[str], list[str]]:
    for name, words in (("good", WANTED), ("bad", UNWANTED)):
        rows = [json.dumps({"text": text}) + "\n" for text in texts(words, 200, seed=len(name))]
        (tmp_path / f"{name}.jsonl").write_text("".join(rows))
    return [str(tmp_path / "good.jsonl")], [str(tmp_path / "bad.jsonl")]


def test_a_model_tells_the_classes_apart_and_says_so(tmp_path: Path, sets) -> None:
    trained = train_classifier(*sets, str(tmp_path / "m" / "q.bin"), SMALL)
    at = trained.evaluation.decision
    assert trained.positive.texts == trained.negative.texts == 200
    assert at.positives == trained.positive.held_out
    assert 20 < at.positives < 60
    assert at.precision > 0.95
    assert at.recall > 0.95
    described = read_sealed_json(f"{trained.path}.json")
    assert described == json.loads(json.dumps(trained.description))
    assert described["model"]["sha256"] == trained.sha256
    assert described["preparation"]["lower_case"] is False
    assert described["counts"]["positive"]["train"] == trained.positive.train
    assert str(tmp_path) not in json.dumps(described)


def test_the_same_texts_give_the_same_bytes(tmp_path: Path, sets) -> None:
    first = train_classifier(*sets, str(tmp_path / "a.bin"), SMALL)
    moved = (tmp_path / "good.jsonl").rename(tmp_path / "other.jsonl")
    second = train_classifier([str(moved)], sets[1], str(tmp_path / "b.bin"), SMALL)
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()
    assert first.evaluation == second.evaluation
    other = train_classifier(
        [str(moved)], sets[1], str(tmp_path / "c.bin"), SMALL.model_copy(update={"seed": 2})
    )
    assert other.sha256 != first.sha256


def test_the_model_is_fasttext_s_own_format(tmp_path: Path, sets) -> None:
    """fastText's own code reads what floret trained, and gives each text the same probabilities."""
    import fasttext

    lines = tmp_path / "lines.txt"
    lines.write_text(
        "".join(f"__label__{k % 2} {text}\n" for k, text in enumerate(texts(WANTED, 40, seed=7)))
    )
    theirs = floret.train_supervised(input=str(lines), dim=4, wordNgrams=2, bucket=50, thread=1, verbose=0)
    theirs.save_model(str(tmp_path / "floret.bin"))
    with open(tmp_path / "floret.bin", "rb") as source, open(tmp_path / "fasttext.bin", "wb") as sink:
        write_as_fasttext(source, sink)
    ours = fasttext.load_model(str(tmp_path / "fasttext.bin"))
    for text in [*texts(WANTED, 20, seed=8), *texts(UNWANTED, 20, seed=9), ""]:
        labels, probabilities = ours.predict(text, 2)
        expected = theirs.f.predict(text + "\n", 2, 0.0, "strict")
        assert list(zip(probabilities, labels, strict=True)) == expected


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="not a model of floret"):
        write_as_fasttext(io.BytesIO(b"\x00" * 100), io.BytesIO())


def test_held_out_results_are_those_of_the_signal(tmp_path: Path, sets) -> None:
    trained = train_classifier(*sets, str(tmp_path / "q.bin"), SMALL)
    family = QualitySignals(model=trained.path, label="positive")
    new = texts(WANTED, 100, seed=50) + texts(UNWANTED, 100, seed=51)
    scores = measure([family], pa.array(new, pa.large_string())).signals["quality_score"]
    at = evaluate(scores[:100], scores[100:]).decision
    assert at.precision > 0.95
    assert at.recall > 0.95


def test_precision_and_recall_by_hand() -> None:
    rows = evaluate(np.float32([0.9, 0.8, 0.4, np.nan]), np.float32([0.8, 0.1])).rows
    at = {row.threshold: row for row in rows}[0.8]
    assert (at.true_positives, at.false_positives) == (3, 1), "equality and NaN keep, as in a filter"
    assert (at.precision, at.recall, at.f1, at.negatives_kept) == (0.75, 0.75, 0.75, 0.5)
    none = replace(at, true_positives=0, false_positives=0)
    assert (none.precision, none.recall, none.f1) == (0, 0, 0)


def test_one_file_in_both_sets_is_refused(tmp_path: Path, sets) -> None:
    with pytest.raises(SourceError, match=r"--negative: .*good.jsonl is in both sets"):
        train_classifier(sets[0], [*sets[1], *sets[0]], str(tmp_path / "q.bin"), SMALL)
    (tmp_path / "copy.jsonl").write_bytes((tmp_path / "good.jsonl").read_bytes())
    with pytest.raises(SourceError, match=r"copy.jsonl has the same content as .*good.jsonl"):
        train_classifier(sets[0], [str(tmp_path / "copy.jsonl")], str(tmp_path / "q.bin"), SMALL)
    assert not (tmp_path / "q.bin").exists()


def test_a_class_without_texts_is_refused(tmp_path: Path, sets) -> None:
    (tmp_path / "empty.jsonl").write_text('{"text": null}\n{"text": " "}\n')
    with pytest.raises(
        ConfigError, match=r"--negative: 0 distinct texts .* of 2 rows 1 have no text, 1 are empty"
    ):
        train_classifier(sets[0], [str(tmp_path / "empty.jsonl")], str(tmp_path / "q.bin"), SMALL)
    (tmp_path / "void.txt").write_text("")
    with pytest.raises(ConfigError, match=r"--positive: 0 distinct texts to train on"):
        train_classifier([str(tmp_path / "void.txt")], sets[1], str(tmp_path / "q.bin"), SMALL)


def test_without_floret_the_extra_is_named(tmp_path: Path, sets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "floret", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dataprep\[classifier\]'"):
        train_classifier(*sets, str(tmp_path / "q.bin"), SMALL)


def test_the_command_prints_what_it_measured(tmp_path: Path, sets, capsys) -> None:
    command = [
        "train-classifier",
        "--positive",
        *sets[0],
        "--negative",
        *sets[1],
        "--dim=8",
        "--buckets=1000",
    ]
    model = tmp_path / "q.bin"
    assert main([*command, f"--output={model}", "--lower-case"]) == 0
    shown = capsys.readouterr().out
    assert f"quality: {{model: {model}, label: positive, threshold: 0.5, lower_case: true}}" in shown
    assert "held-out texts at 0.5: precision" in shown
    assert main([*command, f"--output={model}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["options"]["dim"] == 8
    assert main([*command, f"--output={model}", "--word-ngrams=99"]) == 2
    assert "word_ngrams: Input should be less than or equal to 10" in capsys.readouterr().err


def test_a_description_that_was_edited_is_refused(tmp_path: Path, sets) -> None:
    trained = train_classifier(*sets, str(tmp_path / "q.bin"), SMALL)
    description = tmp_path / "q.bin.json"
    description.write_text(description.read_text().replace('"lower_case": false', '"lower_case": true'))
    with pytest.raises(ArtifactError, match="does not match its own checksum"):
        QualitySignals(model=trained.path, label="positive").check()
