"""Documents of a stage's sources as Megatron pairs: one document is one sequence, end of text included.

They come from the token stores that the stage was mixed from, found by the fingerprints in the
manifests, not from the shards: rows cut documents and repeat them, a trainer that mixes by weight
wants each of them once. A source is one pair, two where the mixture takes its long documents more
often, and one more with the documents that are held out from training.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact
from dataprep.errors import ArtifactError, ConfigError
from dataprep.export.mmap_pair import MAX_SEQUENCES, PairLayout, RangeWriter
from dataprep.output import output_of
from dataprep.plan import StagePlan
from dataprep.shards import ShardStage
from dataprep.tokens import HOLDOUT, StreamIndex, TokenStore, bin_path

PLAN_FILE = "plan.json"
FOLDER = "documents"


@dataclass(frozen=True)
class DocumentSet:
    """The documents of one pair: consecutive blocks of one stream of a token store."""

    source: str
    length_class: str
    store: str
    """Folder of the token store."""
    name: str
    """Of the pair, without a suffix."""
    weight: float
    """Share of the stage's tokens that the plan takes from it; of held-out tokens, if it is held out."""
    first_block: int
    stop_block: int
    num_documents: int
    num_tokens: int

    @property
    def is_held_out(self) -> bool:
        """Whether no stage trains on these documents."""
        return self.length_class == HOLDOUT

    def layout(self, folder: str, id_type: str) -> PairLayout:
        """Return the pair below the export's folder."""
        prefix = storage.join(folder, FOLDER, self.name)
        return PairLayout(prefix, id_type, self.num_documents, self.num_tokens)


@dataclass(frozen=True)
class DocumentsPart:
    """The documents of one bin of a token store, written to their places in a pair."""

    name: str
    size_bytes: int
    store: str
    length_class: str
    first_block: int
    stop_block: int
    first_document: int
    """Number of the bin's first document in the pair."""
    first_token: int
    vocab_size: int
    layout: PairLayout

    def write(self) -> Mapping[str, Any]:
        """Write the documents; return how many documents and tokens."""
        documents = tokens = 0
        store = _worker_store(self.store)
        index = store.stream(self.length_class)
        path = bin_path(self.length_class, int(index.bin[self.first_block]))
        _check_bin(store.artifact, path)
        with RangeWriter(
            self.layout, first_sequence=self.first_document, first_token=self.first_token
        ) as writer:
            for number in range(self.first_block, self.stop_block):
                block = store.read_block(self.length_class, number)
                check_ids(block.tokens, self.vocab_size, where=store.artifact.path(path))
                writer.append(np.diff(block.offsets), block.tokens)
                documents += len(block.doc_id)
                tokens += len(block.tokens)
        return {"documents": documents, "tokens": tokens}


def find_document_sets(stage: ShardStage, *, max_documents: int = MAX_SEQUENCES) -> list[DocumentSet]:
    """Return what the token stores of a stage hold, training first, then what is held out.

    Args:
        stage: its manifest names the plan and the token stores.
        max_documents: documents in a pair; a stream with more becomes several.

    Raises:
        ConfigError: the token stores or the plan are not beside the shards.
        ArtifactError: one of them is damaged.
    """
    header, output = stage.header, output_of(stage.artifact)
    plan = _open_plan(stage, output)
    stores = {}
    for source in dict.fromkeys(stream.source for stream in plan.streams):
        name = f"{header.tokenizer}/{source}"
        stores[source] = TokenStore(_open_input(stage.artifact, f"tokens/{source}", output, "tokens", name))
    training = []
    for stream in plan.streams:
        index = stores[stream.source].stream(stream.length_class)
        if stream.weight > 0 and index.num_docs:
            training += _cut(stores[stream.source], index, stream.weight, max_documents)
    held_out = []
    total = sum(store.streams[HOLDOUT].num_tokens for store in stores.values() if HOLDOUT in store.streams)
    for store in stores.values():
        if HOLDOUT in store.streams and store.streams[HOLDOUT].num_docs:
            index = store.streams[HOLDOUT]
            held_out += _cut(store, index, index.num_tokens / total, max_documents)
    return training + held_out


def document_parts(sets: Sequence[DocumentSet], folder: str, *, id_type: str, vocab_size: int) -> list[Any]:
    """Return one part for each bin of each set."""
    parts = []
    for one in sets:
        layout = one.layout(folder, id_type)
        index = _worker_store(one.store).stream(one.length_class)
        blocks = slice(one.first_block, one.stop_block)
        edges = np.flatnonzero(np.diff(index.bin[blocks])) + 1 + one.first_block
        starts = [one.first_block, *edges.tolist()]
        for start, stop in zip(starts, [*starts[1:], one.stop_block], strict=True):
            num_tokens = int(index.block_tokens[start:stop].sum())
            parts.append(
                DocumentsPart(
                    name=f"{one.name}-bin-{int(index.bin[start]):05d}",
                    size_bytes=num_tokens * layout.item_bytes,
                    store=one.store,
                    length_class=one.length_class,
                    first_block=start,
                    stop_block=stop,
                    first_document=int(index.block_docs[one.first_block : start].sum()),
                    first_token=int(index.block_tokens[one.first_block : start].sum()),
                    vocab_size=vocab_size,
                    layout=layout,
                )
            )
    return parts


def check_ids(tokens: npt.NDArray[np.integer], vocab_size: int, *, where: str) -> None:
    """Raise an ArtifactError if an id is outside of the vocabulary."""
    highest = int(tokens.max())
    if highest >= vocab_size:
        raise ArtifactError(
            f"{where}: holds token id {highest:,}, but the vocabulary ends at {vocab_size - 1:,}: run verify"
        )


def _cut(store: TokenStore, index: StreamIndex, weight: float, max_documents: int) -> list[DocumentSet]:
    """Return a stream as sets of at most ``max_documents``, their weights in proportion to tokens."""
    if int(index.block_docs.max()) > max_documents:
        raise ConfigError(f"{store.artifact.folder}: a block has more than {max_documents:,} documents")
    edges, in_set = [0], 0
    for block, documents in enumerate(index.block_docs.tolist()):
        if in_set + documents > max_documents:
            edges.append(block)
            in_set = 0
        in_set += documents
    edges.append(index.num_blocks)
    sets = []
    for number, (first, stop) in enumerate(itertools.pairwise(edges)):
        tokens = int(index.block_tokens[first:stop].sum())
        part = "" if len(edges) == 2 else f"-{number:05d}-of-{len(edges) - 1:05d}"
        sets.append(
            DocumentSet(
                source=store.source,
                length_class=index.class_name,
                store=store.artifact.folder,
                name=f"{store.source}-{index.class_name}{part}",
                weight=weight * tokens / index.num_tokens,
                first_block=first,
                stop_block=stop,
                num_documents=int(index.block_docs[first:stop].sum()),
                num_tokens=tokens,
            )
        )
    return sets


def _open_plan(stage: ShardStage, output: str) -> StagePlan:
    header = stage.header
    plan = _open_input(stage.artifact, "plan", output, "plan", f"{header.mixture}/{header.stage}")
    return StagePlan.from_json(storage.read_json(plan.path(PLAN_FILE)))


def _open_input(shards: Artifact, key: str, output: str, kind: str, name: str) -> Artifact:
    fingerprint = shards.manifest.inputs.get(key)
    if fingerprint is None:
        raise ArtifactError(f"{shards.folder}: its manifest names no input {key!r}")
    folder = artifacts.folder_of(output, kind, name, fingerprint)
    if not artifacts.is_published(folder):
        raise ConfigError(
            f"{folder}: not there, but the documents of {shards.folder} are written from it: export from the "
            "output folder of the build, or give --layout rows, which needs nothing but the shards"
        )
    return artifacts.open_artifact(folder, kind=kind)


def _check_bin(artifact: Artifact, path: str) -> None:
    """Raise an ArtifactError if a bin's bytes differ from the manifest."""
    expected = next((entry.sha256 for entry in artifact.manifest.files if entry.path == path), None)
    if expected is None or storage.sha256_of(artifact.path(path)) != expected:
        raise ArtifactError(
            f"{artifact.path(path)}: does not match the manifest's checksum: run verify, then build these "
            "tokens again"
        )


@functools.lru_cache(maxsize=4)
def _worker_store(folder: str) -> TokenStore:
    """Open a token store once for all parts that a worker process writes of it."""
    return TokenStore.open(folder)
