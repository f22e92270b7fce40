"""The guard against repetition, and the two ways out that it names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from mixtures_for_plans import Sizes, mixture, random_case, sizes, stage

from dataprep.errors import PlanError
from dataprep.mixture import Mixture, parse_count
from dataprep.plan import largest_tokens, plan_mixture

HALF = {"a": {"weight": 1}, "b": {"weight": 1}}


def test_the_error_names_the_source_what_it_needs_what_there_is_and_both_ways_out() -> None:
    two = mixture(stage("one", HALF, tokens=160_000), stage("two", {"b": {"weight": 1}}, tokens=16_000))
    with pytest.raises(PlanError) as error:
        plan_mixture(two, sizes(a=100_000, b=5000))
    message = str(error.value)
    # 80,000 tokens of the first stage, 16,000 of the second and the last label: 96,001 of 5,000.
    assert "source b would be repeated 19.2 times, but max_epochs is 16" in message
    assert "need 96k tokens of it and there are 5k" in message
    assert "--tokens 146k is about the most that fits" in message
    assert "max_epochs: 20" in message


def test_both_ways_out_work() -> None:
    two = mixture(stage("one", HALF, tokens=160_000), stage("two", {"b": {"weight": 1}}, tokens=16_000))
    there = sizes(a=100_000, b=5000)
    assert plan_mixture(two.scaled(146_000), there)
    assert plan_mixture(two.model_copy(update={"max_epochs": 20}), there)
    with pytest.raises(PlanError):
        plan_mixture(two.scaled(148_000), there)
    with pytest.raises(PlanError):
        plan_mixture(two.model_copy(update={"max_epochs": 19}), there)


def test_all_sources_over_the_limit_are_named() -> None:
    with pytest.raises(PlanError, match=r"source b would .* Over the limit as well: a 17\.8\."):
        plan_mixture(mixture(stage("one", HALF, tokens=160_000)), sizes(a=4500, b=3000))


def test_a_length_class_is_named() -> None:
    rule = {"min_tokens": 64, "factor": 40, "sources": ["a"]}
    one = mixture(stage("one", HALF, tokens=160_000, upsample_long=rule))
    with pytest.raises(PlanError, match=r"source a \(long\) would be repeated"):
        plan_mixture(one, sizes(a=(40_000, 100), b=100_000))


def test_where_shards_cannot_count_so_many_epochs_the_way_out_is_the_weight() -> None:
    with pytest.raises(PlanError, match="lower the source's share .* 801 are needed") as error:
        plan_mixture(mixture(stage("one", HALF, tokens=160_000)), sizes(a=100_000, b=100))
    assert "max_epochs: " not in str(error.value)


def test_exactly_the_epochs_that_are_allowed_pass() -> None:
    one = mixture(stage("one", {"a": {"epochs": 3}}), max_epochs=3)
    assert plan_mixture(one, sizes(a=1000))


@settings(max_examples=30)
@given(random_case())
def test_the_largest_number_of_tokens_fits_and_one_that_is_larger_does_not(
    case: tuple[Mixture, Sizes],
) -> None:
    limited, there = case[0].model_copy(update={"max_epochs": 2}), case[1]
    try:
        largest = largest_tokens(limited, there)
    except PlanError:
        return
    if largest is None:
        return
    assert largest == parse_count(str(largest))
    assert plan_mixture(limited.scaled(largest), there)
    with pytest.raises(PlanError, match="would be repeated"):
        plan_mixture(limited.scaled(largest + largest // 20 + 400), there)
