"""The language of a text, by fastText on a bounded sample."""

from __future__ import annotations

import json
from pathlib import Path

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


def test_looks_at_windows_of_a_long_text_and_at_more_when_in_doubt() -> None:
    family = LanguageSignals(sample_chars=100, windows=4)
    text = "".join(chr(0x4E00 + k) for k in range(2000))
    assert family.sample(text) == " ".join(text[start : start + 25] for start in (0, 658, 1317, 1975))
    assert len(family.large_sample(text)) == 807
    assert family.sample("a\nb") == "a b"
    assert family.in_doubt(["__label__en"], [0.7], None)
    assert family.in_doubt(["__label__en"], [0.99], "de")
    assert not family.in_doubt(["__label__en"], [0.99], "en")


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
