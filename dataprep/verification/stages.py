"""Whether the plan of a stage adds up, and whether its shards are what the plan says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from dataprep import storage
from dataprep.artifacts import Artifact
from dataprep.errors import ArtifactError
from dataprep.plan import StagePlan
from dataprep.shards import (
    ENDS_DOCUMENT,
    ROWS_PER_BATCH,
    STARTS_DOCUMENT,
    TRUNCATED,
    RowLayout,
    Rows,
    ShardStage,
    StageHeader,
    row_problems,
)
from dataprep.verification.corpus import CorpusRows
from dataprep.verification.report import Findings

PLAN_FILE = "plan.json"

Int64Array = npt.NDArray[np.int64]


def check_plan(artifact: Artifact, findings: Findings, *, stores: Mapping[str, Artifact]) -> StagePlan | None:
    """Check a plan against the token stores that it divides; return it.

    Args:
        artifact: of kind ``plan``, undamaged.
        stores: token store of each source; those that are not at hand are not compared.
    """
    path = artifact.path(PLAN_FILE)
    with findings.reading(path):
        plan = StagePlan.from_json(storage.read_json(path))
        findings.count(rows=plan.num_rows, tokens=plan.num_tokens, streams=len(plan.streams))
        findings.expect(sum(s.num_rows for s in plan.streams), plan.num_rows, f"{path}: rows of all streams")
        findings.expect(
            sum(s.num_tokens for s in plan.streams), plan.num_tokens, f"{path}: tokens of all streams"
        )
        for stream in plan.streams:
            where = f"{path}: {stream.source}/{stream.length_class}"
            if plan.packing == "concat":
                expected = stream.num_rows * plan.sequence_length
                findings.expect(stream.num_tokens, expected, f"{where}: tokens of {stream.num_rows:,} rows")
            if stream.source in stores:
                classes = stores[stream.source].manifest.details["classes"]
                findings.expect(
                    stream.tokens_available,
                    classes[stream.length_class]["tokens"],
                    f"{where}: tokens available",
                )
        return plan
    return None


def check_shards(
    artifact: Artifact,
    findings: Findings,
    *,
    damaged: Collection[str],
    plan: StagePlan | None,
    corpus: CorpusRows | None,
    executor: Executor,
) -> None:
    """Check every row of a stage, and that the stage as a whole is the mixture that was planned.

    Args:
        artifact: of kind ``shards``.
        damaged: relative paths of files that are not worth reading.
        plan: the stage's plan; None: it is not at hand.
        corpus: documents of the same build, duplicates marked; None: they are not at hand.
    """
    with findings.reading(artifact.folder):
        stage = ShardStage(artifact)
        header = stage.header
        readable = [shard for shard in stage.shards if shard.path not in damaged]
        checked = executor.map(lambda shard: _check_shard(stage, shard.index, corpus, findings), readable)
        totals = sum(checked, np.zeros((3, len(header.sources)), dtype=np.int64))
        if len(readable) == len(stage.shards):
            for source, found in zip(header.sources, totals.T.tolist(), strict=True):
                expected = {"rows": source.rows, "tokens": source.tokens, "targets": source.targets}
                where = f"{artifact.folder}: source {source.name}"
                findings.expect(dict(zip(expected, found, strict=True)), expected, where)
        if plan is not None:
            _check_against_plan(artifact, header, plan, findings)


def check_fork(artifact: Artifact, findings: Findings, *, output: str) -> None:
    """Check that a stage begins with the rows of the stage that it forked from.

    Whole shards are the other's own files; of the shard in which the fork lies the rows are compared.

    Args:
        artifact: of kind ``shards``, with a fork.
        output: output folder of the build, where the other stage lies.
    """
    fork = ShardStage(artifact).header.forks[0]
    with findings.reading(artifact.folder):
        child, parent = ShardStage(artifact), ShardStage.open(storage.join(output, fork.folder))
        where = f"{artifact.folder}: its parent {fork.folder}"
        findings.expect(parent.artifact.manifest.fingerprint, artifact.manifest.inputs["parent"], where)
        shared, rest = divmod(fork.row, child.header.rows_per_shard)
        for ours, theirs in zip(child.shards[:shared], parent.shards[:shared], strict=True):
            findings.expect(ours.sha256, theirs.sha256, f"{where}: shard {ours.index}")
        if rest:
            readers = (child.open_shard(shared), parent.open_shard(shared))
            for batch in range(rest // child.header.rows_per_batch):
                ours_rows, theirs_rows = (reader.read_batch(batch) for reader in readers)
                if not ours_rows.equals(theirs_rows):
                    findings.problem(f"{where}: shard {shared}, record batch {batch}: other rows")
        findings.count(inputs=1)


def _check_against_plan(artifact: Artifact, header: StageHeader, plan: StagePlan, findings: Findings) -> None:
    where = f"{artifact.folder}: compared with its plan"
    said = {"stage": header.stage, "sequence_length": header.sequence_length, "packing": header.packing}
    planned = {"stage": plan.name, "sequence_length": plan.sequence_length, "packing": plan.packing}
    findings.expect(said, planned, where)
    findings.expect(asdict(header.boundaries), plan.boundaries.model_dump(), f"{where}: boundaries")
    if plan.packing == "concat":
        for source in header.sources:
            expected = plan.source_rows.get(source.name, 0) + plan.rows_before.get(source.name, 0)
            findings.expect(source.rows, expected, f"{where}: rows of {source.name}")


@dataclass(frozen=True)
class _Place:
    """Where a record batch is, for messages."""

    path: str
    first_row: int

    def row(self, row: int) -> str:
        """Return the words for one row of the batch."""
        return f"{self.path}: row {self.first_row + row} of the stage"


def _check_shard(stage: ShardStage, index: int, corpus: CorpusRows | None, findings: Findings) -> Int64Array:
    """Check one shard; return int64[3, sources]: rows, tokens and targets that it holds."""
    header, shard = stage.header, stage.shards[index]
    path = stage.artifact.path(shard.path)
    totals = np.zeros((3, len(header.sources)), dtype=np.int64)
    with findings.reading(path):
        reader = stage.open_shard(index)
        num_rows = 0
        for batch in range(reader.num_batches):
            rows = reader.read_rows(batch)
            place = _Place(path, shard.first_row + batch * ROWS_PER_BATCH)
            is_last = batch == reader.num_batches - 1
            findings.expect(
                len(rows),
                shard.num_rows - num_rows if is_last else header.rows_per_batch,
                f"{path}: rows of record batch {batch}",
            )
            num_rows += len(rows)
            problems = row_problems(rows, vocab_size=header.vocab_size, num_sources=len(header.sources))
            for problem in problems:
                findings.problem(f"{path}: record batch {batch}: {problem}")
            if problems:
                continue
            totals += _totals(rows, len(header.sources))
            _check_segments(rows, header, place, findings)
            _check_mixture(rows, header, stage.num_rows, place, findings)
            if corpus is not None:
                _check_documents(rows, header, corpus, place, findings)
            findings.count(rows=len(rows), tokens=int(rows.n_tok.sum()))
        if reader.read_batch(0).schema.remove_metadata() != _schema_of(header):
            raise ArtifactError(f"{path}: its columns are not those of a shard of {header.vocab_size} ids")
    return totals


def _schema_of(header: StageHeader) -> object:
    return RowLayout(sequence_length=header.sequence_length, vocab_size=header.vocab_size).schema()


def _totals(rows: Rows, num_sources: int) -> Int64Array:
    inputs = np.minimum(rows.n_tok, rows.sequence_length)
    weights = (np.ones(len(rows)), inputs, rows.n_loss)
    counted = [np.bincount(rows.source, weights=one, minlength=num_sources) for one in weights]
    return np.stack(counted).astype(np.int64)


def _check_segments(rows: Rows, header: StageHeader, place: _Place, findings: Findings) -> None:
    """Check counts, flags, padding and ends of documents against the tokens themselves."""
    counts = np.diff(rows.seg_starts)
    lost = 1 if header.boundaries.cross_document_loss else counts
    _expect(
        rows.n_loss == rows.n_tok - lost, "n_loss is not what the boundary policy makes it", place, findings
    )
    positions = np.arange(rows.tokens.shape[1])
    inside = positions < rows.n_tok[:, None]
    padding = np.where(inside, header.pad_id, rows.tokens) == header.pad_id
    _expect(padding.all(axis=1), "what follows its tokens is not padding", place, findings)

    row_of = np.repeat(np.arange(len(rows)), counts)
    before = np.concatenate([[0], np.cumsum(rows.seg_len, dtype=np.int64)])
    begins = before[:-1] - before[rows.seg_starts[row_of]]
    last = begins + rows.seg_len - 1
    starts = (rows.seg_flags & STARTS_DOCUMENT) != 0
    ends = (rows.seg_flags & ENDS_DOCUMENT) != 0
    whole = (rows.seg_flags & TRUNCATED) == 0
    _expect_segments(
        starts == (rows.seg_off == 0), row_of, "a segment's start flag is wrong", place, findings
    )
    _expect_segments(whole == (starts & ends), row_of, "a segment's truncated flag is wrong", place, findings)
    marked = np.zeros(rows.tokens.shape, dtype=np.bool_)
    marked[row_of[ends], last[ends]] = True
    agree = (marked == ((rows.tokens == header.eos_id) & inside)).all(axis=1)
    _expect(agree, "ends of documents and end-of-text tokens do not agree", place, findings)
    inner = np.ones(len(row_of), dtype=np.bool_)
    inner[rows.seg_starts[1:] - 1] = False
    _expect_segments(
        ends | ~inner, row_of, "a document is followed by another before its end", place, findings
    )


def _check_mixture(rows: Rows, header: StageHeader, num_rows: int, place: _Place, findings: Findings) -> None:
    """Check that a whole aligned block holds the floor or the ceiling of each source's share.

    Of a stage that forked from another one, the rows since then; those before are the other's.
    """
    fork_row = header.forks[0].row if header.forks else 0
    if len(rows) != ROWS_PER_BATCH or place.first_row % ROWS_PER_BATCH or place.first_row < fork_row:
        return
    found = np.bincount(rows.source, minlength=len(header.sources))
    planned = np.array([source.rows for source in header.sources], dtype=np.int64)
    if header.forks:
        planned -= np.array(header.forks[0].source_rows, dtype=np.int64)
        num_rows -= fork_row
    low = ROWS_PER_BATCH * planned // num_rows
    high = -(-ROWS_PER_BATCH * planned // num_rows)
    for source in np.flatnonzero((found < low) | (found > high)).tolist():
        findings.problem(
            f"{place.row(0)} and the 63 after it hold {found[source]} rows of {header.sources[source].name}, "
            f"but its share is {low[source]} to {high[source]}"
        )


def _check_documents(
    rows: Rows, header: StageHeader, corpus: CorpusRows, place: _Place, findings: Findings
) -> None:
    """Check that every document is kept, no duplicate, and of the row's source."""
    number_of = np.array([corpus.sources.index(source.name) for source in header.sources], dtype=np.int16)
    row_of = np.repeat(np.arange(len(rows)), np.diff(rows.seg_starts))
    wrong = np.flatnonzero(corpus.alive_source(rows.seg_doc) != number_of[rows.source[row_of]])
    if len(wrong):
        segment = int(wrong[0])
        findings.problem(
            f"{place.row(int(row_of[segment]))}: document {rows.seg_doc[segment]} is not kept, a duplicate, "
            "or of another source"
        )


def _expect(good: npt.NDArray[np.bool_], what: str, place: _Place, findings: Findings) -> None:
    wrong = np.flatnonzero(~good)
    if len(wrong):
        findings.problem(f"{place.row(int(wrong[0]))}: {what}")


def _expect_segments(
    good: npt.NDArray[np.bool_], row_of: Int64Array, what: str, place: _Place, findings: Findings
) -> None:
    wrong = np.flatnonzero(~good)
    if len(wrong):
        findings.problem(f"{place.row(int(row_of[wrong[0]]))}: {what}")
