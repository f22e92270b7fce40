"""A stage planned anew from some row on reads every row of every stream once, and only once."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.errors import PlanError
from dataprep.mixture import Mixture
from dataprep.plan import StagePlan, StreamSize, plan_mixture, plan_rest, shard_rows

LENGTH = 16
ROWS_PER_SHARD = 128


def mixture(weights: dict[str, float], *, rows: int = 1000, **stage: Any) -> Mixture:
    """Return a mixture of two stages of 16-token rows; the second has equal weights."""
    equal = {name: {"weight": 1} for name in weights}
    return Mixture.model_validate(
        {
            "name": "forked",
            "tokenizer": "arcade100k",
            "seed": 5,
            "max_epochs": 255,
            "sources": {name: {"from": name, "subsets": "all"} for name in weights},
            "stages": [
                {
                    "name": "main",
                    "tokens": rows * LENGTH,
                    "sequence_length": LENGTH,
                    "sources": {name: {"weight": w} for name, w in weights.items()},
                    **stage,
                },
                {"name": "last", "tokens": 100 * LENGTH, "sequence_length": LENGTH, "sources": equal},
            ],
        }
    )


def available(names: Any, classes: tuple[str, ...] = ("all",)) -> dict[tuple[str, str], StreamSize]:
    return {(name, one): StreamSize(4000 + 16 * len(one), 100) for name in names for one in classes}


def begins_of(plan: StagePlan) -> list[tuple[str, str, int]]:
    """Return (source, class, position of its first token) of each row of a plan, in order."""
    begins = []
    for shard in range(plan.num_shards):
        content, order = plan.shard(shard), shard_rows(plan, shard)
        for number, row in zip(order.stream.tolist(), order.row.tolist(), strict=True):
            stream, part = plan.streams[number], content.streams[number]
            place = row - part.row_start
            if place < len(part.left_over):
                position = part.left_over[place]
            else:
                position = part.token_start + (place - len(part.left_over)) * LENGTH
                assert position + LENGTH < part.token_stop
            begins.append((stream.source, stream.length_class, position))
    return begins


def assert_blocks_hold_the_mixture(plan: StagePlan, begins: list[tuple[str, str, int]]) -> None:
    for start in range(0, len(begins) - 63, 64):
        found = Counter(source for source, _, _ in begins[start : start + 64])
        for source, rows in plan.source_rows.items():
            assert abs(found[source] - Fraction(64 * rows, plan.num_rows)) < 1


def planned(one: Mixture, sizes: dict[tuple[str, str], StreamSize]) -> list[StagePlan]:
    return plan_mixture(one, sizes, rows_per_shard=ROWS_PER_SHARD)


weights = st.lists(st.integers(1, 20), min_size=3, max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    first=weights,
    second=weights,
    third=weights,
    rows=st.integers(300, 1200),
    blocks=st.lists(st.integers(1, 18), min_size=2, max_size=2),
    classes=st.booleans(),
)
def test_every_row_is_read_once_over_two_changes_of_weights(
    first: list[int], second: list[int], third: list[int], rows: int, blocks: list[int], *, classes: bool
) -> None:
    names = ("web", "code", "books")
    rule = {"upsample_long": {"min_tokens": 40, "factor": 2}} if classes else {}
    sizes = available(names, ("short", "long") if classes else ("all",))
    mixtures = [
        mixture(dict(zip(names, map(float, one))), rows=rows, **rule) for one in (first, second, third)
    ]
    forks = [64 * block for block in sorted(blocks) if 64 * block < rows]
    plans = planned(mixtures[0], sizes)[:1]
    read: list[tuple[str, str, int]] = []
    for changed, row in zip(mixtures[1:], forks):
        plans = plan_rest(changed, before=[], parent=_through_json(plans[0]), row=row, available=sizes)
        parent_begins = read_so_far(read, mixtures[0], sizes)
        assert plans[0].fork_row == row
        assert plans[0].num_rows == rows - row
        read = parent_begins[:row] + begins_of(plans[0])
        assert dict(Counter(source for source, _, _ in read[:row])) == {
            name: count for name, count in plans[0].rows_before.items() if count
        }
        assert_blocks_hold_the_mixture(plans[0], read[row:])
    if not forks:
        return
    assert len(read) == rows
    assert len(set(read)) == rows, "a row comes twice"
    after = begins_of(plans[1])
    assert not set(after) & set(read), "the next stage repeats a row"
    for stream, end in plans[0].end_positions.items():
        own = sorted(position for *place, position in read if tuple(place) == stream)
        missing = set(range(0, end, LENGTH)) - set(own)
        told = [
            notice for notice in plans[0].notices if notice.startswith(f"source {stream[0]} ({stream[1]})")
        ]
        assert bool(missing) == bool(told)
        if missing:
            assert f" {len(missing)} rows of the shard" in told[0]


def read_so_far(
    read: list[tuple[str, str, int]], one: Mixture, sizes: dict[tuple[str, str], StreamSize]
) -> list[tuple[str, str, int]]:
    return read or begins_of(planned(one, sizes)[0])


def _through_json(plan: StagePlan) -> StagePlan:
    again = StagePlan.from_json(plan.to_json())
    assert again == plan
    return again


def test_the_rows_left_over_in_a_shard_come_first() -> None:
    sizes = available(["web"])
    one = mixture({"web": 1.0}, rows=256)
    parent = planned(one, sizes)[0]
    rest = plan_rest(one, before=[], parent=parent, row=64, available=sizes)[0]
    read = {position for _, _, position in begins_of(parent)[:64]}
    (stream,) = rest.streams
    assert set(stream.left_over) == set(range(0, 128 * LENGTH, LENGTH)) - read
    assert stream.start_token == 128 * LENGTH
    assert stream.end_token == 256 * LENGTH
    assert rest.rows_before == {"web": 64}


def test_at_the_end_of_a_shard_nothing_is_left_over() -> None:
    sizes = available(["web", "code"])
    one = mixture({"web": 2.0, "code": 1.0})
    rest = plan_rest(one, before=[], parent=planned(one, sizes)[0], row=256, available=sizes)[0]
    assert [stream.left_over for stream in rest.streams] == [(), ()]
    assert sum(stream.start_token for stream in rest.streams) == 256 * LENGTH


def test_rows_that_find_no_room_are_named() -> None:
    sizes = available(["web", "code"])
    parent = planned(mixture({"web": 1.0, "code": 1.0}, rows=192), sizes)[0]
    changed = mixture({"web": 1000.0, "code": 1.0}, rows=192)
    rest = plan_rest(changed, before=[], parent=parent, row=64, available=sizes)[0]
    unread = 64 - rest.rows_before["code"] - rest.source_rows["code"]
    assert rest.notices[-1].startswith(f"source code (all): {unread} rows of the shard in which the weights")


@pytest.mark.parametrize(
    ("row", "nearest"), [(100, "64 or 128"), (1, "64;?"), (5000, "960"), (961, "960"), (0, "64")]
)
def test_a_row_inside_a_block_is_refused_with_the_nearest(row: int, nearest: str) -> None:
    sizes = available(["web"])
    one = mixture({"web": 1.0})
    with pytest.raises(PlanError, match=f"multiple of 64 rows from 64 to 960; nearest: {nearest}"):
        plan_rest(one, before=[], parent=planned(one, sizes)[0], row=row, available=sizes)


def test_best_fit_and_a_stage_that_is_over_are_refused() -> None:
    sizes = available(["web"])
    one = mixture({"web": 1.0}, packing="best_fit")
    with pytest.raises(PlanError, match="a stage with best_fit packing cannot be changed in the middle"):
        plan_rest(one, before=[], parent=planned(one, sizes)[0], row=64, available=sizes)
    one = mixture({"web": 1.0}, rows=640)
    with pytest.raises(PlanError, match="has 640 rows with these tokens, so nothing is left from row 640 on"):
        plan_rest(one, before=[], parent=planned(one, sizes)[0], row=640, available=sizes)


def test_repetition_over_the_limit_is_refused() -> None:
    sizes = available(["web", "code"])
    parent = planned(mixture({"web": 9.0, "code": 1.0}), sizes)[0]
    changed = mixture({"web": 1.0, "code": 9.0}).model_copy(update={"max_epochs": 3})
    with pytest.raises(PlanError, match="source code would be repeated 3.1 times, but max_epochs is 3"):
        plan_rest(changed, before=[], parent=parent, row=192, available=sizes)


def test_positions_of_earlier_stages_are_gone_on_from() -> None:
    sizes = available(["web", "code"])
    one = mixture({"web": 1.0, "code": 1.0})
    first, last = planned(one, sizes)
    (rest,) = plan_rest(one, before=[first], parent=last, row=64, available=sizes)
    assert np.all([s.start_token >= first.end_positions[s.source, s.length_class] for s in rest.streams])
