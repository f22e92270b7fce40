"""What a stated licence is worth against a list of allowed ones: by hand, by trees, by another parser."""

from __future__ import annotations

import json
import random

import license_expression
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reference_licenses import judge_tree, random_tree, written

from dataprep.errors import ConfigError, MissingExtraError
from dataprep.licenses import MAX_STATED_CHARS, allowed_license, judge_license, spdx_index
from dataprep.signals import LicenseSignals, license, measure

LIBRARY = license_expression.get_spdx_licensing()
REFUSALS = (
    license_expression.ExpressionError,
    license_expression.ExpressionParseError,
    IndexError,  # of "()"
    AssertionError,  # of "( AND MIT"
)
ALLOWED = ("Apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0", "LGPL-2.1-or-later", "MIT")
NAN = float("nan")


def judged(stated: str | None, allowed: tuple[str, ...] = ALLOWED) -> int:
    return judge_license(stated, frozenset(map(allowed_license, allowed)))


def measured(stated: pa.Array | None, texts: list[str | None], family: LicenseSignals | None = None):
    signals = measure(
        [family or LicenseSignals(allowed=ALLOWED)], pa.array(texts, pa.large_string()), license=stated
    ).signals
    assert signals["license_allowed"].dtype == np.float32
    return signals["license_allowed"].tolist()


@pytest.mark.parametrize(
    ("stated", "worth"),
    [
        # One identifier, as SPDX, GitHub and BigQuery write it
        ("MIT", 1),
        ("mit", 1),
        (" apache-2.0\n", 1),
        ("bsd-3-clause", 0),
        ("GPL-2.0-only", 0),  # allowed only with its exception
        # Spellings that SPDX deprecated
        ("lgpl-2.1+", 1),
        ("lgpl-2.1", 0),
        ("LGPL-2.1-only", 0),
        # A choice: one that is allowed suffices
        ("MIT OR GPL-3.0-only", 1),
        ("GPL-3.0-only or bsd-3-clause", 0),
        ("MIT OR LicenseRef-Commercial", 1),  # made up in the document, as SPDX lets anybody
        # Both at once
        ("MIT AND Apache-2.0", 1),
        ("MIT AND GPL-3.0-only", 0),
        ("MIT OR Apache-2.0 AND GPL-3.0-only", 1),  # AND binds first
        ("(MIT OR Apache-2.0) AND GPL-3.0-only", 0),
        ("GPL-3.0-only AND (MIT OR Apache-2.0)", 0),
        # An exception only grants more
        ("GPL-2.0 WITH Classpath-exception-2.0", 1),
        ("apache-2.0 with llvm-exception", 1),
        ("GPL-2.0-only WITH LLVM-exception", 0),
        ("GPL-3.0-only WITH Classpath-exception-2.0", 0),
        # ...but what somebody made up may take away, as the Commons Clause does
        ("Apache-2.0 WITH LicenseRef-scancode-commons-clause", 0),
        ("Apache-2.0 WITH AdditionRef-no-sale", 0),
        # A later version is another licence
        ("Apache-2.0+", 0),
        ("EPL-1.0+ OR MIT", 1),
        # Ours, not the one that ScanCode thinks of
        ("LicenseRef-MIT-TC", 0),
        ("LicenseRef-scancode-libzip", 0),
        # Lists, as The Stack has them: all apply
        ('["MIT"]', 1),
        ("['mit', 'apache-2.0']", 1),
        ("[ 'mit' , \"MIT OR Zlib\" ]", 1),
        ('["MIT", "GPL-3.0-only"]', 0),
        ('["MIT", "Unknown"]', -1),
        ('["MIT", null]', -1),
        ("['MIT' 'Apache-2.0']", -1),
        ('["MIT", ["MIT"]]', -1),
        ("[]", -1),
        ("['']", -1),
        ("[MIT]", -1),
        ("['MIT'", -1),
        # Nothing is known
        (None, -1),
        ("", -1),
        (" ", -1),
        ("NOASSERTION", -1),
        ("NONE", -1),
        ("none", -1),
        ("other", -1),
        ("MTI", -1),
        ("MIT OR MTI", -1),
        ("BSD", -1),
        ("GPL", -1),
        ("MIT License", -1),
        ("not MIT", -1),
        ("MIT, non-commercial", -1),
        ("MIT/Apache-2.0", -1),
        ("MIT | Apache-2.0", -1),
        ("MIT WITH", -1),
        ("MIT WITH MIT", -1),
        ("MIT WITH foo", -1),
        ("MIT WITH Classpath-exception-2.0 WITH LLVM-exception", -1),
        ("(MIT OR Apache-2.0) WITH Classpath-exception-2.0", -1),
        ("Classpath-exception-2.0", -1),
        ("GPL-2.0-with-classpath-exception", -1),  # SPDX gave it up, and no licence stands for it
        ("GPL-2.0-only+", -1),
        ("WITH Classpath-exception-2.0", -1),
        ("MIT OR", -1),
        ("OR MIT", -1),
        ("MIT AND OR MIT", -1),
        ("MIT MIT", -1),
        ("MIT (MIT)", -1),
        ("(MIT) MIT", -1),
        ("(MIT", -1),
        ("MIT)", -1),
        ("MIT) OR (MIT", -1),
        ("()", -1),
        (")", -1),
        ("M\u0130T", -1),
        ("\N{KELVIN SIGN}azlib OR MIT", -1),
        ("MIT\u00a0OR\u00a0MIT", -1),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER M}IT", -1),
    ],
)
def test_what_a_stated_licence_is_worth(stated, worth):
    assert judged(stated) == worth


def test_depth_and_length_cost_nothing_but_what_is_too_long_is_no_licence():
    deep = "(" * 2000 + "MIT" + ")" * 2000
    assert judged(deep) == 1
    assert judged(deep[:-1]) == judged(deep + ")") == -1
    longest = "MIT" + " " * (MAX_STATED_CHARS - 3)
    assert judged(longest) == 1
    assert judged(longest + " ") == -1
    assert judged("[" + "'MIT'," * 600 + "'MIT']") == 1


def test_an_exception_on_the_list_does_not_allow_the_licence_without_it():
    allowed = ("GPL-2.0-only WITH Classpath-exception-2.0",)
    assert judged("GPL-2.0-only", allowed) == 0
    assert judged("GPL-2.0-or-later WITH Classpath-exception-2.0", allowed) == 0
    assert judged("GPL-2.0-or-later", ("GPL-2.0-only",)) == judged("GPL-2.0", ("GPL-2.0-or-later",)) == 0
    assert judged("epl-1.0+", ("EPL-1.0+",)) == 1
    assert judged("EPL-1.0", ("EPL-1.0+",)) == 0


@pytest.mark.parametrize(
    ("entry", "spelled"),
    [
        ("mit", "MIT"),
        ("gpl-2.0", "GPL-2.0-only"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        (" gpl-2.0-only  with CLASSPATH-exception-2.0 ", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("epl-1.0+ with llvm-exception", "EPL-1.0+ WITH LLVM-exception"),
    ],
)
def test_an_entry_of_the_list_is_spelled_as_spdx_does(entry, spelled):
    assert allowed_license(entry) == spelled


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("Apache2.0", "SPDX has no licence 'Apache2.0': did you mean 'Apache-2.0'"),
        ("zzzzzzzzz", "SPDX has no licence 'zzzzzzzzz': see https://spdx.org/licenses"),
        ("NOASSERTION", "SPDX has no licence 'NOASSERTION'"),
        ("LicenseRef-Ours", "SPDX has no licence 'LicenseRef-Ours'"),
        ("GPL-2.0-only WITH Classpath", "SPDX has no exception 'Classpath': did you mean 'Classpath-ex"),
        ("MTI WITH Classpath-exception-2.0", "SPDX has no licence 'MTI': did you mean 'MIT'"),
        ("Classpath-exception-2.0", "is an exception: write the licence before it"),
        ("MIT OR Apache-2.0", "one licence, or one WITH its exception, in each entry"),
        ("(MIT)", "one licence"),
        ("", "one licence"),
    ],
)
def test_an_entry_that_spdx_does_not_know_is_refused(entry, message):
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        allowed_license(entry)


def test_the_index_has_spdx_s_names_and_no_others():
    index = spdx_index()
    assert len(index.licenses) > 500
    assert len(index.exceptions) > 50
    assert not set(index.licenses) & set(index.exceptions)
    assert not {"none", "noassertion", "and", "or", "with", "other", "gpl", "bsd-2"} & set(index.licenses)
    names = {*index.licenses, *index.exceptions}
    assert not [name for name in names if "licenseref" in name or name != name.lower()]
    assert index.licenses["gpl-3.0"] == "GPL-3.0-only"
    assert len(index.sha256) == 64


def test_rows_are_judged_by_their_value_and_a_row_without_text_is_not_judged():
    stated = ["MIT", "gpl-3.0", None, "mit", "?"]
    texts = ["a", "", "b", None, "c"]
    expected = [1, 0, -1, NAN, -1]
    plain = pa.array(stated, pa.string())
    dictionary = plain.dictionary_encode()
    with_null = plain.dictionary_encode(null_encoding="encode")
    for column in (plain, plain.cast(pa.large_string()), dictionary, with_null):
        np.testing.assert_array_equal(measured(column, texts), expected)
    np.testing.assert_array_equal(measured(dictionary[1:4], texts[1:4]), expected[1:4])


def test_without_a_column_or_a_value_nothing_is_known():
    assert measured(None, ["a", "b"]) == [-1, -1]
    assert measured(pa.nulls(2, pa.dictionary(pa.int32(), pa.string())), ["a", "b"]) == [-1, -1]
    assert measured(pa.nulls(2), ["a", "b"]) == [-1, -1]
    assert measured(pa.array([], pa.string()), []) == []


def test_a_value_that_is_no_text_is_unknown():
    data = pa.py_buffer(b"MIT\xff")
    broken = pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, 4], np.int32)), data)
    assert measured(broken, ["a"]) == [-1]


def test_every_distinct_value_is_judged_once(monkeypatch):
    seen: list[str | None] = []

    def counted(text, allowed):
        seen.append(text)
        return judge_license(text, allowed)

    monkeypatch.setattr(license, "judge_license", counted)
    stated = pa.array(["MIT", "isc", "MIT", None] * 500, pa.string())
    assert measured(stated, ["a"] * 2000) == [1, 0, 1, -1] * 500
    assert seen == ["MIT", "isc"]


def test_another_index_than_the_pinned_one_is_refused():
    pinned = LicenseSignals(allowed=("MIT",), index_sha256=spdx_index().sha256)
    assert measured(pa.array(["mit"]), ["a"], pinned) == [1]
    with pytest.raises(ConfigError, match="install the same version everywhere"):
        measured(pa.array(["mit"]), ["a"], LicenseSignals(allowed=("MIT",), index_sha256="0" * 64))


def test_without_the_package_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "license_expression", None)
    spdx_index.cache_clear()
    with pytest.raises(MissingExtraError, match="needs the Python package 'license-expression'"):
        allowed_license("MIT")


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), unknown=st.sampled_from([0.0, 0.05, 0.3]), depth=st.integers(0, 3))
def test_an_expression_means_what_its_tree_means(seed, unknown, depth):
    rng = random.Random(seed)
    allowed = tuple(rng.sample((*ALLOWED, "BSD-3-Clause", "EPL-1.0+", "GPL-2.0-only"), rng.randint(1, 4)))
    tree = random_tree(rng, depth=depth, unknown=unknown)
    text = written(tree, rng)
    assert judged(text, allowed) == judge_tree(tree, {one.lower() for one in allowed}), text


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 4), python=st.booleans())
def test_a_list_means_all_of_its_members(seed, size, python):
    rng = random.Random(seed)
    trees = [random_tree(rng, depth=1, unknown=0.1) for _ in range(size)]
    # JSON writes a line break with an escape, which no list of identifiers has.
    texts = [" ".join(written(tree, rng).split()) for tree in trees]
    worths = [judge_tree(tree, {one.lower() for one in ALLOWED}) for tree in trees]
    assert judged(repr(texts) if python else json.dumps(texts)) == min(worths)


def _by_library(tree: object, allowed: frozenset[str]) -> bool:
    if isinstance(tree, LIBRARY.AND | LIBRARY.OR):
        worths = [_by_library(one, allowed) for one in tree.args]
        return all(worths) if isinstance(tree, LIBRARY.AND) else any(worths)
    if isinstance(tree, license_expression.LicenseWithExceptionSymbol):
        return tree.license_symbol.key in allowed or str(tree) in allowed
    return tree.key in allowed


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["MIT", "isc", "Apache-2.0", "MTI", "AND", "or", "WITH", "(", ")", "LLVM-exception", "MIT+"]
        ),
        min_size=1,
        max_size=9,
    ).map(" ".join)
)
@example("MIT OR ( isc AND MTI )")
def test_nothing_is_allowed_that_another_parser_refuses(text):
    """The library's parser takes more for an expression, but what it refuses may never pass here."""
    allowed = frozenset({"MIT", "Apache-2.0"})
    try:
        tree = LIBRARY.parse(text, validate=True)
    except REFUSALS:
        tree = None
    worth = judge_license(text, allowed)
    if tree is None:
        assert worth == -1 or "MIT+" in text, "the library does not know the operator +"
    elif worth != -1:
        assert (worth == 1) == _by_library(tree, allowed)


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.text(), st.text("()[]'\", MITandorwith+.-", max_size=40)))
def test_any_text_gets_a_judgement(text):
    assert judge_license(text, frozenset({"MIT"})) in (-1, 0, 1)
