"""Whether a token store holds every document of its source once, whole and in order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep import storage
from dataprep.artifacts import Artifact
from dataprep.tokenizers.specs import CODE_TAGS, TAGGED_CORPORA
from dataprep.tokens import (
    HOLDOUT,
    INDEX_NAME,
    LONG,
    SHORT,
    StreamIndex,
    TokenBlock,
    bin_path,
    document_keys,
    read_index,
)
from dataprep.verification.corpus import CorpusRows
from dataprep.verification.report import Findings

UInt64Array = npt.NDArray[np.uint64]


def check_token_store(
    artifact: Artifact,
    findings: Findings,
    *,
    damaged: Collection[str],
    corpus: CorpusRows | None,
    executor: Executor,
) -> None:
    """Check every bin of a token store, and that it holds the documents that it should.

    Args:
        artifact: of kind ``tokens``.
        damaged: relative paths of files that are not worth reading.
        corpus: documents of the same build, duplicates marked; None: they are not at hand.
    """
    details = artifact.manifest.details
    if INDEX_NAME in damaged:
        return
    index_path = artifact.path(INDEX_NAME)
    streams: dict[str, StreamIndex] = {}
    with findings.reading(index_path):
        streams = read_index(index_path)
    for name, stream in streams.items():
        found = {"documents": stream.num_docs, "tokens": stream.num_tokens}
        expected = {key: details["classes"][name][key] for key in found}
        findings.expect(found, expected, f"{index_path}: class {name}")
    rules = _Rules.of(artifact)
    bins = [(name, int(number)) for name, stream in streams.items() for number in np.unique(stream.bin)]
    readable = [(name, number) for name, number in bins if bin_path(name, number) not in damaged]
    checked = executor.map(lambda b: _check_bin(artifact, streams[b[0]], b[1], rules, findings), readable)
    last_key: dict[str, int] = {}
    for (name, number), (doc_id, key) in zip(readable, checked, strict=True):
        path = artifact.path(bin_path(name, number))
        if len(key):
            if int(key[0]) < last_key.get(name, 0):
                findings.problem(f"{path}: its first key is smaller than the last one of the bin before")
            last_key[name] = int(key[-1])
        if corpus is not None:
            with findings.reading(path):
                _check_documents(path, doc_id, key, artifact, corpus, findings)
    if corpus is not None and len(readable) == len(bins):
        missing = corpus.untokenized(corpus.sources.index(details["source"]))
        if missing:
            origin, row = missing[0]
            findings.problem(f"{artifact.folder}: documents are missing, e.g. row {row} of {origin}")


@dataclass(frozen=True)
class _Rules:
    """What holds for every document of a store."""

    vocab_size: int
    eos_id: int
    never_inside: npt.NDArray[np.bool_]
    """bool[vocab_size]: ids that no text becomes."""
    shortest: Mapping[str, int]
    longest: Mapping[str, int]
    """Bounds of a document's tokens by class."""
    holdout_limit: int

    @classmethod
    def of(cls, artifact: Artifact) -> _Rules:
        config, tokenizer = artifact.manifest.config, artifact.manifest.details["tokenizer"]
        special: Mapping[str, int] = tokenizer["special_tokens"]
        tags = CODE_TAGS if config.get("corpus") in TAGGED_CORPORA else ()
        never_inside = np.zeros(tokenizer["vocab_size"], dtype=np.bool_)
        never_inside[[number for name, number in special.items() if name not in tags]] = True
        min_long = config.get("min_long_tokens")
        return cls(
            vocab_size=tokenizer["vocab_size"],
            eos_id=tokenizer["eos_id"],
            never_inside=never_inside,
            shortest={} if min_long is None else {LONG: min_long},
            longest={} if min_long is None else {SHORT: min_long - 1},
            holdout_limit=int(config.get("holdout_fraction", 0) * (1 << 64)),
        )


def _check_bin(
    artifact: Artifact, stream: StreamIndex, number: int, rules: _Rules, findings: Findings
) -> tuple[UInt64Array, UInt64Array]:
    """Check the blocks of one bin; return its documents and their keys."""
    path = artifact.path(bin_path(stream.class_name, number))
    blocks = np.flatnonzero(stream.bin == number)
    ids: list[UInt64Array] = [np.zeros(0, np.uint64)]
    keys: list[UInt64Array] = [np.zeros(0, np.uint64)]
    with findings.reading(path), storage.open_input(path) as file:
        reader = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(use_threads=False))
        findings.expect(reader.num_record_batches, len(blocks), f"{path}: blocks")
        for place in blocks.tolist():
            block = TokenBlock.from_batch(reader.get_batch(int(stream.batch[place])))
            found = (len(block.doc_id), len(block.tokens))
            expected = (int(stream.block_docs[place]), int(stream.block_tokens[place]))
            where = f"{path}: block {int(stream.batch[place])}"
            findings.expect(found, expected, f"{where}: (documents, tokens)")
            for problem in _block_problems(block, stream.class_name, rules):
                findings.problem(f"{where}: {problem}")
            findings.count(documents=len(block.doc_id), tokens=len(block.tokens))
            ids.append(block.doc_id)
            keys.append(block.key)
        key = np.concatenate(keys)
        if bool((key[1:] < key[:-1]).any()):
            findings.problem(f"{path}: keys do not ascend")
    return np.concatenate(ids), np.concatenate(keys)


def _block_problems(block: TokenBlock, class_name: str, rules: _Rules) -> list[str]:
    lengths = np.diff(block.offsets)
    if len(lengths) == 0 or int(lengths.min()) < 1:
        return ["it holds no document, or an empty one"]
    highest = int(block.tokens.max())
    if highest >= rules.vocab_size:
        return [f"token id {highest} is outside of 0..{rules.vocab_size - 1}"]
    problems = []
    last = block.offsets[1:] - 1
    wrong = np.flatnonzero(block.tokens[last] != rules.eos_id)
    if len(wrong):
        problems.append(f"document {block.doc_id[wrong[0]]} does not end with the end-of-text id")
    special = rules.never_inside[block.tokens]
    special[last] = False
    places = np.flatnonzero(special)
    if len(places):
        document = int(np.searchsorted(block.offsets, places[0], side="right")) - 1
        problems.append(
            f"document {block.doc_id[document]} holds the special token {int(block.tokens[places[0]])}, "
            "which no text becomes"
        )
    shortest, longest = rules.shortest.get(class_name, 1), rules.longest.get(class_name, int(lengths.max()))
    if int(lengths.min()) < shortest or int(lengths.max()) > longest:
        problems.append(f"a document of {class_name!r} is shorter or longer than its class allows")
    held_out = block.key < np.uint64(min(rules.holdout_limit, (1 << 64) - 1))
    if bool((held_out != (class_name == HOLDOUT)).any()):
        problems.append("a document is held out and should not be, or the other way round")
    return problems


def _check_documents(
    path: str,
    doc_id: UInt64Array,
    key: UInt64Array,
    artifact: Artifact,
    corpus: CorpusRows,
    findings: Findings,
) -> None:
    """Check that a bin's documents are its source's, each once, under the key that names it."""
    wanted = corpus.sources.index(artifact.manifest.details["source"])
    strangers = np.flatnonzero(corpus.alive_source(doc_id) != wanted)
    if len(strangers):
        findings.problem(
            f"{path}: document {doc_id[strangers[0]]} is not kept, is a duplicate, or is of another source "
            f"({len(strangers):,} such)"
        )
    again = np.flatnonzero(~corpus.mark_tokenized(doc_id))
    if len(again):
        findings.problem(f"{path}: document {doc_id[again[0]]} stands in the token stores twice")
    seed = artifact.manifest.config["seed"]
    for file, chosen, rows in corpus.by_file(doc_id):
        if file is not None:
            expected = document_keys(
                _constant(file.origin, len(rows)),
                rows.astype(np.uint32),
                seed=seed,
                collection=file.collection,
            )
            if not np.array_equal(expected, key[chosen]):
                findings.problem(f"{path}: documents of {file.origin} have keys that are not theirs")


def _constant(value: str, count: int) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([value]))
