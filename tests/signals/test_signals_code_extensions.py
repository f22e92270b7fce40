"""What is usual in files of which extension: every exception by hand, and what names of files tell."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reference_code import (
    ALPHA_ASKED,
    EXCLUDED,
    KNOWN,
    NO_ALNUM_LIMIT,
    NO_LINE_LIMITS,
    NO_XML_LIMIT,
    code_signals,
    file_name,
)

from dataprep.filters import Code, NotEmpty, judge
from dataprep.filters.presets import Preset
from dataprep.signals import CodeSignals, SizeSignals, TextBatch, measure
from dataprep.signals.code_extensions import EXTENSIONS, usual_of
from dataprep.signals.code_files import file_names

PLAIN = "def words(and, more): return words\n" * 5
LONG_LINE = "words " * 240 + "end"
LONG_LINES = ("words " * 20 + "end\n") * 10
FEW_LETTERS = "+-*/ ?! ab\n" * 20
XML = f'<?xml version="1.0"?>\n{PLAIN}'
FIFTH_LETTERS = "ab = 12345\n" * 20
QUARTER_LETTERS = "abcd123456789012" * 5
THIRD_LETTERS = "abcd = 12345\n" * 20
HALF_LETTERS = "ab12" * 25
EXCEPTIONS = {*EXCLUDED, *NO_LINE_LIMITS, *NO_ALNUM_LIMIT, *NO_XML_LIMIT, *ALPHA_ASKED}


def path_column(paths: list[str | None]) -> pa.Array:
    return pa.array([None if one is None else json.dumps({"path": one}) for one in paths], pa.string())


def reasons(extension: str, *texts: str, rules: Code | None = None) -> list[str]:
    """The verdicts on texts of one extension."""
    rules = rules or Code(min_alpha_chars_per_piece=None)
    preset = Preset(name="test", families=(SizeSignals(), CodeSignals()), filters=(NotEmpty(), rules))
    column = pa.array(texts, pa.large_string())
    signals = measure(preset.families, column, meta=path_column([f"a/b.{extension}"] * len(texts))).signals
    found: list[str] = judge(preset, signals, prior=pa.array(["keep"] * len(texts))).to_pylist()
    return found


ALL = (PLAIN, LONG_LINE, LONG_LINES, FEW_LETTERS, XML, FIFTH_LETTERS, THIRD_LETTERS)


@pytest.mark.parametrize("extension", ["py", "c", "rkt", "fsh", "css", "xml", "1"])
def test_most_extensions_have_the_limits_of_all(extension: str) -> None:
    script = extension == "css"
    assert extension not in EXTENSIONS
    assert reasons(extension, *ALL) == [
        "keep",
        "code_minified" if script else "code_long_line",
        "code_minified" if script else "code_long_lines",
        "code_low_alnum",
        "code_xml_document",
        "keep",
        "keep",
    ]


@pytest.mark.parametrize("extension", sorted(EXCLUDED))
def test_an_extension_that_is_left_out_is_left_out(extension: str) -> None:
    assert reasons(extension, *ALL) == ["code_extension"] * len(ALL)
    assert reasons(extension.upper(), PLAIN) == ["code_extension"]


@pytest.mark.parametrize("extension", sorted(NO_LINE_LIMITS))
def test_long_lines_are_usual(extension: str) -> None:
    assert reasons(extension, PLAIN, LONG_LINE, LONG_LINES) == ["keep"] * 3
    assert reasons(extension, XML) == ["code_xml_document"]


@pytest.mark.parametrize("extension", sorted(NO_ALNUM_LIMIT))
def test_few_letters_and_digits_are_usual_but_letters_may_be_asked_all_the_same(extension: str) -> None:
    asked = extension in ("ma", "nb")
    assert reasons(extension, FEW_LETTERS) == ["code_low_alpha" if asked else "keep"]


@pytest.mark.parametrize("extension", sorted(NO_XML_LIMIT))
def test_a_declaration_of_xml_is_usual(extension: str) -> None:
    assert reasons(extension, XML, LONG_LINE, FEW_LETTERS) == ["keep", "code_long_line", "code_low_alnum"]


@pytest.mark.parametrize("extension", sorted(ALPHA_ASKED))
def test_letters_are_asked(extension: str) -> None:
    texts = (FIFTH_LETTERS, QUARTER_LETTERS, THIRD_LETTERS, HALF_LETTERS)
    if ALPHA_ASKED[extension] == 0.25:
        assert reasons(extension, *texts) == ["code_low_alpha", "keep", "keep", "keep"]
    else:  # data, which is also asked for a hundred characters
        assert reasons(extension, *texts) == [
            "code_low_alpha",
            "code_data_file_size",
            "code_low_alpha",
            "keep",
        ]


def test_one_set_of_limits_for_all_files() -> None:
    rules = Code(min_alpha_chars_per_piece=None, by_extension=False)
    expected = ["keep", "code_long_line", "code_long_lines", "code_low_alnum", "code_xml_document"]
    for extension in sorted(EXCEPTIONS):
        assert reasons(extension, *ALL[:5], rules=rules) == expected, extension
        assert reasons(extension, *ALL[5:], rules=rules) == ["keep", "keep"], extension


def test_the_table_holds_the_exceptions_and_nothing_else() -> None:
    assert set(EXTENSIONS) == EXCEPTIONS
    usual = usual_of(pa.array([*EXTENSIONS, "py", None], pa.large_string()))
    names = [*EXTENSIONS, "py"]
    assert usual.excluded.tolist()[:-1] == [name in EXCLUDED for name in names]
    assert usual.long_lines.tolist()[:-1] == [name in NO_LINE_LIMITS for name in names]
    assert usual.few_letters.tolist()[:-1] == [name in NO_ALNUM_LIMIT for name in names]
    assert usual.xml.tolist()[:-1] == [name in NO_XML_LIMIT for name in names]
    asked = np.array([ALPHA_ASKED.get(name, math.nan) for name in names], np.float32)
    assert np.array_equal(usual.alpha_frac_asked[:-1], asked, equal_nan=True)
    for column in vars(usual).values():
        assert column.dtype == np.float32
        assert math.isnan(column[-1]), "of a file without a name nothing is known"


@pytest.mark.parametrize(
    ("name", "line", "count", "minified"),
    [
        ("a/jquery.min.js", "x", 1, 1),
        ("a/jquery-min.js", "x", 1, 1),
        ("style.MIN.CSS", "x", 1, 1),
        ("a.min.mjs", "x", 1, 1),
        ("a.min.cjs", "x", 1, 1),
        ("a.min.py", "x", 1, 0),
        ("a.min.html", "x" * 200, 1, 0),
        ("min.js", "x", 1, 0),
        ("admin.js", "x", 1, 0),
        ("a.min/b.js", "x", 1, 0),
        ("a.min.x.js", "x", 1, 0),
        ("a.js", "x" * 110, 1, 0),
        ("a.js", "x" * 111, 1, 1),
        ("a.js", "é" * 110, 1, 0),
        ("a.css", "é" * 111, 1, 1),
        ("a.ts", "x" * 500, 1, 0),
        (None, "x" * 500, 1, 0),
        # The line end at the end of a text begins one more line, as in Linguist.
        ("a.js", "x" * 111 + "\n", 1, 0),
        ("a.js", "x" * 221 + "\n", 1, 0),
        ("a.js", "x" * 222 + "\n", 1, 1),
        ("a.js", "x" * 111 + "\n", 100, 0),
        ("a.js", "x" * 113 + "\n", 100, 1),
    ],
)
def test_minified_files(name: str | None, line: str, count: int, minified: int) -> None:
    text = pa.array([line * count], pa.large_string())
    assert measure([CodeSignals()], text, meta=path_column([name])).signals["code_minified"] == [minified]
    assert code_signals(line * count, path=name)["code_minified"] == minified


def test_minified_files_are_dropped_first_and_may_be_kept() -> None:
    assert reasons("min.js", PLAIN, LONG_LINE) == ["code_minified"] * 2
    rules = Code(min_alpha_chars_per_piece=None, minified=False)
    assert reasons("min.js", PLAIN, LONG_LINE, rules=rules) == ["keep", "code_long_line"]


def test_names_come_from_the_path_the_tag_or_the_folder() -> None:
    tagged = "<reponame>a<filename>b-min.JS<gh_stars>0\nx"
    text = pa.array([tagged, tagged, tagged, "x", "x", None], pa.large_string())
    meta = path_column(["a.sql", "Makefile", None, "a.tar.7z!", ".yml", "d.e/f.W"])
    names = file_names(TextBatch(text, meta=meta, subset="cmake"))
    assert names.extension.to_pylist() == ["sql", "js", "js", "cmake", "yml", "w"]
    assert names.says_minified.tolist() == [False, True, True, False, False, False]
    assert file_names(TextBatch(text, subset="Github")).extension.to_pylist() == ["js"] * 3 + [None] * 3
    assert file_names(TextBatch(text[:0], subset="css")).extension.to_pylist() == []


STEMS = st.sampled_from(
    ["a", "", "a.min", "b-min", "min", "a.MIN", "d.min/e", 'ä\\ "q', "x.y", "\u212a.", "<a"]
)
ENDINGS = st.sampled_from(
    [*sorted(KNOWN), "py", "JS", "Min", "tar gz", "", "verylongone", "eightabc", "é", "y\n"]
)
NAMES = st.none() | st.builds("{}.{}".format, STEMS, ENDINGS) | STEMS
FOLDERS = st.none() | st.sampled_from(["css", "JSON", "matlab", "python", "c", "Github", "html", "r"])
BODIES = st.sampled_from([*ALL, "", "x", "x" * 111, "x" * 222 + "\n", ("x" * 112 + "\n") * 60, "y" * 1200])


@given(st.lists(st.tuples(NAMES, NAMES, BODIES), max_size=6), FOLDERS)
@example([("a", "b.py", ""), (None, "a.min.js", "x"), ("Makefile", None, "x")], "yaml")
def test_every_measure_of_named_files_equals_the_reference(
    files: list[tuple[str | None, str | None, str]], folder: str | None
) -> None:
    texts = [body if tag is None else f"<filename>{tag}<gh_stars>1-10\n{body}" for _, tag, body in files]
    paths = [path for path, _, _ in files]
    column = pa.array(texts, pa.large_string())
    names = file_names(TextBatch(column, meta=path_column(paths), subset=folder))
    expected = [file_name(*one, folder) for one in zip(texts, paths)]
    assert names.extension.to_pylist() == [one.rpartition(".")[2] or None for one in expected]
    signals = measure([CodeSignals()], column, meta=path_column(paths), subset=folder).signals
    assert list(signals) == list(CodeSignals().names())
    for row, (text, path) in enumerate(zip(texts, paths)):
        reference = code_signals(text, path=path, subset=folder)
        for name, values in signals.items():
            got, value = values[row], reference.get(name, math.nan)
            same = got == np.float32(value) or (math.isnan(value) and math.isnan(got))
            assert same, f"{name} of {path!r}, {text!r:.300} is {got}, the reference says {value}"
