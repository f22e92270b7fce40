"""Normalisation with Python's strings and regular expressions: slow, for comparison."""

from __future__ import annotations

import re
import unicodedata

LINE_ENDS = "\x0b\x0c\x85\u2028\u2029"
CONTROLS = "".join(chr(c) for c in (*range(0x20), *range(0x7F, 0xA0)) if chr(c) not in "\t\n\r" + LINE_ENDS)


def prose(text: str) -> str:
    """Return normalised prose."""
    text = text.translate(dict.fromkeys(map(ord, CONTROLS)))
    text = re.sub(f"\r\n|[\r{LINE_ENDS}]", "\n", text)
    return unicodedata.normalize("NFC", text.lstrip("\ufeff"))


def source_code(text: str) -> str:
    """Return normalised program code."""
    return text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
