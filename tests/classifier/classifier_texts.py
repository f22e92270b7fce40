"""Texts of two kinds: which words they choose from tells them apart."""

from __future__ import annotations

import random

_BOTH = ["the", "of", "and", "to", "in", "a", "is", "that", "it", "for", "with", "on", "was", "as", "by"]
WANTED = [
    "river",
    "history",
    "university",
    "research",
    "language",
    "century",
    "water",
    "island",
    "evidence",
    "chapter",
]
UNWANTED = ["click", "buy", "cheap", "offer", "now", "deal", "win", "free", "subscribe", "casino"]


def texts(words: list[str], count: int, *, seed: int) -> list[str]:
    """Return texts of 30 words, a third of them from ``words``."""
    draw = random.Random(seed)
    return [
        " ".join(draw.choice(words if draw.random() < 0.33 else _BOTH) for _ in range(30)).capitalize() + "."
        for _ in range(count)
    ]
