"""Texts that every machine with a working installation has: code, documentation, licences.

Read are Python's own library and a fixed list of packages that ``dataprep[pipeline]`` brings
along, so that what else is installed changes nothing. Nothing is downloaded.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.resources
import inspect
import os
import re
import sysconfig
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataprep.hashing import hash64

PACKAGES = (
    "apache-beam",
    "awkward",
    "datasets",
    "fsspec",
    "huggingface-hub",
    "numba",
    "numpy",
    "pandas",
    "pip",
    "pyarrow",
    "pydantic",
    "rich",
)
"""Packages whose sources and documentation the demo reads, where they are installed."""

_BORING_FOLDERS = frozenset(
    {"test", "tests", "idle_test", "encodings", "pydoc_data", "site-packages", "__pycache__"}
)
_MAX_FILE_BYTES = 150_000
_MIN_FILE_BYTES = 300
_PROMPT = re.compile(r"^\s*>>>", re.MULTILINE)
_MARKUP = re.compile(r":[a-z:]+:(?=`)|[`*|]")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_MIN_WORD_SHARE = 0.78
_TRIPLE_QUOTED = re.compile(r'"""(.*?)"""', re.DOTALL)
_MIN_DOCUMENTED_SHARE = 0.15
"""Modules with less documentation than this share of their text are not worth parsing."""


@dataclass(frozen=True)
class Text:
    """One text found on this machine."""

    name: str
    """Stable and unique, e.g. ``numpy/linalg/_linalg.py`` or ``numpy.linalg.solve``."""
    body: str
    project: str
    """The package it comes from; ``python`` for the standard library."""
    title: str = ""


def library_files() -> list[Text]:
    """Return the modules of Python's standard library, without its tests and tables."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found = (path for path in _walk(root) if path.suffix == ".py")
    return _read((f"python/{path.relative_to(root).as_posix()}", path, "python") for path in found)


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        # Before going down: site-packages may lie here and hold a hundred times as many files.
        folders[:] = [name for name in folders if name not in _BORING_FOLDERS]
        yield from (Path(folder, name) for name in names)


def package_files(suffix: str, packages: Sequence[str] = PACKAGES) -> list[Text]:
    """Return the files of the packages whose name ends in ``suffix``, without tests."""
    return _read(
        (str(entry), Path(str(distribution.locate_file(entry))), package)
        for package, distribution in _distributions(packages)
        for entry in distribution.files or ()
        if entry.suffix == suffix and ".." not in entry.parts and not _BORING_FOLDERS & set(entry.parts)
    )


def licence_texts() -> list[Text]:
    """Return the licence and notice files of the packages and what they need: many are near-duplicates."""
    return _read(
        (f"{package}/{entry.name}", Path(str(distribution.locate_file(entry))), package)
        for package, distribution in _distributions(_with_requirements(PACKAGES))
        for entry in distribution.files or ()
        if re.match(r"(LICEN[CS]E|NOTICE|COPYING)", entry.name)
        and entry.suffix in ("", ".txt", ".md", ".rst")
    )


def _with_requirements(packages: Sequence[str]) -> list[str]:
    """Return packages and, transitively, what they require without extras, as far as installed."""
    found: dict[str, None] = {}
    waiting = list(packages)
    while waiting:
        for name, distribution in _distributions([waiting.pop()]):
            if name not in found:
                found[name] = None
                needed = [text for text in distribution.requires or () if "extra ==" not in text]
                waiting += [
                    re.split(r"[^\w.-]", text, maxsplit=1)[0].lower().replace("_", "-") for text in needed
                ]
    return sorted(found)


def descriptions() -> list[Text]:
    """Return the long descriptions of the packages: what their README says."""
    found = []
    for package, distribution in _distributions(PACKAGES):
        metadata = distribution.metadata.json
        body = str(metadata.get("description", "")).strip()
        if len(body) >= _MIN_FILE_BYTES:
            found.append(
                Text(f"{package}/README.md", body, package, title=str(metadata.get("summary", package)))
            )
    return found


def language_topics() -> list[Text]:
    """Return the chapters of the language reference that Python's own help system carries."""
    topics = importlib.import_module("pydoc_data.topics").topics
    return [
        Text(f"topic/{name}", body.strip(), "python", title=name) for name, body in sorted(topics.items())
    ]


def docstrings(files: Iterable[Text]) -> list[Text]:
    """Return the docstrings of modules, classes and functions, named by their dotted path."""
    found: dict[str, Text] = {}
    for file in files:
        if sum(map(len, _TRIPLE_QUOTED.findall(file.body))) < _MIN_DOCUMENTED_SHARE * len(file.body):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(file.body)
        except (SyntaxError, ValueError):
            continue
        dotted = (
            file.name.removesuffix(".py").removesuffix("/__init__").removeprefix("python/").replace("/", ".")
        )
        found.update((text.name, text) for text in _docstrings(tree, dotted, file.project))
    return list(found.values())


def own_documents(language: str) -> list[Text]:
    """Return the documents that were written for this repository in one language, e.g. ``de``.

    The file holds one document after another, each under a line ``== Title ==``.
    """
    lines = (importlib.resources.files("mixtures") / "demo" / f"{language}.txt").read_text("utf-8")
    pieces = re.split(r"^== (.+) ==$", lines, flags=re.MULTILINE)
    return [
        Text(f"{language}/{position:02d}", body.strip(), "dataprep", title=title)
        for position, (title, body) in enumerate(zip(pieces[1::2], pieces[2::2], strict=True))
    ]


def prose_of(docstring: str) -> str:
    """Return a docstring's paragraphs of sentences, without markup, examples, tables and fields.

    >>> prose_of("Add two *small* numbers in place.\\n\\n>>> add(1, 2)\\n3\\n\\nReturns\\n-------\\nint")
    'Add two small numbers in place.'
    """
    paragraphs = []
    for block in re.split(r"\n\s*\n", docstring):
        text = _MARKUP.sub("", " ".join(line.strip() for line in block.splitlines()))
        if not _PROMPT.search(block) and text.endswith((".", "!", "?")) and _reads_as_prose(text):
            paragraphs.append(text)
    return "\n\n".join(paragraphs)


def _reads_as_prose(text: str) -> bool:
    tokens = _TOKEN.findall(text)
    return len(tokens) >= 6 and sum(token[0].isalpha() for token in tokens) >= _MIN_WORD_SHARE * len(tokens)


def sample(texts: Iterable[Text], *, max_bytes: int, salt: str) -> list[Text]:
    """Return texts up to a total size, chosen by the hash of their names, in name order."""
    chosen, used = [], 0
    for text in sorted(texts, key=lambda text: (hash64("demo", salt, text.name), text.name)):
        size = len(text.body.encode())
        if used + size <= max_bytes:
            chosen.append(text)
            used += size
    return sorted(chosen, key=lambda text: text.name)


def _distributions(names: Sequence[str]) -> Iterator[tuple[str, importlib.metadata.Distribution]]:
    for name in names:
        try:
            yield name, importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue


def _read(places: Iterable[tuple[str, Path, str]]) -> list[Text]:
    found: dict[str, Text] = {}
    for name, path, project in sorted(places):
        try:
            if _MIN_FILE_BYTES <= path.stat().st_size <= _MAX_FILE_BYTES:
                found[name] = Text(name, path.read_bytes().decode("utf-8"), project)
        except (OSError, UnicodeDecodeError):
            continue
    return list(found.values())


_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _docstrings(tree: _Documented, dotted: str, project: str) -> Iterator[Text]:
    docstring = ast.get_docstring(tree, clean=False)
    if docstring is not None and len(docstring) >= _MIN_FILE_BYTES:
        yield Text(dotted, inspect.cleandoc(docstring), project, title=dotted.rpartition(".")[2])
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _docstrings(node, f"{dotted}.{node.name}", project)
