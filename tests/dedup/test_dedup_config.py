"""Settings that mean nothing are refused, with what to do instead."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dataprep.dedup import DedupConfig, SignatureConfig


def test_defaults_are_fineweb_s_bands_of_five_word_shingles():
    config = DedupConfig()
    assert (config.num_perm, config.num_bands, config.rows_per_band, config.ngram) == (128, 14, 8, 5)
    assert (config.threshold, config.verify, config.url) == (0.75, "signature", True)


def test_bands_must_fit_the_signature():
    with pytest.raises(ValidationError, match=r"16 \* 9 = 144 values of a signature, but num_perm is 128"):
        DedupConfig(num_bands=16, rows_per_band=9)


@pytest.mark.parametrize(
    "settings",
    [
        {"threshold": 0},
        {"threshold": 1.1},
        {"ngram": 0},
        {"num_perm": 8},
        {"verify": "maybe"},
        {"treshold": 0.8},
    ],
)
def test_values_out_of_range_and_unknown_names_are_refused(settings):
    with pytest.raises(ValidationError):
        DedupConfig(**settings)


def test_documents_need_not_be_signed_again_for_another_threshold_or_band_layout():
    default, changed = (
        DedupConfig(),
        DedupConfig(threshold=0.8, num_bands=20, rows_per_band=5, verify="exact"),
    )
    assert default.signatures == changed.signatures == SignatureConfig()
    assert default.signing_identity() == changed.signing_identity()


@pytest.mark.parametrize("changed", [{"num_perm": 256}, {"ngram": 3}, {"seed": 2}])
def test_documents_must_be_signed_again_for(changed):
    assert DedupConfig(**changed).signing_identity() != DedupConfig().signing_identity()


def test_short_signatures_store_as_many_bands_as_fit():
    assert SignatureConfig().stored_bands == (14, 8)
    assert SignatureConfig(num_perm=64).stored_bands == (8, 8)
    assert SignatureConfig(num_perm=16).stored_bands == (2, 8)
