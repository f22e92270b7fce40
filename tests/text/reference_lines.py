"""Edits of lines, one text at a time with strings and regular expressions: slow, for comparison."""

from __future__ import annotations

import re
import string
import unicodedata

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


Piece = tuple[str, int, int]
"""Kind of what was removed, and the bytes of the text in which it stood."""


def sized(text: str) -> int:
    return len(text.encode())


def refinedweb_lines(
    text: str, *, max_upper: float = 0.5, max_numeric: float = 0.999999, min_words: int = 2, short: int = 10
) -> tuple[str, list[Piece], float]:
    """Return the new text, the removed pieces (each the line it stood in), and the share of words removed."""
    kept, pieces, place = [], list[Piece](), 0
    for line in text.split("\n"):
        start, stop = place, place + sized(line)
        place = stop + 1
        if not line.strip():
            kept.append(line)
            continue
        kind = drop_kind(line, max_upper, max_numeric, min_words)
        if kind is not None:
            pieces.append((kind, start, stop))
            continue
        changed = line
        if len(line.split()) <= short:
            for name, pattern in (
                ("line_items_in_cart", r"\s?items in cart"),
                ("line_read_more", r"\s?read more\.\.\.\Z"),
                ("line_sign_in", r"\Asign-in\s?"),
            ):
                shorter = without(changed, pattern) if changed.strip() else changed
                if shorter != changed:
                    pieces.append((name, start, stop))
                changed = shorter
        if changed.strip() or changed == line:
            kept.append(changed)
    edited = "\n".join(kept).strip() if pieces else text
    words = len(text.split())
    left = len(edited.split())
    return edited, pieces, (words - left) / words if words else float("nan")


def c4_lines(text: str, *, terminal_punct: bool, min_words: int) -> tuple[str, list[Piece]]:
    """Return the lines that stay, and what went: stripped lines, and the citations of those that stay."""
    kept, pieces, place = [], list[Piece](), 0
    for whole in text.splitlines(keepends=True):
        start = place + sized(whole) - sized(whole.lstrip())
        place += sized(whole)
        line, words = whole.strip(), whole.split()
        if not words:
            continue
        citations, last, begin = list[Piece](), 0, start
        for one in CITATION.finditer(line):
            begin += sized(line[last : one.start()])
            citations.append(("c4_citation", begin, begin + sized(one.group())))
            last = one.start()
        stop = start + sized(line)
        line = CITATION.sub("", line)
        if any(len(word) > 1000 for word in words):
            pieces.append(("c4_long_word", start, stop))
        elif terminal_punct and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
            pieces.append(("c4_no_end_mark", start, stop))
        elif len(words) < min_words:
            pieces.append(("c4_few_words", start, stop))
        elif "lorem ipsum" not in line.lower() and "javascript" in line.lower():
            pieces.append(("c4_javascript", start, stop))
        elif (
            "lorem ipsum" not in line.lower()
            and "{" not in line
            and any(policy in line.lower() for policy in POLICIES)
        ):
            pieces.append(("c4_policy", start, stop))
        else:
            pieces += citations
            if line.strip():
                kept.append(line)
    return "\n".join(kept).strip(), pieces
