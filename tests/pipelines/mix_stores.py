"""Token stores and plans of made-up documents, for tests of what is made from them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact, Manifest
from dataprep.mixture import Mixture
from dataprep.plan import StagePlan, StreamSize, plan_mixture
from dataprep.shards import REPEATS_TOKEN, Rows, ShardStage, concat_rows
from dataprep.tokenizers import ARCADE100K
from dataprep.tokens import (
    INDEX_NAME,
    TokenStore,
    bin_path,
    token_list,
    unsorted_schema,
    write_bin,
    write_index,
)


def make_documents(num_docs: int, *, seed: int, longest: int = 60) -> list[np.ndarray[Any, Any]]:
    """Return documents of 1 to ``longest`` tokens that end with the end-of-text id."""
    rng = np.random.default_rng(seed)
    documents = []
    for length in rng.integers(1, longest + 1, num_docs).tolist():
        tokens = rng.integers(0, ARCADE100K.eos_id, length).astype(np.uint32)
        tokens[-1] = ARCADE100K.eos_id
        documents.append(tokens)
    return documents


def make_store(
    output: str, source: str, classes: dict[str, list[np.ndarray[Any, Any]]], *, first_id: int, seed: int = 5
) -> Artifact:
    """Publish documents as the token store of one source; their ids count from ``first_id``."""
    folder = artifacts.folder_of(output, "tokens", f"arcade100k/{source}", f"{first_id:064d}")
    summaries, files, counts, next_id = {}, [], {}, first_id
    for class_name, documents in classes.items():
        doc_id = np.arange(next_id, next_id + len(documents), dtype=np.uint64)
        next_id += len(documents)
        offsets = np.concatenate([[0], np.cumsum([len(document) for document in documents])]).astype(np.int64)
        tokens = np.concatenate(documents)
        columns = [
            pa.array(np.random.default_rng(first_id).permutation(len(documents)).astype(np.uint64) * 1000),
            pa.array(doc_id),
            token_list(offsets, tokens, dtype="uint32"),
            pa.array(np.diff(offsets).astype(np.uint32)),
        ]
        batch = pa.record_batch(columns, schema=unsorted_schema("uint32"))
        path = storage.join(folder, bin_path(class_name, 0))
        summaries[class_name] = [write_bin(path, [batch], dtype="uint32", block_tokens=256)]
        counts[class_name] = {"documents": len(documents), "tokens": len(tokens)}
        files.append(artifacts.describe_file(folder, bin_path(class_name, 0), **counts[class_name]))
    write_index(storage.join(folder, INDEX_NAME), summaries)
    files.append(artifacts.describe_file(folder, INDEX_NAME))
    manifest = Manifest(
        kind="tokens",
        name=f"arcade100k/{source}",
        fingerprint=f"{first_id:064d}",
        inputs={},
        config={"seed": seed},
        seed=seed,
        counts=artifacts.sum_counts(counts.values()),
        files=tuple(files),
        details={
            "source": source,
            "license": f"license of {source}",
            "classes": counts,
            "tokenizer": {**ARCADE100K.to_json(), "vocabulary": "tokenizers/arcade100k/ranks"},
        },
    )
    return artifacts.publish(folder, manifest)


def make_mixture(weights: dict[str, float], **stage: Any) -> Mixture:
    """Return a mixture of one stage over sources that are all of a corpus of the same name."""
    return Mixture.model_validate(
        {
            "name": "made-up",
            "tokenizer": "arcade100k",
            "seed": 11,
            "sources": {name: {"from": name, "subsets": "all"} for name in weights},
            "stages": [
                {"name": "main", "sources": {name: {"weight": w} for name, w in weights.items()}, **stage}
            ],
        }
    )


@dataclass
class Made:
    """Token stores, and the plans of a mixture of them."""

    output: str
    mixture: Mixture
    tokens: dict[str, Artifact]
    stages: list[StagePlan]
    plans: list[Artifact] = field(default_factory=list)

    @property
    def sources(self) -> list[str]:
        return list(self.mixture.sources)


def make_plans(
    output: Path, mixture: Mixture, tokens: dict[str, Artifact], *, rows_per_shard: int = 128
) -> Made:
    """Plan a mixture over token stores and publish the plans."""
    available = {
        (source, name): StreamSize(stream.num_tokens, stream.num_docs)
        for source, artifact in tokens.items()
        for name, stream in TokenStore.open(artifact).streams.items()
    }
    made = Made(str(output), mixture, tokens, plan_mixture(mixture, available, rows_per_shard=rows_per_shard))
    for stage in made.stages:
        config = stage.to_json()
        inputs = {f"tokens/{name}": artifact.manifest.fingerprint for name, artifact in tokens.items()}
        fingerprint = artifacts.fingerprint_of("plan", config=config, inputs=inputs)
        name = f"{mixture.name}/{stage.name}"
        folder = artifacts.folder_of(str(output), "plan", name, fingerprint)
        storage.write_json(storage.join(folder, "plan.json"), config)
        files = (artifacts.describe_file(folder, "plan.json"),)
        manifest = Manifest("plan", name, fingerprint, inputs, config, mixture.seed, {}, files)
        made.plans.append(artifacts.publish(folder, manifest))
    return made


def all_rows(stage: ShardStage) -> Rows:
    """Return the rows of all shards of a stage."""
    parts = []
    for shard in stage.shards:
        reader = stage.open_shard(shard.index)
        parts += [reader.read_rows(batch) for batch in range(reader.num_batches)]
    return concat_rows(parts)


def labels_of(rows: Rows) -> Counter[tuple[int, int]]:
    """Return how often each (document, token) is in the rows, but for the overlap."""
    seen = Counter[tuple[int, int]]()
    columns = (rows.seg_doc, rows.seg_off, rows.seg_len, rows.seg_flags)
    for doc, offset, length, flags in zip(*(column.tolist() for column in columns), strict=True):
        seen.update((doc, token) for token in range(offset + bool(flags & REPEATS_TOKEN), offset + length))
    return seen
