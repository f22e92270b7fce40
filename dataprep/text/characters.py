"""What kind of character a code point is: one table of bits for all kernels.

The table is made from Python's ``unicodedata`` at first use (a tenth of a second, once per
process) and held in two stages: ``blocks[first[cp >> 8] * 256 + (cp & 255)]``. The first 256
entries of ``blocks`` are the code points below U+0100, so ASCII needs no first stage.
:data:`UNICODE_VERSION` belongs in the fingerprint of whatever depends on the table.
"""

from __future__ import annotations

import functools
import itertools
import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

UNICODE_VERSION = unicodedata.unidata_version

SPACE = 1 << 0
"""``str.isspace``: what ``str.split`` and ``str.strip`` go by."""
ALPHA = 1 << 1
"""``str.isalpha``: a letter (category L)."""
DIGIT = 1 << 2
"""Category Nd: what ``\\d`` matches."""
UPPER = 1 << 3
"""Category Lu or Lt."""
LOWER = 1 << 4
"""Category Ll."""
LINE_BREAK = 1 << 5
"""Ends a line for ``str.splitlines``."""
SYMBOL = 1 << 6
"""In datatrove's PUNCTUATION_SET: a word of only these is no word for Gopher's counts."""
TERMINAL = 1 << 7
"""In datatrove's TERMINAL_PUNCTUATION: ends a line for FineWeb, and a sentence."""
PUNCTUATION = 1 << 8
"""Category P: what spaCy calls ``is_punct``."""
PREFIX = 1 << 9
"""A word of its own at the start of a chunk (spaCy's prefixes of one character)."""
SUFFIX = 1 << 10
"""A word of its own at the end of a chunk (spaCy's suffixes of one character); a dot: behind a digit."""
ICON = 1 << 11
"""Category So, or the ellipsis: a word of its own wherever it stands."""
JOINT = 1 << 12
"""May split a chunk in its middle, depending on its neighbours: hyphens, dots, slashes, quotes."""
NFC_MAYBE = 1 << 13
"""A text without such characters is in NFC for certain."""
HYPHEN = 1 << 14
"""One of spaCy's hyphens."""
APOSTROPHE = 1 << 15
"""``'`` or the typographic one."""

_NUM_CODE_POINTS = 0x110000
_ASSIGNED = ((0, 0x32400), (0xE0000, 0xE0200))
"""Beyond these only private use (planes 15 and 16) is assigned, which has no bits; a test checks it."""
_LAST_SPACE = 0x3000

QUOTES = "'\"”“`‘´’‚„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧"
_PEELED = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪—–" + QUOTES
HYPHENS, APOSTROPHES = "-–—~", "'’"
_JOINTS = ".+*^:<>=/," + HYPHENS + APOSTROPHES

# datatrove 0.10.0, utils/text.py. PUNCTUATION holds a full-width "１" (by accident, it seems) and all
# control characters but tab, newline and space; TERMINAL_PUNCTUATION is written here as ranges.
_DATATROVE_PUNCTUATION = (
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«´»–—’“”„…∶━►、。〈〉《》「」【】！％（），．１：；？～"
)
_DATATROVE_CONTROLS = ((0, 9), (11, 13), (13, 32), (127, 160))
_DATATROVE_TERMINAL = """
    21 2E 3F 589 61D-61F 6D4 700-702 7F9 837 839 83D-83E 964-965 104A-104B 1362 1367-1368 166E 1735-1736
    17D4-17D6 17D9-17DA 1803 1809 1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E 1C3B-1C3C 1C7E-1C7F
    203C-203D 2047-2049 2E2E 2E3C 2E53-2E54 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9
    AA5D-AA5F AAF0-AAF1 ABEB FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 10F55-10F59 10F86-10F89
    11047-11048 110BE-110C1 11141-11143 111C5-111C6 111CD 111DE-111DF 11238-11239 1123B-1123C 112A9
    1144B-1144C 115C2-115C3 115C9-115D7 11641-11642 1173C-1173E 11944 11946 11A42-11A43 11A9B-11A9C
    11C41-11C42 11EF7-11EF8 11F43-11F44 16A6E-16A6F 16AF5 16B37-16B38 16B44 16E98 1BC9F 1DA88
"""


@dataclass(frozen=True)
class CharacterTable:
    """The two stages of the table.

    ``first`` is uint16[0x1100], the block of every 256 code points; ``blocks`` uint16[256 * blocks].
    """

    first: npt.NDArray[np.uint16]
    blocks: npt.NDArray[np.uint16]

    def __getitem__(self, code_point: int) -> int:
        return int(self.blocks[int(self.first[code_point >> 8]) * 256 + (code_point & 255)])

    def code_points_with(self, bit: int) -> list[int]:
        """Return all code points that have ``bit``, in order."""
        bits = self.blocks.reshape(-1, 256)[self.first].reshape(-1)
        return [int(code_point) for code_point in np.flatnonzero(bits & bit)]

    def changed(self, bit: int, *, gain: str = "", lose: str = "") -> CharacterTable:
        """Return a table in which the characters of ``gain`` have ``bit`` and those of ``lose`` do not."""
        blocks = self.blocks.copy()
        for character in gain + lose:
            block = self.first[ord(character) >> 8]
            assert np.count_nonzero(self.first == block) == 1, f"{character!r}: its block is shared"
            place = int(block) * 256 + (ord(character) & 255)
            blocks[place] = blocks[place] | bit if character in gain else blocks[place] & (0xFFFF ^ bit)
        return CharacterTable(first=self.first, blocks=blocks)


@functools.cache
def character_table() -> CharacterTable:
    """Return the table of character bits for this Python's Unicode version."""
    bits = _bits_of_all_code_points().reshape(-1, 256)
    rest, place = np.unique(bits[1:], axis=0, return_inverse=True)
    blocks = np.concatenate([bits[:1], rest])
    first = np.concatenate([[0], place.reshape(-1) + 1])
    return CharacterTable(first=first.astype(np.uint16), blocks=np.ascontiguousarray(blocks).reshape(-1))


def _bits_of_all_code_points() -> npt.NDArray[np.uint16]:
    bits = np.zeros(_NUM_CODE_POINTS, np.uint16)
    by_category = {
        **dict.fromkeys(("Lm", "Lo"), ALPHA),
        "Lu": ALPHA | UPPER,
        "Lt": ALPHA | UPPER,
        "Ll": ALPHA | LOWER,
        "Nd": DIGIT,
        **dict.fromkeys(("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"), PUNCTUATION),
        "So": ICON | PREFIX | SUFFIX,
        "Sc": PREFIX,
    }
    for start, stop in _ASSIGNED:
        categories = map(unicodedata.category, map(chr, range(start, stop)))
        bits[start:stop] = [by_category.get(category, 0) for category in categories]
    for code_point in range(_LAST_SPACE + 1):
        if chr(code_point).isspace():
            bits[code_point] |= SPACE
        if len(f"a{chr(code_point)}b".splitlines()) == 2:
            bits[code_point] |= LINE_BREAK
    _mark(bits, _DATATROVE_PUNCTUATION, SYMBOL)
    for start, stop in _DATATROVE_CONTROLS:
        bits[start:stop] |= SYMBOL
    for piece in _DATATROVE_TERMINAL.split():
        low, _, high = piece.partition("-")
        bits[int(low, 16) : int(high or low, 16) + 1] |= SYMBOL | TERMINAL
    _mark(bits, _PEELED, PREFIX | SUFFIX)
    _mark(bits, "§=", PREFIX)
    _mark(bits, "%", PREFIX | SUFFIX)
    _mark(bits, ".", SUFFIX)
    _mark(bits, "…", ICON)
    _mark(bits, _JOINTS, JOINT)
    _mark(bits, HYPHENS, HYPHEN)
    _mark(bits, APOSTROPHES, APOSTROPHE)
    bits[_not_surely_nfc()] |= NFC_MAYBE
    return bits


def _mark(bits: npt.NDArray[np.uint16], characters: str, mark: int) -> None:
    bits[[ord(character) for character in characters]] |= mark


def _not_surely_nfc() -> list[int]:
    """Return the code points whose NFC_Quick_Check is No or Maybe, or whose combining class is not 0.

    No: NFC changes the character itself. Maybe: it can compose with one before it, that is, it
    stands after the first place in a canonical decomposition, or is a Hangul vowel or final.
    """
    found = set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    for code_point in itertools.chain(*(range(start, stop) for start, stop in _ASSIGNED)):
        character = chr(code_point)
        if unicodedata.combining(character):
            found.add(code_point)
        decomposition = unicodedata.decomposition(character)
        if decomposition and decomposition[0] != "<":
            found.update(int(part, 16) for part in decomposition.split()[1:])
            if not unicodedata.is_normalized("NFC", character):
                found.add(code_point)
    return sorted(found)
