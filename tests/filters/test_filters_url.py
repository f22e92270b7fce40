"""The URL filter: one reason for each rule, in datatrove's order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from dataprep.filters import Preset, Url, judge, resolve_preset
from dataprep.signals import UrlSignals

NAMES = UrlSignals.NAMES
NAN = float("nan")


def verdict_of(values: tuple[float, ...], rules: Url) -> str:
    signals = {name: np.array([value], np.float32) for name, value in zip(NAMES, values, strict=True)}
    preset = Preset(name="urls", families=(UrlSignals(),), filters=(rules,))
    return judge(preset, signals, prior=pa.array(["keep"])).to_pylist()[0]


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0, 0, 0, 0, 0, 0), "keep"),
        ((1, 1, 1, 1, 2, 1), "url_domain"),
        ((0, 1, 1, 1, 2, 1), "url_subdomain"),
        ((0, 0, 1, 1, 2, 1), "url_listed"),
        ((0, 0, 0, 1, 2, 1), "url_hard_word"),
        ((0, 0, 0, 0, 2, 1), "url_soft_words"),
        ((0, 0, 0, 0, 1, 1), "url_subword"),
        ((0, 0, 0, 0, 1, 0), "keep"),  # one soft word is none too many
        ((NAN, NAN, NAN, NAN, NAN, NAN), "keep"),
        ((NAN, NAN, NAN, NAN, 3, NAN), "url_soft_words"),
    ],
)
def test_the_first_rule_that_fails_gives_the_reason(values, verdict):
    assert verdict_of(values, Url()) == verdict


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        (Url(domains=False), "url_subdomain"),
        (Url(domains=False, hosts=False), "url_listed"),
        (Url(domains=False, hosts=False, urls=False), "url_hard_word"),
        (Url(domains=False, hosts=False, urls=False, max_hard_words=1), "url_soft_words"),
        (Url(domains=False, hosts=False, urls=False, max_hard_words=None, max_soft_words=2), "url_subword"),
        (
            Url(
                domains=False, hosts=False, urls=False, max_hard_words=1, max_soft_words=2, max_subwords=None
            ),
            "keep",
        ),
    ],
)
def test_every_rule_can_be_switched_off_or_moved(rules, verdict):
    assert verdict_of((1, 1, 1, 1, 2, 1), rules) == verdict


def test_a_corpus_s_url_rules_judge_before_its_preset():
    plain = resolve_preset("none")
    preset = plain.with_url_rules(UrlSignals(sha256="0" * 64), Url(max_soft_words=3))
    assert preset.rules()[0].reason == "url_domain"
    assert preset.rules()[6:] == plain.rules()
    assert Preset.model_validate(preset.model_dump(mode="json")) == preset


def test_another_preset_keeps_the_corpus_s_url_rules():
    recorded = resolve_preset("none").with_url_rules(UrlSignals(sha256="0" * 64), Url(max_soft_words=3))
    other = resolve_preset("curated").with_own_rules_of(recorded)
    assert other.filters == (Url(max_soft_words=3), *resolve_preset("curated").filters)
    assert other.families == (*resolve_preset("curated").families, UrlSignals(sha256="0" * 64))
    assert resolve_preset("curated").with_own_rules_of(resolve_preset("web_en")) == resolve_preset("curated")
