"""Which documents hold which evaluation items: the index of the items' runs, and its rules."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.decontamination.config import DecontaminationConfig
from dataprep.decontamination.word_runs import bitmap_of, every_run, find_runs
from dataprep.text.buffers import large_strings

Int64Array = npt.NDArray[np.int64]

_WORD = re.compile(r"\w+")

NGRAM, OVERLAP = "ngram", "overlap"
"""Names of the rules, as reports write them."""


@dataclass(frozen=True)
class Match:
    """A document holds an item."""

    text: int
    """Number of the document's text in the batch."""
    item: int
    """Row of the item in the table of items."""
    rule: str
    """Which rule says so: ``ngram`` or ``overlap``."""
    num_runs: int
    """Different runs of the item in the document..."""
    of_runs: int
    """...of so many different runs that the item has."""
    spans: tuple[tuple[int, int], ...]
    """Bytes of the text that hold them, ascending and apart."""


@dataclass(frozen=True)
class _Rule:
    """One rule as the index applies it."""

    name: str
    num_words: int
    min_share: Fraction

    def runs_needed(self, num_runs: Int64Array) -> Int64Array:
        needed = [max(1, math.ceil(self.min_share * int(number))) for number in num_runs]
        return np.array(needed, np.int64)


class ItemIndex:
    """The runs of words of all items that are looked for.

    Args:
        items: as ``ITEM_SCHEMA``.
        config: the rules.
    """

    def __init__(self, items: pa.Table, config: DecontaminationConfig) -> None:
        self._text = large_strings(items.column("text"))
        self._rules = _rules_of(config)
        single = find_runs(self._text, [1], every_run())
        self.num_words: Int64Array = np.bincount(single.texts, minlength=len(self._text)).astype(np.int64)
        """int64[items]: words of each item."""
        self.is_searched: npt.NDArray[np.bool_] = self.num_words >= config.min_words
        """bool[items]: whether an item has enough words to be looked for."""
        self._index_runs()

    def _index_runs(self) -> None:
        # An item with fewer words than a rule's run is one run of its own length.
        sizes = [np.minimum(self.num_words, rule.num_words) for rule in self._rules]
        wanted = {int(n) for size in sizes for n in np.unique(size[self.is_searched])}
        self._lengths = tuple(sorted(wanted))
        runs = find_runs(self._text, self._lengths, every_run())
        self._hashes, first, place = np.unique(runs.hashes, return_index=True, return_inverse=True)
        self._example = [(int(runs.texts[i]), int(runs.starts[i]), int(runs.stops[i])) for i in first]
        members = []
        for number, size in enumerate(sizes):
            own = self.is_searched[runs.texts] & (runs.lengths == size[runs.texts])
            members.append(
                np.stack([place[own], np.full(int(own.sum()), number), runs.texts[own]]).astype(np.int64)
            )
        table = np.unique(np.concatenate(members, axis=1), axis=1)
        used, starts = np.unique(table[0], return_index=True)
        # Runs of a length that only other items have are of no rule.
        self._hashes = self._hashes[used]
        self._example = [self._example[int(i)] for i in used]
        self._member_bounds = np.append(starts, table.shape[1])
        self._member_rule, self._member_item = table[1], table[2]
        self._num_runs = np.zeros((len(self._rules), len(self._text)), np.int64)
        np.add.at(self._num_runs, (table[1], table[2]), 1)
        self._needed = np.stack(
            [rule.runs_needed(own) for rule, own in zip(self._rules, self._num_runs, strict=True)]
        )
        self._bitmap = bitmap_of(self._hashes)

    def find(self, text: pa.LargeStringArray) -> list[Match]:
        """Return all matches of a batch of texts, by text, item and rule; a null text has none."""
        if not len(self._hashes):
            return []
        runs = find_runs(text, self._lengths, self._bitmap)
        slots = np.minimum(np.searchsorted(self._hashes, runs.hashes), len(self._hashes) - 1)
        seen: dict[tuple[int, int, int], tuple[set[int], list[tuple[int, int]]]] = {}
        for index in np.flatnonzero(self._hashes[slots] == runs.hashes).tolist():
            row, slot = int(runs.texts[index]), int(slots[index])
            span = (int(runs.starts[index]), int(runs.stops[index]))
            if not self._same_words(slot, text, row, span):
                continue
            for member in range(self._member_bounds[slot], self._member_bounds[slot + 1]):
                key = (row, int(self._member_item[member]), int(self._member_rule[member]))
                found, spans = seen.setdefault(key, (set(), []))
                found.add(slot)
                spans.append(span)
        return [
            Match(
                row,
                item,
                self._rules[rule].name,
                len(found),
                int(self._num_runs[rule, item]),
                joined(spans),
            )
            for (row, item, rule), (found, spans) in sorted(seen.items(), key=lambda one: one[0])
            if len(found) >= self._needed[rule, item]
        ]

    def _same_words(self, slot: int, text: pa.LargeStringArray, row: int, span: tuple[int, int]) -> bool:
        item, start, stop = self._example[slot]
        expected = _bytes_of(self._text, item)[start:stop]
        found = _bytes_of(text, row)[span[0] : span[1]]
        return found == expected or words_of(found.decode("utf-8")) == words_of(expected.decode("utf-8"))


def words_of(text: str) -> list[str]:
    """Return the normalised words of a text, as ``dataprep.dedup.words`` defines them.

    >>> words_of("The TIDE-bell, rings:\\ttwice")
    ['the', 'tide', 'bell', 'rings', 'twice']
    """
    return _WORD.findall(text.lower().replace("ς", "σ"))


def joined(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return spans that overlap or touch as one; ascending.

    >>> joined([(8, 12), (0, 5), (3, 9), (20, 21)])
    ((0, 12), (20, 21))
    """
    found: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return tuple(found)


def _bytes_of(column: pa.LargeStringArray, row: int) -> bytes:
    return bytes(memoryview(column[row].as_buffer()))


def _rules_of(config: DecontaminationConfig) -> tuple[_Rule, ...]:
    rules = []
    if config.ngram is not None:
        rules.append(_Rule(NGRAM, config.ngram, Fraction(0)))
    if config.overlap is not None:
        share = Fraction(repr(config.overlap.min_share))
        rules.append(_Rule(OVERLAP, config.overlap.ngram, share))
    return tuple(rules)
