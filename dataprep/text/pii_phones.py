"""Phone numbers: subroutines that read one where a run of digits begins.

Four forms count, each with marks that other numbers lack:

- international: ``+`` and a country code, 9 to 15 digits in all (11 with ``+1``);
- North American: ``(202) 555-0110``, ``202-555-0110``, ``202.555.0110``, with or without ``1-`` before it;
- with a trunk zero, in three or more groups divided by single spaces (``020 7946 0034``), or with
  the first group in brackets, 10 or 11 digits in all;
- behind "Tel.:", "Phone:", "Fax." and the like, 7 to 15 digits.

A number that goes on (another digit behind a mark), or is glued to a letter, is none. Dates,
ISBNs, prices, versions and coordinates fit none of these. At most 40 bytes are looked at.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from dataprep.kernels import int64, subroutine
from dataprep.text.pii_keys import ALNUM, DIGIT, WORD, before, lowest

_SPACE, _DASH, _DOT, _SLASH, _PLUS, _OPEN, _CLOSE, _COLON = 0x20, 0x2D, 0x2E, 0x2F, 0x2B, 0x28, 0x29, 0x3A
_COMMA, _AT = 0x2C, 0x40
_MOST_DIGITS, _MOST_TRUNK_DIGITS, _LONGEST = 15, 11, 40

_COUNTRY_CODES = (
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 "
    "81 82 84 86 90 91 92 93 94 95 98 211 212 213 216 218 22. 23. 24. 25[0-8] 26. 29[01789] 35. 37. "
    "38[01235679] 42[013] 50. 59. 67[02-9] 68[0-35-9] 69[012] 80[08] 85[02356] 87[08] 88[012368] 96[0-8] "
    "97[0-79] 99[2-68]"
)
"""Country codes in use, and what is reserved beside them (ITU-T E.164, annex of 2024), as patterns."""


def _code_table() -> npt.NDArray[np.bool_]:
    """Return bool[1000]: whether a number may begin with these three digits."""
    pattern = re.compile("|".join(f"(?:{code})" for code in _COUNTRY_CODES.split()))
    return np.array([pattern.match(f"{digits:03}") is not None for digits in range(1000)], np.bool_)


_CODES = _code_table()
_KEYWORDS = np.frombuffer(
    "tel phone telephone telefon telefono teléfono telefone telefoon fon fax telefax tél mobile mobil móvil "
    "handy cell ph whatsapp hotline ".encode(),
    np.uint8,
)
"""What announces a number, in capitals or not (ASCII letters), a space behind each."""


@subroutine
def space_at(data: Any, i: int, stop: int) -> Any:
    """Return the end of the space or no-break space at byte ``i``, or ``i``."""
    if i < stop and data[i] == _SPACE:
        return i + 1
    return i + 2 if i + 1 < stop and data[i] == 0xC2 and data[i + 1] == 0xA0 else i


@subroutine
def digits_after(data: Any, i: int, stop: int, classes: Any) -> Any:
    """Return the end of the run of digits at byte ``i``, 16 bytes on at most."""
    stop = min(stop, i + _MOST_DIGITS + 1)
    while i < stop and classes[data[i]] & DIGIT:
        i += 1
    return i


@subroutine
def ends_here(data: Any, i: int, stop: int, classes: Any) -> bool:
    """Return whether a number may end at byte ``i``: nothing is glued to it, and it does not go on."""
    if i >= stop:
        return True
    if classes[data[i]] & WORD or data[i] == _AT:
        return False
    following = int64(data[i + 1]) if i + 1 < stop else int64(0x0A)
    if data[i] == _DASH:
        return not (classes[following] & ALNUM or following == 0x3C)
    if data[i] == _DOT:
        return not classes[following] & DIGIT
    # What begins with a digit there may itself be redacted: then its placeholder will stand there.
    return data[i] not in (_COMMA, _SLASH, _COLON) or not (classes[following] & DIGIT or following == 0x3C)


@subroutine
def nanp_end(data: Any, i: int, stop: int, classes: Any, bracket: int) -> Any:
    """Return the end of a North American number whose area code begins at byte ``i``, or -1."""
    if digits_after(data, i, stop, classes) != i + 3 or data[i] < 0x32 or i + 5 > stop:
        return int64(-1)
    mark = int64(data[i + 3])
    i += 3
    if bracket:
        if mark != _CLOSE:
            return int64(-1)
        i += 1
        i = i + 1 if i < stop and data[i] == _DASH else space_at(data, i, stop)
    elif mark in (_DASH, _DOT):
        i += 1
    else:
        return int64(-1)
    if digits_after(data, i, stop, classes) != i + 3 or data[i] < 0x32 or i + 5 > stop:
        return int64(-1)
    second = int64(data[i + 3])
    i += 3
    if second != mark and not (bracket and second in (_DASH, _DOT, _SPACE)):
        return int64(-1)
    i += 1
    end = digits_after(data, i, stop, classes)
    return int64(end) if end == i + 4 and ends_here(data, end, stop, classes) else int64(-1)


@subroutine
def nanp_start(data: Any, start: int, barrier: int, classes: Any) -> Any:
    """Return where a North American number begins, a ``1`` before it included; -1 where it cannot begin."""
    left = before(data, start, barrier)
    low = lowest(barrier)
    if left in (_DASH, _DOT, _SPACE) and start - 2 >= low and data[start - 2] == 0x31:
        far = before(data, start - 2, barrier)
        if far == _PLUS:
            return int64(-1)  # the international form was asked first
        if not classes[far] & WORD and far not in (_DASH, _DOT, _SLASH, _COMMA, 0x24):
            return int64(start - 2)
    if classes[left] & WORD or left in (_DASH, _DOT, _SLASH, _PLUS, _CLOSE, _COMMA, 0x23, 0x24, 0x3D):
        return int64(-1)
    return int64(start)


@subroutine
def mark_after(data: Any, i: int, stop: int, opened: int) -> Any:
    """Return the end of what may divide two groups at byte ``i`` (or ``i``), and the brackets open there.

    That is a closing bracket of this number, one space, dash, dot or slash, and an opening bracket.
    """
    if i < stop and data[i] == _CLOSE and opened:
        i += 1
        opened = 0
    after = space_at(data, i, stop)
    if after == i and i < stop and data[i] in (_DASH, _DOT, _SLASH):
        after = i + 1
    if after < stop and data[after] == _OPEN and not opened:
        after += 1
        opened = 1
    return after, opened


@subroutine
def international_end(data: Any, i: int, stop: int, classes: Any, opened: int) -> Any:
    """Return the end of the number whose country code begins at byte ``i``, behind ``+``, or -1."""
    begin, limit = i, min(stop, i + _LONGEST)
    code, known = int64(0), 0
    while i < limit and known < 3:  # the first three digits, whatever stands between them
        if classes[data[i]] & DIGIT:
            code = code * 10 + int64(data[i]) - 0x30
            known += 1
        i += 1
    if known < 3 or not _CODES[code]:
        return int64(-1)
    north_american, area, i = data[begin] == 0x31, 0, begin
    digits, marks, dots, best = 0, 0, 0, int64(-1)
    while True:
        end = digits_after(data, i, stop, classes)
        if north_american:
            for k in range(i, end):
                place = digits + k - i
                area += place in (1, 4) and data[k] >= 0x32
        digits += end - i
        if end == i or end > limit or digits > _MOST_DIGITS:
            break
        length = digits == 11 and area == 2 if north_american else digits >= (10 if marks == 0 else 9)
        if length and (dots == 0 or (dots == marks and dots > 1)) and ends_here(data, end, stop, classes):
            best = int64(end) if not opened or begin == i else best
        i, opened = mark_after(data, end, stop, opened)
        if i == end:
            break
        marks += 1
        dots += data[end] == _DOT
    return best


@subroutine
def trunk_end(data: Any, i: int, stop: int, classes: Any, bracket: int) -> Any:
    """Return the end of the number whose area code, with a trunk zero, begins at byte ``i``, or -1."""
    end = digits_after(data, i, stop, classes)
    if not 3 <= end - i <= 5 or data[i + 1] == 0x30:
        return int64(-1)
    digits, groups, longest = end - i, 1, 0
    if bracket:
        if end >= stop or data[end] != _CLOSE:
            return int64(-1)
        end += 1
        groups += 1
    while True:
        start = space_at(data, end, stop)
        after = digits_after(data, start, stop, classes)
        if start == end or after == start or digits + after - start > _MOST_TRUNK_DIGITS:
            break
        if after < stop and (classes[data[after]] & WORD or data[after] == _AT):
            break
        digits += after - start
        longest = max(longest, after - start)
        groups += 1
        end = after
    right = groups > 2 and longest > 2 and digits >= _MOST_TRUNK_DIGITS - 1
    return int64(end) if right and ends_here(data, end, stop, classes) else int64(-1)


@subroutine
def announced(data: Any, i: int, barrier: int, zero: int) -> bool:
    """Return whether a keyword stands before the number at byte ``i``.

    Between them must be a colon or a dot, or the number must begin with a zero or a bracket (``zero``).
    """
    low, marked = lowest(barrier), zero
    word_end = i
    while word_end > low and i - word_end < 4:
        mark = data[word_end - 1]
        if mark not in (_SPACE, _COLON, _DOT, _OPEN):
            break
        marked = marked or mark in (_COLON, _DOT)
        word_end -= 1
    if not marked or word_end == i:
        return False
    begin = 0
    for k in range(len(_KEYWORDS)):
        if _KEYWORDS[k] != _SPACE:
            continue
        start = word_end - (k - begin)
        same = start >= low
        for n in range(begin, k):
            if same:
                letter = int64(data[start + n - begin])
                same = (letter + 32 if 0x41 <= letter <= 0x5A else letter) == _KEYWORDS[n]
        if same:
            left = before(data, start, barrier)
            return not (0x61 <= left | 0x20 <= 0x7A or 0x30 <= left <= 0x39 or left >= 0x80)
        begin = k + 1
    return False


@subroutine
def announced_end(data: Any, i: int, stop: int, classes: Any, opened: int) -> Any:
    """Return the end of a number behind a keyword whose first digit is at byte ``i``, or -1."""
    limit, digits, best, begin = min(stop, i + _LONGEST), 0, int64(-1), i
    while True:
        end = digits_after(data, i, stop, classes)
        digits += end - i
        if end == i or end > limit or digits > _MOST_DIGITS:
            break
        if digits >= 7 and (not opened or begin == i) and ends_here(data, end, stop, classes):
            best = int64(end)
        i, opened = mark_after(data, end, stop, opened)
        if i == end:
            break
    return best


@subroutine
def phone_at(data: Any, i: int, barrier: int, stop: int, classes: Any) -> Any:
    """Return start and end of the phone number whose first run of digits begins at byte ``i``, or -1s."""
    left, low = before(data, i, barrier), lowest(barrier)
    none = int64(-1)
    bracket = left == _OPEN and i > low
    if left == _PLUS and i > low:
        far = before(data, i - 1, barrier)
        opened = far == _OPEN and i - 1 > low
        if classes[far] & WORD or far in (_PLUS, _DASH, _DOT, _SLASH, 0x2A, 0x5E, _CLOSE, 0x24):
            return none, none
        end = international_end(data, i, stop, classes, opened)
        if end < 0:
            return none, none
        closed = opened and closes(data, i, end)
        return int64(i - 2 if closed else i - 1), end
    if classes[left] & WORD:
        return none, none
    start = i - 1 if bracket else i
    end = nanp_end(data, i, stop, classes, bracket)
    if end > 0:
        begin = nanp_start(data, start, barrier, classes)
        if begin >= 0:
            return begin, end
    if data[i] == 0x30:
        end = trunk_end(data, i, stop, classes, bracket)
        if end > 0 and trunk_may_begin(data, start, barrier, classes):
            return int64(start), end
    if left in (_SPACE, _COLON, _DOT, _OPEN) and announced(data, i, barrier, bracket or data[i] == 0x30):
        end = announced_end(data, i, stop, classes, bracket)
        if end > 0:
            return int64(start if bracket and closes(data, i, end) else i), end
    return none, none


@subroutine
def closes(data: Any, i: int, stop: int) -> bool:
    """Return whether a closing bracket comes before any opening one."""
    while i < stop:
        if data[i] == _CLOSE:
            return True
        if data[i] == _OPEN:
            return False
        i += 1
    return False


@subroutine
def trunk_may_begin(data: Any, start: int, barrier: int, classes: Any) -> bool:
    """Return whether a number with a trunk zero may begin at a byte: no other number goes on there."""
    left = before(data, start, barrier)
    if classes[left] & WORD or left in (_DASH, _DOT, _SLASH, _PLUS, _CLOSE, _COMMA, 0x23, 0x24, 0x3D):
        return False
    if left == _SPACE and start - 1 >= lowest(barrier):
        return not classes[before(data, start - 1, barrier)] & DIGIT
    return True
