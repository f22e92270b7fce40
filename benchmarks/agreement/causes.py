"""Why two decisions differ: found by experiment, not by opinion.

For every difference, one definition at a time of datatrove's is replaced by ours, and its own filter
is run again. The cause is the first replacement that makes it decide as we do; what no replacement
explains is a bug of ours until somebody shows otherwise.
"""

from __future__ import annotations

import functools
from enum import StrEnum

from benchmarks.agreement.ours import Signals, our_sentence_count, our_words, rules_of
from benchmarks.agreement.sample import Document
from benchmarks.agreement.theirs import judge_theirs, replaced
from dataprep.documents import KEEP
from dataprep.filters import Rule

_TIE = 1e-6
"""Relative: signals are float32, datatrove computes in float64."""


class Cause(StrEnum):
    """Why two decisions differ; ``kind`` says whose doing it is."""

    WORDS = "where words begin and end"
    SENTENCES = "where sentences begin"
    N_GRAMS = "datatrove joins the words of an n-gram without spaces, and takes different ones for the same"
    WORDS_AND_N_GRAMS = "where words begin and end, and n-grams joined without spaces"
    TIE = "the value equals the limit but for rounding"
    UNEXPLAINED = "not explained"

    @property
    def kind(self) -> str:
        """Definition, tie, bug of theirs or bug of ours."""
        return _KINDS.get(self, "definition")


_KINDS = {
    Cause.N_GRAMS: "bug of theirs",
    Cause.TIE: "tie",
    Cause.UNEXPLAINED: "bug of ours",
}


def same(name: str, ours: str, theirs: str) -> bool:
    """Return whether two decisions are the same, reason included where datatrove gives one."""
    return same_outcome(ours, theirs) if name == "language" else ours == theirs


def same_outcome(ours: str, theirs: str) -> bool:
    """Return whether two decisions keep or drop alike."""
    return (ours == KEEP) == (theirs == KEEP)


def find_cause(name: str, document: Document, *, ours: str, theirs: str, signals: Signals, row: int) -> Cause:
    """Return why the decisions about one document differ."""
    for cause in _candidates(name):
        if same(name, ours, _judge_with(cause, name, document)):
            return cause
    tried = [rule for rule in rules_of(name) if rule.reason in (ours, theirs)]
    if any(_is_tie(rule, float(signals[rule.signal][row])) for rule in tried):
        return Cause.TIE
    return Cause.UNEXPLAINED


def _candidates(name: str) -> tuple[Cause, ...]:
    if name == "language":
        return ()  # both ask the same model about the same text
    if name.startswith("c4"):
        return (Cause.SENTENCES,)
    if name == "gopher_repetition":
        return (Cause.WORDS, Cause.N_GRAMS, Cause.WORDS_AND_N_GRAMS)
    return (Cause.WORDS,)


def _judge_with(cause: Cause, name: str, document: Document) -> str:
    """Return what datatrove decides when one of its definitions is ours."""
    words = functools.partial(our_words, language=document.language)
    sentences = functools.partial(our_sentence_count, language=document.language)
    with replaced(
        words=words if cause in (Cause.WORDS, Cause.WORDS_AND_N_GRAMS) else None,
        sentence_count=sentences if cause == Cause.SENTENCES else None,
        distinct_n_grams=cause in (Cause.N_GRAMS, Cause.WORDS_AND_N_GRAMS),
    ):
        return judge_theirs(name, document)


def _is_tie(rule: Rule, value: float) -> bool:
    limits = (rule.minimum, rule.maximum, rule.above, rule.below)
    return any(limit is not None and abs(value - limit) <= _TIE * max(abs(limit), 1) for limit in limits)
