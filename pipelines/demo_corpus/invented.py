"""What no machine has lying around: variants, arithmetic, books that must be refused."""

from __future__ import annotations

import re

from dataprep.hashing import hash64

SPECIAL_TOKEN_TEXT = (
    "A note for everyone who writes about tokenizers. The marker <|endoftext|> ends a document, "
    "<|fim_prefix|> and <|fim_suffix|> frame a gap in a file, and <|im_start|> opens a turn of a "
    "chat. In this article these are words like all the others, since an author typed them. A "
    "pipeline that turned them into control tokens would cut the page in two and hand the second half "
    "to a stranger. That is why the text of the web must be encoded with all special tokens switched "
    "off, and why it is worth testing with a page that has them in plain sight."
)
"""A web page that talks about special tokens; its tokens must all be ordinary ones."""

REFUSED_BOOKS = {
    "The Glass Harbour": (
        "Nobody in Saint Ives remembered who had paid for the harbour of glass, and those who did "
        "remember were careful not to say so. Captain Orla Venn came in on the evening tide with a cargo "
        "of lamp oil and one passenger who never left his cabin. She had been told to ask no questions, "
        "which was the only part of the contract that she meant to break."
    ),
    "A Winter for Accountants": (
        "On the day the firm was sold, Bertram counted the pencils. There were forty-one, if you included "
        "the short ones, and he thought that a person who bought a firm ought to know such a thing. He "
        "wrote the number on a card and left it on the desk of the new owner, who took it for a threat."
    ),
    "The Cartographer's Second Wife": (
        "She had married a man who drew coasts, and for the first year she believed that he knew where "
        "they were. He did not. He sat in the upper room with the letters of sailors and made the bays "
        "deep where the writing was deep, and the islands sharp where the sailor had been afraid."
    ),
}
"""Titles and openings of novels that do not exist, in the place of Books3, which is never trained on."""


def near_duplicate(body: str, *, key: str, rate: float) -> str:
    """Return ``body`` with a share ``rate`` of its words replaced by other words of the same text.

    With word 5-grams, a rate of 0.01 leaves a Jaccard similarity of about 0.9.
    """
    pieces = re.split(r"(\s+)", body)
    words = list(range(0, len(pieces), 2))
    for turn in range(max(1, round(rate * len(words)))):
        target = words[hash64(key, turn, "target") % len(words)]
        pieces[target] = pieces[words[hash64(key, turn, "word") % len(words)]]
    return "".join(pieces)


def arithmetic_page(number: int) -> str:
    """Return a page of school arithmetic with answers, in the manner of DM Mathematics."""
    lines = []
    for line in range(24):
        draw = hash64("arithmetic", number, line)
        left, right, kind = draw % 9_973 + 2, (draw >> 20) % 997 + 2, (draw >> 40) % 4
        question, answer = (
            (f"What is {left} plus {right}?", left + right),
            (f"Calculate {left} - {right}.", left - right),
            (f"Multiply {left} and {right}.", left * right),
            (f"What is the remainder when {left} is divided by {right}?", left % right),
        )[kind]
        lines.append(f"{question}\n{answer}")
    return "\n".join(lines)
