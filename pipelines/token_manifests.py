"""The manifest of a source's tokens: what the bins of its streams hold, added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact, FileEntry, Manifest
from dataprep.tokens import INDEX_NAME, BinSummary, write_index
from pipelines.token_sources import SourcePlan

_PACKAGES = ("gigatoken", "numpy", "pyarrow")


def publish_tokens(
    plan: SourcePlan, results: Sequence[Mapping[str, Any]], tokenizer: Mapping[str, Any]
) -> None:
    """Write the index and the manifest of one source; its bins are written already.

    Args:
        plan: the source.
        results: what the reductions of the source's buckets returned, in the order of the buckets.
        tokenizer: what ``record_tokenizer`` returned.
    """
    summaries: dict[str, list[BinSummary]] = {class_name: [] for class_name in plan.layout.classes}
    for result in results:
        summaries[result["class"]].append(BinSummary(**result["summary"]))
    write_index(storage.join(plan.folder, INDEX_NAME), summaries)
    files = [FileEntry(**result["file"]) for result in results if result["file"] is not None]
    classes = {name: _class_details(bins) for name, bins in summaries.items()}
    every_bin = [one for bins in summaries.values() for one in bins]
    licenses = {str(table.manifest.details["license"]) for table in plan.documents}
    manifest = Manifest(
        kind="tokens",
        name=f"{tokenizer['name']}/{plan.source.name}",
        fingerprint=plan.fingerprint,
        inputs=plan.inputs,
        config=plan.config,
        seed=plan.config["seed"],
        counts=artifacts.sum_counts(
            {name: details[name] for name in ("documents", "tokens", "text_bytes")}
            for details in classes.values()
        ),
        files=(*files, artifacts.describe_file(plan.folder, INDEX_NAME)),
        details={
            "source": plan.source.name,
            "license": "; ".join(sorted(licenses)),
            "classes": classes,
            "collections": _by_collection(plan.documents, every_bin),
            "tokenizer": dict(tokenizer),
        },
        packages=artifacts.package_versions(*_PACKAGES),
    )
    artifacts.publish(plan.folder, manifest)


def _class_details(bins: Sequence[BinSummary]) -> dict[str, Any]:
    histogram = np.zeros(64, dtype=np.int64)
    for one in bins:
        histogram[: len(one.length_histogram)] += np.array(one.length_histogram, dtype=np.int64)
    return {
        "documents": sum(sum(one.num_docs) for one in bins),
        "tokens": sum(sum(one.num_tokens) for one in bins),
        "text_bytes": sum(one.text_bytes for one in bins),
        "blocks": sum(len(one.num_docs) for one in bins),
        "bins": sum(1 for one in bins if one.num_docs),
        # Element k: documents of 2**k to 2**(k + 1) - 1 tokens.
        "length_histogram": np.trim_zeros(histogram, "b").tolist(),
    }


def _by_collection(documents: Sequence[Artifact], bins: Sequence[BinSummary]) -> dict[str, dict[str, int]]:
    names = {str(a.manifest.details["number"]): a.manifest.name for a in documents}
    totals: dict[str, dict[str, int]] = {}
    for one in bins:
        for number, (num_docs, num_tokens) in one.collections.items():
            total = totals.setdefault(names[number], {"documents": 0, "tokens": 0})
            total["documents"] += num_docs
            total["tokens"] += num_tokens
    return dict(sorted(totals.items()))
