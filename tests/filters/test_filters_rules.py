"""How thresholds become verdicts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dataprep.errors import ConfigError
from dataprep.filters import Rule, preset_identity, resolve_preset, verdicts

NAN = float("nan")


def verdicts_of(
    rules: list[Rule], signals: dict[str, list[float]], prior: list[str] | None = None
) -> list[str]:
    size = len(next(iter(signals.values())))
    columns = {name: np.array(values, np.float32) for name, values in signals.items()}
    result = verdicts(rules, columns, prior=pa.array(prior or ["keep"] * size, pa.string()))
    assert result.type == pa.dictionary(pa.int32(), pa.string())
    return list(result.to_pylist())


def test_equality_keeps_unless_the_limit_is_open() -> None:
    def judged(**limit: float) -> str:
        rule = Rule.model_validate({"signal": "x", "reason": "out", **limit})
        return " ".join(verdicts_of([rule], {"x": [0.0, 0.1, 0.2, NAN]}))

    assert judged(minimum=0.1) == "out keep keep keep"
    assert judged(maximum=0.1) == "keep keep out keep"
    assert judged(above=0.1) == "out out keep keep"
    assert judged(below=0.1) == "keep out out keep"


def test_the_first_rule_in_order_names_the_reason() -> None:
    rules = [Rule(signal="x", reason="first", minimum=1), Rule(signal="y", reason="second", minimum=1)]
    assert verdicts_of(rules, {"x": [0, 0, 1, 1], "y": [0, 1, 0, 1]}) == ["first", "first", "second", "keep"]


def test_an_earlier_verdict_stays() -> None:
    rules = [Rule(signal="x", reason="bad", minimum=1)]
    prior = ["null_text", "keep", "excluded_books3", "keep", "bad"]
    expected = ["null_text", "bad", "excluded_books3", "keep", "bad"]
    assert verdicts_of(rules, {"x": [0, 0, 1, 1, 1]}, prior) == expected


def test_prior_verdicts_may_be_a_dictionary_or_empty() -> None:
    rules = [Rule(signal="x", reason="bad", minimum=1)]
    prior = pa.array(["held_out_split", "keep", "keep"]).dictionary_encode()
    result = verdicts(rules, {"x": np.array([0, 0, 2], np.float32)}, prior=prior)
    assert result.to_pylist() == ["held_out_split", "bad", "keep"]
    assert verdicts(rules, {"x": np.zeros(0, np.float32)}, prior=prior.slice(0, 0)).to_pylist() == []
    assert verdicts([], {}, prior=prior).to_pylist() == ["held_out_split", "keep", "keep"]


def test_a_signal_that_was_not_measured_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'num_word', which is not measured: did you mean 'num_words'\?"):
        verdicts_of([Rule(signal="num_word", reason="few", minimum=3)], {"num_words": [1]})


def test_a_rule_does_not_apply_where_a_signal_excuses() -> None:
    rules = [Rule(signal="x", reason="few", minimum=3, unless="usual")]
    signals = {"x": [1, 1, 1, 1, 5, NAN], "usual": [1, 0, NAN, 2, 0, NAN]}
    assert verdicts_of(rules, signals) == ["keep", "few", "few", "few", "keep", "keep"]
    both = [*rules, Rule(signal="x", reason="very_few", minimum=2)]
    assert verdicts_of(both, signals) == ["very_few", "few", "few", "few", "keep", "keep"]
    assert (rules[0].signals(), both[1].signals()) == (("x", "usual"), ("x",))


def test_a_signal_that_should_excuse_must_be_measured() -> None:
    rules = [Rule(signal="x", reason="few", minimum=3, unless="usul")]
    message = "'few' is about the signal 'usul', which is not measured: did you mean 'usual'"
    with pytest.raises(ConfigError, match=message):
        verdicts_of(rules, {"x": [1], "usual": [1]})


def test_a_rule_without_an_excuse_is_dumped_as_before_there_were_excuses() -> None:
    plain = Rule(signal="x", reason="r", minimum=1)
    assert plain.model_dump(mode="json") == {
        "kind": "rule",
        "signal": "x",
        "reason": "r",
        "minimum": 1.0,
        "maximum": None,
        "above": None,
        "below": None,
    }
    excused = plain.model_copy(update={"unless": "y"})
    assert excused.model_dump(mode="json") == {**plain.model_dump(mode="json"), "unless": "y"}
    for rule in (plain, excused):
        assert Rule.model_validate(rule.model_dump(mode="json")) == rule
    preset = resolve_preset("none").model_copy(update={"filters": (plain, excused)})
    assert [one.get("unless", "-") for one in preset_identity(preset)["filters"]] == ["-", "y"]  # type: ignore[attr-defined]


def test_a_rule_needs_a_limit_and_no_unknown_field() -> None:
    with pytest.raises(ValidationError, match="has no limit"):
        Rule(signal="x", reason="never")
    with pytest.raises(ValidationError, match="Extra inputs"):
        Rule.model_validate({"signal": "x", "reason": "r", "min": 1})


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32)), min_size=1, max_size=20))
def test_equals_one_document_at_a_time(rows: list[tuple[float, float]]) -> None:
    rules = [
        Rule(signal="x", reason="x_range", minimum=0.25, maximum=0.75),
        Rule(signal="y", reason="y_open", above=0.5, below=0.9),
    ]
    expected = []
    for x, y in rows:
        reason = "y_open" if not 0.5 < y < np.float32(0.9) else "keep"
        expected.append("x_range" if not 0.25 <= x <= 0.75 else reason)
    assert verdicts_of(rules, {"x": [x for x, _ in rows], "y": [y for _, y in rows]}) == expected
