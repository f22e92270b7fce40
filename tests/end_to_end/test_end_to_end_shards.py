"""Shards of the real corpus: mixture, document counts, special tokens, and the trainer's stream."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from built_tables import Built, read_truth
from conftest import Builder

from dataprep.loader import open_stream
from dataprep.shards import ShardStage
from dataprep.tokens import TokenStore
from pipelines.cli import main

pytestmark = [pytest.mark.corpus, pytest.mark.vocab]

STARCODER_TAGS = range(100262, 100276)
END_OF_TEXT = 100257


def rows_of(folder: Path):
    """Yield (source of each row, tokens of each row) of every record batch of a stage."""
    stage = ShardStage.open(str(folder))
    for index in range(len(stage.shards)):
        reader = stage.open_shard(index)
        for number in range(reader.num_batches):
            yield reader.read_rows(number)


def stage_folder(built: Built, stage: str) -> Path:
    return built.output / built.record["artifacts"]["shards"][stage]


def test_every_block_of_64_rows_holds_the_planned_mixture_to_the_row(built: Built):
    sources = np.concatenate([rows.source for rows in rows_of(stage_folder(built, "pretrain"))])
    plan = built.manifest(built.record["artifacts"]["plan"]["pretrain"])["config"]
    names = {number: name for name, number in built.record["source_index"].items()}
    planned = Counter()
    for stream in plan["streams"]:
        planned[stream["source"]] += stream["num_rows"]
    assert Counter(names[int(s)] for s in sources) == Counter({k: v for k, v in planned.items() if v})
    assert len(sources) == plan["num_rows"] == 4883
    blocks = len(sources) // 64
    for block in range(blocks):
        found = Counter(names[int(s)] for s in sources[block * 64 : block * 64 + 64])
        for name, rows in planned.items():
            share = Fraction(64 * rows, len(sources))
            assert abs(found[name] - share) < 1, (block, name)


def test_the_realised_mixture_is_the_published_table_renormalised(built: Built):
    weights = {
        name: entry["weight"]
        for name, entry in built.record["mixture_config"]["stages"][0]["sources"].items()
    }
    stage = ShardStage.open(str(stage_folder(built, "pretrain")))
    rows = Counter()
    for batch in rows_of(stage_folder(built, "pretrain")):
        rows.update(batch.source.tolist())
    for number, name in enumerate(stage.source_names):
        expected = stage.num_rows * weights[name] / sum(weights.values())
        assert abs(rows[number] - expected) <= 1, name
    assert weights["refinedweb"] == 0.3292


def test_documents_appear_as_often_as_their_epochs_say(built: Built):
    plan = built.manifest(built.record["artifacts"]["plan"]["pretrain"])["config"]
    length = plan["sequence_length"]
    starts: dict[int, Counter[int]] = {}
    for batch in rows_of(stage_folder(built, "pretrain")):
        per_row = np.repeat(batch.source, np.diff(batch.seg_starts))
        begins = batch.seg_off == 0
        # A row's last token is the next row's first: what begins there is counted in the next row.
        last = np.cumsum(batch.seg_len)[batch.seg_starts[1:] - 1]
        position = np.cumsum(batch.seg_len) - batch.seg_len
        row_end = np.repeat(last, np.diff(batch.seg_starts))
        counted = begins & (position < row_end - 1)
        for source in np.unique(per_row):
            chosen = counted & (per_row == source)
            starts.setdefault(int(source), Counter()).update(batch.seg_doc[chosen].tolist())
    checked = 0
    for stream in plan["streams"]:
        number = built.record["source_index"][stream["source"]]
        epochs = stream["num_rows"] * length / stream["tokens_available"]
        times = Counter(starts.get(number, Counter()).values())
        assert set(times) <= {int(epochs), int(epochs) + 1}, stream["source"]
        if epochs >= 1:
            assert len(starts[number]) == stream["documents_available"]
            checked += 1
    assert checked >= 4


def test_special_tokens_stand_only_where_they_should(built: Built, corpus: Path):
    planted = {(row["file"], row["row"]) for row in read_truth(corpus / "truth" / "special_tokens.jsonl.zst")}
    ids = {built.documents[place]["doc_id"]: place for place in planted if place in built.documents}
    seen_in_starcoder = seen_elsewhere = 0
    for name, relative in built.record["artifacts"]["tokens"].items():
        for part in sorted((built.output / relative).rglob("bin-*.arrow")):
            with pa.memory_map(str(part)) as source:
                table = pa.ipc.open_file(source).read_all().combine_chunks()
            tokens = table.column("tokens").combine_chunks()
            values, offsets = tokens.values.to_numpy(), tokens.offsets.to_numpy()
            doc_ids = table.column("doc_id").to_numpy()
            assert (values[offsets[1:] - 1] == END_OF_TEXT).all()
            special = np.flatnonzero(values >= END_OF_TEXT)
            inside = special[~np.isin(special, offsets[1:] - 1)]
            if name == "starcoder":
                assert np.isin(values[inside], list(STARCODER_TAGS)).all()
                seen_in_starcoder += len(inside)
            else:
                assert len(inside) == 0, name
                seen_elsewhere += int(np.isin(doc_ids, list(ids)).sum())
    assert seen_in_starcoder > 1000
    assert seen_elsewhere > 20, "no document with planted text was tokenized: this proves nothing"


@pytest.mark.parametrize("world_size", [1, 2, 3, 8])
@pytest.mark.parametrize("threads", [0, 4])
def test_every_world_size_reads_the_same_rows_in_the_same_order(built: Built, world_size: int, threads: int):
    record = str(built.output / "builds" / f"{built.mixture}.json")
    steps, batch_rows = 6, 24
    expected = np.concatenate([rows.tokens for rows in rows_of(stage_folder(built, "pretrain"))])[
        : steps * batch_rows
    ]
    found = []
    readers = [
        open_stream(record).batches(batch_rows, rank=rank, world_size=world_size, read_ahead_threads=threads)
        for rank in range(world_size)
    ]
    for _ in range(steps):
        found += [next(reader).tokens for reader in readers]
    for reader in readers:
        reader.close()
    assert np.array_equal(np.concatenate(found), expected)


def test_resuming_after_every_step_goes_on_with_the_next_row(built: Built):
    record = str(built.output / "builds" / f"{built.mixture}.json")
    with open_stream(record).batches(64) as batches:
        states, rows = [], []
        for _ in range(12):
            rows.append(next(batches).row_numbers)
            states.append(batches.state())
    for step, state in enumerate(states[:-1]):
        with open_stream(record).batches(64, start=state) as resumed:
            assert np.array_equal(next(resumed).row_numbers, rows[step + 1])


def test_trace_names_the_raw_row_behind_a_row(built: Built, capsys: pytest.CaptureFixture[str]):
    assert main(["trace", str(built.output), "--row", "100"]) == 0
    text = capsys.readouterr().out
    stage = ShardStage.open(str(stage_folder(built, "pretrain")))
    rows = stage.read_row(100)
    places = {row["doc_id"]: place for place, row in built.documents.items()}
    for doc_id in rows.seg_doc.tolist():
        file, row = places[doc_id]
        assert file.partition("/")[2] in text
        assert str(row) in text


def test_verify_passes_and_names_a_damaged_file(built: Built, capsys: pytest.CaptureFixture[str]):
    assert main(["verify", str(built.output)]) == 0
    capsys.readouterr()
    folders = built.record["artifacts"]
    victims = [
        sorted((built.output / folders["documents"]["pile"]).glob("part-*.parquet"))[0],
        sorted((built.output / folders["documents"]["pile"] / "signatures").glob("*.arrow"))[-1],
        sorted((built.output / folders["duplicates"]).rglob("*.arrow"))[0],
        sorted((built.output / folders["tokens"]["starcoder"]).rglob("bin-*.arrow"))[0],
        built.output / folders["tokens"]["starcoder"] / "index.arrow",
        built.output / folders["plan"]["pretrain"] / "plan.json",
        built.output / folders["shards"]["pretrain"] / "shard-00000.arrow",
        built.output / folders["shards"]["pretrain"] / "manifest.json",
        built.output / "builds" / f"{built.mixture}.json",
    ]
    for number, victim in enumerate(victims):
        data = victim.read_bytes()
        position = (number + 1) * 7919 % len(data)
        victim.write_bytes(data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :])
        try:
            folder = victim.parent if (victim.parent / "manifest.json").exists() else built.output
            assert main(["verify", str(folder)]) == 1, victim
        finally:
            victim.write_bytes(data)
        said = capsys.readouterr()
        assert victim.name in said.out + said.err, victim


@pytest.mark.slow
@pytest.mark.parametrize(
    "mixture", ["stablelm-2-12b", "stablelm-3b-4e1t", "stablelm-base-alpha", "stablelm-base-alpha-v2"]
)
def test_every_other_mixture_builds_from_the_same_document_tables(
    mixture: str, built: Built, builder: Builder, output: Path, capsys: pytest.CaptureFixture[str]
):
    assert builder.run(mixture, output) == 0
    assert f"mixture {mixture}, tokenizer" in capsys.readouterr().out
    other = Built(output, mixture)
    shared = set(built.record["artifacts"]["documents"].values())
    assert shared & set(other.record["artifacts"]["documents"].values())
    rows = sum(
        other.manifest(folder)["counts"]["rows"] for folder in other.record["artifacts"]["shards"].values()
    )
    assert rows > 0
    for name, relative in other.record["artifacts"]["tokens"].items():
        assert TokenStore.open(str(output / relative)) is not None, name
