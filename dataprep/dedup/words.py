r"""What a word is for deduplication: ``re.findall(r"\w+", text.lower().replace("ς", "σ"))``.

The kernels read one table instead: for each code point the code point that it is lower-cased
to, or 0 where it does not belong to a word. The final sigma is folded into the other one
because ``str.lower`` chooses between them by context, and which one it chose says nothing
about the text. One character lower-cases to two: ``İ`` becomes ``i`` and a combining dot, and
since the dot is no word character, the word ends there; ``WORD_ENDS`` marks it.

The table is that of the running Python's Unicode version. Two versions differ in characters
that the older one does not know, which are then no word characters.
"""

from __future__ import annotations

import functools
import re

import numpy as np
import numpy.typing as npt

from dataprep.dedup.word_kernels import WORD_ENDS

NUM_CODE_POINTS = 0x110000

_DOTTED_CAPITAL_I = "İ"
_FIRST_SURROGATE, _FIRST_AFTER_SURROGATES = 0xD800, 0xE000


@functools.cache
def word_table() -> npt.NDArray[np.uint32]:
    """Return the word table: uint32[0x110000], read-only.

    Entry ``c`` is 0 where the character ``c`` separates words, else its lower-cased code point,
    with ``WORD_ENDS`` added where a word also ends behind it.
    """
    code_points = np.arange(NUM_CODE_POINTS, dtype=np.uint32)
    is_character = (code_points < _FIRST_SURROGATE) | (code_points >= _FIRST_AFTER_SURROGATES)
    characters = code_points[is_character]
    text = characters.astype("<u4").tobytes().decode("utf-32-le")
    lowered = text.replace(_DOTTED_CAPITAL_I, "i").lower().replace("ς", "σ")
    assert len(lowered) == len(text), "a character other than İ lower-cases to several"

    is_word = np.zeros(len(lowered), dtype=bool)
    for run in re.finditer(r"\w+", lowered):
        is_word[run.start() : run.end()] = True

    table = np.zeros(NUM_CODE_POINTS, dtype=np.uint32)
    lowered_points = np.frombuffer(lowered.encode("utf-32-le"), dtype="<u4")
    table[is_character] = np.where(is_word, lowered_points, 0)
    table[ord(_DOTTED_CAPITAL_I)] |= np.uint32(WORD_ENDS)
    table.flags.writeable = False
    return table
