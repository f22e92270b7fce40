"""Licence expressions as trees, and what an allow-list makes of them, by their meaning alone.

A tree is a pair (license, exception or None), or ("AND" | "OR", trees).
"""

from __future__ import annotations

import itertools
import random
from typing import Any

Tree = tuple[Any, ...]

ALIASES = {"gpl-2.0": "gpl-2.0-only", "gpl-2.0+": "gpl-2.0-or-later", "lgpl-2.1": "lgpl-2.1-only"}
LICENSES = (
    "MIT",
    "Apache-2.0",
    "BSD-3-Clause",
    "GPL-2.0",
    "gpl-2.0-only",
    "GPL-2.0+",
    "LGPL-2.1",
    "EPL-1.0+",
)
OWN = ("LicenseRef-Ours", "DocumentRef-a.b:LicenseRef-2")
UNKNOWN = ("MTI", "other", "NONE", "NOASSERTION", "GPL-2.0-only+", "Classpath-exception-2.0", "LicenseRef-")
EXCEPTIONS = ("Classpath-exception-2.0", "LLVM-exception")
OWN_ADDITIONS = ("LicenseRef-scancode-commons-clause", "AdditionRef-ours")
UNKNOWN_EXCEPTIONS = ("classpath", "MIT", "GPL-2.0-with-classpath-exception")


def alternatives(tree: Tree) -> list[frozenset[Tree]]:
    """Return the sets of licences of which a user must accept all of one."""
    if tree[0] == "OR":
        return [one for branch in tree[1] for one in alternatives(branch)]
    if tree[0] == "AND":
        choices = itertools.product(*(alternatives(branch) for branch in tree[1]))
        return [frozenset().union(*choice) for choice in choices]
    return [frozenset([tree])]


def operands(tree: Tree) -> list[Tree]:
    """Return all licences of a tree, each with its exception."""
    if tree[0] in ("AND", "OR"):
        return [one for branch in tree[1] for one in operands(branch)]
    return [tree]


def is_known(operand: Tree) -> bool:
    """Return whether SPDX has both names, or lets anybody make them up."""
    name, addition = operand
    return name not in UNKNOWN and addition not in UNKNOWN_EXCEPTIONS


def is_allowed(operand: Tree, allowed: set[str]) -> bool:
    """Return whether a licence, or it with its exception, is among ``allowed`` (in lower case)."""
    name, addition = operand
    name = ALIASES.get(name.lower(), name.lower())
    if addition is None or addition in EXCEPTIONS:
        return name in allowed or f"{name} with {str(addition).lower()}" in allowed
    return False


def judge_tree(tree: Tree, allowed: set[str]) -> int:
    """Return 1 where one alternative is allowed in full, 0 where none is, -1 where a name is unknown."""
    if not all(map(is_known, operands(tree))):
        return -1
    return int(any(all(is_allowed(one, allowed) for one in choice) for choice in alternatives(tree)))


def written(tree: Tree, rng: random.Random, *, inside: str = "") -> str:
    """Return a tree as an expression, in any case, with needless parentheses and space."""

    def space(least: int = 1) -> str:
        return "".join(rng.choice(" \t\n") if rng.random() < 0.2 else " " for _ in range(least))

    def case(word: str) -> str:
        return rng.choice([word, word.lower(), word.upper(), word.swapcase()])

    if tree[0] in ("AND", "OR"):
        parts = [written(branch, rng, inside=tree[0]) for branch in tree[1]]
        text = f"{space()}{case(tree[0])}{space()}".join(parts)
        needed = tree[0] == "OR" and inside == "AND"
    else:
        name, addition = tree
        text = case(name) + ("" if addition is None else f"{space()}{case('WITH')}{space()}{case(addition)}")
        needed = False
    for _ in range(int(needed) + (rng.random() < 0.2)):
        text = f"({space(rng.randrange(2))}{text}{space(rng.randrange(2))})"
    return text


def random_tree(rng: random.Random, *, depth: int, unknown: float) -> Tree:
    """Return a tree; a name is unknown, or made up, with probability ``unknown``."""
    if depth and rng.random() < 0.7:
        branches = [random_tree(rng, depth=depth - 1, unknown=unknown) for _ in range(rng.randint(2, 3))]
        return (rng.choice(["AND", "OR"]), tuple(branches))
    names, additions = LICENSES, EXCEPTIONS
    if rng.random() < unknown:
        names = rng.choice([UNKNOWN, OWN])
    if rng.random() < unknown:
        additions = rng.choice([UNKNOWN_EXCEPTIONS, OWN_ADDITIONS])
    return (rng.choice(names), rng.choice(additions) if rng.random() < 0.3 else None)
