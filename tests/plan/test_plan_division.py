"""How a stage's tokens are divided: by hand-computable examples."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixtures_for_plans import mixture, sizes, stage

from dataprep.errors import PlanError
from dataprep.plan import StagePlan, plan_mixture, plan_stage
from dataprep.plan.apportion import largest_remainder


def rows(plan: StagePlan) -> dict[str, int]:
    return {f"{s.source}/{s.length_class}".removesuffix("/all"): s.num_rows for s in plan.streams}


def test_weights_divide_the_rows_of_the_stage() -> None:
    plan = plan_mixture(
        mixture(stage("one", {"a": {"weight": 3}, "b": {"weight": 1}}, tokens=1600)), sizes(a=900, b=900)
    )[0]
    assert rows(plan) == {"a": 75, "b": 25}
    assert (plan.num_rows, plan.num_tokens, plan.num_shards, plan.overlap) == (100, 1600, 1, 1)
    assert [stream.weight for stream in plan.streams] == [0.75, 0.25]


def test_what_is_left_over_goes_to_the_largest_remainders_and_then_by_name() -> None:
    three = {name: {"weight": 1} for name in ("c", "a", "b")}
    plan = plan_mixture(mixture(stage("one", three, tokens=16 * 10)), sizes(a=900, b=900, c=900))[0]
    assert rows(plan) == {"c": 3, "a": 4, "b": 3}


def test_epochs_and_tokens_come_first_and_weights_share_the_rest() -> None:
    sources = {"a": {"epochs": 2}, "b": {"tokens": 320}, "c": {"weight": 0.5}, "d": {"weight": 1.5}}
    plan = plan_mixture(mixture(stage("one", sources, tokens=1600)), sizes(a=161, b=900, c=900, d=900))[0]
    # 2 epochs of 161 tokens are 322, of which 20 rows of 16 take 321 with the last label.
    assert rows(plan) == {"a": 20, "b": 20, "c": 15, "d": 45}


def test_epochs_round_down_so_that_no_token_comes_once_too_often() -> None:
    plan = plan_mixture(mixture(stage("one", {"a": {"epochs": 1}, "b": {"epochs": 1}})), sizes(a=160, b=161))[
        0
    ]
    assert rows(plan) == {"a": 9, "b": 10}
    assert [stream.epochs <= 1 for stream in plan.streams] == [True, True]


def test_a_stage_rounds_to_the_nearest_row() -> None:
    for tokens, expected in ((1607, 100), (1608, 101)):
        plan = plan_mixture(mixture(stage("one", {"a": {"weight": 1}}, tokens=tokens)), sizes(a=9000))[0]
        assert plan.num_rows == expected


def test_long_documents_come_factor_times_as_often_as_they_occur() -> None:
    settings = {"tokens": 1600, "upsample_long": {"min_tokens": 64, "factor": 3, "sources": ["a"]}}
    plan = plan_mixture(
        mixture(stage("one", {"a": {"weight": 1}, "b": {"weight": 1}}, **settings)),
        sizes(a=(3000, 1000), b=900),
    )[0]
    assert rows(plan) == {"a/short": 25, "a/long": 25, "b": 50}


def test_a_stage_without_the_factor_takes_both_classes_as_they_occur() -> None:
    first = stage("one", {"a": {"weight": 1}}, tokens=1600)
    second = stage("two", {"a": {"epochs": 1}}, upsample_long={"min_tokens": 64, "factor": 2})
    plans = plan_mixture(mixture(first, second), sizes(a=(3000, 1000)))
    assert rows(plans[0]) == {"a/short": 75, "a/long": 25}
    # One epoch of 4000 tokens, 3000 : 2 * 1000 = 2400 : 1600, rows of 16 with one label more.
    assert rows(plans[1]) == {"a/short": 149, "a/long": 99}


def test_a_later_stage_goes_on_where_the_one_before_stopped() -> None:
    first = stage("one", {"a": {"weight": 1}}, tokens=160)
    second = stage("two", {"a": {"weight": 1}, "b": {"weight": 1}}, tokens=800, sequence_length=40)
    third = stage("three", {"b": {"weight": 1}}, tokens=200, packing="best_fit")
    plans = plan_mixture(mixture(first, second, third), sizes(a=1000, b=1000))
    assert [(s.source, s.start_token, s.end_token) for plan in plans for s in plan.streams] == [
        ("a", 0, 160),
        ("a", 160, 560),
        ("b", 0, 400),
        ("b", 400, 600),
    ]


def test_best_fit_is_planned_in_tokens_and_has_no_overlap() -> None:
    sources = {"a": {"weight": 2}, "b": {"weight": 1}, "c": {"epochs": 1}}
    one = mixture(stage("one", sources, tokens=1000, packing="best_fit"))
    plan = plan_mixture(one, sizes(a=2000, b=2000, c=100))[0]
    assert [stream.num_tokens for stream in plan.streams] == [600, 300, 100]
    assert (plan.overlap, plan.num_tokens) == (0, 1000)


def test_best_fit_shards_divide_each_stream_into_contiguous_even_ranges() -> None:
    one = mixture(stage("one", {"a": {"weight": 2}, "b": {"weight": 1}}, tokens=30_000, packing="best_fit"))
    plan = plan_mixture(one, sizes(a=2000, b=2000), rows_per_shard=64)[0]
    assert plan.num_shards == -(-30_000 // (64 * 17))
    shards = [plan.shard(index) for index in range(plan.num_shards)]
    for number, stream in enumerate(plan.streams):
        ranges = [shard.streams[number] for shard in shards]
        assert ranges[0].token_start == stream.start_token
        assert ranges[-1].token_stop == stream.end_token
        assert all(left.token_stop == right.token_start for left, right in pairwise(ranges))
        lengths = {part.token_stop - part.token_start for part in ranges}
        assert max(lengths) - min(lengths) <= 1


def test_tokens_scale_all_stages_in_proportion() -> None:
    first = stage("one", {"a": {"weight": 1}, "b": {"tokens": "4B"}}, tokens="10B")
    second = stage("two", {"a": {"epochs": 3}})
    whole = mixture(first, second, max_epochs=255)
    plans = plan_mixture(whole.scaled(16_000), sizes(a=10**9 * 2, b=10**9 * 4))
    assert [rows(plan) for plan in plans] == [{"a": 375, "b": 250}, {"a": 374}]


def test_two_trillion_tokens_are_divided_without_an_error_of_one_row() -> None:
    sources = {name: {"weight": w} for name, w in (("a", 0.1), ("b", 0.2), ("c", 0.7))}
    one = mixture(stage("one", sources, tokens="2T", sequence_length=4096))
    plan = plan_mixture(one, sizes(a=10**12, b=10**12, c=10**12))[0]
    assert rows(plan) == {"a": 48_828_125, "b": 97_656_250, "c": 341_796_875}
    assert plan.num_rows == 488_281_250
    assert len(str(plan.to_json())) < 300_000


def test_one_stage_can_be_planned_alone() -> None:
    one = mixture(stage("one", {"a": {"weight": 1}}, tokens=1600))
    plan = plan_stage(one, one.stages[0], sizes(a=900), start={("a", "all"): 77}, scale=Fraction(1, 2))
    assert (plan.num_rows, plan.streams[0].start_token) == (50, 77)


def test_a_source_without_a_token_stops_the_plan() -> None:
    with pytest.raises(PlanError, match="stage one: no token is there of b, c: "):
        plan_mixture(mixture(stage("one", {n: {"weight": 1} for n in "abc"}, tokens=1600)), sizes(a=900, b=0))


def test_amounts_that_leave_nothing_for_the_weights_stop_the_plan() -> None:
    one = mixture(stage("one", {"a": {"epochs": 2}, "b": {"weight": 1}}, tokens=1600))
    with pytest.raises(PlanError, match=r"take all \(a 1.8k\) and nothing is left for the weights of b"):
        plan_mixture(one, sizes(a=900, b=900))


def test_a_stage_of_less_than_half_a_row_stops_the_plan() -> None:
    one = mixture(stage("one", {"a": {"weight": 1}}, tokens=1600))
    with pytest.raises(PlanError, match="7 tokens make no row of 16 tokens"):
        plan_mixture(one.scaled(7), sizes(a=900))


def test_a_source_too_small_for_a_row_is_named_and_stays_in_the_plan() -> None:
    one = mixture(stage("one", {"a": {"weight": 999}, "tiny": {"weight": 1}}, tokens=1600))
    plan = plan_mixture(one, sizes(a=900, tiny=900))[0]
    assert rows(plan) == {"a": 100, "tiny": 0}
    assert plan.notices == ("source tiny gets no row: its share is less than half a row of 16 tokens",)


def test_the_validation_stage_holds_all_whole_rows_of_what_is_held_out() -> None:
    one = mixture(
        stage("one", {"a": {"weight": 1}, "b": {"weight": 1}, "c": {"weight": 1}}, tokens=160),
        holdout_fraction=0.1,
    )
    held_out = {(n, "holdout"): sizes(x=t)["x", "all"] for n, t in (("a", 65), ("b", 64), ("c", 16))}
    plans = plan_mixture(one, sizes(a=900, b=900, c=900) | held_out)
    assert [plan.name for plan in plans] == ["one", "validation"]
    assert rows(plans[1]) == {"a/holdout": 4, "b/holdout": 3, "c/holdout": 0}
    assert plans[1].notices == ("too little is held out for one row: c",)


def test_without_a_held_out_row_there_is_no_validation_stage() -> None:
    one = mixture(stage("one", {"a": {"weight": 1}}, tokens=160), holdout_fraction=0.1)
    assert [plan.name for plan in plan_mixture(one, sizes(a=900))] == ["one"]


@given(st.integers(0, 10**13), st.dictionaries(st.text(max_size=3), st.fractions(0, 100), min_size=1))
def test_largest_remainder_is_exact_and_keeps_to_floor_and_ceiling(
    total: int, weights: dict[str, Fraction]
) -> None:
    weights["one more"] = Fraction(1, 3)
    parts = largest_remainder(total, weights)
    assert sum(parts.values()) == total
    whole = sum(weights.values())
    for name, part in parts.items():
        assert abs(part - total * weights[name] / whole) < 1
