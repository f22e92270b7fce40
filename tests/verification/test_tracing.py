"""A row is traced to the raw rows that it is made of."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from output_builder import Output, Row, tables

from dataprep.errors import ArtifactError, ConfigError
from dataprep.shards import ShardStage
from dataprep.tracing import RowTrace, trace_row
from pipelines.cli import main


def raw_row(trace_segment: object) -> Row:
    """Return the raw row that a segment names."""
    table = tables()[trace_segment.collection]
    file = int(trace_segment.raw_file.removeprefix("data/").removesuffix(".jsonl"))
    return table.files[file][trace_segment.raw_row]


@pytest.mark.parametrize("stage", ["main", "last", "validation"])
def test_every_segment_is_part_of_the_text_that_its_raw_row_has(sound: Output, stage: str) -> None:
    num_rows = ShardStage.open(str(sound.folder("shards", stage))).num_rows
    seen: dict[str, int] = {}
    for row in range(0, num_rows, 5):
        trace = trace_row(str(sound.root), row, stage=stage)
        seen[trace.source] = seen.get(trace.source, 0) + 1
        assert sum(segment.length for segment in trace.segments) == trace.tokens
        for segment in trace.segments:
            text = raw_row(segment).text
            assert text is not None
            assert segment.text.strip("\N{REPLACEMENT CHARACTER}") in text
            if segment.starts_document:
                assert segment.offset == 0
                assert text.startswith(segment.text.rstrip("\N{REPLACEMENT CHARACTER}"))
            if segment.starts_document and segment.ends_document:
                assert segment.text == text
    assert len(seen) >= 2


def first_of(output: Output, source: str) -> RowTrace:
    for row in range(250):
        trace = trace_row(str(output.root), row)
        if trace.source == source:
            return trace
    raise AssertionError(source)


def test_a_trace_names_place_source_and_provenance(sound: Output) -> None:
    trace = first_of(sound, "oscar")
    assert (trace.mixture, trace.stage) == ("small", "main")
    assert trace.shard == f"{sound.folder('shards', 'main')}/shard-00000.arrow"
    assert (trace.batch, trace.row_in_batch) == divmod(trace.row, 64)
    (segment, *_) = trace.segments
    assert (segment.collection, segment.subset, segment.raw_file) == ("culturax/en", "en", "data/0.jsonl")
    assert segment.url == f"https://a.example/{segment.raw_row}"
    assert segment.meta == json.dumps({"source": "OSCAR-2109"})
    assert (segment.license, segment.language) == ("CC-BY-4.0", "en")


def test_the_folder_of_a_stage_does_as_well_without_any_build_record(output: Output) -> None:
    shutil.rmtree(output.root / "builds")
    trace = trace_row(str(output.folder("shards", "last")), 3)
    assert (trace.stage, trace.row) == ("last", 3)


def test_the_view_for_people_and_json(sound: Output, capsys: pytest.CaptureFixture[str]) -> None:
    trace = first_of(sound, "code")
    text = trace.to_text()
    assert text.startswith(f"row {trace.row} of small, stage main\n  lies in  ")
    assert f"raw row   {trace.segments[0].raw_row} of data/0.jsonl in starcoderdata/python (python)" in text
    assert json.loads(json.dumps(trace.to_json()))["segments"][0]["raw_file"] == "data/0.jsonl"
    assert main(["trace", str(sound.root), "--row", str(trace.row)]) == 0
    assert capsys.readouterr().out == text + "\n"


def test_a_long_text_is_cut_for_people_alone() -> None:
    from dataprep.tracing import SegmentTrace

    segment = SegmentTrace(
        7,
        "pile",
        None,
        "train/00.jsonl.zst",
        3,
        None,
        None,
        None,
        None,
        None,
        0,
        900,
        True,
        False,
        "x" * 1200,
    )
    trace = RowTrace("m", "s", 0, "shard-00000.arrow", 0, 0, "pile", 0, 900, 899, (segment,))
    assert "    ... 700 more characters (--json has all)" in trace.to_text()
    assert trace.to_json()["segments"][0]["text"] == "x" * 1200


class TestRefusals:
    def test_a_row_that_is_not_there(self, sound: Output) -> None:
        with pytest.raises(ConfigError, match="stage 'main' has rows 0 to 249, so there is no row 250"):
            trace_row(str(sound.root), 250)

    def test_an_unknown_stage_or_mixture(self, sound: Output) -> None:
        with pytest.raises(ConfigError, match="no shards of a stage 'man'; did you mean 'main'"):
            trace_row(str(sound.root), 0, stage="man")
        with pytest.raises(ConfigError, match="no build of mixture 'smal'; did you mean 'small'"):
            trace_row(str(sound.root), 0, mixture="smal")

    def test_several_builds_need_a_choice(self, output: Output) -> None:
        shutil.copy(output.root / "builds" / "small.json", output.root / "builds" / "other.json")
        with pytest.raises(ConfigError, match="holds the builds other, small; say which one with --mixture"):
            trace_row(str(output.root), 0)
        assert trace_row(str(output.root), 0, mixture="small").row == 0

    def test_a_folder_without_a_build(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no finished build"):
            trace_row(str(tmp_path), 0)

    def test_a_document_table_that_is_gone(self, output: Output) -> None:
        rows = {source: first_of(output, source).row for source in ("oscar", "pile")}
        shutil.rmtree(output.root / "documents" / "pile")
        assert trace_row(str(output.root), rows["oscar"]).source == "oscar"
        with pytest.raises(ArtifactError, match="documents/pile/.*: no manifest.json"):
            trace_row(str(output.root), rows["pile"])
