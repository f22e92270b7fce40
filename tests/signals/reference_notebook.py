"""The measures of notebooks, one text at a time, written for clarity."""

from __future__ import annotations

import re

HEAD = re.compile(r"(?:<(?:reponame|filename|gh_stars)>[^\n]*?\n?)?<jupyter_start>")
CELL = re.compile(r"<jupyter_(start|text|code|output)>")


def visible(text: str) -> int:
    return sum(not character.isspace() for character in text)


def notebook_chars(text: str) -> tuple[int, int] | None:
    """Visible characters of code and of text; None for what is no notebook."""
    if not HEAD.match(text):
        return None
    _, *pieces = CELL.split(text)
    counts = {"code": 0, "text": 0, "output": 0, "start": 0}
    for kind, content in zip(pieces[::2], pieces[1::2], strict=True):
        counts[kind] += sum(map(visible, content.split("<empty_output>")))
    return counts["code"], counts["text"]
