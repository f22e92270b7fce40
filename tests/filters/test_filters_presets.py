"""The packaged presets: what each drops and for what reason."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from dataprep.errors import ConfigError
from dataprep.filters import (
    C4,
    PRESETS,
    Code,
    FineWeb,
    GopherQuality,
    GopherRepetition,
    LineCorrections,
    Rule,
    judge,
    preset_identity,
    resolve_preset,
)
from dataprep.filters.presets import Preset
from dataprep.signals import CodeSignals, SizeSignals, WebTextSignals, measure
from dataprep.text.edits import apply_edits
from dataprep.text.lines import C4Lines, RefinedWebLines
from dataprep.text.pii import Pii

GOOD = "".join(
    f"{subject} {verb} the {thing} that {owner} had left {place}, because {reason}.\n"
    for subject, verb, thing, owner, place, reason in [
        ("Anna", "found", "old map", "her uncle", "in the attic", "nobody else would look there"),
        ("The ferry", "carried", "crates of oranges", "merchants", "on the northern pier", "rain was coming"),
        ("My teacher", "explained", "strange theorem", "Noether", "for her students", "symmetry is physics"),
        ("A young fox", "crossed", "frozen river", "winter storms", "behind the mill", "hunger drove it on"),
        ("Several doctors", "questioned", "new treatment", "the firm", "without proof", "trials were small"),
        ("Our neighbour", "painted", "wooden fence", "carpenters", "unfinished", "summer is short there"),
    ]
)

GOPHER_CASES = [
    ("gopher_short_doc", "only a few words to read"),
    ("gopher_below_avg_threshold", "a b of to be it " * 20),
    ("gopher_above_avg_threshold", "the of " + "incomprehensibilities antidisestablishment " * 40),
    ("gopher_too_many_hashes", GOOD + "# " * 60),
    ("gopher_too_many_ellipsis", GOOD.replace(" ", "... ", 30)),
    ("gopher_too_many_bullets", "\n".join("- " + line for line in GOOD.splitlines())),
    ("gopher_too_many_end_ellipsis", GOOD.replace(".\n", " ...\n", 3)),
    ("gopher_below_alpha_threshold", GOOD + "1 2 3 4 5 6 7 " * 10),
    ("gopher_enough_stop_words", "Elle cherche une maison rouge près du grand jardin public. " * 8),
]

REPETITION_CASES = [
    ("dup_para_frac", "\n\n".join(["one line here"] * 3 + ["other"])),
    ("dup_para_char_frac", "\n\n".join([*"abcdefgh", *["a long paragraph that comes twice"] * 2])),
    (
        "dup_line_frac",
        "\n".join([*"xxxx", "a much longer line that comes only once, so few characters repeat"]),
    ),
    ("dup_line_char_frac", "\n".join([*"abcdefgh", *["a long line that comes twice here"] * 2])),
    ("top_2_gram", " ".join(f"new york {word}" for word in ["a", "b", "c", "d", "e", "f", "g", "h"])),
    ("duplicated_10_n_grams", " ".join(f"word{i:02}" for i in (*range(69), *range(10)))),
]

FINEWEB_CASES = [
    ("line_punct_ratio", GOOD.replace(".\n", "\n")),
    ("short_line_ratio", "Short.\n" + "\n".join(f"Line {i} is tiny." for i in range(9))),
    ("char_dup_ratio", GOOD + GOOD.splitlines()[0]),
    ("list_ratio", "Internationalisation misunderstandings.\n\n\nCounterrevolutionary extraterrestrials."),
]

C4_CASES = [
    ("lorem_ipsum", GOOD + "Here comes lorem ipsum again."),
    ("curly_bracket", GOOD + "A function { returns } nothing."),
    ("too_few_sentences", "One sentence only."),
]


def only(*filters: object) -> Preset:
    families = [SizeSignals(), WebTextSignals(), CodeSignals()]
    return Preset.model_validate({"name": "test", "families": families, "filters": list(filters)})


def verdict(preset: Preset, text: str) -> str:
    column = pa.array([text], pa.large_string())
    steps = apply_edits(preset.edits, column)
    column = steps[-1].edited.text if steps else column
    signals = dict(measure(preset.families, column).signals)
    for step in steps:
        signals.update(step.edited.signals)
    return str(judge(preset, signals, prior=pa.array(["keep"]), text=column).to_pylist()[0])


@pytest.mark.parametrize(("reason", "text"), GOPHER_CASES)
def test_gopher_quality(reason: str, text: str) -> None:
    assert verdict(only(GopherQuality()), text) == reason


@pytest.mark.parametrize(("reason", "text"), REPETITION_CASES)
def test_gopher_repetition(reason: str, text: str) -> None:
    assert verdict(only(GopherRepetition()), text) == reason


@pytest.mark.parametrize(("reason", "text"), FINEWEB_CASES)
def test_fineweb(reason: str, text: str) -> None:
    assert verdict(only(FineWeb()), text) == reason


@pytest.mark.parametrize(("reason", "text"), C4_CASES)
def test_c4(reason: str, text: str) -> None:
    assert verdict(only(C4()), text) == reason


def test_good_prose_passes_every_filter() -> None:
    assert verdict(only(GopherRepetition(), GopherQuality(), C4(), FineWeb()), GOOD) == "keep"


def test_a_threshold_of_none_switches_its_rule_off() -> None:
    text = "only a few words to read"
    assert verdict(only(GopherQuality(min_words=None, min_stop_words=None)), text) == "keep"
    assert not GopherRepetition(
        max_dup_para_frac=None,
        max_dup_para_char_frac=None,
        max_dup_line_frac=None,
        max_dup_line_char_frac=None,
        max_top_gram_fracs=(None, None, None),
        max_dup_gram_fracs=(None, None, None, None, None, None),
    ).rules()


def test_published_thresholds() -> None:
    repetition = {rule.reason: rule.maximum for rule in GopherRepetition().rules()}
    assert repetition == {
        "dup_para_frac": 0.3,
        "dup_para_char_frac": 0.2,
        "dup_line_frac": 0.3,
        "dup_line_char_frac": 0.2,
        "top_2_gram": 0.2,
        "top_3_gram": 0.18,
        "top_4_gram": 0.16,
        "duplicated_5_n_grams": 0.15,
        "duplicated_6_n_grams": 0.14,
        "duplicated_7_n_grams": 0.13,
        "duplicated_8_n_grams": 0.12,
        "duplicated_9_n_grams": 0.11,
        "duplicated_10_n_grams": 0.1,
    }
    assert [rule.reason for rule in FineWeb().rules()] == [
        "line_punct_ratio",
        "short_line_ratio",
        "char_dup_ratio",
        "list_ratio",
    ]


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_measures_what_it_judges_and_drops_empty_texts(name: str) -> None:
    preset = resolve_preset(name)
    names = preset.signal_names()
    assert {name for rule in preset.rules() for name in rule.signals()} <= set(names)
    assert len(set(names)) == len(names)
    assert verdict(preset, "") == "empty_text"
    assert verdict(preset, " \n\t\u00a0") == "empty_text"


def test_the_catalogue_s_presets_are_there() -> None:
    assert set(PRESETS) >= {"web_en", "web_multilingual", "curated", "code", "books", "none"}
    with pytest.raises(ConfigError, match="did you mean 'curated'"):
        resolve_preset("curatd")


def test_identity_is_json_and_knows_every_threshold() -> None:
    identity = preset_identity(resolve_preset("web_en"))
    assert json.loads(json.dumps(identity)) == identity
    changed = resolve_preset("web_en").model_copy(update={"filters": (GopherQuality(min_words=40),)})
    assert changed.model_dump(mode="json") != identity


def test_code_filter_without_rules() -> None:
    off = Code(
        max_line_chars=None,
        max_mean_line_chars=None,
        min_alnum_frac=None,
        min_alpha_chars_per_piece=None,
        max_literal_frac=None,
        auto_generated=False,
        licence_only=False,
        xml_document=False,
        min_html_visible_frac=None,
        min_html_visible_chars=None,
        min_data_chars=None,
        max_data_chars=None,
        by_extension=False,
        minified=False,
    )
    assert off.rules() == ()
    assert verdict(only(off), "x" * 5000) == "keep"
    assert verdict(only(Code()), "x" * 5000) == "code_long_line"


def test_a_raw_crawl_is_corrected_and_what_was_corrected_or_is_code_is_not() -> None:
    edits = {name: [edit.kind for edit in preset.edits] for name, preset in PRESETS.items()}
    assert edits == {
        "none": [],
        "web_en": ["pii"],
        "refinedweb": ["refinedweb_lines", "pii"],
        "c4": ["c4_lines", "pii"],
        "fineweb": ["c4_lines", "pii"],
        "web_multilingual": ["pii"],
        "curated": ["pii"],
        "notebooks": ["pii"],
        "books": [],
        "code": [],
    }


def test_a_page_that_lost_too_many_words_to_its_lines_is_dropped() -> None:
    preset = resolve_preset("refinedweb").model_copy(update={"filters": (LineCorrections(),)})
    sentence = "This line has got exactly ten words in it, right?\n"
    assert verdict(preset, sentence * 19 + "THESE ARE TEN WORDS IN CAPITALS THAT GO AWAY NOW\n") == "keep"
    assert verdict(preset, sentence * 18 + "THESE ARE TEN WORDS IN CAPITALS THAT GO AWAY NOW\n") == (
        "removed_word_ratio"
    )


def test_edits_can_be_replaced_but_not_what_a_filter_needs() -> None:
    assert resolve_preset("web_en").with_edits(()).edits == ()
    assert resolve_preset("web_en").with_edits((C4Lines(), Pii(kinds=("email",)))).signal_names() == (
        resolve_preset("web_en").signal_names()
    )
    with pytest.raises(ConfigError, match="'removed_word_ratio', which the edit 'refinedweb_lines' leaves"):
        resolve_preset("refinedweb").with_edits((Pii(),))
    excused = Rule(signal="num_chars", reason="long", maximum=9, unless="removed_word_ratio")
    preset = resolve_preset("refinedweb").model_copy(update={"filters": (excused,)})
    with pytest.raises(ConfigError, match="'removed_word_ratio', which the edit 'refinedweb_lines' leaves"):
        preset.with_edits((Pii(),))
    with pytest.raises(ConfigError, match="name each kind once"):
        resolve_preset("none").with_edits((RefinedWebLines(), RefinedWebLines(min_words=3)))
