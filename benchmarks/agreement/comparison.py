"""All decisions of both sides about one set of documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.agreement.causes import Cause, find_cause, same, same_outcome
from benchmarks.agreement.ours import FILTERS, is_empty, judge_ours
from benchmarks.agreement.sample import Document
from benchmarks.agreement.theirs import judge_theirs, replaced


@dataclass(frozen=True)
class Decision:
    """What both sides say about one document."""

    filter: str
    document: Document
    ours: str
    theirs: str
    cause: Cause | None
    """Why they differ; None where they do not."""


@dataclass(frozen=True)
class Comparison:
    """What both sides say about all documents.

    Blank texts (white space alone) stand apart: every preset of ours drops them as ``empty_text``
    before any other rule, and datatrove has no such rule and raises in some filters.
    """

    decisions: tuple[Decision, ...]
    blank: Counter[tuple[str, str]]
    """Number of blank texts by filter and by what datatrove says of them."""

    def agreement(self, name: str, languages: Sequence[str], *, outcome_only: bool = False) -> float:
        """Return the share of documents with the same decision, 1 without any.

        Args:
            name: One of ``FILTERS``.
            languages: Languages whose documents count.
            outcome_only: Take two different reasons to drop a document for the same decision.
        """
        told = [
            one.cause is None or (outcome_only and same_outcome(one.ours, one.theirs))
            for one in self.decisions
            if one.filter == name and one.document.language in languages
        ]
        return sum(told) / len(told) if told else 1.0

    def num_documents(self, languages: Sequence[str]) -> int:
        """Return how many documents with text were compared."""
        return sum(one.filter == FILTERS[0] and one.document.language in languages for one in self.decisions)

    @property
    def differences(self) -> list[Decision]:
        """The decisions that differ, in the order of filters and documents."""
        return [one for one in self.decisions if one.cause is not None]


def compare(documents: Sequence[Document]) -> Comparison:
    """Judge every document by every filter of both sides, and find the cause of each difference."""
    ours, signals = judge_ours(documents)
    empty = is_empty(documents)
    decisions: list[Decision] = []
    blank: Counter[tuple[str, str]] = Counter()
    told: dict[tuple[str, int], str] = {}
    with replaced():
        for row, document in enumerate(documents):  # document by document: words are cut once for all filters
            for name in FILTERS:
                told[name, row] = judge_theirs(name, document)
    for name in FILTERS:
        for row, document in enumerate(documents):
            our, their = ours[name][row], told[name, row]
            if empty[row]:
                blank[name, their] += 1
                continue
            cause = None
            if not same(name, our, their):
                cause = find_cause(name, document, ours=our, theirs=their, signals=signals[name], row=row)
            decisions.append(Decision(name, document, our, their, cause))
    return Comparison(tuple(decisions), blank)
