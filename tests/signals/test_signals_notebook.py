"""What is measured of notebooks: by hand, against the slow reference, beside the edges of texts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from any_text import CHARACTERS, EDGES, columns, halves, texts_with
from hypothesis import example, given
from hypothesis import strategies as st
from reference_notebook import notebook_chars, visible

from dataprep.filters import Notebook, verdicts
from dataprep.signals import NotebookSignals, measure

TAGS = [
    "<jupyter_start>", "<jupyter_text>", "<jupyter_code>", "<jupyter_output>", "<empty_output>",
    "<reponame>", "<filename>", "<gh_stars>",
]  # fmt: skip
CUT_TAGS = [
    "<jupyter_",
    "<jupyter_code",
    "code>",
    "<jupyter_codeNew>",
    "<Jupyter_text>",
    "<",
    ">",
    "_",
    "<empty_",
]
PIECES = [
    *TAGS,
    *TAGS[:5],
    *CUT_TAGS,
    "x",
    "x = 1\n",
    "# Title\n",
    " ",
    "\n",
    "\u3000",
    "\u0085",
    "é",
    "漢😀",
]
HEADS = st.sampled_from(
    ["", "<reponame>a/b", "<filename>c.ipynb", "<gh_stars>0", "<reponame>\n", "<filename>\n\n"]
)
NOTEBOOKS = st.builds(
    "{}<jupyter_start>{}".format,
    HEADS,
    st.lists(st.sampled_from(PIECES) | CHARACTERS, max_size=20).map("".join),
)


def counted(column: pa.LargeStringArray) -> list[tuple[int, int] | None]:
    signals = measure([NotebookSignals()], column).signals
    code, text, both = (signals[name] for name in NotebookSignals.NAMES)
    assert all(values.dtype == np.float32 for values in signals.values())
    assert np.array_equal(both, code + text, equal_nan=True)
    return [None if math.isnan(c) else (int(c), int(t)) for c, t in zip(code, text)]


def check(texts: list[str]) -> None:
    assert counted(pa.array(texts, pa.large_string())) == [notebook_chars(text) for text in texts]


NOTEBOOK = (
    "<jupyter_start><jupyter_text># A title\nSome words.<jupyter_code>x = 1\nprint(x)\n<jupyter_output>1\n"
    "<jupyter_text>More\u00a0words<jupyter_code>y<jupyter_output><empty_output>"
)


def test_measures_a_small_notebook() -> None:
    expected = (len("x=1print(x)y"), len("#AtitleSomewords.Morewords"))
    assert counted(pa.array([NOTEBOOK], pa.large_string())) == [expected]
    assert notebook_chars(NOTEBOOK) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<jupyter_start>", (0, 0)),
        ("<jupyter_start>no cell yet<jupyter_code>a", (1, 0)),
        ("<jupyter_start><jupyter_code>a<empty_output>b", (2, 0)),
        ("<jupyter_start><jupyter_text>a<jupyter_start>b<jupyter_text>c", (0, 2)),
        ("<jupyter_start><jupyter_output>a", (0, 0)),
        ("<jupyter_start><jupyter_code><jupyter_codeNew>", (17, 0)),
        ("<jupyter_start><jupyter_text>a < b <c>", (0, 6)),
        (
            "<jupyter_start><jupyter_code> \t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\xa0\u2000\u2028\u3000",
            (0, 0),
        ),
        ("<jupyter_start><jupyter_code>\x1b\x7f\u200b\ufeff", (4, 0)),
        ("<reponame>a/b<jupyter_start><jupyter_text>a", (0, 1)),
        ("<reponame>a/b<filename>c.ipynb\n<jupyter_start><jupyter_text>a", (0, 1)),
        ("<gh_stars>0<jupyter_start><jupyter_text>a", (0, 1)),
        ("<reponame>a/b\n\n<jupyter_start><jupyter_text>a", None),
        ("<reponame>a/b\nx<jupyter_start><jupyter_text>a", None),
        ("<reponame>a/b\n", None),
        ("<reponame>a/b", None),
        ("\n<jupyter_start><jupyter_text>a", None),
        ("x<jupyter_start><jupyter_text>a", None),
        ("<jupyter_text>a", None),
        ("<jupyter_start", None),
        ("import os", None),
        ("", None),
    ],
)
def test_what_counts(text: str, expected: tuple[int, int] | None) -> None:
    assert counted(pa.array([text], pa.large_string())) == [expected]
    assert notebook_chars(text) == expected


@given(columns(NOTEBOOKS | texts_with(PIECES)))
@example((pa.array([NOTEBOOK, None, ""], pa.large_string()), [NOTEBOOK, None, ""]))
def test_slices_equal_the_reference(drawn: tuple[pa.LargeStringArray, list[str | None]]) -> None:
    column, texts = drawn
    assert counted(column) == [None if text is None else notebook_chars(text) for text in texts]


def test_nothing_is_read_beyond_the_end_of_a_text() -> None:
    cells = "<jupyter_start><jupyter_text>é<jupyter_code>漢<jupyter_output>x<empty_output>"
    check(halves(cells, f"<reponame>a<filename>b\n{cells}", f"<gh_stars>1{cells}"))
    check([f"<jupyter_start><jupyter_code>{part}" for part in halves(cells)])


def test_every_character_is_seen_whole() -> None:
    points = [*map(chr, range(0x3100)), *EDGES]
    check([f"<jupyter_start><jupyter_text>{one}<jupyter_code>{one}a{one}" for one in points])


@pytest.mark.parametrize(
    "piece", ["x", " ", "\n", "é ", "漢", "😀\u3000", *TAGS, "<jupyter_text>é\n<jupyter_code>x"]
)
def test_megabytes_are_counted_like_lines(piece: str) -> None:
    text = "<jupyter_start><jupyter_code>" + piece * (1_000_000 // len(piece.encode()))
    check(["é", text, "<reponame>" + text, piece, "<reponame>" + "x" * 1_000_000, "<jupyter_start>"])


def test_a_notebook_of_many_characters_is_counted_to_the_last() -> None:
    text = f"<jupyter_start><jupyter_code>{'x' * 999_999}<jupyter_text>{'é' * 77}"
    assert counted(pa.array([text], pa.large_string())) == [(999_999, 77)]
    assert visible(text) == 999_999 + 77 + len("<jupyter_start><jupyter_code><jupyter_text>")


def test_no_texts_and_empty_texts() -> None:
    check([])
    check(["", "", "<jupyter_start>"])


@pytest.mark.corpus
def test_notebooks_of_the_corpus_equal_the_reference(corpus: Path) -> None:
    path = corpus / "starcoderdata/jupyter-scripts-dedup-filtered/train-00000-of-00001.parquet"
    texts = pq.read_table(path).column("content").to_pylist()
    check(texts)
    assert 5 < sum(notebook_chars(text) is not None for text in texts) < len(texts)


def verdict(text: str, **limits: float | None) -> str:
    signals = measure([NotebookSignals()], pa.array([text], pa.large_string())).signals
    rules = Notebook(**limits).rules()  # type: ignore[arg-type]
    return str(verdicts(rules, signals, prior=pa.array(["keep"])).to_pylist()[0])


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (99, 1, "keep"),
        (1, 99, "keep"),
        (98, 1, "notebook_near_empty"),
        (0, 500, "notebook_without_code"),
        (500, 0, "notebook_without_text"),
        (0, 0, "notebook_without_code"),
    ],
)
def test_a_notebook_needs_code_and_text_and_more_than_a_greeting(code: int, text: int, expected: str) -> None:
    cells = f"<jupyter_code>{'x ' * code}<jupyter_output>{'y' * 200}<jupyter_text>{'é ' * text}"
    assert verdict("<jupyter_start>" + cells) == expected
    assert (
        verdict("<jupyter_start>" + cells, min_code_chars=None, min_text_chars=None, min_chars=None) == "keep"
    )
    assert verdict(cells) == "keep", "it is no notebook"
