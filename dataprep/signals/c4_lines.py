"""C4's rules about lines: which lines count, and what they hold.

A line is kept when it ends in a mark (an option), has enough words, no word of more than 1,000
characters, and neither "javascript" nor a policy phrase. Citation marks are taken out first.
Only kept lines are searched for "lorem ipsum" and ``{`` and have their sentences counted, in
the order of datatrove 0.10.0 ``c4_filters.py``. All phrases are found at once, whatever their
case, with one automaton step a character.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from dataprep.kernels import subroutine
from dataprep.signals.phrases import PhraseTable, next_state, phrase_table
from dataprep.signals.words import ALL_PUNCTUATION, ENDS_SENTENCE, split_text
from dataprep.text.characters import DIGIT
from dataprep.text.utf8 import bits_of, decode

_LOREM_IPSUM, _JAVASCRIPT, _POLICY = 1, 2, 4

_PHRASES = {
    "lorem ipsum": _LOREM_IPSUM,
    "javascript": _JAVASCRIPT,
    "terms of use": _POLICY,
    "privacy policy": _POLICY,
    "cookie policy": _POLICY,
    "uses cookies": _POLICY,
    "use of cookies": _POLICY,
    "use cookies": _POLICY,
}
"""C4's phrases, as in datatrove 0.10.0 and TFDS ``c4_utils.py``."""

_OPEN, _CLOSE, _BRACE = 0x5B, 0x5D, 0x7B
_DOT, _QUESTION, _BANG, _QUOTE, _APOSTROPHE = 0x2E, 0x3F, 0x21, 0x22, 0x27
DROPPED, LOREM, CURLY = -1, -2, -3
"""What :func:`judge_line` returns for a line that is not kept, or that tells against the whole text."""
_EDIT = np.frombuffer(b"edit]", np.uint8)
_NEEDED = np.frombuffer(b"citation needed]", np.uint8)


@functools.cache
def c4_phrases() -> PhraseTable:
    """Return the automaton of C4's phrases."""
    return phrase_table(_PHRASES)


@subroutine
def matches(data: Any, i: int, stop: int, phrase: Any) -> bool:
    """Return whether ``phrase`` (uint8[]) stands at byte ``i``."""
    if i + len(phrase) > stop:
        return False
    for k in range(len(phrase)):  # noqa: SIM110 (kernels have no generators)
        if data[i + k] != phrase[k]:
            return False
    return True


@subroutine
def citation_end(data: Any, i: int, stop: int, first: Any, blocks: Any) -> int:
    """Return the end of ``[12]``, ``[]``, ``[edit]`` or ``[citation needed]`` at byte ``i``, or ``i``."""
    if data[i] != _OPEN:
        return i
    place = i + 1
    while place < stop:
        code_point, after = decode(data, place, stop)
        if code_point == _CLOSE:
            return after
        if not bits_of(code_point, first, blocks) & DIGIT:
            break
        place = after
    if matches(data, i + 1, stop, _EDIT):
        return i + 1 + len(_EDIT)
    if matches(data, i + 1, stop, _NEEDED):
        return i + 1 + len(_NEEDED)
    return i


@subroutine
def num_sentences(start: int, stop: int, flags: Any) -> int:
    """Return the sentences in words ``start`` to ``stop``, as spaCy's sentencizer counts them."""
    if start == stop:
        return 0
    sentences, after_mark = 1, False
    for k in range(start, stop):
        if flags[k] & ENDS_SENTENCE:
            after_mark = True
        elif after_mark and not flags[k] & ALL_PUNCTUATION:
            sentences += 1
            after_mark = False
    return sentences


@subroutine
def judge_line(
    data: Any,
    start: int,
    stop: int,
    terminal_punct: int,
    step: Any,
    found: Any,
    first: Any,
    blocks: Any,
    flags: Any,
    words_start: int,
    words_stop: int,
    line: Any,
    line_words: Any,
    line_chars: Any,
    line_flags: Any,
) -> int:
    """Return the sentences of a stripped line that has words enough, or why it is not kept.

    ``flags`` describes its words ``words_start`` to ``words_stop``. A line with citations is
    written without them to ``line`` and cut into words anew.
    """
    phrases, state, size, brace = 0, 0, 0, False
    last, last_2, last_3 = 0, 0, 0
    i = start
    while i < stop:
        after = citation_end(data, i, stop, first, blocks)
        if after > i:
            i = after
            continue
        code_point, after = decode(data, i, stop)
        while i < after:
            line[size] = data[i]
            size, i = size + 1, i + 1
        state = next_state(state, code_point, step)
        phrases |= found[state]
        brace |= code_point == _BRACE
        last, last_2, last_3 = code_point, last, last_2
    ends_well = last in (_DOT, _QUESTION, _BANG, _QUOTE, _APOSTROPHE)
    if terminal_punct and (not ends_well or (last == _DOT and last_2 == _DOT and last_3 == _DOT)):
        return DROPPED
    if phrases & _LOREM_IPSUM:
        return LOREM
    if phrases & _JAVASCRIPT:
        return DROPPED
    if brace:
        return CURLY
    if phrases & _POLICY:
        return DROPPED
    if size == stop - start:
        return num_sentences(words_start, words_stop, flags)
    return num_sentences(
        0, split_text(line, 0, size, first, blocks, line_words, line_chars, line_flags), line_flags
    )
