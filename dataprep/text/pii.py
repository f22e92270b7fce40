"""Redaction of what identifies a person or opens a door: addresses, phone numbers, keys.

Each match gives way to a placeholder that says what it was, always the same one. One compiled
pass over the bytes stops only at bytes that such things hold (``@``, digits, ``_``, ``-`` and four
capitals that are rare in prose), so that text without any costs little more than reading it;
every look behind and ahead is bounded, so that the time is linear in the size of a text
whatever it holds. Redacting a second time changes nothing.

What a match is: :mod:`dataprep.text.pii_addresses`, :mod:`dataprep.text.pii_phones`,
:mod:`dataprep.text.pii_keys`. There is no search for names, and none for passwords.
"""

from __future__ import annotations

import functools
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import field_validator

from dataprep.kernels import (
    KernelFunction,
    borrowed,
    inlined,
    int64,
    kernel,
    load_8_bytes,
    read,
    subroutine,
    trailing_zeros,
    write,
)
from dataprep.text.edited import KIND, ROW, START, STOP, Edited, EditInput
from dataprep.text.pii_addresses import domain_end, ipv4_at, ipv6_at, local_start
from dataprep.text.pii_keys import (
    DIGIT,
    KEY_FORMS,
    WORD,
    byte_classes,
    jwt_at,
    key_at,
    key_table,
    lowest,
    private_key_end,
)
from dataprep.text.pii_phones import phone_at
from dataprep.text.utf8 import copy_bytes
from dataprep.yaml_models import Frozen

PiiKind = Literal[
    "email",
    "ipv4",
    "ipv6",
    "phone",
    "private_key",
    "jwt",
    "aws_key",
    "github_token",
    "gitlab_token",
    "slack_token",
    "google_key",
    "openai_key",
    "stripe_key",
    "huggingface_token",
    "npm_token",
    "sendgrid_key",
]
PII_KINDS: tuple[PiiKind, ...] = get_args(PiiKind)
_EMAIL, _IPV4, _IPV6, _PHONE, _PRIVATE_KEY, _JWT = range(6)
_SHORTEST = 6
"""Bytes of the shortest match: ``a@b.cc``."""

PLACEHOLDERS = {
    "email": "<EMAIL>",
    "ipv4": "<IP_ADDRESS>",
    "ipv6": "<IP_ADDRESS>",
    "phone": "<PHONE_NUMBER>",
}
"""By kind, as in StarCoder's data where that has the kind; keys and tokens of all kinds are ``<KEY>``."""


def placeholder_of(kind: PiiKind) -> str:
    """Return what stands in a text for a match of a kind."""
    return PLACEHOLDERS.get(kind, "<KEY>")


class Pii(Frozen):
    """Redaction of personal data and keys."""

    KINDS: ClassVar[tuple[str, ...]] = tuple(f"pii_{kind}" for kind in PII_KINDS)
    SIGNALS: ClassVar[tuple[str, ...]] = ("num_redactions",)
    kind: Literal["pii"] = "pii"
    kinds: tuple[PiiKind, ...] = PII_KINDS
    """What is looked for."""

    @field_validator("kinds")
    @classmethod
    def _in_order(cls, value: tuple[PiiKind, ...]) -> tuple[PiiKind, ...]:
        if not value:
            raise ValueError("names no kind: leave out the edit instead")
        return tuple(kind for kind in PII_KINDS if kind in value)

    def kernels(self) -> tuple[KernelFunction, ...]:
        """Return the kernels that redact."""
        return (find_pii, put_placeholders)

    def apply(self, column: pa.LargeStringArray) -> Edited:
        """Return the redacted texts; ``num_redactions`` counts the matches of each."""
        source = EditInput.of(column)
        keys, classes = key_table(PII_KINDS), byte_classes()
        wanted = np.array([kind in self.kinds for kind in PII_KINDS], np.bool_)
        pieces = source.room_for_pieces(source.num_bytes // _SHORTEST + 1)
        count = find_pii(
            source.buffers.data,
            source.buffers.offsets,
            source.present,
            wanted,
            _triggers(),
            _key_pairs(),
            classes,
            keys.prefixes,
            keys.forms,
            keys.by_anchor,
            pieces,
        )
        pieces = pieces[:count]
        numbers = np.bincount(pieces[:, ROW], minlength=len(column)).astype(np.float32)
        numbers[~source.present] = np.nan
        text = self._redacted(source, pieces) if count else column
        return Edited(text, self.KINDS, pieces, {self.SIGNALS[0]: numbers})

    def _redacted(self, source: EditInput, pieces: npt.NDArray[np.int64]) -> pa.LargeStringArray:
        marks = [placeholder_of(kind).encode() for kind in PII_KINDS]
        ends = np.cumsum([0, *map(len, marks)], dtype=np.int64)
        data = np.empty(source.num_bytes + len(pieces) * max(map(len, marks)), np.uint8)
        offsets = np.empty(len(source.column) + 1, np.int64)
        joined = np.frombuffer(b"".join(marks), np.uint8)
        buffers = source.buffers
        put_placeholders(buffers.data, buffers.offsets, source.present, pieces, joined, ends, data, offsets)
        return source.rebuilt(data, offsets)


# For looking at eight bytes at once: in each byte, adding _FROM_x sets the high bit of what is x or
# more, adding _BEHIND_x of what is more than x.
_HIGH_BITS, _SEVEN_BITS = np.uint64(0x8080808080808080), np.uint64(0x7F7F7F7F7F7F7F7F)
_FROM_DASH, _BEHIND_AT = np.uint64(0x5353535353535353), np.uint64(0x3F3F3F3F3F3F3F3F)
_FROM_G, _BEHIND_K = np.uint64(0x3939393939393939), np.uint64(0x3434343434343434)
_FROM_UNDERSCORE, _BEHIND_UNDERSCORE = np.uint64(0x2121212121212121), np.uint64(0x2020202020202020)
_FROM_Z, _BEHIND_Z = np.uint64(0x0606060606060606), np.uint64(0x0505050505050505)


_NUMBER, _AT, _KEY = 1, 2, 3
"""What a byte may be a hint of."""
_MAYBE_IPV4, _MAYBE_IPV6, _MAYBE_PHONE = 1, 2, 4


@functools.cache
def _triggers() -> npt.NDArray[np.uint8]:
    """Return uint8[256]: at which bytes the search stops to look around, and for what."""
    triggers = np.zeros(256, np.uint8)
    triggers[[ord("-"), ord("J"), *(ord(form.prefix[form.anchor]) for form in KEY_FORMS)]] = _KEY
    triggers[list(b"0123456789")] = _NUMBER
    triggers[ord("@")] = _AT
    assert all(0x2D <= b <= 0x40 or 0x47 <= b <= 0x4B or b in (0x5F, 0x7A) for b in np.flatnonzero(triggers))
    return triggers


@functools.cache
def _key_pairs() -> npt.NDArray[np.bool_]:
    """Return bool[256, 256]: the two bytes up to the anchor of a form of keys, or of a JSON web token."""
    pairs = np.zeros((256, 256), np.bool_)
    pairs[ord("y"), ord("J")] = True
    for form in KEY_FORMS:
        pairs[ord(form.prefix[form.anchor - 1]), ord(form.prefix[form.anchor])] = True
    return pairs


@inlined
def maybe_triggers(word: Any) -> Any:
    """Return 0x80 in each byte of ``word`` that is ``-`` to ``@``, ``G`` to ``K``, ``_`` or ``z``."""
    seven = word & _SEVEN_BITS
    found = (seven + _FROM_DASH) & ~(seven + _BEHIND_AT)
    found |= (seven + _FROM_G) & ~(seven + _BEHIND_K)
    found |= (seven + _FROM_UNDERSCORE) & ~(seven + _BEHIND_UNDERSCORE)
    found |= (seven + _FROM_Z) & ~(seven + _BEHIND_Z)
    return found & ~word & _HIGH_BITS


@inlined
def number_hints(data: Any, i: int, run: int, barrier: int, stop: int, classes: Any) -> int:
    """Return what the run of digits from byte ``i`` to ``run`` may begin: for most numbers, nothing.

    Everything that counts needs one of these marks beside its first digits.
    """
    low = lowest(barrier)
    if i > low and classes[data[i - 1]] & WORD:
        return 0
    hints = 0
    behind = int64(data[run]) if run < stop else int64(0x0A)
    if behind == 0x2E and run - i <= 3:
        hints |= _MAYBE_IPV4
    if data[i] in (0x32, 0x33) and i + 4 < stop and data[i + 4] == 0x3A:
        hints |= _MAYBE_IPV6
    maybe = data[i] == 0x30 or (run - i == 3 and behind in (0x2D, 0x2E))
    if i > low:
        left = data[i - 1]
        maybe = maybe or left in (0x2B, 0x28, 0x3A, 0x2E)  # + ( : .
        maybe = maybe or (left == 0x20 and i - 1 > low and data[i - 2] in (0x3A, 0x2E))
    return hints | _MAYBE_PHONE if maybe else hints


@subroutine
def number_at(data: Any, i: int, hints: int, barrier: int, stop: int, wanted: Any, classes: Any) -> Any:
    """Return kind, start and end of what begins with the run of digits at byte ``i``; kind -1 for none."""
    if wanted[_IPV4] and hints & _MAYBE_IPV4:
        end = ipv4_at(data, i, barrier, stop, classes)
        if end > 0:
            return int64(_IPV4), int64(i), end
    if wanted[_IPV6] and hints & _MAYBE_IPV6:
        end = ipv6_at(data, i, barrier, stop, classes)
        if end > 0:
            return int64(_IPV6), int64(i), end
    if wanted[_PHONE] and hints & _MAYBE_PHONE:
        start, end = phone_at(data, i, barrier, stop, classes)
        if end > 0:
            return int64(_PHONE), start, end
    return int64(-1), int64(i), int64(i)


@subroutine
def email_at(data: Any, at: int, barrier: int, stop: int, classes: Any) -> Any:
    """Return kind, start and end of the e-mail address around the ``@`` at a byte; kind -1 for none."""
    start = local_start(data, at, barrier, classes)
    if start < at:
        end = domain_end(data, at + 1, stop, classes)
        if end > 0:
            return int64(_EMAIL), int64(start), end
    return int64(-1), int64(at), int64(at)


@subroutine
def secret_at(
    data: Any, i: int, barrier: int, stop: int, wanted: Any, classes: Any, prefixes: Any, forms: Any,
    by_anchor: Any,
) -> Any:  # fmt: skip
    """Return kind, start and end of the key or token that the byte at ``i`` hints at; kind -1 for none."""
    byte = data[i]
    if byte == 0x4A and wanted[_JWT]:
        start, end = jwt_at(data, i, barrier, stop, classes)
        if end > 0:
            return int64(_JWT), start, end
    if byte == 0x2D and wanted[_PRIVATE_KEY] and i + 5 < stop and data[i + 5] == 0x42:
        end = private_key_end(data, i, stop)
        if end > 0:
            return int64(_PRIVATE_KEY), int64(i), end
    kind, start, end = key_at(data, i, barrier, stop, classes, prefixes, forms, by_anchor)
    if kind >= 0 and wanted[kind]:
        return int64(kind), int64(start), int64(end)
    return int64(-1), int64(i), int64(i)


@kernel(
    "int64",
    read("uint8"),
    read("int64"),
    read("boolean"),
    read("boolean"),
    read("uint8"),
    read("boolean", 2),
    read("uint8"),
    read("uint8"),
    read("int64", 2),
    read("int64", 2),
    write("int64", 2),
)
def find_pii(
    data: Any, offsets: Any, present: Any, wanted: Any, triggers: Any, key_pairs: Any, classes: Any,
    prefixes: Any, forms: Any, by_anchor: Any, pieces: Any,
) -> Any:  # fmt: skip
    """Write all matches, in order and without overlap, to ``pieces``; return how many there are."""
    data, wanted, triggers, classes = borrowed(data), borrowed(wanted), borrowed(triggers), borrowed(classes)
    prefixes, forms, by_anchor = borrowed(prefixes), borrowed(forms), borrowed(by_anchor)
    key_pairs, pieces = borrowed(key_pairs), borrowed(pieces)
    count = int64(0)
    for row in range(len(offsets) - 1):
        origin, stop = int64(offsets[row]), int64(offsets[row + 1])
        if not present[row]:
            continue
        barrier, i = -1 - origin, origin
        while i < stop:
            if i + 8 <= stop:
                hits = maybe_triggers(load_8_bytes(data, i))
                if not hits:
                    i += 8
                    continue
                i += trailing_zeros(hits) >> 3
            what, run = triggers[data[i]], i + 1
            kind, start, end = int64(-1), i, i
            if what == _NUMBER:
                while run < stop and classes[data[run]] & DIGIT:
                    run += 1
                hints = number_hints(data, i, run, barrier, stop, classes)
                if hints:
                    kind, start, end = number_at(data, i, hints, barrier, stop, wanted, classes)
            elif what == _KEY:
                block = data[i] == 0x2D and i + 5 < stop and data[i + 5] == 0x42  # -----B
                if block or (i > origin and key_pairs[data[i - 1], data[i]]):
                    kind, start, end = secret_at(
                        data, i, barrier, stop, wanted, classes, prefixes, forms, by_anchor
                    )
            elif what == _AT and wanted[_EMAIL]:
                kind, start, end = email_at(data, i, barrier, stop, classes)
            i = run  # the rest of a run of digits begins nothing
            if kind >= 0:
                pieces[count, ROW], pieces[count, KIND] = row, kind
                pieces[count, START], pieces[count, STOP] = start - origin, end - origin
                count += 1
                i = barrier = end
    return count


@kernel(
    "none",
    read("uint8"),
    read("int64"),
    read("boolean"),
    read("int64", 2),
    read("uint8"),
    read("int64"),
    write("uint8"),
    write("int64"),
)
def put_placeholders(
    data: Any, offsets: Any, present: Any, pieces: Any, marks: Any, mark_ends: Any, out: Any, out_offsets: Any
) -> None:
    """Write the texts with ``marks[mark_ends[kind]:mark_ends[kind + 1]]`` in place of every piece."""
    size, piece = int64(0), 0
    out_offsets[0] = 0
    for row in range(len(offsets) - 1):
        i, stop = int64(offsets[row]), int64(offsets[row + 1])
        origin = i
        if not present[row]:
            stop = i
        while True:
            more = piece < len(pieces) and pieces[piece, ROW] == row
            end = origin + pieces[piece, START] if more else stop
            size = copy_bytes(data, i, end, out, size)
            if not more:
                break
            kind = pieces[piece, KIND]
            size = copy_bytes(marks, mark_ends[kind], mark_ends[kind + 1], out, size)
            i = origin + pieces[piece, STOP]
            piece += 1
        out_offsets[row + 1] = size
