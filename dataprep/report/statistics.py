"""What a build did to its data, in numbers: the parts of a summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UNSELECTED = "(in no source)"
"""Stands for the documents of ingested subsets that no source of the mixture selects."""


@dataclass(frozen=True)
class EditStatistics:
    """What edits did to the kept texts of one source."""

    documents: int
    """Kept documents that lost a piece."""
    removed_bytes: int
    """Bytes of the pieces, before placeholders stood in their place."""
    pieces: Mapping[str, int]
    """Removed pieces by kind, the most frequent first."""
    examples: tuple[Mapping[str, str | int], ...] = ()
    """Some documents before and after, by subset and kind; never what was redacted."""


@dataclass(frozen=True)
class SourceStatistics:
    """What became of the raw rows of one source."""

    source: str
    corpus: str
    rows: int
    kept: int
    """Rows that every filter kept; ``rows`` is ``kept`` and all reasons together."""
    reasons: Mapping[str, int]
    """Why rows were dropped, the most frequent first."""
    text_bytes: int
    """Text of the kept rows."""
    duplicates: Mapping[str, int]
    """Kept rows that were removed as copies, by kind: exact, url, near; and as ``contaminated``, where
    evaluation items were looked for."""
    documents: int
    """Documents in the token store: ``kept`` without what was removed."""
    tokens: int
    tokenized_bytes: int
    """Text of the documents in the token store."""
    classes: Mapping[str, int]
    """Tokens by length class; ``holdout`` is never trained on."""
    license: str
    edits: EditStatistics | None = None
    """None: nothing was removed from any kept text."""

    @property
    def bytes_per_token(self) -> float:
        """Text bytes that a token stands for; 0 where there is no token."""
        return self.tokenized_bytes / self.tokens if self.tokens else 0.0


@dataclass(frozen=True)
class DuplicateStatistics:
    """What deduplication removed, over all sources."""

    removed: Mapping[str, int]
    """Documents by kind."""
    removed_bytes: int
    clusters: int
    largest_cluster: int
    across: Mapping[str, Mapping[str, int]]
    """For each source that lost documents, the sources whose copies survived."""


@dataclass(frozen=True)
class ContaminationStatistics:
    """What the search for evaluation items found, over all sources."""

    action: str
    """``remove``; ``cut``: pieces of the documents stay; or ``report``: they stay as they are."""
    documents: int
    """Documents that were searched."""
    contaminated: int
    """Documents that hold an item."""
    contaminated_bytes: int
    cut: int
    """Documents of which pieces stay..."""
    cut_bytes: int
    """...and the text that was cut out of them."""
    sets: Mapping[str, Mapping[str, int]]
    """For each evaluation set: items, too_short, items_found, documents."""
    folder: str
    """Where the hits lie."""


@dataclass(frozen=True)
class StageSourceStatistics:
    """What one stage asked of a source and what its shards hold."""

    source: str
    requested: float
    """Share of the stage's tokens that the mixture asks for."""
    realised: float
    """Share of the tokens in the stage's shards."""
    rows: int
    tokens: int
    available: int
    """Tokens of the source that the stage draws from."""
    epochs: float
    """How often the stage reads them."""
    epochs_so_far: float
    """How often this stage and those before it have read them."""


@dataclass(frozen=True)
class StageStatistics:
    """The shards of one stage."""

    stage: str
    sequence_length: int
    packing: str
    rows: int
    shards: int
    size_bytes: int
    tokens: int
    """Input positions that hold a token."""
    targets: int
    """Targets that bear loss."""
    padding: int
    """Input positions that hold none."""
    folder: str
    sources: tuple[StageSourceStatistics, ...]

    @property
    def largest_deviation(self) -> float:
        """Largest difference between a realised and a requested share."""
        return max((abs(source.realised - source.requested) for source in self.sources), default=0.0)
