"""Filters: thresholds as in the peers, reasons in their order, verdicts on arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dataprep.errors import ConfigError
from dataprep.filters import (
    C4,
    PRESETS,
    Code,
    FineWeb,
    GopherQuality,
    GopherRepetition,
    Language,
    LineCorrections,
    NotEmpty,
    Rule,
    judge,
    preset_identity,
    resolve_preset,
    verdicts,
)


def judged(rules, values: dict[str, list[float]], prior: list[str] | None = None) -> list[str]:
    length = len(next(iter(values.values())))
    before = pa.array(prior or ["keep"] * length)
    arrays = {name: np.array(column, np.float32) for name, column in values.items()}
    found: list[str] = verdicts(rules, arrays, prior=before).to_pylist()
    return found


@pytest.mark.parametrize(
    ("limits", "passing", "failing"),
    [
        ({"minimum": 0.8}, [0.8, 0.9, float("nan")], [0.79]),
        ({"maximum": 0.1}, [0.1, 0.0, float("nan")], [0.11]),
        ({"above": 0.65}, [0.66, float("nan")], [0.65, 0.1]),
        ({"below": 3.0}, [2.9, float("nan")], [3.0, 4.0]),
    ],
)
def test_equality_keeps_unless_the_rule_is_strict(limits, passing, failing):
    rule = Rule(signal="s", reason="r", **limits)
    assert judged([rule], {"s": passing}) == ["keep"] * len(passing)
    assert judged([rule], {"s": failing}) == ["r"] * len(failing)


def test_the_first_rule_that_fails_gives_the_reason():
    rules = [Rule(signal="a", reason="first", maximum=1), Rule(signal="b", reason="second", maximum=1)]
    assert judged(rules, {"a": [0, 2, 0, 2], "b": [0, 0, 2, 2]}) == ["keep", "first", "second", "first"]


def test_an_earlier_verdict_stays():
    rules = [Rule(signal="a", reason="too_much", maximum=1)]
    assert judged(rules, {"a": [2, 2]}, prior=["excluded_books3", "keep"]) == ["excluded_books3", "too_much"]


def test_a_rule_about_a_signal_that_is_not_measured_is_an_error():
    with pytest.raises(ConfigError, match="'alpha_word_ratoi', which is not measured.*alpha_word_ratio"):
        judged([Rule(signal="alpha_word_ratoi", reason="r", maximum=1)], {"alpha_word_ratio": [1.0]})


def test_a_rule_needs_a_limit():
    with pytest.raises(ValidationError, match="no limit"):
        Rule(signal="a", reason="r")


GOPHER_GOOD = {
    "num_non_symbol_words": 50,
    "mean_word_length": 3,
    "hash_ratio": 0.1,
    "ellipsis_ratio": 0.1,
    "bullet_line_ratio": 0.9,
    "ellipsis_line_ratio": 0.3,
    "alpha_word_ratio": 0.8,
    "num_stop_words": 2,
}


@pytest.mark.parametrize(
    ("signal", "value", "reason"),
    [
        ("num_non_symbol_words", 49, "gopher_short_doc"),
        ("num_non_symbol_words", 100_001, "gopher_long_doc"),
        ("mean_word_length", 2.99, "gopher_below_avg_threshold"),
        ("mean_word_length", 10.1, "gopher_above_avg_threshold"),
        ("hash_ratio", 0.11, "gopher_too_many_hashes"),
        ("ellipsis_ratio", 0.11, "gopher_too_many_ellipsis"),
        ("bullet_line_ratio", 0.91, "gopher_too_many_bullets"),
        ("ellipsis_line_ratio", 0.31, "gopher_too_many_end_ellipsis"),
        ("alpha_word_ratio", 0.79, "gopher_below_alpha_threshold"),
        ("num_stop_words", 1, "gopher_enough_stop_words"),
    ],
)
def test_gopher_quality_has_gophers_limits(signal, value, reason):
    rules = GopherQuality().rules()
    assert judged(rules, {name: [limit] for name, limit in GOPHER_GOOD.items()}) == ["keep"]
    assert judged(rules, {name: [limit] for name, limit in (GOPHER_GOOD | {signal: value}).items()}) == [
        reason
    ]


def test_gopher_repetition_has_the_limits_of_table_a1_in_datatroves_order():
    rules = GopherRepetition().rules()
    assert [(rule.reason, rule.maximum) for rule in rules] == [
        ("dup_para_frac", 0.3), ("dup_para_char_frac", 0.2), ("dup_line_frac", 0.3),
        ("dup_line_char_frac", 0.2),
        ("top_2_gram", 0.2), ("top_3_gram", 0.18), ("top_4_gram", 0.16),
        ("duplicated_5_n_grams", 0.15), ("duplicated_6_n_grams", 0.14), ("duplicated_7_n_grams", 0.13),
        ("duplicated_8_n_grams", 0.12), ("duplicated_9_n_grams", 0.11), ("duplicated_10_n_grams", 0.10),
    ]  # fmt: skip


def num_limits(rules) -> int:
    return sum(limit is not None for r in rules for limit in (r.minimum, r.maximum, r.above, r.below))


@pytest.mark.parametrize(
    "kind", [NotEmpty, GopherQuality, GopherRepetition, C4, FineWeb, Language, Code, LineCorrections]
)
def test_a_threshold_of_none_switches_its_rule_off(kind):
    for name, field in kind.model_fields.items():
        optional = isinstance(field.default, float | int) and not isinstance(field.default, bool)
        if optional and name not in ("min_visible_chars",):
            assert num_limits(kind(**{name: None}).rules()) == num_limits(kind().rules()) - 1, name


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_measures_what_its_rules_need(name):
    preset = resolve_preset(name)
    measured = set(preset.signal_names())
    assert {name for rule in preset.rules() for name in rule.signals()} <= measured
    assert preset.rules()[0].reason == "empty_text"
    reasons = [rule.reason for rule in preset.rules()]
    assert all(reason == reason.lower() and " " not in reason for reason in reasons)


def test_presets_differ_in_identity():
    identities = [str(preset_identity(preset)) for preset in PRESETS.values()]
    assert len(set(identities)) == len(PRESETS)


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'web_en'"):
        resolve_preset("web_eng")


def test_the_language_score_must_be_greater_than_the_limit():
    rules = Language().rules()
    scores = {"language_match": [1, 1, 0], "language_score": [0.65, 0.66, 0.99]}
    assert judged(rules, scores) == ["low_language_score", "keep", "wrong_language"]


@given(
    st.lists(
        st.tuples(
            st.one_of(st.just(float("nan")), st.floats(0, 1, width=32)),
            st.one_of(st.just(float("nan")), st.floats(0, 1, width=32)),
            st.sampled_from(["keep", "null_text", "excluded_mc4"]),
        ),
        max_size=20,
    )
)
def test_verdicts_equal_a_loop_over_documents(rows):
    preset = resolve_preset("none").model_copy(
        update={
            "filters": (
                Rule(signal="a", reason="low_a", minimum=0.25),
                Rule(signal="b", reason="high_b", below=0.5),
            )
        }
    )
    signals = {
        "a": np.array([a for a, _, _ in rows], np.float32),
        "b": np.array([b for _, b, _ in rows], np.float32),
    }
    found = judge(preset, signals, prior=pa.array([p for _, _, p in rows], pa.string())).to_pylist()
    expected = [
        p if p != "keep" else "low_a" if a < 0.25 else "high_b" if b >= 0.5 else "keep" for a, b, p in rows
    ]
    assert found == expected
