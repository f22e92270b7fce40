"""Redaction as its modules describe it, on strings with regular expressions: slow, for comparison.

Places are characters here. A match is looked for at every character that may belong to one, from
left to right; ``barrier`` is where the last match ended: what stands before it is a placeholder.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Collection

from dataprep.text.pii import PII_KINDS
from dataprep.text.pii_keys import ALNUM, DASH, DIGIT, DOT, KEY_FORMS, TOKEN, UPPER, WORD, KeyForm

Match = tuple[str, int, int]
CLASSES = {
    UPPER | DIGIT: "A-Z0-9",
    ALNUM: "A-Za-z0-9",
    WORD: "A-Za-z0-9_",
    TOKEN: "A-Za-z0-9_-",
    ALNUM | DASH: "A-Za-z0-9-",
    TOKEN | DOT: "A-Za-z0-9_.-",
}
FILES = re.split(
    " ",
    "png jpg jpeg gif svg webp bmp ico css js html htm php pdf txt xml json exe dll service conf socket "
    "mount timer slice disable",
)
KEYWORDS = re.split(
    " ",
    "tel phone telephone telefon telefono teléfono telefone telefoon fon fax telefax tél mobile mobil móvil "
    "handy cell ph whatsapp hotline",
)
COUNTRY = re.compile(
    "1|7|20|27|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|21[12368]|2[2346].|25[0-8]|29[01789]|35.|37."
    "|38[01235679]|42[013]|50.|59.|67[02-9]|68[0-35-9]|69[0-2]|80[08]|85[02356]|87[08]|88[012368]|96[0-8]"
    "|97[0-79]|99[2-68]"
)
SPACES = " \u00a0"
MARK = r"\)?[ \u00a0./-]?\(?"


def is_word(c: str) -> bool:
    return c.isascii() and (c.isalnum() or c == "_")


def before(text: str, i: int, barrier: int) -> str:
    if i == barrier > 0:
        return ">"
    return "\n" if i == 0 else "a" if latin(text[i - 1]) else text[i - 1]


def follows(text: str, i: int, step: int = 0) -> str:
    return text[i + step] if i + step < len(text) else "\n"


def latin(c: str) -> bool:
    return 0xC0 <= ord(c) <= 0x24F and unicodedata.category(c)[0] == "L"


def of_bytes(text: str, size: int) -> str:
    """Return as much of a text as fits into so many bytes."""
    return text.encode()[:size].decode(errors="ignore")


def email_at(text: str, at: int, barrier: int) -> tuple[int, int] | None:
    start = at
    while start > barrier and at - start < 64:
        c = text[start - 1]
        if not (is_word(c) or c in ".-+%" or latin(c)) or text[start - 1 : start + 1] == "..":
            break
        start -= 1
    while start < at and text[start].isascii() and not text[start].isalnum():
        start += 1
    if start == at or text[at - 1] == ".":
        return None
    end, place, labels = None, at + 1, 0
    text = text[:place] + of_bytes(text[place:], 255)
    while True:
        stop = place
        while stop < len(text) and (
            (text[stop].isascii() and text[stop].isalnum())
            or latin(text[stop])
            or re.match("-[A-Za-z0-9-]", text[stop : stop + 2])
        ):
            stop += 1
        label = text[place:stop]
        if not label or "-" in (label[0], label[-1]):
            break
        labels += 1
        letters = all(latin(c) or (c.isascii() and c.isalpha()) for c in label)
        if labels > 1 and letters and 2 <= len(label) <= 24 and label.lower() not in FILES:
            end = stop
        if text[stop : stop + 1] != "." or stop + 1 >= len(text):
            break
        place = stop + 1
    return None if end is None else (start, end)


def ipv4_at(text: str, i: int, barrier: int) -> tuple[int, int] | None:
    match = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9A-Za-z_])").match(text, i)
    if match is None:
        return None
    numbers, left, far = match.group().split("."), before(text, i, barrier), before(text, i - 1, barrier)
    has_far = i - 1 > barrier
    glued = has_far and (far == ">" or (far.isascii() and far.isalnum()))
    right, following = follows(text, match.end()), follows(text, match.end(), 1)
    refused = (
        is_word(left)
        or left in ".#$,\\§"
        or (left in "-/+~" and glued)
        or (left == ":" and has_far and far.isascii() and far.isdigit())
        or (left == "=" and has_far and far in "=<>~!")
        or (right in ".-" and (is_word(following) or following == "<"))
        or (left == "\n" and right == "." and following == " ")
        or any(len(n) > 1 and n[0] == "0" for n in numbers)
        or any(int(n) > 255 for n in numbers)
        or all(int(n) < 64 for n in numbers)
    )
    if refused:
        return None
    address = ipaddress.ip_address(match.group())
    return (i, match.end()) if address.is_global and not address.is_multicast else None


def ipv6_at(text: str, i: int, barrier: int) -> tuple[int, int] | None:
    left = before(text, i, barrier)
    if is_word(left) or left in ".:-" or re.match(r"[23][0-9A-Fa-f]{3}:", text[i : i + 5]) is None:
        return None
    run = re.compile(r"[0-9A-Fa-f:.]*").match(text, i)
    assert run is not None
    if is_word(follows(text, run.end())) or follows(text, run.end()) == "<" or len(run.group()) > 47:
        return None
    token = run.group().rstrip(".")
    if token.endswith(":") and not token.endswith("::"):
        token = token[:-1]
    try:
        address = ipaddress.IPv6Address(token)
    except ValueError:
        return None
    if "." in token or token.endswith("::"):
        return None
    special = ("2001::/23", "2001:db8::/32", "3fff::/20")
    public = not any(address in ipaddress.ip_network(one) for one in special)
    return (i, i + len(token)) if public else None


def ends_here(text: str, i: int) -> bool:
    c, following = follows(text, i), follows(text, i, 1)
    if i >= len(text):
        return True
    if is_word(c) or c == "@":
        return False
    if c == "-":
        return not ((following.isascii() and following.isalnum()) or following == "<")
    digit = following.isascii() and following.isdigit()
    return not ((c == "." and digit) or (c in ",/:" and (digit or following == "<")))


def may_begin(text: str, i: int, barrier: int, refused: str) -> bool:
    left = before(text, i, barrier)
    return not is_word(left) and left not in refused


def north_american(text: str, i: int, barrier: int) -> tuple[int, int] | None:
    bracket = before(text, i, barrier) == "(" and i > barrier
    pattern = (
        r"[2-9]\d\d\)(?:-|[ \u00a0])?[2-9]\d\d[-. ]\d{4}" if bracket else r"[2-9]\d\d([-.])[2-9]\d\d\1\d{4}"
    )
    match = re.compile(pattern, re.ASCII).match(text, i)
    if match is None or not ends_here(text, match.end()):
        return None
    start = i - bracket
    left = before(text, start, barrier)
    if left in "-. " and start - 2 >= barrier and text[start - 2] == "1":
        far = before(text, start - 2, barrier)
        if far == "+":
            return None
        if not is_word(far) and far not in "-./,$":
            return start - 2, match.end()
    return (start, match.end()) if may_begin(text, start, barrier, "-./+),#$=") else None


def closes(text: str, start: int, stop: int) -> bool:
    found = re.search(r"[()]", text[start:stop])
    return found is not None and found.group() == ")"


def candidates(text: str, i: int, *, opened: bool) -> list[tuple[str, bool]]:
    """Return the numbers that may end behind each group of digits, and whether a bracket is open there."""
    found, place = [], i
    while True:
        digits = re.compile(r"[0-9]*").match(text, place)
        assert digits is not None
        end = digits.end()
        if end == place or len(text[i:end].encode()) > 40 or len(re.sub("[^0-9]", "", text[i:end])) > 15:
            return found
        found.append((text[i:end], opened))
        place = end
        if opened and text[place : place + 1] == ")":
            place, opened = place + 1, False
        if text[place : place + 1] and text[place] in SPACES + "-./":
            place += 1
        if not opened and text[place : place + 1] == "(":
            place, opened = place + 1, True
        if place == end:
            return found


def international(text: str, i: int, barrier: int) -> tuple[int, int] | None:
    far = before(text, i - 1, barrier)
    opened = far == "(" and i - 1 > barrier
    if is_word(far) or far in "+-./*^)$":
        return None
    window = of_bytes(text[i:], 40)
    if COUNTRY.match(re.sub("[^0-9]", "", window)[:3]) is None or len(re.sub("[^0-9]", "", window)) < 3:
        return None
    best = None
    for number, still_open in candidates(text, i, opened=opened):
        digits, marks = re.sub("[^0-9]", "", number), len(re.findall(r"[^0-9]+", number))
        dots = len(re.findall(r"(?<=[0-9])\.", number))
        if digits[0] == "1":
            long_enough = len(digits) == 11 and digits[1] > "1" and digits[4] > "1"
        else:
            long_enough = len(digits) >= (9 if marks else 10)
        plain = not still_open or number.isdigit()
        if long_enough and (dots == 0 or dots == marks > 1) and plain and ends_here(text, i + len(number)):
            best = i + len(number)
    if best is None:
        return None
    return (i - 2 if opened and closes(text, i, best) else i - 1), best


def trunk(text: str, i: int, barrier: int) -> tuple[int, int] | None:
    bracket = before(text, i, barrier) == "(" and i > barrier
    head = re.compile(r"0[1-9][0-9]{1,3}(?![0-9])" + (r"\)" if bracket else "")).match(text, i)
    if head is None:
        return None
    end, groups = head.end(), []
    while match := re.compile(r"[ \u00a0]([0-9]{1,16})(?![0-9A-Za-z_@])").match(text, end):
        if sum(map(len, groups)) + len(match.group(1)) + len(head.group().rstrip(")")) > 11:
            break
        groups.append(match.group(1))
        end = match.end()
    total = sum(map(len, groups)) + len(head.group().rstrip(")"))
    enough = len(groups) + bracket >= 2 and max(map(len, groups), default=0) > 2
    if not enough or not 10 <= total <= 11 or not ends_here(text, end):
        return None
    start = i - bracket
    if not may_begin(text, start, barrier, "-./+),#$="):
        return None
    space = before(text, start, barrier) == " " and start - 1 >= barrier
    further = before(text, start - 1, barrier) if space else "\n"
    return None if further.isascii() and further.isdigit() else (start, end)


def announced(text: str, i: int, barrier: int) -> tuple[int, int] | None:
    left = before(text, i, barrier)
    if i <= barrier or left not in " :.(":
        return None
    bracket = left == "("
    lead = re.search(r"[ :.(]{1,4}\Z", text[max(barrier, i - 4) : i])
    assert lead is not None
    if not (text[i] == "0" or bracket or ":" in lead.group() or "." in lead.group()):
        return None
    word = text[barrier : i - len(lead.group())]
    small = "".join(c.lower() if c.isascii() else c for c in word)
    for keyword in KEYWORDS:
        if small.endswith(keyword):
            start = i - len(lead.group()) - len(keyword)
            c = before(text, start, barrier)
            if (c.isascii() and c.isalnum()) or not c.isascii():
                continue
            best = None
            for number, still_open in candidates(text, i, opened=bracket):
                enough = len(re.sub("[^0-9]", "", number)) >= 7 and (not still_open or number.isdigit())
                if enough and ends_here(text, i + len(number)):
                    best = i + len(number)
            return None if best is None else (i - (bracket and closes(text, i, best)), best)
    return None


def maybe_phone(text: str, i: int, barrier: int) -> bool:
    left = before(text, i, barrier)
    run = re.compile("[0-9]*").match(text, i)
    assert run is not None
    two = left == " " and i - 1 > barrier and text[i - 2] in ":."
    return (
        text[i] == "0" or left in "+(:." or two or (run.end() - i == 3 and follows(text, run.end()) in "-.")
    )


def phone_at(text: str, i: int, barrier: int) -> tuple[int, int] | None:
    if not maybe_phone(text, i, barrier):
        return None
    left = before(text, i, barrier)
    if left == "+" and i > barrier:
        return international(text, i, barrier)
    if is_word(left):
        return None
    return north_american(text, i, barrier) or trunk(text, i, barrier) or announced(text, i, barrier)


def key_of(form: KeyForm, text: str, i: int, barrier: int) -> tuple[int, int] | None:
    start = i - form.anchor
    if start < barrier or not text.startswith(form.prefix, start):
        return None
    left = before(text, start, barrier)
    if is_word(left) or (form.body & DASH and left == "-"):
        return None
    begin = start + len(form.prefix)
    body = re.compile(f"[{CLASSES[form.body]}]*").match(text, begin)
    assert body is not None
    if not form.shortest <= len(body.group()) <= form.longest or is_word(follows(text, body.end())):
        return None
    mixed = all(re.search(one, body.group()) for one in ("[A-Z]", "[a-z]", "[0-9]"))
    return (start, body.end()) if mixed or not form.mixed else None


def label_end(data: bytes, i: int) -> int | None:
    """Return the end of a private key's label of at most 39 bytes and of the five dashes behind it."""
    dashes = data.find(b"-----", i, i + 44)
    return dashes + 5 if dashes >= 0 and b"PRIVATE KEY" in data[i:dashes] else None


def private_key_at(text: str, i: int) -> int | None:
    """Return the character behind the block of a private key."""
    data = text[i:].encode()
    if not data.startswith(b"-----BEGIN "):
        return None
    head = label_end(data, len(b"-----BEGIN "))
    dashes = -1 if head is None else data.find(b"-----", head)
    if dashes < 0 or not data.startswith(b"-----END ", dashes):
        return None
    end = label_end(data, dashes + len(b"-----END "))
    return None if end is None else i + len(data[:end].decode())


def secret_at(text: str, i: int, barrier: int, kinds: Collection[str]) -> Match | None:
    if "jwt" in kinds and text.startswith("eyJ", i - 2) and i - 2 >= barrier:
        left = before(text, i - 2, barrier)
        match = re.compile(r"eyJ[\w-]{7,}\.[\w-]{10,}\.[\w-]{10,}", re.ASCII).match(text, i - 2)
        if match is not None and not is_word(left) and left != "-":
            return "jwt", i - 2, match.end()
    if "private_key" in kinds and text[i] == "-":
        end = private_key_at(text, i)
        if end is not None:
            return "private_key", i, end
    for form in KEY_FORMS:
        if form.kind in kinds and form.prefix[form.anchor] == text[i]:
            found = key_of(form, text, i, barrier)
            if found is not None:
                return form.kind, *found
    return None


def number_at(text: str, i: int, barrier: int, kinds: Collection[str]) -> Match | None:
    for kind, function in (("ipv4", ipv4_at), ("ipv6", ipv6_at), ("phone", phone_at)):
        found = function(text, i, barrier) if kind in kinds else None
        if found is not None:
            return kind, *found
    return None


def matches(text: str, kinds: Collection[str] = PII_KINDS) -> list[Match]:
    """Return kind, first character and the one behind of every match."""
    found: list[Match] = []
    i = barrier = 0
    while i < len(text):
        match: Match | None = None
        digit = text[i].isascii() and text[i].isdigit()
        if digit:
            match = number_at(text, i, barrier, kinds)
        elif text[i] == "@":
            email = email_at(text, i, barrier) if "email" in kinds else None
            match = None if email is None else ("email", *email)
        else:
            match = secret_at(text, i, barrier, kinds)
        if match is not None:
            found.append(match)
            i = barrier = match[2]
            continue
        i += 1
        while digit and i < len(text) and text[i].isascii() and text[i].isdigit():
            i += 1
    assert all(kind in PII_KINDS for kind, _, _ in found)
    return found
