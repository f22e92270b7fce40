"""Shards hold exactly what the plan says, with either packing, and the same bytes every time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from mix_stores import Made, make_documents, make_mixture, make_plans, make_store

from dataprep import artifacts
from dataprep.artifacts import Artifact
from dataprep.errors import PlanError
from dataprep.plan import shard_rows
from dataprep.shards import REPEATS_TOKEN, Rows, ShardStage, concat_rows, row_problems
from dataprep.tokenizers import ARCADE100K
from dataprep.tokens import TokenStore
from pipelines.engine import Engine
from pipelines.mix import mix

WEIGHTS = {"web": 0.6, "code": 0.3, "books": 0.1}


def make(
    output: Path, *, tokens: int = 9000, sequence_length: int = 24, longest: int = 60, **stage: object
) -> Made:
    """Return stores of 300, 100 and 30 documents and the plan of one stage over them."""
    stores = {
        name: make_store(
            str(output),
            name,
            {"all": make_documents(count, seed=i, longest=longest)},
            first_id=1000 * (i + 1),
        )
        for i, (name, count) in enumerate({"web": 300, "code": 100, "books": 30}.items())
    }
    mixture = make_mixture(WEIGHTS, tokens=tokens, sequence_length=sequence_length, **stage)
    return make_plans(output, mixture, stores)


def run(made: Made, *, index: int = 0) -> Artifact:
    return mix(
        plan=made.stages[index],
        plan_artifact=made.plans[index],
        token_stores=made.tokens,
        mixture=made.mixture,
        tokenizer=ARCADE100K,
        output_root=made.output,
        engine=Engine(),
    )


def all_rows(artifact: Artifact) -> Rows:
    stage = ShardStage(artifact)
    parts = []
    for shard in stage.shards:
        reader = stage.open_shard(shard.index)
        parts += [reader.read_rows(batch) for batch in range(reader.num_batches)]
    return concat_rows(parts)


def assert_blocks_hold_the_mixture(source: np.ndarray, counts: list[int]) -> None:
    """Every aligned block of 64 rows, and every prefix of blocks, is within a row of its share."""
    total = sum(counts)
    for start in range(0, total - 63, 64):
        for number, count in enumerate(counts):
            in_block = np.count_nonzero(source[start : start + 64] == number)
            assert abs(in_block - 64 * count / total) < 1
            assert abs(np.count_nonzero(source[: start + 64] == number) - (start + 64) * count / total) < 1


class TestConcat:
    def test_every_row_is_the_range_of_its_stream_that_the_plan_names(self, tmp_path: Path) -> None:
        made = make(tmp_path)
        plan = made.stages[0]
        rows = all_rows(run(made))
        assert len(rows) == plan.num_rows == 375
        assert row_problems(rows, vocab_size=ARCADE100K.vocab_size, num_sources=3) == []
        stores = {name: TokenStore.open(artifact) for name, artifact in made.tokens.items()}
        place = 0
        for shard in range(plan.num_shards):
            order = shard_rows(plan, shard)
            for number, row in zip(order.stream.tolist(), order.row.tolist()):
                stream = plan.streams[number]
                start = stream.start_token + row * 24
                span = stores[stream.source].read_tokens("all", start, start + 25)
                segments = slice(rows.seg_starts[place], rows.seg_starts[place + 1])
                assert rows.tokens[place].tolist() == span.tokens.tolist()
                assert rows.source[place] == made.sources.index(stream.source)
                assert rows.seg_doc[segments].tolist() == span.doc_id.tolist()
                assert rows.seg_off[segments].tolist() == span.offset.tolist()
                assert rows.seg_len[segments].tolist() == span.length.tolist()
                place += 1
        assert place == len(rows)

    def test_every_block_holds_the_mixture(self, tmp_path: Path) -> None:
        made = make(tmp_path)
        rows = all_rows(run(made))
        assert np.bincount(rows.source).tolist() == [225, 112, 38]
        assert_blocks_hold_the_mixture(rows.source, [225, 112, 38])

    def test_each_document_appears_as_often_as_its_epochs_say(self, tmp_path: Path) -> None:
        made = make(tmp_path)
        rows = all_rows(run(made))
        fresh = np.where(rows.seg_flags & REPEATS_TOKEN, rows.seg_len - 1, rows.seg_len)
        seen = Counter[tuple[int, int]]()
        for doc, offset, length, new in zip(
            *(c.tolist() for c in (rows.seg_doc, rows.seg_off, rows.seg_len, fresh))
        ):
            for token in range(offset + length - new, offset + length):
                seen[doc, token] += 1
        for stream in made.stages[0].streams:
            store = TokenStore.open(made.tokens[stream.source])
            expected = Counter[tuple[int, int]]()
            span = store.read_tokens("all", 0, stream.num_tokens + 1)
            for doc, offset, length in zip(span.doc_id.tolist(), span.offset.tolist(), span.length.tolist()):
                expected.update((doc, token) for token in range(offset, offset + length))
            own = {key: count for key, count in seen.items() if key in expected}
            assert own == expected, stream.source
            assert stream.source != "books" or max(expected.values()) == 2

    def test_rows_of_a_long_document_do_not_stand_next_to_each_other(self, tmp_path: Path) -> None:
        made = make(tmp_path, tokens=24 * 384, longest=24 * 40)
        rows = all_rows(run(made))
        first_doc = rows.seg_doc[rows.seg_starts[:-1]]
        neighbours = np.count_nonzero(first_doc[1:] == first_doc[:-1])
        same_stream_order = np.sort(first_doc)
        assert neighbours < np.count_nonzero(same_stream_order[1:] == same_stream_order[:-1]) / 4

    def test_length_classes_of_a_source_share_its_number(self, tmp_path: Path) -> None:
        classes = {
            "short": make_documents(80, seed=1, longest=20),
            "long": make_documents(20, seed=2, longest=90),
        }
        store = make_store(str(tmp_path), "web", classes, first_id=1000)
        mixture = make_mixture(
            {"web": 1.0}, tokens=1600, sequence_length=16, upsample_long={"min_tokens": 21, "factor": 3}
        )
        made = make_plans(tmp_path, mixture, {"web": store})
        rows = all_rows(run(made))
        assert set(rows.source.tolist()) == {0}
        by_class = {stream.length_class: stream.num_rows for stream in made.stages[0].streams}
        is_long = rows.seg_doc[rows.seg_starts[:-1]] >= 1080
        assert np.count_nonzero(is_long) == by_class["long"] > by_class["short"] * 2

    def test_the_manifest_says_what_the_shards_hold(self, tmp_path: Path) -> None:
        made = make(tmp_path)
        artifact = run(made)
        stage, rows = ShardStage(artifact), all_rows(artifact)
        assert [s.name for s in stage.header.sources] == ["web", "code", "books"]
        assert [s.license for s in stage.header.sources] == [f"license of {name}" for name in WEIGHTS]
        assert [s.rows for s in stage.header.sources] == list(made.stages[0].source_rows.values())
        assert [s.tokens for s in stage.header.sources] == [
            24 * n for n in made.stages[0].source_rows.values()
        ]
        assert sum(s.targets for s in stage.header.sources) == rows.n_loss.sum()
        assert stage.header.vocabulary == "tokenizers/arcade100k/ranks"
        assert artifact.manifest.inputs["plan"] == made.plans[0].manifest.fingerprint


class TestBestFit:
    def test_documents_are_whole_and_blocks_hold_the_mixture(self, tmp_path: Path) -> None:
        made = make(tmp_path, packing="best_fit")
        artifact = run(made)
        rows = all_rows(artifact)
        assert row_problems(rows, vocab_size=ARCADE100K.vocab_size, num_sources=3) == []
        counts = np.bincount(rows.source, minlength=3).tolist()
        assert_blocks_hold_the_mixture(rows.source, counts)
        assert [shard.num_rows for shard in ShardStage(artifact).shards[:-1]] == [128] * (len(rows) // 128)
        got = Counter(
            zip(rows.seg_doc.tolist(), rows.seg_off.tolist(), (rows.seg_off + rows.seg_len).tolist())
        )
        expected = Counter[tuple[int, int, int]]()
        for stream in made.stages[0].streams:
            span = TokenStore.open(made.tokens[stream.source]).read_tokens("all", 0, stream.num_tokens)
            whole = {int(d) for d, s in zip(span.doc_id, span.starts) if s}
            store = TokenStore.open(made.tokens[stream.source])
            full = store.read_tokens("all", 0, 2 * store.stream("all").num_tokens)
            length = {int(d): int(n) for d, n in zip(full.doc_id, full.length)}
            repeats = Counter(int(d) for d, s in zip(span.doc_id, span.starts) if s)
            for doc in whole:
                for start in range(0, max(1, length[doc] - 1), 24):
                    expected[doc, start, min(start + 25, length[doc])] += repeats[doc]
        assert got == expected

    def test_padding_is_counted_and_small(self, tmp_path: Path) -> None:
        made = make(tmp_path, packing="best_fit", longest=20)
        artifact = run(made)
        stage, rows = ShardStage(artifact), all_rows(artifact)
        assert stage.header.packing == "best_fit"
        assert stage.header.overlap == 0
        assert artifact.manifest.counts["tokens"] == np.minimum(rows.n_tok, 24).sum()
        assert artifact.manifest.counts["tokens"] > 0.96 * 24 * len(rows)
        padded = np.arange(25) >= rows.n_tok[:, None]
        assert (rows.tokens[padded] == ARCADE100K.pad_id).all()

    def test_a_stage_in_which_no_document_begins_is_refused(self, tmp_path: Path) -> None:
        book = np.full(500, 7, dtype=np.uint32)
        store = make_store(str(tmp_path), "web", {"all": [book]}, first_id=9)
        one = make_mixture({"web": 1.0}, tokens=40, sequence_length=8, packing="best_fit").stages[0]
        stages = (one, one.model_copy(update={"name": "annealing"}))
        mixture = make_mixture({"web": 1.0}, tokens=40, sequence_length=8).model_copy(
            update={"stages": stages}
        )
        made = make_plans(tmp_path, mixture, {"web": store})
        assert len(all_rows(run(made))) == 63
        with pytest.raises(PlanError, match="stage annealing: no document begins in its 40 tokens"):
            run(made, index=1)


@pytest.mark.parametrize("packing", ["concat", "best_fit"])
def test_an_interrupted_run_goes_on_and_gives_the_same_bytes(
    tmp_path: Path, packing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = (make(tmp_path / name, packing=packing) for name in ("whole", "broken"))
    expected = run(whole)
    import pipelines.mix as module

    calls = []

    def failing(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError("the machine is gone")
        return original(*arguments, **options)  # type: ignore[arg-type]

    original = module.write_shard
    monkeypatch.setattr(module, "write_shard", failing)
    with pytest.raises(OSError, match="the machine is gone"):
        run(broken)
    folder = expected.folder.replace("/whole/", "/broken/")
    assert not artifacts.is_published(folder)
    result = run(broken)
    assert result.folder == folder
    assert len(calls) == 1 + len(expected.manifest.files)
    assert result.manifest == expected.manifest
    assert artifacts.damaged_files(result) == []
    assert sorted(p.name for p in Path(folder).iterdir()) == sorted(
        p.name for p in Path(expected.folder).iterdir()
    )
    run(broken)
    assert len(calls) == 1 + len(expected.manifest.files), "a published stage was written again"
