"""What a word is: subroutines that cut a chunk of non-space characters into words.

``whitespace`` words are the chunks between white space, as in dolma and DCLM. ``unicode``
words are close to what spaCy's rule tokenizer gives datatrove, in one rule set for all
languages. Of a chunk:

1. leading marks (quotes, brackets, currency, ``#``, ``*``, ...) and trailing marks stand alone,
   a run of dots as one, a trailing currency sign only behind a digit; a single final dot stands
   alone after a word in small letters or letters without case, a digit, a mark or two capitals
   (so "end." gives two words; "J.", "a." and "U.S." one);
2. what begins with no mark and holds ``://`` or ``@`` stays whole;
3. inside, emoji and dot runs stand alone; hyphens, ``/ : = < >`` do between letters (or after a
   digit before a letter), ``,`` between letters, ``.`` between a small letter and a capital,
   ``+ - * ^`` between digits;
4. an apostrophe between letters begins a word of at most two letters ("John" "'s") and ends a
   longer one ("l'" "homme").

In some languages (:data:`MARKS`) other marks do this: the kernels get a table of characters with
other bits. Differs from spaCy: no lists of exceptions and units.
"""

from __future__ import annotations

import functools
from typing import Any

from dataprep.kernels import at, inlined, subroutine
from dataprep.text.characters import (
    ALPHA,
    APOSTROPHE,
    APOSTROPHES,
    DIGIT,
    HYPHEN,
    HYPHENS,
    ICON,
    JOINT,
    LOWER,
    PREFIX,
    PUNCTUATION,
    QUOTES,
    SPACE,
    SUFFIX,
    SYMBOL,
    TERMINAL,
    UPPER,
    CharacterTable,
    character_table,
)
from dataprep.text.utf8 import bits_of, decode, previous

NEEDS_SPLIT = PREFIX | SUFFIX | ICON | JOINT
"""A chunk without any such character is one word."""

ALL_SYMBOLS, HAS_ALPHA, ALL_PUNCTUATION, ENDS_SENTENCE = 1, 2, 4, 8
"""What is known of a word: flags."""

_DOT, _PLUS, _MINUS = 0x2E, 0x2B, 0x2D
_SLASH, _COLON, _EQUALS, _LESS, _GREATER = 0x2F, 0x3A, 0x3D, 0x3C, 0x3E
_STAR, _CARET, _AT = 0x2A, 0x5E, 0x40
_LONGEST_CLITIC = 2

_COMPOUNDS = (HYPHEN, "", HYPHENS), (APOSTROPHE, "", APOSTROPHES), (JOINT, "", APOSTROPHES)
_BRACKETS = (JOINT, "!?()[]" + QUOTES.replace("'", ""), "–—~")
MARKS: dict[str, tuple[tuple[int, str, str], ...]] = {
    "de": (*_COMPOUNDS, _BRACKETS, (JOINT, "", "+*^"), (PREFIX, "+", ""), (SUFFIX, "/", ".")),
    "es": (*_COMPOUNDS, (JOINT, "", HYPHENS)),
    "nl": (*_COMPOUNDS, _BRACKETS, (JOINT, "", "+-*^/"), (PREFIX, "+", "")),
    "pt": (*_COMPOUNDS, (JOINT, "", "-")),
}
"""By language: a bit, the characters that have it besides and those that lack it, as in spaCy 3.8.18's
rules for the language.

HYPHEN, APOSTROPHE: none separates letters ("Video-Schnitt", "pagina's"). JOINT: brackets and quotes
do in German and Dutch ("f(x)"); other marks do not ("8859-15" in Spanish, "aan/uit" in Dutch), nor do
dashes, but for Portuguese.
SUFFIX: a final slash stands alone in German and a slash separates digits; but a number and its final
dot are one word ("3.": third). PREFIX: a plus that is no joint is looked at all the same.
"""

WORD_START, WORD_STOP, WORD_CHARS, WORD_FLAGS = 0, 1, 2, 3
"""Columns of a table of words, int32[words, 4]: first byte, byte after, characters, flags."""


@functools.cache
def word_table(language: str | None) -> CharacterTable:
    """Return the table of characters that texts in ``language`` are cut into words by.

    None, or a language that is not in :data:`MARKS`: as in English.
    """
    table = character_table()
    for bit, gain, lose in MARKS.get(language or "", ()):
        table = table.changed(bit, gain=gain, lose=lose)
    return table


@inlined
def flags_of(any_bits: int, all_bits: int, num_chars: int) -> int:
    """Return the flags of a word from the union and intersection of its characters' bits."""
    flags = 0
    if all_bits & SYMBOL:
        flags |= ALL_SYMBOLS
    if any_bits & ALPHA:
        flags |= HAS_ALPHA
    if all_bits & PUNCTUATION:
        flags |= ALL_PUNCTUATION
    if num_chars == 1 and all_bits & TERMINAL:
        flags |= ENDS_SENTENCE
    return flags


@inlined
def put_word(words: Any, count: int, start: int, stop: int, num_chars: int, flags: int) -> int:
    """Write one word at place ``count`` of the table; return the new count."""
    words[at(count), WORD_START] = start
    words[at(count), WORD_STOP] = stop
    words[at(count), WORD_CHARS] = num_chars
    words[at(count), WORD_FLAGS] = flags
    return count + 1


@subroutine
def add_word(data: Any, start: int, stop: int, first: Any, blocks: Any, words: Any, count: int) -> int:
    """Write the word ``data[start:stop]`` at place ``count``, if not empty; return the new count."""
    if start == stop:
        return count
    any_bits, all_bits, num_chars, i = 0, 0xFFFF, 0, start
    while i < stop:
        code_point, i = decode(data, i, stop)
        bits = bits_of(code_point, first, blocks)
        any_bits |= bits
        all_bits &= bits
        num_chars += 1
    return put_word(words, count, start, stop, num_chars, flags_of(any_bits, all_bits, num_chars))


@subroutine
def dots_after(data: Any, i: int, stop: int) -> int:
    """Return the end of the run of dots that begins at byte ``i``."""
    while i < stop and data[i] == _DOT:
        i += 1
    return i


@subroutine
def peel_front(data: Any, start: int, stop: int, first: Any, blocks: Any) -> int:
    """Return the end of the mark that stands alone at the front of a chunk, or ``start`` if none does."""
    code_point, after = decode(data, start, stop)
    if code_point == _DOT:
        after = dots_after(data, start, stop)
        return after if after - start > 1 else start
    if code_point == _PLUS:
        return (
            start if after < stop and bits_of(decode(data, after, stop)[0], first, blocks) & DIGIT else after
        )
    return after if bits_of(code_point, first, blocks) & PREFIX else start


@subroutine
def peel_back(data: Any, start: int, stop: int, first: Any, blocks: Any) -> int:
    """Return the start of the mark that stands alone at the back of a chunk, or ``stop`` if none does."""
    last = previous(data, stop, start)
    code_point, _ = decode(data, last, stop)
    last_bits = bits_of(code_point, first, blocks)
    # A currency sign stands alone in front of anything, but only behind a digit.
    currency = last_bits & (PREFIX | PUNCTUATION | SUFFIX) == PREFIX and code_point != _EQUALS
    if code_point != _DOT and code_point != _PLUS and not currency:
        return last if last_bits & SUFFIX else stop
    if code_point == _DOT:
        run = last
        while run > start and data[run - 1] == _DOT:
            run -= 1
        if stop - run > 1:
            return run
    if last == start:
        return stop
    before = previous(data, last, start)
    mark, _ = decode(data, before, last)
    bits = bits_of(mark, first, blocks)
    if code_point == _PLUS or currency:
        return last if bits & DIGIT else stop
    if bits & ALPHA and not bits & UPPER:
        return stop if before == start else last
    if bits & DIGIT:
        return last if last_bits & SUFFIX else stop
    if bits & (SUFFIX | ICON) == SUFFIX or mark in (_PLUS, _MINUS):
        return last
    if bits & UPPER and before > start:
        capital, _ = decode(data, previous(data, before, start), before)
        return last if bits_of(capital, first, blocks) & UPPER else stop
    return stop


@subroutine
def stays_whole(data: Any, start: int, stop: int, first: Any, blocks: Any) -> bool:
    """Return whether a chunk looks like a URL or an e-mail address."""
    if start == stop or bits_of(decode(data, start, stop)[0], first, blocks) & PUNCTUATION:
        return False
    for i in range(start, stop):
        if data[i] == _AT:
            return True
        if data[i] == _COLON and i + 2 < stop and data[i + 1] == _SLASH and data[i + 2] == _SLASH:
            return True
    return False


@subroutine
def infix_end(
    data: Any, i: int, after: int, stop: int, code_point: int, bits: int, before: int, first: Any, blocks: Any
) -> int:
    """Return the end of the mark at byte ``i`` that stands alone inside a chunk, or ``i`` if none does.

    ``bits`` are those of the mark, ``before`` those of the character before it, 0 at the front.
    """
    if bits & ICON:
        return after
    if code_point == _DOT:
        run = dots_after(data, i, stop)
        if run - i > 1:
            return run
    if bits & HYPHEN and before & (ALPHA | DIGIT):  # asked first: a long run is walked over once
        end = after
        while end < stop:
            mark, following = decode(data, end, stop)
            if not bits_of(mark, first, blocks) & HYPHEN:
                break
            end = following
        if end < stop and bits_of(decode(data, end, stop)[0], first, blocks) & ALPHA:
            return end
    if after >= stop:
        return i
    mark, _ = decode(data, after, stop)
    next_bits = bits_of(mark, first, blocks)
    if code_point == _DOT:
        alone = before & LOWER and next_bits & UPPER
    elif code_point in (_SLASH, _COLON, _EQUALS, _LESS, _GREATER):
        behind = ALPHA | DIGIT if code_point == _SLASH and bits & SUFFIX else ALPHA
        alone = before & (ALPHA | DIGIT) and next_bits & behind
    elif code_point in (_PLUS, _MINUS, _STAR, _CARET):
        alone = before & DIGIT and (next_bits & DIGIT or mark == _MINUS)
    else:
        alone = before & ALPHA and next_bits & ALPHA
    return after if alone else i


@subroutine
def clitic_split(data: Any, i: int, after: int, stop: int, before: int, first: Any, blocks: Any) -> int:
    """Return where a word ends at the apostrophe at byte ``i``: ``i``, ``after``, or -1 for nowhere."""
    if not before & ALPHA:
        return -1
    letters, place = 0, after
    while place < stop and letters <= _LONGEST_CLITIC:
        code_point, following = decode(data, place, stop)
        if not bits_of(code_point, first, blocks) & ALPHA:
            break
        letters, place = letters + 1, following
    if letters == 0:
        return -1
    return i if letters <= _LONGEST_CLITIC else after


@subroutine
def split_chunk(data: Any, start: int, stop: int, first: Any, blocks: Any, words: Any, count: int) -> int:
    """Write the words of the chunk ``data[start:stop]`` from place ``count`` on; return the new count."""
    while start < stop:
        after = peel_front(data, start, stop, first, blocks)
        if after == start:
            break
        count = add_word(data, start, after, first, blocks, words, count)
        start = after
    tail = stop
    while tail > start:
        before = peel_back(data, start, tail, first, blocks)
        if before == tail:
            break
        tail = before
    if stays_whole(data, start, tail, first, blocks):
        count = add_word(data, start, tail, first, blocks, words, count)
        start = tail
    word, i, before = start, start, 0
    while i < tail:
        code_point, after = decode(data, i, tail)
        bits = bits_of(code_point, first, blocks)
        if bits & APOSTROPHE:
            cut = clitic_split(data, i, after, tail, before, first, blocks)
            if cut >= 0:
                count = add_word(data, word, cut, first, blocks, words, count)
                word = cut
        elif bits & (ICON | JOINT):
            end = infix_end(data, i, after, tail, code_point, bits, before, first, blocks)
            if end > i:
                count = add_word(data, word, i, first, blocks, words, count)
                count = add_word(data, i, end, first, blocks, words, count)
                word = after = end
        i, before = after, bits
    count = add_word(data, word, tail, first, blocks, words, count)
    while tail < stop:
        after = dots_after(data, tail, stop)
        if after - tail < 2:
            _, after = decode(data, tail, stop)
        count = add_word(data, tail, after, first, blocks, words, count)
        tail = after
    return count


@subroutine
def split_text(data: Any, start: int, stop: int, first: Any, blocks: Any, words: Any) -> int:
    """Write the unicode words of ``data[start:stop]`` from place 0 on; return how many there are."""
    count, i = 0, start
    while i < stop:
        begin, after = i, i
        while i < stop:
            code_point, after = decode(data, i, stop)
            if bits_of(code_point, first, blocks) & SPACE:
                break
            i = after
        count = split_chunk(data, begin, i, first, blocks, words, count)
        i = after
    return count
