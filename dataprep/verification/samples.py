"""A sample of rows, compared with the text of the documents that they are made of.

Each document is encoded again from its text, and the row must hold exactly the named range of
those ids; decoded, they must give the text back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep import storage
from dataprep.artifacts import Artifact
from dataprep.errors import ArtifactError
from dataprep.hashing import hash64
from dataprep.shards import ENDS_DOCUMENT, Rows, ShardStage
from dataprep.text.composition import compose
from dataprep.text.pieces import Pieces, keep_pieces
from dataprep.tokenizers import (
    TAGGED_CORPORA,
    VOCABULARY_FILES,
    Tokenizer,
    load_recorded_tokenizer,
    strip_tags,
)
from dataprep.tokenizers.vocabulary import content_sha256
from dataprep.verification.report import Findings

Text = tuple[str, str]
"""Corpus and text of a document."""


@dataclass(frozen=True)
class RowSample:
    """Some rows of one stage."""

    stage: ShardStage
    rows: Mapping[int, Rows]
    """Row number in the stage to the row."""

    @property
    def documents(self) -> npt.NDArray[np.uint64]:
        """Ids of the documents in the rows, ascending: uint64[n]."""
        return np.unique(np.concatenate([np.zeros(0, np.uint64), *(r.seg_doc for r in self.rows.values())]))


def sample_rows(artifact: Artifact, *, count: int) -> RowSample:
    """Read up to ``count`` rows of a stage, chosen by its seed; always the same for the same stage.

    Rows of damaged record batches are left out: the check of the files names them.
    """
    stage = ShardStage(artifact)
    header = stage.header
    chosen = {hash64("verify", header.seed, header.stage, i) % stage.num_rows for i in range(count)}
    rows = {}
    for row in sorted(chosen):
        try:
            rows[row] = stage.read_row(row)
        except ArtifactError:
            continue
    return RowSample(stage, rows)


def vocabulary_problem(recorded: Mapping[str, Any], *, output: str) -> str | None:
    """Return a sentence if the vocabulary that is kept with a build is missing or damaged.

    Args:
        recorded: ``details["tokenizer"]`` of a tokens manifest.
    """
    path = storage.join(output, recorded["vocabulary"])
    if not storage.exists(path):
        return f"{path}: missing, so that no token of this build can be decoded"
    data = storage.read_bytes(path)
    known = VOCABULARY_FILES[recorded["name"]].content_sha256
    if hashlib.sha256(data).hexdigest() == recorded["sha256"] or (known and content_sha256(data) == known):
        return None
    return f"{path}: damaged, its checksum is not {recorded['sha256'][:12]}"


def check_texts(
    sample: RowSample,
    texts: Mapping[int, Text],
    findings: Findings,
    *,
    stores: Mapping[str, Artifact],
    output: str,
    pieces: Mapping[int, Pieces],
) -> None:
    """Compare sampled rows with the texts of their documents.

    Args:
        sample: what ``sample_rows`` returned.
        texts: corpus and text of every document in the sample that could be read.
        stores: token store of each source.
        output: output folder, where the vocabulary is kept.
        pieces: what stays of the documents that are cut, by id.
    """
    recorded = next(iter(stores.values())).manifest.details["tokenizer"]
    tokenizer = load_recorded_tokenizer(recorded, output_root=output)
    strips = {s: artifact.manifest.config.get("tags") == "strip" for s, artifact in stores.items()}
    names = sample.stage.source_names
    source_of = {int(d): names[int(r.source[0])] for r in sample.rows.values() for d in r.seg_doc}
    cut = {d: _cut(texts[d], pieces.get(d)) for d in source_of if d in texts}
    encoded = _encode(cut, source_of, strips, tokenizer, findings)
    for number, row in sample.rows.items():
        place = sample.stage.locate(number)
        path = sample.stage.artifact.path(sample.stage.shards[place.shard].path)
        findings.count(rows=1, documents=len(row.seg_doc))
        for problem in _row_problems(row, encoded):
            findings.problem(f"{path}: row {number} of the stage: {problem}")


def _cut(document: Text, pieces: Pieces | None) -> Text:
    corpus, text = document
    if pieces is None:
        return document
    return corpus, keep_pieces(pa.array([text], pa.large_string()), {0: pieces})[0].as_py()


def _encode(
    texts: Mapping[int, Text],
    source_of: Mapping[int, str],
    strips: Mapping[str, bool],
    tokenizer: Tokenizer,
    findings: Findings,
) -> dict[int, npt.NDArray[np.uint32]]:
    """Return the ids of each document with its end-of-text id; compare their decoding with the text."""
    encoded: dict[int, npt.NDArray[np.uint32]] = {}
    for document, (corpus, text) in sorted(texts.items()):
        column = compose(pa.array([text], pa.large_string()))
        if strips.get(source_of[document], False):
            column = strip_tags(column)
        _, ids = tokenizer.encode_batch(column, allow_tags=corpus in TAGGED_CORPORA)
        if tokenizer.decode(ids) != column[0].as_py():
            findings.problem(f"document {document}: its tokens do not decode to its text")
        encoded[document] = np.append(ids, np.uint32(tokenizer.spec.eos_id))
    return encoded


def _row_problems(row: Rows, encoded: Mapping[int, npt.NDArray[np.uint32]]) -> Sequence[str]:
    problems = []
    start = 0
    for document, offset, length, flags in zip(
        row.seg_doc.tolist(), row.seg_off.tolist(), row.seg_len.tolist(), row.seg_flags.tolist(), strict=True
    ):
        found = row.tokens[0, start : start + length]
        start += length
        if document not in encoded:
            problems.append(f"document {document} is in no document table that could be read")
            continue
        expected = encoded[document][offset : offset + length]
        if not np.array_equal(found, expected):
            problems.append(
                f"tokens {offset} to {offset + length - 1} of document {document} are not its text's"
            )
        elif bool(flags & ENDS_DOCUMENT) != (offset + length == len(encoded[document])):
            problems.append(f"the end of document {document} is flagged wrongly")
    return problems
