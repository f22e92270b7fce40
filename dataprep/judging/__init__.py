"""Judging again: new thresholds over the signals that document tables store, without reading a text.

What comes out is what a build with these thresholds would keep, before it looks for duplicates.
"""

from dataprep.judging.rejudge import Move, Rejudgement, SourceChange, rejudge
from dataprep.judging.thresholds import Override, Thresholds, load_thresholds

__all__ = [
    "Move",
    "Override",
    "Rejudgement",
    "SourceChange",
    "Thresholds",
    "load_thresholds",
    "rejudge",
]
