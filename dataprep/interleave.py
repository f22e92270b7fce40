"""Which source each row of a stage comes from: exact in every block, right over every prefix.

A stage of N rows, of which source i has ``counts[i]``, is cut into aligned blocks of 64 rows.
The quota of source i after t rows is ``t * counts[i] / N``. What is guaranteed:

- every whole block holds the floor or the ceiling of ``64 * counts[i] / N`` rows of source i;
- after every whole block source i has had the floor or the ceiling of its quota, so it is
  never a whole row ahead or behind;
- after the last row source i has had ``counts[i]`` rows.

A source gets the floor of its share in every block, without a choice. What is left of a block
are F further rows for F different sources: scheduling tasks of weight ``frac(64 * counts / N)``
on F processors, each task at most once a slot, never a whole slot ahead of or behind its fluid
share. That is P-fair scheduling, and the PD2 rule solves it exactly (Baruah, Cohen, Plaxton and
Varvel, "Proportionate progress", Algorithmica 1996; Anderson and Srinivasan, "Mixed Pfair/ERfair
scheduling of asynchronous periodic tasks", JCSS 2004): earliest deadline first, ties to the task
whose next window overlaps, then to the one with the later group deadline. All in integers.

The rule needs only the rows that each source has had, so a schedule can be entered at any block.
Inside a block the rows are put in the order of a keyed permutation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dataprep.errors import PlanError
from dataprep.hashing import hash64, keyed_permutation
from dataprep.kernels import kernel, read, subroutine, write

ROWS_PER_BLOCK = 64
MAX_ROWS = 1 << 31
"""Most rows of a stage (8.8 T tokens at 4,096): up to here no product leaves 63 bits."""

Int64Array = npt.NDArray[np.int64]

_GROUP_BITS = 31
_NEVER = np.int64(2**63 - 1)


def counts_at_marks(counts: Sequence[int], *, rows_per_mark: int) -> Int64Array:
    """Return how many rows each source has had after every ``rows_per_mark`` rows.

    Args:
        counts: Rows of each source in the whole stage.
        rows_per_mark: A multiple of 64.

    Returns:
        int64[ceil(N / rows_per_mark) + 1, sources]; the first row is 0, the last ``counts``.
    """
    assert rows_per_mark % ROWS_PER_BLOCK == 0
    totals, num_rows = _checked(counts)
    every = rows_per_mark // ROWS_PER_BLOCK
    num_marks = -(-num_rows // rows_per_mark)
    marks = np.zeros((num_marks + 1, totals.size), np.int64)
    marks[num_marks] = totals
    inner = marks[1 : max(num_marks, 1)]
    _walk(totals, num_rows, marks[0], 0, every, inner)
    return marks


def block_counts(counts: Sequence[int], *, first_block: int, num_blocks: int, had: Int64Array) -> Int64Array:
    """Return how many rows of each source each of some consecutive blocks holds.

    Args:
        counts: Rows of each source in the whole stage.
        had: int64[sources], rows of each source in all blocks before ``first_block``.

    Returns:
        int64[num_blocks, sources]; the last block of a stage may hold fewer than 64 rows.
    """
    totals, num_rows = _checked(counts)
    whole = min(num_blocks, num_rows // ROWS_PER_BLOCK - first_block)
    assert first_block + num_blocks <= -(-num_rows // ROWS_PER_BLOCK), "blocks beyond the end of the stage"
    after = np.empty((num_blocks + 1, totals.size), np.int64)
    after[0] = had
    after[num_blocks] = totals  # stays where the last block is the stage's, and not whole
    _walk(totals, num_rows, after[0], first_block, 1, after[1 : whole + 1])
    return np.diff(after, axis=0)


def permuted_blocks(blocks: Int64Array, *, first_block: int, key: tuple[str | int, ...]) -> Int64Array:
    """Return the source of each row: every block's sources in the order that key and block name.

    Args:
        blocks: int64[blocks, sources], rows of each source in each block.
        key: Names the permutations, e.g. (seed, stage).

    Returns:
        int64[rows], the index of the row's source.
    """
    sources = np.arange(blocks.shape[1], dtype=np.int64)
    rows = [np.empty(0, np.int64)]
    for position, block in enumerate(blocks):
        ordered = np.repeat(sources, block)
        permutation_key = hash64("block", *key, first_block + position)
        rows.append(ordered[keyed_permutation(ordered.size, key=permutation_key)])
    return np.concatenate(rows)


def schedule(counts: Sequence[int], *, key: tuple[str | int, ...]) -> Int64Array:
    """Return the source of every row of a whole run: int64[sum(counts)].

    For runs of a shard's size, such as the rows that best-fit packing made of one shard.
    """
    totals, num_rows = _checked(counts)
    num_blocks = -(-num_rows // ROWS_PER_BLOCK)
    blocks = block_counts(counts, first_block=0, num_blocks=num_blocks, had=np.zeros_like(totals))
    return permuted_blocks(blocks, first_block=0, key=key)


def class_counts(had: Int64Array, *, classes: Sequence[int]) -> Int64Array:
    """Return how the first ``had`` rows of a source divide among its length classes.

    Each class but the first is rounded to the nearest row, the first takes the rest: never a
    whole row from its share with two classes.

    Args:
        had: int64[n], any numbers of rows of the source.
        classes: Rows of each class in the whole stage.

    Returns:
        int64[n, classes]; the sum over the classes is ``had``.
    """
    total = sum(classes)
    if len(classes) == 1 or total == 0:
        return np.stack([had] + [np.zeros_like(had)] * (len(classes) - 1), axis=1)
    assert len(classes) == 2, "a source has one class or two"
    second = np.array([(2 * int(rows) * classes[1] + total) // (2 * total) for rows in had], dtype=np.int64)
    return np.stack([had - second, second], axis=1)


def _checked(counts: Sequence[int]) -> tuple[Int64Array, int]:
    num_rows = sum(counts)
    if num_rows > MAX_ROWS:
        raise PlanError(f"a stage of {num_rows:,} rows; the most is {MAX_ROWS:,}: use more stages")
    assert all(count >= 0 for count in counts)
    return np.array(counts, dtype=np.int64), num_rows


@subroutine
def _ceil_div(a: int, b: int) -> int:
    return -((-a) // b)


@subroutine
def _priority(j: int, e: int, n: int) -> int:
    """Return the priority of the j-th turn (from 1) of a task of weight e / n; the smaller goes first.

    From the high bits down: deadline; 0 where the window overlaps the next; group deadline,
    later first (none for a light task, of weight below a half).
    """
    deadline = _ceil_div(j * n, e)
    no_overlap = 1 if (j * n) % e == 0 else 0
    group = 0
    if 2 * e >= n:
        # A group ends where the idle slots' own schedule, of weight (n - e) / n, has a deadline.
        group = _ceil_div(_ceil_div(deadline * (n - e), n) * n, n - e)
    most = (1 << _GROUP_BITS) - 1
    return ((deadline * 2 + no_overlap) << _GROUP_BITS) + (most - min(group, most))


@kernel("none", read("int64"), "int64", read("int64"), "int64", "int64", write("int64", 2))
def _walk(
    counts: Int64Array, num_rows: int, had: Int64Array, first_block: int, every: int, marks: Int64Array
) -> None:
    """Write what each source has had after every ``every``-th block from ``first_block`` on.

    Args:
        had: What each source had before ``first_block``.
        marks: int64[blocks // every, sources], filled.
    """
    if marks.shape[0] == 0:
        return
    k = counts.size
    base = np.zeros(k, np.int64)
    weight = np.zeros(k, np.int64)
    turns = np.zeros(k, np.int64)
    release = np.full(k, _NEVER, np.int64)
    priority = np.full(k, _NEVER, np.int64)
    total_weight = 0
    for i in range(k):
        base[i] = (ROWS_PER_BLOCK * counts[i]) // num_rows
        weight[i] = (ROWS_PER_BLOCK * counts[i]) % num_rows
        turns[i] = had[i] - base[i] * first_block
        total_weight += weight[i]
        if weight[i] > 0:
            release[i] = (turns[i] * num_rows) // weight[i]
            priority[i] = _priority(turns[i] + 1, weight[i], num_rows)
    room = total_weight // num_rows
    chosen = np.zeros(max(room, 1), np.int64)
    for step in range(marks.shape[0] * every):
        block = first_block + step
        found = _most_urgent(release, priority, block, room, chosen)
        if found != room:
            raise AssertionError("schedule: fewer sources are due than a block has room for")
        for c in range(room):
            i = chosen[c]
            turns[i] += 1
            release[i] = (turns[i] * num_rows) // weight[i]
            priority[i] = _priority(turns[i] + 1, weight[i], num_rows)
        if (step + 1) % every == 0:
            for i in range(k):
                marks[step // every, i] = base[i] * (block + 1) + turns[i]


@subroutine
def _most_urgent(release: Int64Array, priority: Int64Array, block: int, room: int, chosen: Int64Array) -> int:
    """Put the released sources of smallest priority into ``chosen``, in order; return how many.

    Equal priorities go to the source that stands first.
    """
    found = 0
    if room == 0:
        return found
    for i in range(release.size):
        if release[i] > block:
            continue
        if found == room:
            if priority[i] >= priority[chosen[room - 1]]:
                continue
            place = room - 1
        else:
            place = found
            found += 1
        while place > 0 and priority[chosen[place - 1]] > priority[i]:
            chosen[place] = chosen[place - 1]
            place -= 1
        chosen[place] = i
    return found
