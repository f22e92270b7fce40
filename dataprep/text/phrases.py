"""Finding several phrases in a text at once, whatever their case: one table look-up a character."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dataprep.kernels import inlined, subroutine

_KELVIN, _K = 0x212A, 0x6B
"""``str.lower`` makes an ASCII k of the Kelvin sign; of no other character does it make ASCII alone."""


@dataclass(frozen=True)
class PhraseTable:
    """An Aho-Corasick automaton over ASCII.

    ``step`` is uint8[states, 128], the next state for a character of any case; ``found``
    uint8[states], the phrases (as bits) that end in a state.
    """

    step: npt.NDArray[np.uint8]
    found: npt.NDArray[np.uint8]


def phrase_table(phrases: Mapping[str, int]) -> PhraseTable:
    """Return the automaton of lower-case ASCII phrases, each with the bit that tells it was found."""
    children: list[dict[str, int]] = [{}]
    found = [0]
    for phrase, bit in phrases.items():
        state = 0
        for character in phrase:
            if character not in children[state]:
                children[state][character] = len(children)
                children.append({})
                found.append(0)
            state = children[state][character]
        found[state] |= bit
    step = np.zeros((len(children), 128), np.uint8)
    fallback = [0] * len(children)
    waiting = deque([0])
    while waiting:
        state = waiting.popleft()
        for code in range(128):
            child = children[state].get(chr(code).lower())
            elsewhere = int(step[fallback[state], code]) if state else 0
            if child is None:
                step[state, code] = elsewhere
                continue
            step[state, code] = child
            if chr(code).islower() or not chr(code).isalpha():
                fallback[child] = elsewhere
                found[child] |= found[elsewhere]
                waiting.append(child)
    return PhraseTable(step=step, found=np.array(found, np.uint8))


@inlined
def next_state(state: int, code_point: int, step: Any) -> Any:
    """Return the automaton's state after a character, as ``str.lower`` would write it."""
    if code_point < 128:
        return np.int64(step[state, code_point])
    if code_point == _KELVIN:
        return np.int64(step[state, _K])
    return np.int64(0)


@subroutine
def matches(data: Any, i: int, stop: int, phrase: Any) -> bool:
    """Return whether ``phrase`` (uint8[]) stands at byte ``i``."""
    if i + len(phrase) > stop:
        return False
    for k in range(len(phrase)):  # noqa: SIM110 (kernels have no generators)
        if data[i + k] != phrase[k]:
            return False
    return True
