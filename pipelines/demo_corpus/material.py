"""The texts of the demo, sorted into piles that the raw corpora are made from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dataprep.hashing import hash64
from pipelines.demo_corpus import gather
from pipelines.demo_corpus.gather import Text

LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pt")

_PAGE_CHARS = 1_800
_PROMPT = re.compile(r"^(?:>>>|\.\.\.) ?", re.MULTILINE)


@dataclass(frozen=True)
class Material:
    """Everything that was found, by what it can stand for."""

    library: list[Text]
    """Python's own modules."""
    packages: list[Text]
    """Modules of installed packages."""
    headers: list[Text]
    """C headers of installed packages."""
    pages: list[Text]
    """Prose from documentation, several docstrings to a page."""
    reference: list[Text]
    """Single docstrings as they are, with examples and tables."""
    scripts: list[Text]
    """The examples of docstrings as scripts."""
    topics: list[Text]
    """Chapters of the language reference."""
    readmes: list[Text]
    licences: list[Text]
    own: dict[str, list[Text]]
    """The repository's own documents by language."""


def collect() -> Material:
    """Read what is on this machine; the same machine gives the same texts in the same order."""
    library = gather.library_files()
    packages = gather.package_files(".py")
    reference = gather.docstrings(library) + gather.docstrings(packages)
    return Material(
        library=gather.sample(library, max_bytes=4_000_000, salt="library"),
        packages=gather.sample(packages, max_bytes=5_500_000, salt="packages"),
        headers=gather.sample(gather.package_files(".h"), max_bytes=700_000, salt="headers"),
        pages=pages_of(reference),
        reference=gather.sample(reference, max_bytes=1_800_000, salt="reference"),
        scripts=gather.sample(scripts_of(reference), max_bytes=250_000, salt="scripts"),
        topics=gather.language_topics(),
        readmes=gather.descriptions(),
        licences=gather.sample(gather.licence_texts(), max_bytes=500_000, salt="licences"),
        own={language: gather.own_documents(language) for language in LANGUAGES},
    )


def pages_of(reference: Sequence[Text]) -> list[Text]:
    """Put the prose of consecutive docstrings of a project together until a page is full."""
    pages: list[Text] = []
    pending: list[str] = []
    first: Text | None = None
    for text in reference:
        prose = gather.prose_of(text.body)
        if not prose:
            continue
        if first is None or first.project != text.project:
            first, pending = text, []
        pending.append(prose)
        if sum(map(len, pending)) >= _PAGE_CHARS:
            body = "\n\n".join(dict.fromkeys(pending))
            pages.append(Text(first.name, body, first.project, title=first.title))
            first = None
    return pages


def scripts_of(reference: Sequence[Text]) -> list[Text]:
    """Return the interactive examples of docstrings as scripts, prompts removed."""
    scripts = []
    for text in reference:
        lines = [
            _PROMPT.sub("", line.strip()) for line in text.body.splitlines() if _PROMPT.match(line.strip())
        ]
        if len(lines) >= 6:
            body = f"# Examples for {text.name}\n\n" + "\n".join(lines) + "\n"
            scripts.append(Text(text.name, body, text.project, title=text.title))
    return scripts


def share(texts: Sequence[Text], salt: str, start: int, stop: int) -> list[Text]:
    """Return the texts whose hash falls in percent ``[start, stop)``; disjoint ranges share none."""
    return [text for text in texts if start <= hash64("share", salt, text.name) % 100 < stop]
