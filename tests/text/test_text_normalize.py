"""What normalisation changes, and that it changes nothing else."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from reference_normalize import prose, source_code

from dataprep.errors import BadInputError
from dataprep.text.buffers import large_strings, utf8_buffers
from dataprep.text.composition import compose
from dataprep.text.normalize import normalize

texts = st.text(
    st.one_of(
        st.sampled_from("ab \t\n\r\x00\x0b\x7f\x85\u2028\ufeff\u0301e\u1100\u1161\u11a8\uac00\u212b\u0344漢"),
        st.characters(exclude_categories=("Cs",)),
    ),
    max_size=40,
)


def normalized(texts: list[str | None], *, code: bool = False) -> list[str | None]:
    result = normalize(pa.array(texts, pa.large_string()), code=code)
    assert result.type == pa.large_string()
    return list(result.to_pylist())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("a\r\r\nb", "a\n\nb"),
        ("page\x0cbreak\x0band\x85next\u2028line\u2029end", "page\nbreak\nand\nnext\nline\nend"),
        ("\x00nul\x07bell\x7fdel\x9fc1", "nulbelldelc1"),
        ("tab\tstays", "tab\tstays"),
        ("\ufeff\ufeffmarks at the \ufeff start go", "marks at the \ufeff start go"),
        ("\x00\ufeffeven behind a control", "even behind a control"),
        ("e\u0301", "é"),
        ("e\x00\u0301", "é"),
        ("\u212b", "Å"),
        ("zero\u200bwidth \u200ejoins\u2060 stay", "zero\u200bwidth \u200ejoins\u2060 stay"),
        ("", ""),
    ],
)
def test_prose(text: str, expected: str) -> None:
    assert normalized([text]) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("\x00nul", "nul"),
        ("form\x0cfeed\x85\u2028\x07", "form\x0cfeed\x85\u2028\x07"),
        ("\ufeffbom", "\ufeffbom"),
        ("e\u0301", "e\u0301"),
    ],
)
def test_code_keeps_everything_but_newlines_and_nul(text: str, expected: str) -> None:
    assert normalized([text], code=True) == [expected]


def test_nulls_slices_and_types() -> None:
    column = pa.chunked_array([pa.array(["x\r", None]), pa.array(["é", "y\x07"])]).slice(1)
    assert normalize(column, code=False).to_pylist() == [None, "é", "y"]
    assert normalize(pa.array([], pa.string()), code=False).to_pylist() == []
    assert normalize(pa.nulls(2, pa.large_string()), code=False).to_pylist() == [None, None]


def test_a_clean_column_is_not_copied() -> None:
    column = pa.array(["plain", "naïve Straße", "слово", "漢字"], pa.large_string())
    assert normalize(column, code=False).buffers()[2].address == column.buffers()[2].address


def test_refuses_bytes_that_are_not_utf8() -> None:
    offsets = pa.py_buffer(b"\x00" * 8 + (3).to_bytes(8, "little"))
    column = pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(b"a\xffb"))
    with pytest.raises(BadInputError, match="not valid UTF-8"):
        normalize(column, code=False)


@given(st.lists(st.one_of(st.none(), texts), max_size=6))
def test_equals_the_reference(texts: list[str | None]) -> None:
    expected = [None if text is None else prose(text) for text in texts]
    assert normalized(texts) == expected
    assert normalized(expected) == expected
    assert normalized(texts, code=True) == [None if text is None else source_code(text) for text in texts]
    column = pa.array(texts, pa.large_string())
    composed = [None if text is None else unicodedata.normalize("NFC", text) for text in texts]
    assert compose(column).to_pylist() == composed


def test_every_code_point_alone_and_behind_a_letter() -> None:
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    texts = ["".join(characters[i : i + 64]) for i in range(0, len(characters), 64)]
    assert normalized(list(texts)) == [prose(text) for text in texts]
    spread = ["a".join(characters[i : i + 64]) for i in range(0, len(characters), 64)]
    assert normalized(list(spread)) == [prose(text) for text in spread]


def test_buffers_of_a_slice_are_not_copied() -> None:
    column = large_strings(pa.array(["skip", "ab", "", "cde"])).slice(1)
    buffers = utf8_buffers(column)
    pieces = [bytes(buffers.data[a:b]) for a, b in zip(buffers.offsets, buffers.offsets[1:])]
    assert pieces == [b"ab", b"", b"cde"]
    assert buffers.longest == 3


@pytest.mark.corpus
def test_planted_decomposed_texts_become_their_composed_twins(corpus: Path) -> None:
    planted = zstandard.ZstdDecompressor().decompress(
        (corpus / "truth/planted.jsonl.zst").read_bytes(), max_output_size=1 << 28
    )
    cases = [case for case in map(json.loads, planted.splitlines()) if case["kind"] == "nfd"]
    assert len(cases) >= 5
    for case in cases:
        place = case["at"][0]
        column = pq.read_table(corpus / place["file"]).column("text").slice(place["row"], 1)
        (text,) = normalize(column, code=False).to_pylist()
        assert hashlib.sha256(text.encode()).hexdigest() == case["nfc_sha256"]
