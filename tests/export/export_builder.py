"""Builds of made-up documents, small enough to compare every token of an export with its origin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact, Manifest
from dataprep.mixture import Mixture
from dataprep.plan import StagePlan, StreamSize, plan_mixture, plan_rest
from dataprep.shards import Rows, ShardStage, concat_rows
from dataprep.tokenizers import ARCADE100K, NEOX, TokenizerSpec
from dataprep.tokens import (
    INDEX_NAME,
    TokenStore,
    bin_path,
    token_list,
    unsorted_schema,
    write_bin,
    write_index,
)
from pipelines.engine import Engine
from pipelines.mix import mix
from pipelines.planning import publish_plan

SPECS = {"arcade100k": ARCADE100K, "neox": NEOX}
Documents = list[np.ndarray[Any, Any]]


@dataclass(frozen=True)
class SmallBuild:
    """What a small build published."""

    output: str
    stores: dict[str, Artifact]
    stages: dict[str, Artifact]
    mixture: Mixture
    plans: dict[str, StagePlan]

    def stage(self, name: str = "main") -> ShardStage:
        return ShardStage(self.stages[name])

    def documents(self, source: str, length_class: str = "all") -> list[list[int]]:
        """All documents of a stream in the order of the store."""
        with TokenStore(self.stores[source]) as store:
            index = store.stream(length_class)
            blocks = [store.read_block(length_class, number) for number in range(index.num_blocks)]
        return [
            block.tokens[start:stop].tolist()
            for block in blocks
            for start, stop in zip(block.offsets[:-1], block.offsets[1:])
        ]


def random_documents(count: int, *, spec: TokenizerSpec, seed: int, longest: int = 60) -> Documents:
    """Documents of 1 to ``longest`` ids that end with the end of text; the last id of all is among them."""
    rng = np.random.default_rng(seed)
    documents = []
    for length in rng.integers(1, longest + 1, count).tolist():
        tokens = rng.integers(0, spec.vocab_size, length).astype(spec.numpy_dtype)
        tokens[-1] = spec.eos_id
        tokens[: length // 8] = spec.vocab_size - 1
        documents.append(tokens)
    return documents


def publish_store(
    output: str, source: str, classes: dict[str, list[Documents]], *, spec: TokenizerSpec, first_id: int
) -> Artifact:
    """Publish documents as a token store; each class is a list of bins."""
    fingerprint = artifacts.fingerprint_of("tokens", config={"source": source, "id": first_id}, inputs={})
    name = f"{spec.name}/{source}"
    folder = artifacts.folder_of(output, "tokens", name, fingerprint)
    summaries: dict[str, list[Any]] = {}
    files = []
    for class_name, bins in classes.items():
        summaries[class_name] = []
        for number, documents in enumerate(bins):
            lengths = np.array([len(document) for document in documents], dtype=np.int64)
            offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
            doc_id = np.arange(first_id, first_id + len(documents), dtype=np.uint64)
            first_id += len(documents)
            key = (np.arange(len(documents)) + (number << 40)).astype(np.uint64)
            columns = [
                pa.array(key),
                pa.array(doc_id),
                token_list(offsets, np.concatenate(documents), dtype=spec.dtype),
                pa.array(lengths.astype(np.uint32)),
            ]
            batch = pa.record_batch(columns, schema=unsorted_schema(spec.dtype))
            path = bin_path(class_name, number)
            summary = write_bin(storage.join(folder, path), [batch], dtype=spec.dtype, block_tokens=200)
            summaries[class_name].append(summary)
            files.append(artifacts.describe_file(folder, path))
    write_index(storage.join(folder, INDEX_NAME), summaries)
    files.append(artifacts.describe_file(folder, INDEX_NAME))
    vocabulary = {**spec.to_json(), "vocabulary": "tokenizers/none"}
    details = {"source": source, "license": f"licence of {source}", "tokenizer": vocabulary}
    return artifacts.publish(
        folder,
        Manifest("tokens", name, fingerprint, {}, {"seed": 5}, 5, {}, tuple(files), details),
    )


def small_build(
    root: Path | str,
    *,
    tokenizer: str = "arcade100k",
    stages: Sequence[dict[str, Any]] = ({},),
    holdout: bool = True,
    long_documents: bool = False,
    rows_per_shard: int = 128,
    sequence_length: int = 24,
) -> SmallBuild:
    """Publish two sources of some hundred documents, the plans of a mixture, and its shards."""
    output, spec = str(root), SPECS[tokenizer]
    stores = {}
    for number, (source, count) in enumerate({"web": 300, "code": 120}.items()):
        documents = random_documents(count, spec=spec, seed=number)
        classes: dict[str, list[Documents]] = {"all": [documents[: count // 2], documents[count // 2 :]]}
        if long_documents:
            short = [document for document in documents if len(document) < 30]
            classes = {"short": [short], "long": [[one for one in documents if len(one) >= 30]]}
        if holdout:
            classes["holdout"] = [random_documents(10 + 5 * number, spec=spec, seed=10 + number)]
        stores[source] = publish_store(output, source, classes, spec=spec, first_id=1000 * (number + 1))
    weights = {"web": {"weight": 3}, "code": {"weight": 1}}
    fields = {"name": "main", "tokens": 7200, "sequence_length": sequence_length, "sources": weights}
    mixture = Mixture.model_validate(
        {
            "name": "small",
            "tokenizer": tokenizer,
            "seed": 11,
            "holdout_fraction": 0.05 if holdout else 0,
            "sources": {name: {"from": name, "subsets": "all"} for name in stores},
            "stages": [{**fields, **stage} for stage in stages],
        }
    )
    available = _available(stores)
    published = {}
    plans = plan_mixture(mixture, available, rows_per_shard=rows_per_shard)
    for plan in plans:
        config = plan.to_json()
        fingerprint = artifacts.fingerprint_of("plan", config=config, inputs={})
        folder = artifacts.folder_of(output, "plan", f"small/{plan.name}", fingerprint)
        storage.write_json(storage.join(folder, "plan.json"), config)
        files = (artifacts.describe_file(folder, "plan.json"),)
        manifest = Manifest("plan", f"small/{plan.name}", fingerprint, {}, config, 11, {}, files)
        published[plan.name] = mix(
            plan=plan,
            plan_artifact=artifacts.publish(folder, manifest),
            token_stores=stores,
            mixture=mixture,
            tokenizer=spec,
            output_root=output,
            engine=Engine(),
        )
    record = {
        "mixture": "small",
        "mixture_config": {},
        "tokenizer": tokenizer,
        "source_index": mixture.source_ids,
        "stages": list(published),
        "artifacts": {
            "documents": {},
            "duplicates": "none",
            "tokens": {name: _below(output, one) for name, one in stores.items()},
            "plan": {},
            "shards": {name: _below(output, one) for name, one in published.items()},
        },
    }
    artifacts.write_sealed_json(f"{output}/builds/small.json", record)
    return SmallBuild(output, stores, published, mixture, {plan.name: plan for plan in plans})


def forked_build(build: SmallBuild, *, at_row: int, **weights: float) -> SmallBuild:
    """Go on with other weights from a row of stage "main"; whole shards before it are the parent's files."""
    value = build.mixture.model_dump(mode="json", by_alias=True, exclude_unset=True)
    value["stages"][0]["sources"] = {name: {"weight": weight} for name, weight in weights.items()}
    mixture = Mixture.model_validate(value)
    (plan, *_) = plan_rest(
        mixture, before=[], parent=build.plans["main"], row=at_row, available=_available(build.stores)
    )
    child = mix(
        plan=plan,
        plan_artifact=publish_plan(plan, mixture, build.stores, output=build.output).artifact,
        token_stores=build.stores,
        mixture=mixture,
        tokenizer=SPECS[mixture.tokenizer],
        output_root=build.output,
        engine=Engine(),
        parent=build.stage(),
    )
    return replace(build, stages={**build.stages, "main": child}, mixture=mixture)


def _available(stores: dict[str, Artifact]) -> dict[tuple[str, str], StreamSize]:
    return {
        (source, name): StreamSize(stream.num_tokens, stream.num_docs)
        for source, artifact in stores.items()
        for name, stream in TokenStore.open(artifact).streams.items()
    }


def _below(output: str, artifact: Artifact) -> str:
    return artifact.folder.removeprefix(output).lstrip("/")


def stage_rows(stage: ShardStage) -> Rows:
    """All rows of a stage."""
    parts = []
    for entry in stage.shards:
        reader = stage.open_shard(entry.index)
        parts += [reader.read_rows(batch) for batch in range(reader.num_batches)]
    rows = concat_rows(parts)
    return replace(rows, tokens=rows.tokens.copy())


def file_bytes(folder: str | Path, *, without: Sequence[str] = ()) -> dict[str, bytes]:
    """The content of every file below a folder, by its path there."""
    root = Path(folder)
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in without
    }
