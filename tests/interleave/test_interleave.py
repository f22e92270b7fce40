"""The order of sources in a stage: exact in every block, right at the end of every block."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataprep import interleave
from dataprep.errors import PlanError
from dataprep.interleave import ROWS_PER_BLOCK, block_counts, class_counts, counts_at_marks, schedule

COUNTS = st.one_of(
    st.lists(st.integers(0, 3000), min_size=1, max_size=40),
    # Many sources with a share of a row or less, and few that hold nearly everything.
    st.lists(st.sampled_from([0, 1, 2, 50, 5000, 20000]), min_size=1, max_size=60),
    # Equal sources, from one to two hundred.
    st.builds(lambda k, n: [n] * k, st.integers(1, 200), st.integers(1, 60)),
    # Shares a little above and below a half and a whole of a row of a block.
    st.lists(st.sampled_from([96, 97, 127, 128, 129, 191, 192, 193]), min_size=2, max_size=60),
)


@st.composite
def shares_of_few_kinds(draw: st.DrawFn) -> list[int]:
    """Draw rows of sources whose shares of a block are c / q: many turns end together."""
    q = draw(st.integers(2, 30))
    counts = draw(st.lists(st.integers(0, 2 * q), min_size=2, max_size=31))
    return draw(st.permutations([*counts, ROWS_PER_BLOCK * q - sum(counts)]))


def all_blocks(counts: list[int]) -> np.ndarray:
    """Rows of each source in each block of the whole stage."""
    num_blocks = -(-sum(counts) // ROWS_PER_BLOCK)
    return block_counts(counts, first_block=0, num_blocks=num_blocks, had=np.zeros(len(counts), np.int64))


def test_two_sources_of_three_to_one_are_48_and_16_in_every_block() -> None:
    assert all_blocks([3 * 64, 64]).tolist() == [[48, 16]] * 4


def test_a_source_of_one_row_stands_in_one_block_and_the_blocks_stay_full() -> None:
    blocks = all_blocks([255, 1])
    assert blocks.sum(axis=1).tolist() == [64] * 4
    assert sorted(blocks[:, 1].tolist()) == [0, 0, 0, 1]


def test_one_source_alone_fills_all_blocks_and_the_last_may_be_short() -> None:
    assert all_blocks([130]).tolist() == [[64], [64], [2]]


@given(COUNTS)
@example([1])
@example([0, 0])
def test_every_block_holds_floor_or_ceiling_of_its_share_and_so_does_every_prefix(counts: list[int]) -> None:
    num_rows = sum(counts)
    blocks = all_blocks(counts)
    assert blocks.sum(axis=0).tolist() == counts
    had = [0] * len(counts)
    for number, block in enumerate(blocks.tolist()):
        rows_so_far = min((number + 1) * ROWS_PER_BLOCK, num_rows)
        rows = rows_so_far - number * ROWS_PER_BLOCK
        assert sum(block) == rows
        for source, count in enumerate(counts):
            had[source] += block[source]
            quota = Fraction(rows_so_far * count, num_rows)
            assert floor(quota) <= had[source] <= ceil(quota)
            share = Fraction(rows * count, num_rows)
            if rows == ROWS_PER_BLOCK:
                assert floor(share) <= block[source] <= ceil(share)
            else:
                assert abs(block[source] - share) < 1


@given(COUNTS | shares_of_few_kinds())
@settings(max_examples=120)
def test_the_schedule_is_that_of_the_plain_reference(counts: list[int]) -> None:
    whole = sum(counts) // ROWS_PER_BLOCK
    assert all_blocks(counts)[:whole].tolist() == pd2_reference(counts)


@given(COUNTS, st.data())
def test_a_schedule_can_be_entered_at_any_block(counts: list[int], data: st.DataObject) -> None:
    blocks = all_blocks(counts)
    first = data.draw(st.integers(0, len(blocks)))
    last = data.draw(st.integers(first, len(blocks)))
    had = blocks[:first].sum(axis=0)
    entered = block_counts(counts, first_block=first, num_blocks=last - first, had=had)
    assert entered.tolist() == blocks[first:last].tolist()


@given(COUNTS, st.sampled_from([64, 128, 640]))
def test_marks_are_the_sums_of_the_blocks_before_them(counts: list[int], rows_per_mark: int) -> None:
    marks = counts_at_marks(counts, rows_per_mark=rows_per_mark)
    blocks = all_blocks(counts)
    expected = [
        blocks[: row // ROWS_PER_BLOCK].sum(axis=0).tolist() for row in range(0, sum(counts), rows_per_mark)
    ]
    assert marks.tolist() == [*expected, counts]


@given(COUNTS)
def test_rows_of_a_run_are_the_blocks_permuted_by_key(counts: list[int]) -> None:
    rows = schedule(counts, key=(7, "stage"))
    blocks = all_blocks(counts)
    for number, block in enumerate(blocks):
        part = rows[number * ROWS_PER_BLOCK : (number + 1) * ROWS_PER_BLOCK]
        assert np.bincount(part, minlength=len(counts)).tolist() == block.tolist()
    assert (rows == schedule(counts, key=(7, "stage"))).all()


def test_another_key_or_block_gives_another_order_inside_the_block() -> None:
    rows = schedule([256, 256], key=(1, "a"))
    assert (rows != schedule([256, 256], key=(2, "a"))).any()
    assert (rows != schedule([256, 256], key=(1, "b"))).any()
    assert len({tuple(block) for block in rows.reshape(-1, ROWS_PER_BLOCK).tolist()}) == 8


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_classes_of_a_source_are_never_a_row_from_their_share(short: int, long: int) -> None:
    total = short + long
    had = np.arange(total + 1)
    parts = class_counts(had, classes=(short, long))
    assert (parts.sum(axis=1) == had).all()
    assert parts[-1].tolist() == [short, long]
    assert (np.diff(parts, axis=0) >= 0).all()
    if total:
        assert np.abs(parts[:, 1] * total - had * long).max() * 2 <= total


def test_a_stage_of_the_largest_size_is_counted_without_overflow() -> None:
    counts = [interleave.MAX_ROWS - 3, 1, 2]
    marks = counts_at_marks(counts, rows_per_mark=1 << 25)
    assert marks[-1].tolist() == counts
    for number, mark in enumerate(marks.tolist()[:-1]):
        first_row = number * (1 << 25)
        for had, count in zip(mark, counts, strict=True):
            assert abs(had * interleave.MAX_ROWS - first_row * count) < interleave.MAX_ROWS


def test_a_stage_beyond_the_largest_size_is_refused() -> None:
    with pytest.raises(PlanError, match="use more stages"):
        counts_at_marks([interleave.MAX_ROWS + 1], rows_per_mark=64)


@pytest.mark.parametrize(
    "counts",
    [
        [400_000 - 1, 1],
        [123_457] * 3,
        [1, 20_000, 70_001, 3, 150_000, 99_999, 65, 60_000],
        [2_001 + 7 * k for k in range(40)],
        [400_000],
        [0, 400_001, 0],
    ],
)
def test_thousands_of_blocks_are_those_of_the_plain_reference(counts: list[int]) -> None:
    expected = pd2_reference(counts)
    assert len(expected) > 1000
    assert all_blocks(counts)[: len(expected)].tolist() == expected


@pytest.mark.parametrize("parts", [[5, 7, 9, 11], [1, 1], [1, 2**20, 2**30], [63, 64, 65]])
def test_the_largest_stage_goes_on_as_the_plain_reference_does(parts: list[int]) -> None:
    # All rows there may be: what is multiplied in the kernel is as large as it gets in the last 256 blocks.
    counts = [interleave.MAX_ROWS * part // sum(parts) for part in parts]
    counts[-1] += interleave.MAX_ROWS - sum(counts)
    rows_per_mark = 256 * ROWS_PER_BLOCK
    marks = counts_at_marks(counts, rows_per_mark=rows_per_mark)
    for mark in (0, len(marks) // 2, len(marks) - 2):
        first = mark * rows_per_mark // ROWS_PER_BLOCK
        blocks = block_counts(counts, first_block=first, num_blocks=256, had=marks[mark])
        expected = pd2_reference(counts, first_block=first, num_blocks=256, had=marks[mark].tolist())
        assert blocks.tolist() == expected


def pd2_reference(
    counts: list[int], *, first_block: int = 0, num_blocks: int | None = None, had: list[int] | None = None
) -> list[list[int]]:
    """The PD2 rule as the papers state it, in fractions: rows of each source in each whole block.

    Of all blocks, or of ``num_blocks`` from ``first_block`` on, before which the sources ``had`` their rows.
    """
    num_rows = sum(counts)
    shares = [Fraction(ROWS_PER_BLOCK * count, num_rows) if num_rows else Fraction(0) for count in counts]
    weights = [share - floor(share) for share in shares]
    turns = [had[i] - floor(share) * first_block if had else 0 for i, share in enumerate(shares)]
    if num_blocks is None:
        num_blocks = num_rows // ROWS_PER_BLOCK - first_block
    blocks = []
    for block in range(first_block, first_block + num_blocks):
        ready = [i for i, w in enumerate(weights) if w and floor(turns[i] / w) <= block]
        ready.sort(key=lambda i: (*pd2_priority(turns[i] + 1, weights[i]), i))
        chosen = set(ready[: int(sum(weights))])
        blocks.append([floor(share) + (i in chosen) for i, share in enumerate(shares)])
        for i in chosen:
            turns[i] += 1
    return blocks


def pd2_priority(turn: int, weight: Fraction) -> tuple[int, int, int]:
    """Deadline; overlapping windows first; for heavy tasks the later group deadline first."""
    deadline = ceil(turn / weight)
    group = 0
    if weight >= Fraction(1, 2):
        group = ceil(ceil(deadline * (1 - weight)) / (1 - weight))
    return deadline, int(turn / weight == deadline), -group
