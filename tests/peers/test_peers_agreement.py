"""Our filters beside datatrove's own: the same decisions, and every difference explained."""

from __future__ import annotations

import functools
import importlib.util
import os
from pathlib import Path

import pytest

if importlib.util.find_spec("datatrove") is None or importlib.util.find_spec("spacy") is None:
    pytest.skip("datatrove is not installed: pip install '.[peers]'", allow_module_level=True)

from benchmarks.agreement.causes import Cause, same
from benchmarks.agreement.comparison import Comparison, compare
from benchmarks.agreement.ours import FILTERS, our_sentence_count, our_words
from benchmarks.agreement.page import page
from benchmarks.agreement.sample import ENGLISH, LANGUAGES, Document, draw_documents
from benchmarks.agreement.theirs import THEIR_CODES, judge_theirs, replaced, url_filter

pytestmark = [
    # spaCy and datatrove warn about their own affairs when they are imported.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(1800),
]

PER_STRATUM = int(os.environ.get("DATAPREP_PEERS_DOCUMENTS", "200"))
"""Documents of each corpus or language; 0 for all."""
MAX_BYTES = 60_000
MIN_AGREEMENT = {ENGLISH: 0.99}
MIN_AGREEMENT_ELSEWHERE = 0.97

SENTENCE = "The cat that we have seen sat on the mat with the dog and looked at it for hours. "


def _document(text: str, language: str = ENGLISH) -> Document:
    return Document("made up", "made up", language, text, None)


def _compared(text: str, language: str = ENGLISH) -> Comparison:
    return compare([_document(text, language)])


@functools.cache
def _drawn(folder: str) -> list[Document]:
    return draw_documents(folder, per_stratum=PER_STRATUM or None, max_bytes=MAX_BYTES)


@functools.cache
def _compared_in(language: str, folder: str) -> Comparison:
    return compare([document for document in _drawn(folder) if document.language == language])


@pytest.fixture
def comparison(corpus: Path, language: str) -> Comparison:
    return _compared_in(language, str(corpus))


def each_language(*languages: str) -> pytest.MarkDecorator:
    """Run a test for each language; processes share the work by language, so that each is compared once."""
    marked = [pytest.param(one, marks=pytest.mark.xdist_group(f"peers-{one}")) for one in languages]
    return pytest.mark.parametrize("language", marked)


def test_plain_prose_is_judged_alike_by_every_filter() -> None:
    text = "\n".join(f"{SENTENCE}Chapter {k} is about something else, number {k * 7919}." for k in range(12))
    found = _compared(text)
    assert {(one.filter, one.ours) for one in found.decisions} == {
        (one.filter, one.theirs if one.theirs != "drop" else one.ours) for one in found.decisions
    }
    assert found.differences == []


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("gopher_repetition", SENTENCE * 5 + "\n" + SENTENCE * 5, "dup_line_frac"),
        ("gopher_quality", SENTENCE, "gopher_short_doc"),
        ("gopher_quality", (SENTENCE + "# ") * 10, "keep"),
        ("gopher_quality", (SENTENCE + "# # # # #") * 10, "gopher_too_many_hashes"),
        ("c4", SENTENCE + "\nlorem ipsum dolor sit amet.", "lorem_ipsum"),
        ("c4", SENTENCE + "\nint main() { return 0; } is a program.", "curly_bracket"),
        ("c4", "\n".join([SENTENCE.strip()] * 4), "too_few_sentences"),
        ("fineweb_quality", "no mark at the end\n" * 5, "line_punct_ratio"),
        ("fineweb_quality", "A short line.\n" * 5, "short_line_ratio"),
    ],
)
def test_both_sides_give_the_reason_that_one_would_expect(name: str, text: str, reason: str) -> None:
    (decision,) = [one for one in _compared(text).decisions if one.filter == name]
    assert (decision.ours, decision.theirs) == (reason, reason)


def test_blank_texts_stand_apart_because_datatrove_has_no_rule_for_them() -> None:
    found = compare([_document(""), _document(" \n \n")])
    assert found.decisions == ()
    assert found.blank["gopher_repetition", "raises ZeroDivisionError"] == 1
    assert found.blank["fineweb_quality", "empty"] == 2


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", 'He said: "No." It is 3.5% - well-known, this/that 2^8... (J.R. Smith\'s) /usr/. 3-4 a.b.C'),
        ("de", "Am 3. Mai 10.6.1. Video-Schnitt f(x) 1/6 /usr/ 2^8 3-4 die Frage!Nein aber»so« HTML5. Ende."),
        ("es", "ISO 8859-15 hoy; franco-belga 2+2 y/o «esto», ¿no? 3.5 kg."),
        ("fr", "Le texte-source, 8859-15; et «cela» 2+2 lire/écrire à 3.5 km."),
        ("it", "Il ben-essere, 8859-15; e «questo» 2+2 leggere/scrivere."),
        ("nl", "de pagina's zijn aan/uit 1+1 8859-15 f(x) in-en-uit 3. Einde."),
        ("pt", "A copo d'água 1954-07-20 guarda-chuva 2+2, e «isto» 3. Fim."),
    ],
)
def test_words_end_where_spacy_ends_them(language: str, text: str) -> None:
    from datatrove.utils.text import split_into_words

    assert our_words(text, language) == split_into_words(text, THEIR_CODES[language])


def test_a_difference_in_words_is_found_by_giving_datatrove_our_words() -> None:
    text = "Cannot cannot. " * 13  # spaCy's "can" "not" makes 52 words of 26, marks not counted
    (decision,) = [one for one in _compared(text).differences if one.filter == "gopher_quality"]
    assert decision.cause == Cause.WORDS
    with replaced(words=lambda text: our_words(text, ENGLISH)):
        assert judge_theirs("gopher_quality", decision.document) == decision.ours


def test_n_grams_of_other_words_are_one_for_datatrove_but_not_for_us() -> None:
    # "a bc d e f" and "ab c d e f" are both "abcdef" once the spaces are gone.
    tails = [" ".join(f"w{k}x{j}" for j in range(3)) for k in range(40)]
    text = " ".join(f"{'aa bb' if k % 2 else 'aab b'} {tails[k // 2]}" for k in range(80))
    found = [one for one in _compared(text).decisions if one.filter == "gopher_repetition"]
    assert found[0].ours != found[0].theirs
    assert found[0].cause == Cause.N_GRAMS
    assert found[0].cause.kind == "bug of theirs"


@pytest.mark.parametrize(
    ("text", "count"),
    [("One. Two! Three?", 3), ("No mark", 1), ("Well... what? Yes.", 2), ('"Go." He went.', 2)],
)
def test_sentences_are_counted_as_spacy_does(text: str, count: int) -> None:
    from datatrove.utils.text import split_into_sentences

    assert our_sentence_count(text, ENGLISH) == len(split_into_sentences(text, "eng")) == count


def test_a_difference_in_sentences_is_found_by_giving_datatrove_our_count() -> None:
    # Without its citations the line is blank: no sentence for us, one for datatrove.
    (decision,) = _compared("[1] [2] [3]\n" * 6).differences
    assert (decision.filter, decision.ours, decision.theirs) == (
        "c4_any_line_end",
        "too_few_sentences",
        "keep",
    )
    assert decision.cause == Cause.SENTENCES


def test_datatrove_judges_urls_by_the_lists_that_it_is_given() -> None:
    judge = url_filter(extra_domains=["bad.example.co.uk", "worse.co.uk"], banned_words=["casino"])
    assert judge("http://a.worse.co.uk/page") == "domain"
    assert judge("http://bad.example.co.uk/") == "subdomain"
    assert judge("http://good.com/casino/") == "hard_blacklisted"
    assert judge("http://good.com/") == "keep"


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.parametrize("name", FILTERS)
@each_language(*LANGUAGES)
def test_decisions_and_reasons_agree(comparison: Comparison, name: str, language: str) -> None:
    wanted = MIN_AGREEMENT.get(language, MIN_AGREEMENT_ELSEWHERE)
    differing = [
        (one.document.place, one.ours, one.theirs, one.cause)
        for one in comparison.differences
        if one.filter == name
    ]
    assert comparison.agreement(name, [language]) >= wanted, differing


@pytest.mark.corpus
@pytest.mark.slow
@each_language(*LANGUAGES)
def test_no_difference_is_left_unexplained(comparison: Comparison, language: str) -> None:
    assert comparison.num_documents([language]) >= 100
    assert [one for one in comparison.differences if one.cause == Cause.UNEXPLAINED] == []


@pytest.mark.corpus
@pytest.mark.slow
@each_language(ENGLISH)
def test_edge_cases_are_among_the_documents(comparison: Comparison) -> None:
    assert sum(comparison.blank.values()) >= len(FILTERS)
    texts = [one.document.text for one in comparison.decisions if one.filter == FILTERS[0]]
    assert any("\u0627" in text for text in texts), "the Arabic texts"
    assert any("\u200d" in text for text in texts), "emoji joined to one"


@pytest.mark.corpus
@pytest.mark.slow
@each_language(*LANGUAGES)
def test_the_page_names_every_difference(comparison: Comparison) -> None:
    text = page(comparison, command="COMMAND", sample="SAMPLE")
    assert all(f"`{name}`" in text for name in FILTERS)
    for one in comparison.differences:
        assert not same(one.filter, one.ours, one.theirs)
        assert f"| `{one.ours}` | `{one.theirs}` |" in text
