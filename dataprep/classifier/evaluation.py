"""How well scores tell wanted texts from others, at several thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
DECISION = 0.5
"""The threshold whose precision and recall are a model's own: the likelier label."""


@dataclass(frozen=True)
class ThresholdRow:
    """What a filter with one threshold does to texts whose class is known."""

    threshold: float
    true_positives: int
    """Wanted texts that are kept..."""
    false_positives: int
    """...and others that are; a text is kept when its score is the threshold or above."""
    positives: int
    """All wanted texts."""
    negatives: int
    """All others."""

    @property
    def precision(self) -> float:
        """Share of the kept texts that are wanted; 0 where none is kept."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the wanted texts that are kept."""
        return _share(self.true_positives, self.positives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where both are."""
        return _share(2 * self.true_positives, self.true_positives + self.false_positives + self.positives)

    @property
    def negatives_kept(self) -> float:
        """Share of the other texts that are kept."""
        return _share(self.false_positives, self.negatives)

    def to_json(self) -> dict[str, float | int]:
        """Return counts and shares as JSON values."""
        return {
            "threshold": self.threshold,
            "true_positives": self.true_positives,
            "false_positives": self.false_positives,
            "false_negatives": self.positives - self.true_positives,
            "true_negatives": self.negatives - self.false_positives,
            "precision": round(self.precision, 6),
            "recall": round(self.recall, 6),
            "f1": round(self.f1, 6),
            "negatives_kept": round(self.negatives_kept, 6),
        }


@dataclass(frozen=True)
class Evaluation:
    """A model's results on texts that it has not seen."""

    rows: tuple[ThresholdRow, ...]
    """One for each of ``THRESHOLDS``."""

    @property
    def decision(self) -> ThresholdRow:
        """The row of the likelier label."""
        return next(row for row in self.rows if row.threshold == DECISION)


def evaluate(
    positive_scores: npt.NDArray[np.float32], negative_scores: npt.NDArray[np.float32]
) -> Evaluation:
    """Return what each threshold keeps; a NaN score is kept, as a filter does.

    >>> evaluate(np.float32([0.9, 0.5, 0.2]), np.float32([0.6, 0.1])).decision.to_json()["f1"]
    0.666667
    """
    rows = [
        ThresholdRow(
            threshold,
            int((~(positive_scores < np.float32(threshold))).sum()),
            int((~(negative_scores < np.float32(threshold))).sum()),
            len(positive_scores),
            len(negative_scores),
        )
        for threshold in THRESHOLDS
    ]
    return Evaluation(tuple(rows))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
