"""Licences by their SPDX identifiers: which there are, and what a list of allowed ones makes of a value.

What a corpus says of a document is an SPDX expression or a list of them. It is read by a parser of
its own, as strict as can be: that of ``license-expression``, whose index of identifiers is used,
takes ``MIT WITH MIT`` and a lone exception, holds the Commons Clause, which forbids, for an
exception, which permits, and any ``LicenseRef-`` of ScanCode's for the licence it resembles.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from dataprep.errors import ConfigError, MissingExtraError

ALLOWED, NOT_ALLOWED, UNKNOWN = 1, 0, -1
"""What can be said of a licence: whoever takes the document under it may; may not; nothing is known."""

MAX_STATED_CHARS = 4_096
"""A longer value is no licence but a text, perhaps one of a licence."""

_SPACE = " \t\r\n"
_TOKEN = re.compile(rf"[()]|[^{_SPACE}()]+")
_BINDING = {"(": 0, "OR": 1, "AND": 2}
"""How strongly an operator binds its sides; a parenthesis nothing."""
_OWN_PREFIX = "licenseref-"
"""Names that SPDX leaves to everybody, ScanCode among them."""
_NOT_OF_SPDX = ("gpl", "bsd-2", "assembly-exception")
"""Further spellings in the index; the first could be any version, or this version only."""
_RESERVED = ("AND", "OR", "WITH", "(", ")")
_OWN_LICENSE = re.compile(r"(DocumentRef-[a-z0-9.-]+:)?LicenseRef-[a-z0-9.-]+", re.IGNORECASE)
_OWN_ADDITION = re.compile(r"(DocumentRef-[a-z0-9.-]+:)?(AdditionRef|LicenseRef)-[a-z0-9.-]+", re.IGNORECASE)

_QUOTED = r"""(?:"[^"'\\\[\]]*"|'[^"'\\\[\]]*')"""
_LIST = re.compile(rf"\[[{_SPACE}]*{_QUOTED}(?:[{_SPACE}]*,[{_SPACE}]*{_QUOTED})*[{_SPACE}]*\]")
"""A list as JSON or Python writes it; nothing that is written with escapes is an identifier."""


@dataclass(frozen=True)
class SpdxIndex:
    """The identifiers of SPDX, by their spelling in lower case, deprecated spellings included."""

    licenses: Mapping[str, str]
    exceptions: Mapping[str, str]
    """What only grants more than the licence it stands behind."""
    sha256: str
    """Digest of both: another index may know more, and so allow more."""


@functools.cache
def spdx_index() -> SpdxIndex:
    """Return the identifiers that the installed ``license-expression`` knows; nothing is fetched.

    Raises:
        MissingExtraError: the package is not installed.
    """
    try:
        from license_expression import get_license_index
    except ImportError as error:
        raise MissingExtraError(
            module="license-expression", extra="pipeline", purpose="a list of allowed licences"
        ) from error
    licenses: dict[str, str] = {}
    exceptions: dict[str, str] = {}
    for entry in get_license_index():
        if entry["is_exception"] and entry["is_deprecated"]:
            continue  # e.g. GPL-2.0-with-font-exception: a licence and its exception in one
        known = [entry.get("spdx_license_key") or "", *entry.get("other_spdx_license_keys", ())]
        names = [name for name in known if name and not name.lower().startswith(_OWN_PREFIX)]
        found = exceptions if entry["is_exception"] else licenses
        spelled = {name.lower(): names[0] for name in names if _TOKEN.fullmatch(name)}
        found.update((name, key) for name, key in spelled.items() if name not in _NOT_OF_SPDX)
    lines = [f"{name} {key}\n" for found in (licenses, exceptions) for name, key in sorted(found.items())]
    return SpdxIndex(licenses, exceptions, hashlib.sha256("".join(lines).encode("utf-8")).hexdigest())


def allowed_license(text: str) -> str:
    """Return an entry of a list of allowed licences as SPDX spells it: ``MIT``, ``X+`` or ``X WITH E``.

    >>> allowed_license("gpl-2.0 with classpath-exception-2.0")
    'GPL-2.0-only WITH Classpath-exception-2.0'

    Raises:
        ConfigError: SPDX knows no such licence, or no such exception; names the nearest.
        MissingExtraError: ``license-expression`` is not installed.
    """
    index = spdx_index()
    words = _TOKEN.findall(text)
    if len(words) == 3 and words[1].upper() == "WITH":
        license_id, exception = _license_id(words[0]), index.exceptions.get(words[2].lower())
        if exception is None:
            raise ConfigError(f"SPDX has no exception {words[2]!r}: {_nearest(words[2], index.exceptions)}")
    elif len(words) == 1:
        license_id, exception = _license_id(text.strip(_SPACE)), None
    else:
        raise ConfigError("name one licence, or one WITH its exception, in each entry of the list")
    if license_id is None:
        if words[0].lower() in index.exceptions:
            raise ConfigError(
                f"{words[0]!r} is an exception: write the licence before it, 'X WITH {words[0]}'"
            )
        raise ConfigError(f"SPDX has no licence {words[0]!r}: {_nearest(words[0], index.licenses)}")
    return license_id if exception is None else f"{license_id} WITH {exception}"


@functools.lru_cache(maxsize=1 << 13)
def judge_license(stated: str | None, allowed: frozenset[str]) -> int:
    """Return what is known of a document's licence: ``ALLOWED``, ``NOT_ALLOWED`` or ``UNKNOWN``.

    Args:
        stated: An SPDX expression in any case, or a list of them, all of which apply. One identifier
            that SPDX does not know makes all of it unknown.
        allowed: What ``allowed_license`` returned.

    >>> judge_license("gpl-3.0 OR MIT", frozenset({"MIT"}))
    1
    >>> judge_license("['mit', 'gpl-3.0']", frozenset({"MIT"}))
    0
    >>> judge_license("MTI", frozenset({"MIT"}))
    -1
    """
    # Beyond ASCII there are other letters that become those of an identifier in lower case.
    if stated is None or len(stated) > MAX_STATED_CHARS or not stated.isascii():
        return UNKNOWN
    stated = stated.strip(_SPACE)
    listed = re.findall(_QUOTED, stated) if _LIST.fullmatch(stated) else None
    expressions = [stated] if listed is None else [one[1:-1] for one in listed]
    try:
        return min([_judge_expression(one, allowed) for one in expressions])
    except _NotUnderstoodError:
        return UNKNOWN


class _NotUnderstoodError(Exception):
    """A value is no SPDX expression, or names what SPDX does not know."""


def _judge_expression(text: str, allowed: frozenset[str]) -> int:
    """Return the value of an expression, by operator precedence; its depth costs no stack of Python's."""
    tokens = iter(_TOKEN.findall(text))
    values: list[int] = []
    operators: list[str] = []
    after_operand = False
    token = next(tokens, None)
    while token is not None:
        following = next(tokens, None)
        name = token.upper()
        if not after_operand:
            if name == "(":
                operators.append(name)
            else:
                exception = None
                if following is not None and following.upper() == "WITH":
                    exception, following = _operand(next(tokens, None)), next(tokens, None)
                values.append(_judge_operand(_operand(token), exception, allowed))
                after_operand = True
        elif name == ")":
            _apply(operators, values, down_to=1)
            if not operators:
                raise _NotUnderstoodError
            operators.pop()
        elif name in ("AND", "OR"):
            _apply(operators, values, down_to=_BINDING[name])
            operators.append(name)
            after_operand = False
        else:
            raise _NotUnderstoodError
        token = following
    if not after_operand:
        raise _NotUnderstoodError
    _apply(operators, values, down_to=1)
    if operators:
        raise _NotUnderstoodError
    return values[0]


def _apply(operators: list[str], values: list[int], *, down_to: int) -> None:
    """Apply the operators that bind at least so strongly, the last one first."""
    while operators and _BINDING[operators[-1]] >= down_to:
        second, first = values.pop(), values.pop()
        values.append(min(first, second) if operators.pop() == "AND" else max(first, second))


def _operand(token: str | None) -> str:
    if token is None or token.upper() in _RESERVED:
        raise _NotUnderstoodError
    return token


def _judge_operand(name: str, addition: str | None, allowed: frozenset[str]) -> int:
    license_id = _license_id(name)
    if license_id is None and not _OWN_LICENSE.fullmatch(name):
        raise _NotUnderstoodError
    if addition is None:
        return ALLOWED if license_id in allowed else NOT_ALLOWED
    exception = spdx_index().exceptions.get(addition.lower())
    if exception is not None:
        return ALLOWED if {license_id, f"{license_id} WITH {exception}"} & allowed else NOT_ALLOWED
    if _OWN_ADDITION.fullmatch(addition):
        return NOT_ALLOWED  # it may well take away what the licence grants
    raise _NotUnderstoodError


def _license_id(name: str) -> str | None:
    """Return a licence as SPDX spells it; None where there is none of that name."""
    known = spdx_index().licenses
    found = known.get(name.lower())
    if found is not None or not name.endswith("+"):
        return found
    plain = known.get(name[:-1].lower())
    return None if plain is None or plain.endswith(("+", "-only", "-or-later")) else f"{plain}+"


def _nearest(name: str, known: Mapping[str, str]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    spelled = list(dict.fromkeys(repr(known[one]) for one in close))
    return f"did you mean {' or '.join(spelled)}?" if spelled else "see https://spdx.org/licenses"
