"""Verification finds nothing in a sound build, and whatever is planted in a damaged one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from output_builder import Output, document_id, reseal, rewrite_bin, rewrite_part, rewrite_shard

from dataprep.errors import ConfigError
from dataprep.shards import ENDS_DOCUMENT, STARTS_DOCUMENT, TRUNCATED, Rows
from dataprep.tracing import trace_row
from dataprep.verification import VerifyReport, verify_output
from pipelines.cli import main


def problems_of(report: VerifyReport) -> str:
    return "\n".join(problem for check in report.checks for problem in check.problems)


class TestSoundBuild:
    def test_every_check_passes(self, sound: Output) -> None:
        report = verify_output(str(sound.root))
        assert problems_of(report) == ""
        assert report.ok
        numbers = {(check.artifact.partition("/")[0], check.name): check.numbers for check in report.checks}
        assert numbers["duplicates", "removed documents and their survivors"] == {"removed": 1, "clusters": 1}
        sampled = numbers["shards", "sampled rows compared with their documents"]
        assert sampled["rows"] > 20
        assert sampled["documents"] > sampled["rows"]

    def test_the_report_reads_as_lines_and_as_json(self, sound: Output) -> None:
        report = verify_output(str(sound.root), sample_rows=4)
        text = report.to_text().splitlines()
        assert text[0] == "ok      builds/small.json  record: 15 artifacts"
        assert text[-1] == f"{sound.root}: all {len(report.checks)} checks passed"
        value = json.loads(json.dumps(report.to_json()))
        assert value["ok"] is True
        assert value["checks"][0]["numbers"] == {"artifacts": 15}

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            ("documents", "pile"),
            ("duplicates", None),
            ("tokens", "code"),
            ("plan", "main"),
            ("shards", "last"),
        ],
    )
    def test_each_artifact_can_be_verified_alone(self, sound: Output, kind: str, name: str | None) -> None:
        report = verify_output(str(sound.folder(kind, name)))
        assert report.ok, report.to_text()
        assert len(report.checks) == 2

    def test_the_order_of_threads_changes_nothing(self, sound: Output) -> None:
        one, four = (verify_output(str(sound.root), threads=threads) for threads in (1, 4))
        assert one == four

    def test_a_folder_without_a_build_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="neither an artifact .* nor the output of a finished build"):
            verify_output(str(tmp_path))

    def test_what_a_killed_writer_leaves_is_no_problem(self, output: Output) -> None:
        (output.folder("shards", "main") / ".tmp-shard-00000.arrow-0123").write_bytes(b"half")
        assert verify_output(str(output.root), sample_rows=0).ok

    def test_the_command_says_it_with_its_exit_status(
        self, output: Output, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["verify", str(output.root)]) == 0
        assert "checks passed" in capsys.readouterr().out
        (output.folder("plan", "main") / "plan.json").write_bytes(b"{}")
        assert main(["verify", str(output.root), "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["ok"] is False
        assert main(["verify", str(output.root / "nowhere")]) == 2


def files_of(output: Output) -> list[Path]:
    return sorted(path.relative_to(output.root) for path in output.root.rglob("*") if path.is_file())


def test_one_flipped_byte_in_any_file_is_found_and_named(sound: Output, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    root = tmp_path / "out"
    shutil.copytree(sound.root, root)
    files = files_of(sound)
    assert len(files) > 40
    for relative in files:
        original = (root / relative).read_bytes()
        data = bytearray(original)
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        (root / relative).write_bytes(data)
        report = verify_output(str(root), sample_rows=0)
        assert not report.ok, relative
        folder = relative.parent if relative.name == "manifest.json" else relative
        assert str(root / folder) in problems_of(report), relative
        (root / relative).write_bytes(original)


class TestFiles:
    def test_missing_cut_and_additional_files_are_named(self, output: Output) -> None:
        folder = output.folder("tokens", "pile")
        (folder / "index.arrow").unlink()
        bin_path = folder / "all" / "bin-00000.arrow"
        data = bin_path.read_bytes()
        bin_path.write_bytes(data[:-7])
        (folder / "notes.txt").write_text("mine")
        found = problems_of(verify_output(str(output.root), sample_rows=0))
        assert f"{folder}/index.arrow: missing" in found
        assert f"{bin_path}: {len(data) - 7:,} bytes, but the manifest says {len(data):,}" in found
        assert f"{folder}/notes.txt: the manifest does not list this file" in found

    def test_an_artifact_without_a_manifest_is_named(self, output: Output) -> None:
        folder = output.folder("shards", "main")
        (folder / "manifest.json").unlink()
        report = verify_output(str(output.root))
        assert f"{folder}: no manifest.json" in problems_of(report)

    def test_a_missing_vocabulary_is_named(self, output: Output) -> None:
        vocabulary = next((output.root / "tokenizers").rglob("*.tiktoken"))
        vocabulary.unlink()
        assert f"{vocabulary}: missing" in problems_of(verify_output(str(output.root), sample_rows=0))


PART = "part-00000-0000.parquet"


def set_value(column: str, row: int, value: Any) -> Callable[[dict[str, list[Any]]], None]:
    def change(columns: dict[str, list[Any]]) -> None:
        columns[column][row] = value

    return change


def keep_row(row: int, text: str = "some text") -> Callable[[dict[str, list[Any]]], None]:
    def change(columns: dict[str, list[Any]]) -> None:
        columns["verdict"][row], columns["text"][row] = "keep", text
        columns["num_bytes"][row] = len(text)

    return change


class TestDocuments:
    @pytest.mark.parametrize(("collection", "row"), [("pile", 7), ("culturax/en", 3), ("redpajama/book", 2)])
    def test_a_kept_row_that_its_corpus_may_not_contribute(
        self, output: Output, collection: str, row: int
    ) -> None:
        rewrite_part(output.folder("documents", collection), PART, keep_row(row))
        found = problems_of(verify_output(str(output.root), sample_rows=0))
        wanted = document_id(collection, 0, row)
        assert f"document {wanted}: kept although its corpus may not contribute it" in found

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (set_value("text", 7, "a book"), "excluded, but its text is stored"),
            (set_value("text", 1, None), "kept without a text"),
            (set_value("num_bytes", 1, 3), "num_bytes is not the size of the text"),
            (set_value("origin_row", 4, 5), "doc_id and origin_row do not fit"),
            (set_value("doc_id", 4, 1), "doc_id 1 is of another file or collection"),
            (set_value("doc_id", 4, document_id("pile", 0, 3)), "does not ascend"),
            (set_value("origin", 4, "elsewhere"), "origin: found"),
            (set_value("verdict", 4, "gopher_short"), "kept: found 31, expected 32"),
        ],
    )
    def test_a_wrong_row(self, output: Output, change: Any, expected: str) -> None:
        folder = output.folder("documents", "pile")
        rewrite_part(folder, PART, change)
        found = problems_of(verify_output(str(output.root), sample_rows=0))
        assert expected in found
        assert f"{folder}/{PART}" in found

    def test_counts_that_do_not_add_up(self, output: Output) -> None:
        folder = output.folder("documents", "pile")
        reseal(folder, lambda manifest: manifest["counts"].update(kept=58))
        assert f"{folder}: sum of kept over its parts: found 57, expected 58" in problems_of(
            verify_output(str(folder))
        )

    def test_signatures_of_other_documents(self, output: Output) -> None:
        folder = output.folder("documents", "pile") / "signatures"
        shutil.copy(folder / "part-00001-0000.arrow", folder / "part-00000-0000.arrow")
        reseal(folder.parent)
        found = problems_of(verify_output(str(folder.parent)))
        assert f"{folder}/part-00000-0000.arrow: its 25 documents are not the 32 kept ones" in found


class TestDuplicates:
    def change(self, output: Output, **columns: list[int]) -> str:
        import pyarrow as pa

        from dataprep.dedup.files import read_arrow, write_arrow

        folder = output.folder("duplicates")
        path = next(folder.rglob("*.arrow"))
        table = read_arrow(str(path)).combine_chunks()
        for name, values in columns.items():
            place = table.schema.get_field_index(name)
            table = table.set_column(place, table.schema.field(name), pa.array(values, pa.uint64()))
        write_arrow(str(path), table.to_batches()[0])
        reseal(folder)
        return problems_of(verify_output(str(output.root), sample_rows=0))

    def test_a_removed_document_that_does_not_exist(self, output: Output) -> None:
        unknown = document_id("culturax/en", 0, 999)
        assert f"document {unknown} is not kept by its table" in self.change(output, doc_id=[unknown])

    def test_a_survivor_that_is_not_kept(self, output: Output) -> None:
        books3 = document_id("pile", 0, 7)
        found = self.change(output, cluster=[books3])
        assert "1 documents survive their duplicates but are not kept" in found
        assert f"e.g. {books3}" in found

    def test_a_document_that_survives_itself(self, output: Output) -> None:
        found = self.change(output, cluster=[document_id("culturax/en", 0, 5)])
        assert "a document is removed in favour of itself" in found

    def test_a_duplicate_that_was_tokenized_all_the_same(self, output: Output) -> None:
        other = document_id("culturax/en", 0, 6)
        found = self.change(output, doc_id=[other])
        assert f"document {other} is not kept, is a duplicate, or is of another source" in found
        assert "documents are missing, e.g. row 5 of culturax/en: data/0.jsonl" in found


class TestTokens:
    @pytest.mark.parametrize(
        ("row", "tokens", "expected"),
        [
            (0, lambda ids: [*ids[:-1], 400], "token id 400 is outside of 0..399"),
            (0, lambda ids: [*ids[:-1], 7], "does not end with the end-of-text id"),
            (0, lambda ids: [ids[-1], *ids], "holds the special token 368, which no text becomes"),
            (0, lambda ids: [373, *ids], "holds the special token 373, which no text becomes"),
        ],
    )
    def test_wrong_ids(self, output: Output, row: int, tokens: Any, expected: str) -> None:
        folder = output.folder("tokens", "pile")

        def change(columns: dict[str, Any]) -> None:
            columns["tokens"][row] = tokens(columns["tokens"][row])

        rewrite_bin(folder, change)
        found = problems_of(verify_output(str(output.root), sample_rows=0))
        assert expected in found
        assert f"{folder}/all/bin-00000.arrow: block 0" in found

    def test_tags_are_for_code_alone(self, output: Output) -> None:
        stores = {name: output.folder("tokens", name) for name in ("code", "pile")}
        for folder in stores.values():
            rewrite_bin(folder, lambda columns: columns["tokens"][0].__setitem__(0, 386))
        found = problems_of(verify_output(str(output.root), sample_rows=0))
        assert f"{stores['pile']}/all/bin-00000.arrow: block 0: document" in found
        assert f"{stores['code']}" not in found

    def test_a_document_under_a_wrong_key(self, output: Output) -> None:
        def change(columns: dict[str, Any]) -> None:
            columns["doc_id"][:2] = columns["doc_id"][1::-1]

        rewrite_bin(output.folder("tokens", "books"), change)
        assert "have keys that are not theirs" in problems_of(verify_output(str(output.root), sample_rows=0))

    def test_a_document_that_stands_there_twice(self, output: Output) -> None:
        rewrite_bin(output.folder("tokens", "books"), lambda c: c["doc_id"].__setitem__(1, c["doc_id"][0]))
        found = problems_of(verify_output(str(output.root), sample_rows=0))
        assert "stands in the token stores twice" in found
        assert "documents are missing, e.g. row" in found


def swap_sources(rows: Rows) -> None:
    """Make three rows of source 0 in the first block rows of source 1, and the reverse in the second."""
    first, second = np.flatnonzero(rows.source[:64] == 0), 64 + np.flatnonzero(rows.source[64:128] == 1)
    rows.source[first[:3]], rows.source[second[:3]] = 1, 0


def move_a_start(rows: Rows) -> None:
    rows.seg_off[np.flatnonzero(rows.seg_flags & STARTS_DOCUMENT)[0]] = 77


def forget_an_end(rows: Rows) -> None:
    rows.seg_flags[np.flatnonzero((rows.seg_flags & TRUNCATED) == 0)[0]] ^= ENDS_DOCUMENT


class TestShards:
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (lambda rows: rows.n_loss.__setitem__(5, 1), "row 5 of the stage: n_loss is not what"),
            (move_a_start, "a segment's start flag is wrong"),
            (forget_an_end, "a segment's truncated flag is wrong"),
            (forget_an_end, "ends of documents and end-of-text tokens do not agree"),
            (swap_sources, "and the 63 after it hold"),
            (
                lambda rows: rows.seg_doc.__setitem__(0, document_id("culturax/en", 0, 5)),
                f"row 0 of the stage: document {document_id('culturax/en', 0, 5)} is not kept, a duplicate",
            ),
            (
                lambda rows: rows.seg_len.__setitem__(0, 1),
                "record batch 0: row 0 of the batch: segments add up to",
            ),
        ],
    )
    def test_a_wrong_row(self, output: Output, change: Any, expected: str) -> None:
        folder = output.folder("shards", "main")
        rewrite_shard(folder, change)
        found = problems_of(verify_output(str(output.root), sample_rows=0))
        assert expected in found
        assert f"{folder}/shard-00000.arrow" in found

    def test_a_row_that_is_not_its_documents_text(self, output: Output) -> None:
        folder = output.folder("shards", "main")

        def change(rows: Rows) -> None:
            commonest = int(np.bincount(rows.tokens[rows.tokens < 368]).argmax())
            rows.tokens[rows.tokens == commonest] = 65

        rewrite_shard(folder, change)
        found = problems_of(verify_output(str(output.root)))
        assert f"{folder}/shard-00000.arrow: row" in found
        assert "are not its text's" in found
        assert verify_output(str(output.root), sample_rows=0).ok

    def test_padding_that_is_no_padding(self, output: Output) -> None:
        def change(rows: Rows) -> None:
            row = int(np.flatnonzero(rows.n_tok < rows.tokens.shape[1])[0])
            rows.tokens[row, -1] = 5

        rewrite_shard(output.folder("shards", "last"), change)
        assert "what follows its tokens is not padding" in problems_of(verify_output(str(output.root)))

    def test_totals_that_are_not_those_of_the_plan(self, output: Output) -> None:
        folder = output.folder("shards", "main")
        reseal(folder, lambda manifest: manifest["details"]["sources"][0].update(rows=3))
        found = problems_of(verify_output(str(output.root), sample_rows=0))
        assert f"{folder}: source pile: found" in found
        assert f"{folder}: compared with its plan: rows of pile: found 3, expected 119" in found

    def test_another_boundary_policy_than_planned(self, output: Output) -> None:
        folder = output.folder("shards", "main")
        reseal(folder, lambda manifest: manifest["details"]["boundaries"].update(reset_positions=False))
        assert f"{folder}: compared with its plan: boundaries" in problems_of(verify_output(str(output.root)))


def test_an_artifact_that_was_made_from_others_than_the_record_names(output: Output) -> None:
    folder = output.folder("shards", "main")
    reseal(folder, lambda manifest: manifest["inputs"].update(plan="0" * 64))
    found = problems_of(verify_output(str(output.root), sample_rows=0))
    assert f"{folder}: its input plan, as the record names it: found " in found
    assert "expected '000000000000'" in found


def test_a_plan_for_other_tokens(output: Output) -> None:
    folder = output.folder("plan", "main")
    value = json.loads((folder / "plan.json").read_text())
    value["streams"][0]["tokens_available"] += 1
    value["streams"][1]["num_rows"] -= 1
    (folder / "plan.json").write_text(json.dumps(value))
    reseal(folder)
    found = problems_of(verify_output(str(output.root), sample_rows=0))
    assert f"{folder}/plan.json: pile/all: tokens available" in found
    assert f"{folder}/plan.json: rows of all streams: found 249, expected 250" in found


def test_an_output_on_an_object_store_is_verified_in_place(sound: Output) -> None:
    memory = fsspec.filesystem("memory")
    for relative in files_of(sound):
        memory.pipe_file(f"/bucket/out/{relative}", (sound.root / relative).read_bytes())
    report = verify_output("memory://bucket/out", sample_rows=2)
    assert report.ok, report.to_text()
    assert trace_row("memory://bucket/out", 3).source == trace_row(str(sound.root), 3).source
    name = next(path for path in files_of(sound) if path.name == "shard-00000.arrow")
    data = bytearray((sound.root / name).read_bytes())
    data[len(data) // 2] ^= 1
    memory.pipe_file(f"/bucket/out/{name}", bytes(data))
    assert f"{name}: damaged" in problems_of(verify_output("memory://bucket/out", sample_rows=2))
    memory.rm("/bucket", recursive=True)
