"""A text as the single line that fastText reads, the same when a model is trained and when it judges."""

from __future__ import annotations

LABEL_PREFIX = "__label__"
"""Begins a label in fastText's training files, wherever it stands in a line."""

_END_OF_LINE = "</s>"


def single_line(text: str, *, lower_case: bool = False) -> str:
    r"""Return ``text`` as one line.

    Lines are joined by a space, as in DCLM (Li et al. 2024, "DataComp-LM", the classifier's
    ``" ".join(text.strip().splitlines())``), so that models trained there see what they saw. Case
    stays unless ``lower_case``. Two words that fastText takes for its own are broken: a label,
    which would teach a text as another class, and ``</s>``, behind which it reads no further.

    >>> single_line("Two lines\r\nof __label__hq text. \n")
    'Two lines of __label_ hq text.'
    """
    line = " ".join((text.lower() if lower_case else text).strip().splitlines())
    if LABEL_PREFIX in line:
        line = line.replace(LABEL_PREFIX, "__label_ ")
    if _END_OF_LINE in line:
        line = line.replace(_END_OF_LINE, "< /s>")
    return line
