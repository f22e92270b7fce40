"""C4's rules about lines: which lines count, and what they hold.

A line is kept when it ends in a mark (an option), has enough words, no word of more than 1,000
characters, and neither "javascript" nor a policy phrase. Citation marks are taken out first.
Only kept lines are searched for "lorem ipsum" and ``{`` and have their sentences counted, in
the order of datatrove 0.10.0 ``c4_filters.py``; sentences are always told by ``unicode`` words.
The signals about these rules and the edit that applies them (``dataprep.text.lines``) share this.
All phrases are found at once, whatever their case, with one automaton step a character.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from dataprep.kernels import int64, subroutine
from dataprep.text.characters import DIGIT
from dataprep.text.phrases import PhraseTable, matches, next_state, phrase_table
from dataprep.text.utf8 import bits_of, decode
from dataprep.text.words import ALL_PUNCTUATION, ENDS_SENTENCE, WORD_FLAGS, split_text

_LOREM_IPSUM, _JAVASCRIPT, _POLICY = 1, 2, 4
HAS_BRACE, MAY_CITE, UNCUT = 1, 2, 4
"""What is known of a line: its brackets, and that its words are no ``unicode`` words."""

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

_OPEN, _CLOSE = 0x5B, 0x5D
_DOT, _QUESTION, _BANG, _QUOTE, _APOSTROPHE = 0x2E, 0x3F, 0x21, 0x22, 0x27
LONGEST_WORD_CHARS = 1000
"""A line with a longer word is not kept."""
KEPT, LOREM, CURLY, NO_END_MARK, JAVASCRIPT, POLICY = 0, -1, -2, -3, -4, -5
"""What becomes of a line: kept, two that tell against the whole text, and why one is dropped."""
_EDIT = np.frombuffer(b"edit]", np.uint8)
_NEEDED = np.frombuffer(b"citation needed]", np.uint8)


@functools.cache
def c4_phrases() -> PhraseTable:
    """Return the automaton of C4's phrases."""
    return phrase_table(_PHRASES)


@subroutine
def citation_end(data: Any, i: int, stop: int, first: Any, blocks: Any) -> Any:
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
def num_sentences(start: int, stop: int, words: Any) -> int:
    """Return the sentences in words ``start`` to ``stop``, as spaCy's sentencizer counts them."""
    if start == stop:
        return 0
    sentences, after_mark = 1, False
    for k in range(start, stop):
        flags = words[k, WORD_FLAGS]
        if flags & ENDS_SENTENCE:
            after_mark = True
        elif after_mark and not flags & ALL_PUNCTUATION:
            sentences += 1
            after_mark = False
    return sentences


@subroutine
def without_citations(data: Any, start: int, stop: int, first: Any, blocks: Any, line: Any) -> int:
    """Write ``data[start:stop]`` to ``line``, citation marks left out; return the bytes written."""
    size, i = 0, start
    while i < stop:
        if data[i] == _OPEN:
            after = citation_end(data, i, stop, first, blocks)
            if after > i:
                i = after
                continue
        line[size] = data[i]
        size, i = size + 1, i + 1
    return size


@subroutine
def may_hold_phrases(data: Any, start: int, stop: int) -> bool:
    """Return whether a stretch needs to be searched for phrases: one look at every five bytes.

    Every phrase holds "avasc", "ipsum", "cooki", "ivacy" or "rms o" in some case, or a Kelvin sign.
    """
    hit = False
    for i in range(start, stop - 4):
        a, b, c = data[i] | 0x20, data[i + 1] | 0x20, data[i + 2] | 0x20
        d, e = data[i + 3] | 0x20, data[i + 4] | 0x20
        hit |= (a == 0x61) & (b == 0x76) & (c == 0x61) & (d == 0x73) & (e == 0x63)
        hit |= (a == 0x69) & (b == 0x70) & (c == 0x73) & (d == 0x75) & (e == 0x6D)
        hit |= (a == 0x63) & (b == 0x6F) & (c == 0x6F) & (d == 0x6B) & (e == 0x69)
        hit |= (a == 0x69) & (b == 0x76) & (c == 0x61) & (d == 0x63) & (e == 0x79)
        hit |= (a == 0x72) & (b == 0x6D) & (c == 0x73) & (d == 0x20) & (e == 0x6F)
        hit |= (data[i] == 0xE2) & (data[i + 1] == 0x84) & (data[i + 2] == 0xAA)
    return hit


@subroutine
def find_phrases(data: Any, start: int, stop: int, step: Any, found: Any) -> Any:
    """Return the bits of all phrases of a line."""
    phrases, state, i = int64(0), int64(0), start
    while i < stop:
        code_point, i = decode(data, i, stop)
        state = next_state(state, code_point, step)
        phrases |= int64(found[state])
    return phrases


@subroutine
def ends_in_mark(data: Any, start: int, stop: int) -> bool:
    """Return whether a line ends in ``. ? ! " '``, and not in an ellipsis."""
    last = data[stop - 1] if stop > start else 0
    dots = stop - start >= 3 and last == _DOT and data[stop - 2] == _DOT and data[stop - 3] == _DOT
    return not dots and last in (_DOT, _QUESTION, _BANG, _QUOTE, _APOSTROPHE)


@subroutine
def line_fate(
    data: Any,
    start: int,
    stop: int,
    has_brace: int,
    search: int,
    terminal_punct: int,
    step: Any,
    found: Any,
) -> Any:
    """Return what becomes of a line without citations that has words enough: KEPT, LOREM, ...

    ``search`` says whether it may hold phrases at all.
    """
    if terminal_punct and not ends_in_mark(data, start, stop):
        return int64(NO_END_MARK)
    phrases = int64(0)
    if search and may_hold_phrases(data, start, stop):
        phrases = find_phrases(data, start, stop, step, found)
    if phrases & _LOREM_IPSUM:
        return int64(LOREM)
    if phrases & _JAVASCRIPT:
        return int64(JAVASCRIPT)
    if has_brace:
        return int64(CURLY)
    if phrases & _POLICY:
        return int64(POLICY)
    return int64(KEPT)


@subroutine
def judge_line(
    data: Any,
    start: int,
    stop: int,
    marks: int,
    search: int,
    terminal_punct: int,
    step: Any,
    found: Any,
    first: Any,
    blocks: Any,
    words: Any,
    words_start: int,
    words_stop: int,
    line: Any,
    line_words: Any,
) -> Any:
    """Return the sentences of a stripped line that has words enough, or what else becomes of it.

    Its words are ``words_start`` to ``words_stop`` of the table ``words``; ``marks`` says what is known
    of it (HAS_BRACE, MAY_CITE, UNCUT), ``search`` whether it may hold phrases. A line with citations is
    written without them to ``line`` and cut into words anew (to ``line_words``).
    """
    cut = True
    if marks & (MAY_CITE | UNCUT):
        size = without_citations(data, start, stop, first, blocks, line)
        if size < stop - start or marks & UNCUT:
            # Two words that a citation kept apart may make a phrase.
            data, start, stop, search, cut = line, 0, size, True, False
    fate = line_fate(data, start, stop, marks & HAS_BRACE, search, terminal_punct, step, found)
    if fate != KEPT:
        return fate
    if not cut:
        words, words_start = line_words, 0
        words_stop = split_text(line, 0, stop, first, blocks, line_words)
    return num_sentences(words_start, words_stop, words)
