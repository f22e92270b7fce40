"""Edits of lines, one text at a time with strings and regular expressions: slow, for comparison."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter

CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
POLICIES = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)
COUNTER = re.compile(
    r"\W*\d[,.\d]*[kmb]?\s+(?:likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes|"
    r"downloads|views|followers)\W*"
)
SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def is_counter(line: str) -> bool:
    """``\\w`` here is a letter, a decimal digit or the underscore: numbers like ½ and Ⅷ are none."""
    plain = "".join(
        "-" if c.isalnum() and not c.isalpha() and unicodedata.category(c) != "Nd" else c for c in line
    )
    return COUNTER.fullmatch(plain.translate(SMALL)) is not None


def drop_kind(line: str, max_upper: float, max_numeric: float, min_words: int) -> str | None:
    if sum(unicodedata.category(c) in ("Lu", "Lt") for c in line) / len(line) > max_upper:
        return "line_uppercase"
    if sum(unicodedata.category(c) == "Nd" for c in line) / len(line) > max_numeric:
        return "line_numeric"
    if is_counter(line):
        return "line_counter"
    return "line_single_word" if len(line.split()) < min_words else None


def without(line: str, pattern: str) -> str:
    parts, place = [], 0
    for match in re.finditer(pattern, line.translate(SMALL)):
        parts.append(line[place : match.start()])
        place = match.end()
    return "".join(parts) + line[place:]


def refinedweb_lines(
    text: str, *, max_upper: float = 0.5, max_numeric: float = 0.999999, min_words: int = 2, short: int = 10
) -> tuple[str, Counter[str], float]:
    kept, kinds = [], Counter[str]()
    for line in text.split("\n"):
        if not line.strip():
            kept.append(line)
            continue
        kind = drop_kind(line, max_upper, max_numeric, min_words)
        if kind is not None:
            kinds[kind] += 1
            continue
        changed = line
        if len(line.split()) <= short:
            for name, pattern in (
                ("line_items_in_cart", r"\s?items in cart"),
                ("line_read_more", r"\s?read more\.\.\.\Z"),
                ("line_sign_in", r"\Asign-in\s?"),
            ):
                shorter = without(changed, pattern) if changed.strip() else changed
                kinds[name] += shorter != changed
                changed = shorter
        if changed.strip() or changed == line:
            kept.append(changed)
    kinds = +kinds
    edited = "\n".join(kept).strip() if kinds else text
    words = len(text.split())
    left = len(edited.split())
    return edited, kinds, (words - left) / words if words else float("nan")


def c4_lines(text: str, *, terminal_punct: bool, min_words: int) -> tuple[str, Counter[str]]:
    kept, kinds = [], Counter[str]()
    for raw in text.splitlines():
        line, words = raw.strip(), raw.split()
        if not words:
            continue
        citations = CITATION.findall(line)
        line = CITATION.sub("", line)
        if any(len(word) > 1000 for word in words):
            kinds["c4_long_word"] += 1
        elif terminal_punct and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
            kinds["c4_no_end_mark"] += 1
        elif len(words) < min_words:
            kinds["c4_few_words"] += 1
        elif "lorem ipsum" not in line.lower() and "javascript" in line.lower():
            kinds["c4_javascript"] += 1
        elif (
            "lorem ipsum" not in line.lower()
            and "{" not in line
            and any(policy in line.lower() for policy in POLICIES)
        ):
            kinds["c4_policy"] += 1
        else:
            kinds["c4_citation"] += len(citations)
            if line.strip():
                kept.append(line)
    return "\n".join(kept).strip(), +kinds
