"""JSON lines are read strictly, and no line is lost or counted twice."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.sources.fields import VERDICTS
from dataprep.sources.jsonl import lines_of, pieces_of_range, read_rows


def _lines(data: bytes, *, piece_bytes: int = 7, at_file_start: bool = True) -> list[bytes]:
    pieces = [data[i : i + piece_bytes] for i in range(0, len(data), piece_bytes)]
    return [line for some in lines_of(iter(pieces), at_file_start=at_file_start) for line in some]


def _verdict(line: bytes) -> str:
    (batch,) = read_rows(iter([[line]]), text_key="text", batch_bytes=1 << 20)
    return VERDICTS[batch.codes[0]]


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (b'{"text": "a"}', "keep"),
        (b'{"text": ""}', "keep"),
        (b' \t{"text": "a"} \r', "keep"),
        (b'{"text": "\\u2028 \xe2\x80\xa8 \xc2\x85"}', "keep"),
        (b'{"text": "\\ud83d\\ude00"}', "keep"),
        (b'{"text": "\\u0000"}', "keep"),
        (b'{"a": 1, "text": "a", "text": "b"}', "keep"),
        (b"", "blank_line"),
        (b"\r", "blank_line"),
        (b" \t ", "blank_line"),
        (b'{"text": "cut', "invalid_json"),
        (b"{'text': 'single quotes'}", "invalid_json"),
        (b"bare words", "invalid_json"),
        (b'{"text": "a"} {"text": "b"}', "invalid_json"),
        (b'{"text": "a"},', "invalid_json"),
        (b'{"text": "a",}', "invalid_json"),
        (b'{"text": "a", "score": NaN}', "invalid_json"),
        (b'{"text": "a", "score": Infinity}', "invalid_json"),
        (b'{"text": "a", "score": 01}', "invalid_json"),
        (b'{"text": "raw \x01 control"}', "invalid_json"),
        (b'{"text": "raw\ttab"}', "invalid_json"),
        (b'{"text": "lone \\ud800"}', "invalid_json"),
        (b'{"text": "lone \\udc00 low"}', "invalid_json"),
        (b'\xef\xbb\xbf{"text": "BOM inside the file"}', "invalid_json"),
        (b"[" * 2000 + b"]" * 2000, "invalid_json"),
        (b'{"text": "caf\xe9"}', "invalid_utf8"),
        (b'{"text": "\xff"}', "invalid_utf8"),
        (b'{"text": "\xc0\xaf overlong"}', "invalid_utf8"),
        (b'{"text": "\xed\xa0\x80 surrogate"}', "invalid_utf8"),
        (b'{"text": "cut \xe2\x82"}', "invalid_utf8"),
        (b'["text"]', "not_an_object"),
        (b"null", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b'{"txet": "a"}', "missing_text"),
        (b"{}", "missing_text"),
        (b'{"text": null}', "null_text"),
        (b'{"text": 1}', "text_not_a_string"),
        (b'{"text": ["a"]}', "text_not_a_string"),
        (b'{"text": {"a": 1}}', "text_not_a_string"),
        (b'{"text": true}', "text_not_a_string"),
    ],
)
def test_each_line_gets_its_verdict(line: bytes, verdict: str) -> None:
    assert _verdict(line) == verdict


def test_lines_end_at_newline_alone() -> None:
    data = "a\u2028b\u2029c\u0085d\x0be\x0cf\rg\r\nh\n".encode()
    assert _lines(data) == ["a\u2028b\u2029c\u0085d\x0be\x0cf\rg\r".encode(), b"h"]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\n\n", [b"a", b""]),
        (b"\n", [b""]),
        (b"\xef\xbb\xbfa\nb", [b"a", b"b"]),
        (b"\xef\xbb\xbfa", [b"a"]),
        (b"a\n\xef\xbb\xbfb", [b"a", b"\xef\xbb\xbfb"]),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 100])
def test_a_last_line_needs_no_newline_and_only_the_first_a_bom(
    data: bytes, lines: list[bytes], piece_bytes: int
) -> None:
    assert _lines(data, piece_bytes=piece_bytes) == lines


def test_a_bom_is_taken_at_the_start_of_the_file_only() -> None:
    assert _lines(b"\xef\xbb\xbfa\n", at_file_start=False) == [b"\xef\xbb\xbfa"]


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b""))), st.integers(1, 30))
def test_lines_are_those_of_a_plain_split(lines: list[bytes], piece_bytes: int) -> None:
    data = b"".join(line + b"\n" for line in lines)
    assert _lines(data, piece_bytes=piece_bytes, at_file_start=False) == lines


@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=30),
    st.integers(1, 400),
    st.booleans(),
)
def test_every_text_comes_out_as_it_went_in(texts: list[str], batch_bytes: int, ascii_only: bool) -> None:
    data = b"".join(json.dumps({"text": t}, ensure_ascii=ascii_only).encode() + b"\n" for t in texts)
    batches = list(read_rows(iter([_lines(data)]), text_key="text", batch_bytes=batch_bytes))
    assert [text for batch in batches for text in batch.text_array().to_pylist()] == texts
    assert all(len(batch.texts) for batch in batches)
    for batch in batches:
        assert not batch.bad().any()


def test_where_a_batch_ends_depends_on_the_lines_alone() -> None:
    data = b"".join(b'{"text": "%s"}\n' % (b"x" * (i % 17)) for i in range(200))
    expected = None
    for piece_bytes in (1, 13, 1000, 1 << 20):
        pieces = [data[i : i + piece_bytes] for i in range(0, len(data), piece_bytes)]
        lines = lines_of(iter(pieces), at_file_start=True)
        sizes = [len(batch.texts) for batch in read_rows(lines, text_key="text", batch_bytes=300)]
        assert sum(sizes) == 200
        assert len(sizes) > 3
        assert sizes == (expected or sizes)
        expected = sizes


def test_a_range_of_a_stream_is_read_and_no_byte_more() -> None:
    stream = io.BytesIO(bytes(range(100)))
    assert b"".join(pieces_of_range(stream, 10, 20)) == bytes(range(10, 20))
    assert b"".join(pieces_of_range(stream, 5, 5)) == b""


def test_a_row_keeps_everything_but_its_text() -> None:
    (batch,) = read_rows(
        iter([[b'{"a": 1, "text": "t", "b": {"text": "u"}}']]), text_key="text", batch_bytes=1
    )
    assert batch.rows == [{"a": 1, "b": {"text": "u"}}]
