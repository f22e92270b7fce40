"""The language of a text, by fastText's model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from dataprep.errors import ConfigError
from dataprep.filters import judge, resolve_preset
from dataprep.signals import LanguageSignals, measure
from dataprep.text.normalize import normalize

TEXTS = {
    "en": "The weather was cold this morning, and nobody wanted to leave the house before noon.",
    "de": "Das Wetter war heute Morgen kalt, und niemand wollte vor Mittag aus dem Haus gehen.",
    "es": "El tiempo estaba frío esta mañana y nadie quería salir de casa antes del mediodía.",
    "fr": "Le temps était froid ce matin et personne ne voulait quitter la maison avant midi.",
    "it": "Questa mattina faceva freddo e nessuno voleva uscire di casa prima di mezzogiorno.",
    "nl": "Het weer was vanmorgen koud en niemand wilde voor de middag het huis verlaten.",
    "pt": "O tempo estava frio esta manhã e ninguém queria sair de casa antes do meio-dia.",
}


def test_labels_the_seven_languages() -> None:
    measured = measure([LanguageSignals()], pa.array(TEXTS.values(), pa.large_string()))
    assert measured.language is not None
    assert measured.language.to_pylist() == list(TEXTS)
    assert (measured.signals["language_score"] > 0.65).all()
    assert np.isnan(measured.signals["language_match"]).all(), "no language is expected"


def test_matches_the_expected_language_and_passes_over_nulls() -> None:
    column = pa.array([TEXTS["de"], None, TEXTS["fr"]], pa.large_string())
    measured = measure([LanguageSignals()], column, expected_language="de")
    assert measured.language is not None
    assert measured.language.to_pylist() == ["de", None, "fr"]
    assert measured.signals["language_match"][[0, 2]].tolist() == [1, 0]
    assert np.isnan(measured.signals["language_match"][1])


def test_the_whole_text_counts_line_by_line() -> None:
    german, english = TEXTS["de"], TEXTS["en"]
    texts = [german + "\n" + english * 30, german * 30 + "\n" + english, english.replace(" ", "\n")]
    measured = measure([LanguageSignals()], pa.array(texts, pa.large_string()), expected_language="en")
    assert measured.language is not None
    assert measured.language.to_pylist() == ["en", "de", "en"]
    assert measured.signals["language_match"].tolist() == [1, 0, 1]


@pytest.mark.parametrize("texts", [[], [None], ["", None, " ", "Guten Morgen \n zusammen", None, "日本語"]])
def test_both_engines_measure_the_same(texts: list[str | None]) -> None:
    column = pa.array(["before", *texts], pa.large_string())[1:]
    ours, theirs = (
        measure([LanguageSignals(engine=engine)], column, expected_language="de")
        for engine in ("kernel", "fasttext")
    )
    assert ours.language is not None
    assert theirs.language is not None
    assert ours.language.to_pylist() == theirs.language.to_pylist()
    assert [label is None for label in ours.language.to_pylist()] == [text is None for text in texts]
    for name, values in ours.signals.items():
        np.testing.assert_allclose(values, theirs.signals[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("engine", ["kernel", "fasttext"])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, engine: Literal["kernel", "fasttext"]) -> None:
    path = tmp_path / "lid.bin"
    path.write_bytes(b"something else")
    with pytest.raises(ConfigError, match=r"lid\.bin"):
        measure([LanguageSignals(model=str(path), engine=engine)], pa.array(["x"], pa.large_string()))


def test_a_missing_model_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'no/such/model.bin' is no file"):
        measure([LanguageSignals(model="no/such/model.bin")], pa.array(["x"], pa.large_string()))


@pytest.mark.corpus
def test_planted_documents_of_other_languages_are_dropped(corpus: Path) -> None:
    planted = zstandard.ZstdDecompressor().decompress(
        (corpus / "truth/planted.jsonl.zst").read_bytes(), max_output_size=1 << 28
    )
    cases = [case for case in map(json.loads, planted.splitlines()) if case["case"] == "f_wrong_language"]
    rows = {case["at"][0]["row"]: case["language"] for case in cases if case["folder"] == "fr"}
    assert len(rows) > 8
    preset = resolve_preset("web_multilingual")
    text = normalize(pq.read_table(corpus / "culturax/fr/fr_part_00000.parquet").column("text"), code=False)
    measured = measure(preset.families, text, expected_language="fr")
    verdicts = judge(preset, measured.signals, prior=pa.array(["keep"] * len(text))).to_pylist()
    assert {verdicts[row] for row in rows} == {"wrong_language"}
    assert verdicts.count("wrong_language") < 1.5 * len(rows)
