"""Words as dataprep.text.words describes them, written for clarity: slow, one string at a time."""

from __future__ import annotations

import re
import unicodedata

QUOTES = "'\"”“`‘´’‚„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧"
BRACKETS = "!?()[]" + QUOTES.replace("'", "")
PEELED = set("…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪—–%" + QUOTES)
HYPHENS = set("-–—~")
COMPOUNDING = ("de", "es", "nl", "pt")
"""In these languages hyphens and apostrophes join letters; so do dashes, but for Portuguese."""
BRACKETING = ("de", "nl")
"""In these languages brackets, quotes, and ``!`` and ``?`` stand alone between letters."""


def letter(character: str) -> bool:
    return unicodedata.category(character)[0] == "L" if character else False


def digit(character: str) -> bool:
    return unicodedata.category(character) == "Nd" if character else False


def capital(character: str) -> bool:
    return unicodedata.category(character) in ("Lu", "Lt") if character else False


def small(character: str) -> bool:
    return unicodedata.category(character) == "Ll" if character else False


def punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] == "P" if character else False


def icon(character: str) -> bool:
    return character == "…" or unicodedata.category(character) == "So"


def stands_alone(character: str, language: str | None, *, at_front: bool) -> bool:
    if (at_front and character in "§=") or (not at_front and character == "/" and language == "de"):
        return True
    if unicodedata.category(character) == "Sc":
        return at_front
    return character in PEELED or unicodedata.category(character) == "So"


def front_mark(chunk: str, language: str | None) -> str:
    if dots := re.match(r"\.{2,}", chunk):
        return dots[0]
    if chunk[0] == "+":
        return "" if digit(chunk[1:2]) else "+"
    return chunk[0] if stands_alone(chunk[0], language, at_front=True) else ""


def back_mark(chunk: str, language: str | None) -> str:
    if dots := re.search(r"\.{2,}\Z", chunk):
        return dots[0]
    before = chunk[-2:-1]
    if chunk[-1] == "+" or unicodedata.category(chunk[-1]) == "Sc":
        return chunk[-1] if digit(before) else ""
    if chunk[-1] != ".":
        return chunk[-1] if stands_alone(chunk[-1], language, at_front=False) else ""
    if letter(before) and not capital(before):
        return "." if len(chunk) > 2 else ""
    if digit(before):
        return "" if language == "de" else "."
    if before and (before in "+-" or (not icon(before) and stands_alone(before, language, at_front=False))):
        return "."
    return "." if capital(before) and capital(chunk[-3:-2]) else ""


def inner_mark(chunk: str, i: int, language: str | None) -> str:
    character, before, behind = chunk[i], chunk[i - 1] if i else "", chunk[i + 1 : i + 2]
    if icon(character):
        return character
    if dots := re.match(r"\.{2,}", chunk[i:]):
        return dots[0]
    word_before = letter(before) or digit(before)
    if character in HYPHENS and word_before and language not in COMPOUNDING:
        run = re.match("[-–—~]+", chunk[i:])
        assert run
        if letter(chunk[i + len(run[0]) : i + len(run[0]) + 1]):
            return run[0]
    if (
        (character == "." and small(before) and capital(behind))
        or (character == "," and letter(before) and letter(behind))
        or (character in "–—~" and language == "pt" and letter(before) and letter(behind))
        or (character in ":=<>" and word_before and letter(behind))
        or (character == "/" and language != "nl" and word_before and letter(behind))
        or (character == "/" and language == "de" and word_before and digit(behind))
        or (language in BRACKETING and character in BRACKETS and letter(before) and letter(behind))
        or (character in operators(language) and digit(before) and (digit(behind) or behind == "-"))
    ):
        return character
    return ""


def operators(language: str | None) -> str:
    return {"de": "-", "es": "+*^", "nl": "", "pt": "+*^"}.get(language or "", "+-*^")


def inner_words(chunk: str, language: str | None) -> list[str]:
    if chunk and not punctuation(chunk[0]) and ("@" in chunk or "://" in chunk):
        return [chunk]
    words, word, i = [], "", 0
    while i < len(chunk):
        character = chunk[i]
        if character in "'’" and language not in COMPOUNDING:
            letters = 0
            while letter(chunk[i + 1 + letters : i + 2 + letters]):
                letters += 1
            if i and letter(chunk[i - 1]) and letters:
                if letters <= 2:
                    words.append(word)
                    word = character
                else:
                    words.append(word + character)
                    word = ""
            else:
                word += character
            i += 1
        elif mark := inner_mark(chunk, i, language):
            words += [word, mark]
            word = ""
            i += len(mark)
        else:
            word += character
            i += 1
    return [*words, word]


def words_of_chunk(chunk: str, language: str | None = None) -> list[str]:
    front: list[str] = []
    back: list[str] = []
    while chunk and (mark := front_mark(chunk, language)):
        front.append(mark)
        chunk = chunk[len(mark) :]
    while chunk and (mark := back_mark(chunk, language)):
        back.insert(0, mark)
        chunk = chunk[: -len(mark)]
    return [word for word in [*front, *inner_words(chunk, language), *back] if word]


def words_of(text: str, *, kind: str = "unicode", language: str | None = None) -> list[str]:
    if kind == "whitespace":
        return text.split()
    return [word for chunk in text.split() for word in words_of_chunk(chunk, language)]
