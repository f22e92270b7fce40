"""Publish small token artifacts, and read them the slow and obvious way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact, Manifest
from dataprep.hashing import hash64, keyed_permutation
from dataprep.tokens import (
    INDEX_NAME,
    BinSummary,
    bin_path,
    token_list,
    unsorted_schema,
    write_bin,
    write_index,
)

EOS = 0

Document = tuple[int, int, list[int]]
"""Key, id, tokens with the end-of-text id."""


def unsorted_batch(documents: Sequence[Document], *, dtype: str = "uint32") -> pa.RecordBatch:
    """Return documents as the exchange brings them to a bin; a text has ten bytes a token."""
    lengths = [len(tokens) for _, _, tokens in documents]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = np.array([t for _, _, tokens in documents for t in tokens], dtype=dtype)
    columns = [
        pa.array([key for key, _, _ in documents], pa.uint64()),
        pa.array([doc_id for _, doc_id, _ in documents], pa.uint64()),
        token_list(offsets, values, dtype=dtype),
        pa.array([10 * length for length in lengths], pa.uint32()),
    ]
    return pa.record_batch(columns, schema=unsorted_schema(dtype))


def made_up_documents(lengths: Sequence[int], *, seed: int = 0) -> list[Document]:
    """Return documents of these lengths; token k of document d is 1000 * (d + 1) + k, the last is EOS."""
    keys = sorted(hash64("test", seed, d) for d in range(len(lengths)))
    return [
        (keys[d], d + 1, [1000 * (d + 1) + k for k in range(length - 1)] + [EOS])
        for d, length in enumerate(lengths)
    ]


def publish_tokens(
    root: str,
    classes: Mapping[str, Sequence[Sequence[Document]]],
    *,
    seed: int = 7,
    source: str = "web",
    dtype: str = "uint32",
    block_tokens: int = 16,
) -> Artifact:
    """Publish a token artifact; ``classes`` holds for each class the documents of its bins."""
    folder = storage.join(root, "tokens", "test", source)
    summaries: dict[str, list[BinSummary]] = {}
    files = []
    for class_name, bins in classes.items():
        summaries[class_name] = []
        for number, documents in enumerate(bins):
            relative = bin_path(class_name, number)
            batches = [unsorted_batch(documents, dtype=dtype)]
            summary = write_bin(
                storage.join(folder, relative), batches, dtype=dtype, block_tokens=block_tokens
            )
            summaries[class_name].append(summary)
            if documents:
                files.append(artifacts.describe_file(folder, relative))
    write_index(storage.join(folder, INDEX_NAME), summaries)
    files.append(artifacts.describe_file(folder, INDEX_NAME))
    manifest = Manifest(
        kind="tokens",
        name=f"test/{source}",
        fingerprint="0" * 64,
        inputs={},
        config={"seed": seed},
        seed=seed,
        counts={},
        files=tuple(files),
        details={"source": source, "tokenizer": {"dtype": dtype}, "classes": {}},
    )
    return artifacts.publish(folder, manifest)


def epoch_documents(
    bins: Sequence[Sequence[Document]],
    epoch: int,
    *,
    class_name: str,
    seed: int = 7,
    source: str = "web",
    block_tokens: int = 16,
) -> list[Document]:
    """Return the documents of a stream in the order of an epoch, by the definition."""
    blocks: list[list[Document]] = []
    for documents in bins:
        block: list[Document] = []
        for document in sorted(documents, key=lambda d: (d[0], d[1])):
            block.append(document)
            if sum(len(tokens) for _, _, tokens in block) >= block_tokens:
                blocks.append(block)
                block = []
        if block:
            blocks.append(block)
    if epoch == 0:
        return [document for block in blocks for document in block]
    ordered: list[Document] = []
    block_key = hash64("blocks", seed, source, class_name, epoch)
    for number in keyed_permutation(len(blocks), key=block_key).tolist():
        key = hash64("documents", seed, source, class_name, epoch, number)
        ordered += [blocks[number][d] for d in keyed_permutation(len(blocks[number]), key=key).tolist()]
    return ordered


def read_slowly(
    documents_of_epoch: Any, num_tokens: int, start: int, stop: int
) -> list[tuple[int, int, int, int]]:
    """Return (token, document id, epoch, offset in the document) at each virtual position."""
    found = []
    for position in range(start, stop):
        epoch, place = divmod(position, num_tokens)
        for _, doc_id, tokens in documents_of_epoch(epoch):
            if place < len(tokens):
                found.append((tokens[place], doc_id, epoch, place))
                break
            place -= len(tokens)
    return found
