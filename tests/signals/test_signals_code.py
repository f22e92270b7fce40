"""What is measured of program code: by hand, against the slow reference, on planted files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from code_texts import PIECES, assert_as_reference
from hypothesis import example, given
from hypothesis import strategies as st
from reference_code import html_visible

from dataprep.filters import judge, resolve_preset
from dataprep.signals import CodeSignals, TextBatch, measure
from dataprep.signals.code_files import file_names
from dataprep.signals.code_kernel import DATA, HTML, OTHER
from dataprep.text.normalize import normalize

texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=60),
)


def measured(texts: list[str | None], **batch: object) -> dict[str, np.ndarray]:
    return measure([CodeSignals()], pa.array(texts, pa.large_string()), **batch).signals  # type: ignore[arg-type]


@given(st.lists(texts, max_size=6))
@example(["/*", "/* */", "/**/ x", '"""doc"""', '"""doc\nmore"""\nx', "<!-- a\n-->\nb", "* a\n*b\n*"])
@example(["x\n" * 9 + "auto-generated", "x\n" * 10 + "auto-generated", "<reponame>x\nauto-generated"])
@example(["<filename>a.py\na"])
@example(texts=["true1", "node", "None, null", '[1, true, "x"]', "Null", "fake"])
def test_equals_the_reference(texts: list[str]) -> None:
    assert_as_reference(pa.array(texts, pa.large_string()), texts, kind="data")


def test_measures_a_small_file() -> None:
    text = '# A comment\nimport os\n\nprint(os.getcwd(), 10)\nDATA = [\n    1, 2,\n    "three",\n]\n'
    signals = {name: float(values[0]) for name, values in measured([text]).items()}
    assert signals["code_num_lines"] == 8
    assert signals["code_max_line_chars"] == 22
    assert signals["code_mean_line_chars"] == np.float32((11 + 9 + 0 + 22 + 8 + 9 + 12 + 1) / 8)
    assert signals["code_comment_line_frac"] == np.float32(1 / 7)
    assert signals["code_literal_frac"] == np.float32((4 + 8 + 1) / 57)
    assert signals["code_auto_generated"] == 0
    assert math.isnan(signals["code_data_chars"])
    assert math.isnan(signals["code_html_visible_chars"])


def test_starcoder_tags_do_not_count() -> None:
    plain = measured(["x = 1\n"], meta=pa.array(['{"path": "c.py"}']))
    tagged = measured(["<reponame>a/b<filename>c.py<gh_stars>10-100\nx = 1\n"])
    assert all(np.array_equal(plain[name], tagged[name], equal_nan=True) for name in plain)


def test_a_file_of_tags_only_and_a_null_have_no_measures() -> None:
    signals = measured(["<reponame>a/b", "", None])
    assert all(np.isnan(values).all() for values in signals.values())


@pytest.mark.parametrize(
    ("html", "visible"),
    [
        ("<p>two words</p>", 9),
        ("<p>a</p><p>b</p>", 3),
        ("<script>var x = 1 < 2;</script>text", 4),
        ("<STYLE>p {}</STYLE> <b>x</b>", 1),
        ("<!-- <b>no</b> -->yes", 3),
        ("plain   and\nspaced", 16),
        ("<unclosed", 0),
        ("<strong>kept</strong>", 4),
    ],
)
def test_visible_text_of_html(html: str, visible: int) -> None:
    assert measured([html], subset="html")["code_html_visible_chars"][0] == visible
    assert html_visible(html) == visible


def test_the_kind_of_a_file_comes_from_path_tag_or_subset() -> None:
    tagged = "<reponame>a<filename>b.JSON<gh_stars>0\n{}"
    text = pa.array(["x", tagged, "x", "x\n<filename>a.json\n"], pa.large_string())
    meta = pa.array(
        [
            '{"max_stars_repo_path": "d/\\"e.html", "id": 1}',
            '{"other": "x.html"}',
            '{"path":"conf.yml"}',
            None,
        ]
    )
    kinds = file_names(TextBatch(text, meta=meta, subset="python")).kinds()
    assert kinds.tolist() == [HTML, DATA, DATA, OTHER]
    assert file_names(TextBatch(text, subset="html")).kinds().tolist() == [HTML, DATA, HTML, HTML]


@pytest.mark.corpus
def test_planted_files_are_dropped_for_what_they_are(corpus: Path) -> None:
    planted = zstandard.ZstdDecompressor().decompress(
        (corpus / "truth/planted.jsonl.zst").read_bytes(), max_output_size=1 << 28
    )
    expected = {
        "auto_generated": {"code_auto_generated"},
        "data_file": {"code_data_file"},
        "very_long_line": {"code_long_line", "code_minified"},
        "very_long_line_real": {"code_long_line", "code_minified"},
        "auto_generated_real": {"code_auto_generated", "code_long_line"},
        "minified_real": {"code_minified"},
    }
    files: dict[str, list[str]] = {}
    checked = 0
    for case in map(json.loads, planted.splitlines()):
        place = case["at"][0]
        if case["case"] != "h_code" or case["kind"] not in expected or "starcoder" not in place["file"]:
            continue
        if place["file"] not in files:
            preset = resolve_preset("code")
            table = pq.read_table(corpus / place["file"])
            text = normalize(table.column("content"), code=True)
            paths = table.column("max_stars_repo_path").to_pylist()
            meta = pa.array([json.dumps({"max_stars_repo_path": path}) for path in paths])
            signals = measure(preset.families, text, meta=meta).signals
            files[place["file"]] = judge(preset, signals, prior=pa.array(["keep"] * len(text))).to_pylist()
        assert files[place["file"]][place["row"]] in expected[case["kind"]], case
        checked += 1
    assert checked > 20
