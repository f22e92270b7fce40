"""Keys and tokens that tell by their form what they are: subroutines and the table of forms.

Only published prefixes and layouts count, nothing is guessed from how random a string looks, so
that a password without a form is not found. Every search stops after :data:`LONGEST_KEY` bytes,
or at the next run of dashes, so that it costs a bounded time for each byte of text.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dataprep.kernels import int64, subroutine
from dataprep.text.phrases import matches

UPPER, LOWER, DIGIT, UNDERSCORE, DASH, DOT, HEX, LOCAL = 1, 2, 4, 8, 16, 32, 64, 128
"""What an ASCII byte is: bits of the table of bytes. LOCAL may stand before the ``@`` of an address."""
LETTER = UPPER | LOWER
ALNUM = LETTER | DIGIT
WORD = ALNUM | UNDERSCORE
TOKEN = WORD | DASH

LONGEST_KEY = 512
_FIRST_LATIN, _LAST_LATIN = 0xC0, 0x24F
_SIGNS = (0xD7, 0xF7)
_LONGEST_LABEL = 40
_JWT_PART = 10


@dataclass(frozen=True)
class KeyForm:
    """What one kind of key looks like: a prefix, then ``shortest`` to ``longest`` bytes of a class."""

    kind: str
    prefix: str
    anchor: int
    """Place of the rarest byte of the prefix in text: the search looks for it."""
    body: int
    shortest: int
    longest: int = LONGEST_KEY
    mixed: bool = False
    """Whether the body must hold capitals, small letters and digits, as random strings of its length do."""


KEY_FORMS = (
    KeyForm("aws_key", "AKIA", 2, UPPER | DIGIT, 16, 16),
    KeyForm("aws_key", "ASIA", 2, UPPER | DIGIT, 16, 16),
    *(KeyForm("github_token", f"gh{letter}_", 3, ALNUM, 36) for letter in "pousr"),
    KeyForm("github_token", "github_pat_", 6, WORD, 60),
    KeyForm("gitlab_token", "glpat-", 5, TOKEN, 20),
    *(KeyForm("slack_token", f"xox{letter}-", 4, ALNUM | DASH, 20) for letter in "abeoprs"),
    KeyForm("slack_token", "xapp-", 4, ALNUM | DASH, 20),
    KeyForm("google_key", "AIza", 2, TOKEN, 35, 35),
    KeyForm("google_key", "GOCSPX-", 6, TOKEN, 28, 28),
    KeyForm("openai_key", "sk-", 2, TOKEN, 32, mixed=True),
    *(KeyForm("stripe_key", f"{use}_live_", 2, ALNUM, 16) for use in ("sk", "rk")),
    *(KeyForm("stripe_key", f"{use}_test_", 2, ALNUM, 16) for use in ("sk", "rk")),
    KeyForm("huggingface_token", "hf_", 2, ALNUM, 34, 40, mixed=True),
    KeyForm("npm_token", "npm_", 3, ALNUM, 36, 36, mixed=True),
    KeyForm("sendgrid_key", "SG.", 1, TOKEN | DOT, 66, 66, mixed=True),
)  # fmt: skip
"""In the order in which they are tried. Forms as their issuers document them; ``sk-`` is also that of others
who speak OpenAI's protocol."""


@dataclass(frozen=True)
class KeyTable:
    """The forms as arrays. ``prefixes`` uint8[bytes]; ``forms`` int64[num_forms, 8]: kind, first and last
    byte of the prefix, anchor, body, shortest, longest, mixed; ``by_anchor`` int64[256, 2]: the forms whose
    anchor a byte is, as a range; forms are sorted by their anchor's byte."""

    prefixes: npt.NDArray[np.uint8]
    forms: npt.NDArray[np.int64]
    by_anchor: npt.NDArray[np.int64]


@functools.cache
def key_table(kinds: tuple[str, ...]) -> KeyTable:
    """Return the table of all forms; a kind is its place in ``kinds``."""
    ordered = sorted(KEY_FORMS, key=lambda form: form.prefix[form.anchor])
    rows, text = [], ""
    for form in ordered:
        start = len(text)
        text += form.prefix
        rows.append(
            (
                kinds.index(form.kind),
                start,
                len(text),
                form.anchor,
                form.body,
                form.shortest,
                form.longest,
                form.mixed,
            )
        )
    anchors = [ord(form.prefix[form.anchor]) for form in ordered]
    by_anchor = np.zeros((256, 2), np.int64)
    for byte in set(anchors):
        first = anchors.index(byte)
        by_anchor[byte] = first, first + anchors.count(byte)
    return KeyTable(np.frombuffer(text.encode(), np.uint8), np.array(rows, np.int64), by_anchor)


@functools.cache
def byte_classes() -> npt.NDArray[np.uint8]:
    """Return uint8[256]: the classes of every byte; none for the bytes of longer characters."""
    classes = np.zeros(256, np.uint8)
    classes[65:91] |= UPPER | LOCAL
    classes[97:123] |= LOWER | LOCAL
    classes[48:58] |= DIGIT | HEX | LOCAL
    classes[65:71] |= HEX
    classes[97:103] |= HEX
    for byte, bits in ((0x5F, UNDERSCORE), (0x2D, DASH), (0x2E, DOT), (0x2B, 0), (0x25, 0)):
        classes[byte] |= bits | LOCAL
    return classes


@subroutine
def lowest(barrier: int) -> Any:
    """Return the first byte that a match may begin at."""
    return -1 - barrier if barrier < 0 else barrier


@subroutine
def is_latin(code_point: int) -> bool:
    """Return whether a character is a Latin letter with a mark: all of U+00C0 to U+024F but two signs."""
    return _FIRST_LATIN <= code_point <= _LAST_LATIN and code_point not in _SIGNS


@subroutine
def before(data: Any, i: int, barrier: int) -> Any:
    """Return the byte before ``i``: a line feed at the start of a text, ``>`` behind a placeholder.

    ``barrier`` is where the text begins, or where the last match ended: there a placeholder will end. With
    ``>`` in its place, what stands behind it is judged now as it would be in the new text. A text's start
    is marked by a barrier of ``-1 - start``. A Latin letter with a mark, as addresses may hold, is an ``a``.
    """
    if i == lowest(barrier):
        return int64(0x0A if barrier < 0 else 0x3E)
    byte = int64(data[i - 1])
    if byte >= 0x80 and 0xC3 <= data[i - 2] <= 0xC9:
        code_point = (int64(data[i - 2]) & 0x1F) << 6 | (byte & 0x3F)
        if is_latin(code_point):
            return int64(0x61)
    return byte


@subroutine
def run_of(data: Any, i: int, stop: int, classes: Any, wanted: int) -> Any:
    """Return the end of the run of bytes of the wanted classes at byte ``i``; at most LONGEST_KEY on."""
    stop = min(stop, i + LONGEST_KEY + 1)
    while i < stop and classes[data[i]] & wanted:
        i += 1
    return i


@subroutine
def is_mixed(data: Any, i: int, stop: int, classes: Any) -> bool:
    """Return whether a run holds a capital, a small letter and a digit."""
    seen = 0
    while i < stop:
        seen |= classes[data[i]]
        i += 1
    return seen & (UPPER | LOWER | DIGIT) == UPPER | LOWER | DIGIT


@subroutine
def key_at(
    data: Any, anchor: int, barrier: int, stop: int, classes: Any, prefixes: Any, forms: Any, by_anchor: Any
) -> Any:
    """Return kind, start and end of the key whose prefix has its anchor at a byte; kind -1 for none."""
    for k in range(by_anchor[data[anchor], 0], by_anchor[data[anchor], 1]):
        kind, low, high, place, body, shortest, longest, mixed = forms[k]
        start = anchor - place
        if start < lowest(barrier) or start + high - low > stop:
            continue
        same = True
        for n in range(high - low):
            same = same and data[start + n] == prefixes[low + n]
        if not same:
            continue
        # In a longer string of the same letters the prefix would be chance.
        left = classes[before(data, start, barrier)]
        if left & WORD or (body & DASH and left & DASH):
            continue
        begin = start + high - low
        end = run_of(data, begin, stop, classes, body)
        if end - begin < shortest or end - begin > longest:
            continue
        if end < stop and classes[data[end]] & WORD:
            continue
        if not mixed or is_mixed(data, begin, end, classes):
            return kind, start, end
    return int64(-1), anchor, anchor


@subroutine
def jwt_at(data: Any, anchor: int, barrier: int, stop: int, classes: Any) -> Any:
    """Return start and end of the JSON web token (``eyJ``, three parts) whose ``J`` is at a byte, or -1s."""
    start = anchor - 2
    if start < lowest(barrier) or data[start] != 0x65 or data[start + 1] != 0x79:
        return int64(-1), int64(-1)
    if classes[before(data, start, barrier)] & TOKEN:
        return int64(-1), int64(-1)
    i, parts = start, 0
    while True:
        begin = i
        while i < stop and classes[data[i]] & TOKEN:
            i += 1
        if i - begin < _JWT_PART:
            return int64(-1), int64(-1)
        parts += 1
        if parts == 3:
            return int64(start), int64(i)
        if i >= stop or data[i] != 0x2E:
            return int64(-1), int64(-1)
        i += 1


_DASHES = np.frombuffer(b"-----", np.uint8)
_BEGIN = np.frombuffer(b"-----BEGIN ", np.uint8)
_END = np.frombuffer(b"-----END ", np.uint8)
_PRIVATE = np.frombuffer(b"PRIVATE KEY", np.uint8)


@subroutine
def label_end(data: Any, i: int, stop: int) -> Any:
    """Return the end of a line's label and its five dashes, -1 where it is no label of a private key."""
    private, limit = False, min(stop, i + _LONGEST_LABEL)
    while i < limit:
        if matches(data, i, stop, _DASHES):
            return int64(i + 5) if private else int64(-1)
        private |= matches(data, i, stop, _PRIVATE)
        i += 1
    return int64(-1)


@subroutine
def private_key_end(data: Any, i: int, stop: int) -> Any:
    """Return the end of the private-key block that begins at byte ``i``, or -1.

    A block ends with the first run of five dashes behind its head, which must be its END line.
    """
    if not matches(data, i, stop, _BEGIN):
        return int64(-1)
    i = label_end(data, i + len(_BEGIN), stop)
    if i < 0:
        return int64(-1)
    while i < stop and not (data[i] == 0x2D and matches(data, i, stop, _DASHES)):
        i += 1
    if not matches(data, i, stop, _END):
        return int64(-1)
    return label_end(data, i + len(_END), stop)
