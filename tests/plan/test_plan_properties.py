"""What holds for every plan: totals, quotas, multiplicity, continuation; on random mixtures."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures_for_plans import Sizes, random_case

from dataprep.errors import PlanError
from dataprep.interleave import ROWS_PER_BLOCK
from dataprep.mixture import Mixture
from dataprep.plan import StagePlan, plan_mixture, shard_rows, with_realised_rows


def planned(case: tuple[Mixture, Sizes], *, rows_per_shard: int = 128) -> list[StagePlan]:
    """Plans of a random case; none where its amounts do not go together."""
    try:
        return plan_mixture(*case, rows_per_shard=rows_per_shard)
    except PlanError as error:
        if any(words in str(error) for words in ("nothing is left", "make no row", "would be repeated")):
            return []
        raise


@settings(max_examples=40)
@given(random_case())
def test_totals_add_up_from_rows_to_shards_to_the_stage(case: tuple[Mixture, Sizes]) -> None:
    for plan in planned(case):
        length = plan.sequence_length
        shards = [plan.shard(index) for index in range(plan.num_shards)]
        assert plan.num_rows == sum(stream.num_rows for stream in plan.streams)
        assert plan.num_tokens == plan.num_rows * length
        assert [shard.num_rows for shard in shards[:-1]] == [128] * (len(shards) - 1)
        assert sum(shard.num_rows or 0 for shard in shards) == plan.num_rows
        weighted = case[0].stage(plan.name).tokens
        if weighted is not None:
            assert plan.num_rows == floor(Fraction(weighted, length) + Fraction(1, 2))
        for number, stream in enumerate(plan.streams):
            parts = [shard.streams[number] for shard in shards]
            assert parts[0].row_start == 0
            assert parts[-1].row_stop == stream.num_rows
            assert all(left.row_stop == right.row_start for left, right in pairwise(parts))
            for part in parts:
                rows = part.row_stop - part.row_start
                assert part.token_start == stream.start_token + part.row_start * length
                assert part.token_stop == part.token_start + (rows * length + 1 if rows else 0)


@settings(max_examples=40)
@given(random_case())
def test_every_block_of_64_rows_holds_its_sources_to_the_row(case: tuple[Mixture, Sizes]) -> None:
    for plan in planned(case):
        names = list(plan.source_rows)
        source_of = np.array([names.index(stream.source) for stream in plan.streams])
        rows = [shard_rows(plan, index) for index in range(plan.num_shards)]
        sources = source_of[np.concatenate([part.stream for part in rows])]
        assert sources.size == plan.num_rows
        for start in range(0, plan.num_rows - ROWS_PER_BLOCK + 1, ROWS_PER_BLOCK):
            block = np.bincount(sources[start : start + ROWS_PER_BLOCK], minlength=len(names))
            so_far = np.bincount(sources[: start + ROWS_PER_BLOCK], minlength=len(names))
            for number, name in enumerate(names):
                share = Fraction(plan.source_rows[name], plan.num_rows)
                assert floor(64 * share) <= block[number] <= ceil(64 * share)
                quota = (start + ROWS_PER_BLOCK) * share
                assert floor(quota) <= so_far[number] <= ceil(quota)


@settings(max_examples=40)
@given(random_case(), st.data())
def test_over_all_stages_each_document_comes_floor_or_ceiling_of_its_epochs_times(
    case: tuple[Mixture, Sizes], data: st.DataObject
) -> None:
    plans = planned(case)
    read: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    stops: dict[tuple[str, str], int] = defaultdict(int)
    for plan in plans:
        for stream in plan.streams:
            place = (stream.source, stream.length_class)
            assert stream.start_token == stops[place], "a stage goes on where the one before stopped"
            stops[place] = stream.end_token
        for index in range(plan.num_shards):
            rows = shard_rows(plan, index)
            for number, row in zip(rows.stream.tolist(), rows.row.tolist(), strict=True):
                stream = plan.streams[number]
                begin = stream.start_token + row * plan.sequence_length
                read[stream.source, stream.length_class].update(range(begin, begin + plan.sequence_length))
    for place, positions in read.items():
        # Every virtual position up to the end is an input once, none is twice.
        assert positions == Counter(range(stops[place]))
        size = case[1][place].tokens
        epochs = Fraction(stops[place], size)
        # A document is somewhere in each epoch's order; whatever that order is, whole epochs
        # hold it once and the last one holds it, a part of it or nothing of it.
        start = data.draw(st.integers(0, size - 1))
        stop = data.draw(st.integers(start + 1, size))
        times = Counter(position % size for position in range(stops[place]))
        multiplicities = {times[position] for position in range(start, stop)}
        assert multiplicities <= {floor(epochs), ceil(epochs)}


@settings(max_examples=40)
@given(random_case(packing="best_fit"))
def test_best_fit_ranges_cover_the_streams_without_gap_or_overlap(case: tuple[Mixture, Sizes]) -> None:
    stops: dict[tuple[str, str], int] = defaultdict(int)
    for plan in planned(case):
        for index in range(plan.num_shards):
            for stream, part in zip(plan.streams, plan.shard(index).streams, strict=True):
                place = (stream.source, stream.length_class)
                assert part.token_start == stops[place]
                stops[place] = part.token_stop
        assert stops.items() >= plan.end_positions.items()


@settings(max_examples=20)
@given(random_case(packing="best_fit"), st.data())
def test_rows_that_packing_made_are_scheduled_like_planned_ones(
    case: tuple[Mixture, Sizes], data: st.DataObject
) -> None:
    for plan in planned(case):
        packed = [data.draw(st.integers(1, 500)) for _ in plan.streams]
        realised = with_realised_rows(plan, packed)
        assert realised.num_rows == sum(packed)
        seen: Counter[tuple[int, int]] = Counter()
        for index in range(realised.num_shards):
            rows = shard_rows(realised, index)
            assert rows.stream.size == min(128, sum(packed) - 128 * index)
            seen.update(zip(rows.stream.tolist(), rows.row.tolist(), strict=True))
        assert seen == Counter((number, row) for number, rows in enumerate(packed) for row in range(rows))


@settings(max_examples=40)
@given(random_case())
def test_a_plan_reads_back_from_json_as_it_was(case: tuple[Mixture, Sizes]) -> None:
    for plan in planned(case):
        again = StagePlan.from_json(json.loads(json.dumps(plan.to_json())))
        assert again == plan
        for index in range(plan.num_shards):
            assert again.shard(index) == plan.shard(index)


@settings(max_examples=20)
@given(random_case())
def test_plans_are_the_same_every_time_and_rows_move_with_the_seed(case: tuple[Mixture, Sizes]) -> None:
    mixture, sizes = case
    plans = planned(case)
    assert plans == planned(case)
    others = planned((mixture.model_copy(update={"seed": mixture.seed + 1}), sizes))
    for plan, other in zip(plans, others, strict=True):
        assert plan.streams == other.streams
        one, two = shard_rows(plan, 0), shard_rows(other, 0)
        if plan.num_rows > 200:
            assert (one.row != two.row).any()
