"""E-mail and IP addresses: subroutines that read one at a place where a byte gave a hint.

Only public IP addresses count. What IANA's special-purpose registries (IPv4 and IPv6, 2024) set
aside, private, loopback, link-local, documentation, multicast and reserved ranges, names no one.
Each subroutine looks at a bounded number of bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dataprep.kernels import int64, subroutine
from dataprep.text.pii_keys import ALNUM, DASH, DIGIT, HEX, LETTER, LOCAL, WORD, before, is_latin, lowest
from dataprep.text.utf8 import decode, previous

_DOT, _DASH, _COLON, _SLASH, _LESS = 0x2E, 0x2D, 0x3A, 0x2F, 0x3C
_LONGEST_LOCAL, _LONGEST_DOMAIN, _LONGEST_TLD = 64, 255, 24
_FIRST_LARGE_OCTET = 64
_TOO_LONG_IPV6 = 48
"""Bytes of a run of digits, colons and dots that is no address, wherever it ends."""

_NO_TLDS = np.frombuffer(
    b"png jpg jpeg gif svg webp bmp ico css js html htm php pdf txt xml json exe dll service conf socket "
    b"mount timer slice disable ",
    np.uint8,
)
"""Endings of file names (``logo@2x.png``, ``user@1000.service``), a space behind each; none is a top-level
domain."""

SPECIAL_IPV4 = (
    ("0.0.0.0", 8), ("10.0.0.0", 8), ("100.64.0.0", 10), ("127.0.0.0", 8), ("169.254.0.0", 16),
    ("172.16.0.0", 12), ("192.0.0.0", 24), ("192.0.2.0", 24), ("192.168.0.0", 16),
    ("198.18.0.0", 15), ("198.51.100.0", 24), ("203.0.113.0", 24), ("224.0.0.0", 3),
)  # fmt: skip
"""IPv4 ranges that are not public: network and length of its prefix."""


def _ranges() -> tuple[tuple[int, ...], tuple[int, ...]]:
    networks, masks = [], []
    for network, length in SPECIAL_IPV4:
        a, b, c, d = map(int, network.split("."))
        networks.append(a << 24 | b << 16 | c << 8 | d)
        masks.append((0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF)
    return tuple(networks), tuple(masks)


_NETWORKS, _MASKS = _ranges()


@subroutine
def is_public_ipv4(address: int) -> bool:
    """Return whether an address (as a number) is of a public range."""
    for k in range(len(_NETWORKS)):  # noqa: SIM110 (kernels have no generators)
        if address & _MASKS[k] == _NETWORKS[k]:
            return False
    return True


@subroutine
def is_public_ipv6(first: int, second: int) -> bool:
    """Return whether an address that begins with these two groups is global unicast and nothing else.

    Of 2000::/3 these are not: 2001::/23 (protocols), 2001:db8::/32 and 3fff::/20 (documentation).
    """
    if first < 0x2000 or first > 0x3FFF:
        return False
    if first == 0x2001 and (second < 0x200 or second == 0xDB8):
        return False
    return not (first == 0x3FFF and second < 0x1000)


@subroutine
def ipv4_at(data: Any, i: int, barrier: int, stop: int, classes: Any) -> Any:
    """Return the end of the public IPv4 address at byte ``i``, or -1.

    Four numbers that are part of a version (``1.2.3.4.5``, ``pkg-1.2.3.4``, ``Tool/1.2.3.4``,
    ``>=1.2.3.4``, ``v1.2.3.4``) stay, and so do four numbers that are all less than 64: in text these are
    versions and numbers of sections, and only one address in 256 looks like that. A number that begins a
    line and has a dot and a space behind it, or has ``§`` before it, is a section's too.
    """
    left = before(data, i, barrier)
    if classes[left] & WORD or left in (_DOT, 0x23, 0x24, 0x2C, 0x5C):  # dot # $ comma backslash
        return int64(-1)
    if left == 0xA7 and data[i - 2] == 0xC2:  # § and not another character that ends in this byte
        return int64(-1)
    if i - 1 > lowest(barrier):
        further = before(data, i - 1, barrier)
        glued = classes[further] & ALNUM or further == 0x3E
        if left in (_DASH, _SLASH, 0x2B, 0x7E) and glued:  # - / + ~
            return int64(-1)
        if left == _COLON and classes[further] & DIGIT:
            return int64(-1)
        if left == 0x3D and further in (0x3D, 0x3C, 0x3E, 0x7E, 0x21):  # == <= >= ~= !=
            return int64(-1)
    address, small, octets = int64(0), True, 0
    while True:
        start, value = i, int64(0)
        while i < stop and i - start < 4 and classes[data[i]] & DIGIT:
            value = value * 10 + int64(data[i]) - 0x30
            i += 1
        length = i - start
        if length == 0 or length > 3 or value > 255 or (length > 1 and data[start] == 0x30):
            return int64(-1)
        address = address << 8 | value
        small = small and value < _FIRST_LARGE_OCTET
        octets += 1
        if octets == 4:
            break
        if i >= stop or data[i] != _DOT:
            return int64(-1)
        i += 1
    if i < stop:
        right = int64(data[i])
        following = int64(data[i + 1]) if i + 1 < stop else int64(0x0A)
        if classes[right] & WORD:
            return int64(-1)
        if left == 0x0A and right == _DOT and following == 0x20:
            return int64(-1)
        if right in (_DOT, _DASH) and (classes[following] & WORD or following == _LESS):
            return int64(-1)
    return int64(i) if not small and is_public_ipv4(address) else int64(-1)


@subroutine
def ipv6_at(data: Any, i: int, barrier: int, stop: int, classes: Any) -> Any:
    """Return the end of the public IPv6 address at byte ``i``, or -1; what ends in ``::`` is a network."""
    left = before(data, i, barrier)
    if classes[left] & WORD or left in (_DOT, _COLON, _DASH):
        return int64(-1)
    limit, end = min(stop, i + _TOO_LONG_IPV6), i
    while end < limit and (classes[data[end]] & HEX or data[end] in (_COLON, _DOT)):
        end += 1
    if end == i + _TOO_LONG_IPV6:
        return int64(-1)
    if end < stop and (classes[data[end]] & WORD or data[end] == _LESS):
        return int64(-1)
    while end > i and data[end - 1] == _DOT:
        end -= 1
    if end > i + 1 and data[end - 1] == _COLON and data[end - 2] != _COLON:
        end -= 1
    groups, gap, first, second = 0, False, int64(0), int64(0)
    place = i
    while place < end:
        start, value = place, int64(0)
        while place < end and classes[data[place]] & HEX:
            digit = int64(data[place])
            digit = digit - 0x30 if digit < 0x40 else (digit | 0x20) - 0x57
            value = (value << 4 | digit) & 0xFFFFF
            place += 1
        if place - start == 0 or place - start > 4:
            return int64(-1)
        groups += 1
        if groups == 1:
            first = value
        elif groups == 2 and not gap:
            second = value
        if place == end:
            break
        if data[place] != _COLON:
            return int64(-1)
        place += 1
        if place < end and data[place] == _COLON:
            if gap:
                return int64(-1)
            gap = True
            place += 1
        if place == end:
            return int64(-1)
    if groups > 8 or (groups == 8) == gap:
        return int64(-1)
    return int64(end) if is_public_ipv6(first, second) else int64(-1)


@subroutine
def local_start(data: Any, at: int, barrier: int, classes: Any) -> Any:
    """Return where the part of an address before its ``@`` begins; ``at`` where there is none."""
    i, chars, low = at, 0, lowest(barrier)
    while i > low and chars < _LONGEST_LOCAL:
        place = i - 1
        if data[place] < 0x80:
            double = data[place] == _DOT and data[i] == _DOT
            if not classes[data[place]] & LOCAL or double:
                break
        else:
            place = previous(data, i, low)
            if not is_latin(decode(data, place, i)[0]):
                break
        i = place
        chars += 1
    while i < at and data[i] < 0x80 and not classes[data[i]] & ALNUM:
        i += 1
    return at if i < at and data[at - 1] == _DOT else i


@subroutine
def is_file_ending(data: Any, start: int, stop: int) -> bool:
    """Return whether the last label of a domain is the ending of a file's name."""
    begin = 0
    for k in range(len(_NO_TLDS)):
        if _NO_TLDS[k] != 0x20:
            continue
        same = k - begin == stop - start
        for n in range(begin, k):
            same = same and data[start + n - begin] | 0x20 == _NO_TLDS[n]
        if same:
            return True
        begin = k + 1
    return False


@subroutine
def domain_end(data: Any, i: int, stop: int, classes: Any) -> Any:
    """Return the end of the domain at byte ``i``, -1 where none with a top-level domain of letters stands."""
    stop = min(stop, i + _LONGEST_DOMAIN)
    end, label, labels = int64(-1), i, 0
    while True:
        place, letters, chars = label, True, 0
        while place < stop:
            if data[place] < 0x80:
                kind = classes[data[place]]
                dash = kind & DASH and place + 1 < stop and classes[data[place + 1]] & (ALNUM | DASH)
                if not kind & ALNUM and not dash:
                    break
                letters = letters and kind & LETTER != 0
                place += 1
            else:
                code_point, after = decode(data, place, stop)
                if not is_latin(code_point):
                    break
                place = after
            chars += 1
        if place == label or data[label] == _DASH or data[place - 1] == _DASH:
            return end
        labels += 1
        if labels > 1 and letters and 2 <= chars <= _LONGEST_TLD and not is_file_ending(data, label, place):
            end = int64(place)
        if place + 1 >= stop or data[place] != _DOT:
            return end
        label = place + 1
