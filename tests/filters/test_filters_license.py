"""The licence filter: two reasons, before all others, and whoever judges again keeps it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from dataprep.filters import License, Preset, Url, judge, resolve_preset
from dataprep.judging import Override
from dataprep.signals import LicenseSignals, UrlSignals

ALLOWED = LicenseSignals(allowed=("MIT",), index_sha256="0" * 64)


@pytest.mark.parametrize(
    ("value", "prior", "verdict"),
    [
        (1, "keep", "keep"),
        (0, "keep", "license_not_allowed"),
        (-1, "keep", "license_unknown"),
        (-1, "null_text", "null_text"),
        (float("nan"), "null_text", "null_text"),
    ],
)
def test_each_judgement_has_its_reason(value, prior, verdict):
    preset = Preset(name="licences", families=(ALLOWED,), filters=(License(),))
    signals = {"license_allowed": np.array([value], np.float32)}
    assert judge(preset, signals, prior=pa.array([prior])).to_pylist() == [verdict]


def test_licences_judge_before_everything_else():
    plain = resolve_preset("web_en")
    preset = plain.with_url_rules(UrlSignals(), Url()).with_licenses(ALLOWED)
    reasons = [rule.reason for rule in preset.rules()]
    assert reasons[:3] == ["license_unknown", "license_not_allowed", "url_domain"]
    assert preset.rules()[8:] == plain.rules()
    assert "license_allowed" in preset.signal_names()
    assert Preset.model_validate(preset.model_dump(mode="json")) == preset


def test_another_preset_and_new_thresholds_keep_the_licences():
    recorded = resolve_preset("none").with_url_rules(UrlSignals(), Url()).with_licenses(ALLOWED)
    other = resolve_preset("curated").with_own_rules_of(recorded)
    assert other.filters[:2] == (License(), Url())
    assert ALLOWED in other.families
    assert resolve_preset("curated").with_own_rules_of(resolve_preset("none")).rules() == (
        resolve_preset("curated").rules()
    )
    for override in ({"preset": "curated"}, {"filters": [{"kind": "not_empty"}]}, {"without": ["url"]}):
        changed = Override.model_validate(override).applied_to(recorded)
        assert [rule.reason for rule in changed.rules()[:2]] == ["license_unknown", "license_not_allowed"]
