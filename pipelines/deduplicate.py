"""Deduplicate: document tables to the list of documents that each of their parts loses.

Three passes, each among the documents that the ones before it left: exact copies, in all
sources; web pages with the same URL; near-duplicates, in all sources. Then the clusters over
the edges of all passes are closed, and the best document of each survives. What moves between
workers are hashes and, of candidates only, signatures; never text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact, FileEntry, Manifest
from dataprep.dedup.config import DedupConfig
from dataprep.dedup.removals import KINDS
from pipelines.dedup_clusters import Stars, close_all, write_removals
from pipelines.dedup_keys import Drops, PassResult, find_equal_keys
from pipelines.dedup_near import find_near_duplicates
from pipelines.dedup_spans import Ranks, Sizing, Span, check_signatures, plan_spans, write_spans
from pipelines.engine import Engine

WORK_FOLDER = "_work"


def deduplicate(
    name: str,
    *,
    documents: Sequence[Artifact],
    ranks: Ranks,
    sources: Sequence[str],
    config: DedupConfig,
    output: str,
    engine: Engine,
    sizing: Sizing | None = None,
) -> Artifact:
    """Find the duplicates among the documents that a mixture selects; publish ``duplicates/<name>``.

    Args:
        name: name of the mixture.
        documents: document tables, with signatures.
        ranks: for each (collection, subset) that takes part the index in ``sources`` of the
            mixture source that selects it.
        sources: names of the mixture sources, the one whose copies survive first.
        output: root of all artifacts.
        sizing: how much a task handles at once; changes no result.

    Raises:
        ConfigError: documents were signed in another way than ``config`` says.
    """
    sizing = sizing if sizing is not None else Sizing()
    identity = {
        # How clusters are closed changes no result.
        "dedup": config.model_dump(mode="json", exclude={"clusters", "max_edges_one_task"}),
        "sources": list(sources),
        "ranks": [[collection, subset, rank] for (collection, subset), rank in sorted(ranks.items())],
    }
    inputs = {artifact.manifest.name: artifact.manifest.fingerprint for artifact in documents}
    fingerprint = artifacts.fingerprint_of("duplicates", config=identity, inputs=inputs)
    folder = artifacts.folder_of(output, "duplicates", name, fingerprint)
    if artifacts.is_published(folder):
        # A run that was stopped after it had published may have left its work.
        storage.remove_tree(storage.join(folder, WORK_FOLDER))
        return artifacts.open_artifact(folder, kind="duplicates")

    spans = plan_spans(documents, ranks, sizing=sizing)
    check_signatures(spans, config=config)
    run = _Run(spans, config, sizing, folder, engine)
    passes = run.find_edges()
    stars = run.close_clusters(passes)
    results = run.write_removals(stars, passes)
    statistics = _statistics(sources, passes, stars, results)
    manifest = Manifest(
        kind="duplicates",
        name=name,
        fingerprint=fingerprint,
        inputs=inputs,
        config=identity,
        seed=config.seed,
        counts=statistics["counts"],
        files=tuple(sorted((FileEntry(**f) for r in results for f in r["files"]), key=lambda e: e.path)),
        details=statistics["details"],
        packages=artifacts.package_versions("numba", "numpy", "pyarrow"),
    )
    published = artifacts.publish(folder, manifest)
    storage.remove_tree(storage.join(folder, WORK_FOLDER))
    return published


class _Run:
    """The steps of one deduplication, with what they all need."""

    def __init__(
        self, spans: Sequence[Span], config: DedupConfig, sizing: Sizing, folder: str, engine: Engine
    ) -> None:
        self._spans, self._config, self._sizing = spans, config, sizing
        self._folder, self._engine = folder, engine
        self._spans_folder = self._work("spans")
        self._forget_other_sizing()
        write_spans(spans, self._spans_folder)

    def _forget_other_sizing(self) -> None:
        """Start over where the work that is there was cut in other pieces: its buckets would not fit."""
        path, wanted = self._work("sizing.json"), asdict(self._sizing)
        if storage.exists(path) and storage.read_json(path) != wanted:
            storage.remove_tree(storage.join(self._folder, WORK_FOLDER))
        storage.write_json(path, wanted)

    def _work(self, name: str) -> str:
        return storage.join(self._folder, WORK_FOLDER, name)

    def find_edges(self) -> dict[str, PassResult]:
        """Run the passes in order; return what each found."""
        passes: dict[str, PassResult] = {}
        if not self._spans:
            return passes
        shared: dict[str, Any] = {
            "config": self._config,
            "sizing": self._sizing,
            "spans_folder": self._spans_folder,
            "engine": self._engine,
        }
        passes["exact"] = find_equal_keys(
            "exact", self._spans, drops=Drops(), work_folder=self._work("exact"), **shared
        )
        if self._config.url:
            passes["url"] = find_equal_keys(
                "url", self._spans, drops=_drops(passes), work_folder=self._work("url"), **shared
            )
        passes["near"] = find_near_duplicates(
            self._spans, drops=_drops(passes), work_folder=self._work("near"), **shared
        )
        return passes

    def close_clusters(self, passes: Mapping[str, PassResult]) -> Stars:
        """Close the clusters of all passes together, so that each has one survivor."""
        num_edges = sum(result.num_edges for result in passes.values())
        if num_edges == 0:
            return Stars((), {}, 0)
        return close_all(
            [path for result in passes.values() for path in result.edge_files],
            num_edges,
            config=self._config,
            sizing=self._sizing,
            work_folder=self._work("clusters"),
            engine=self._engine,
        )

    def write_removals(self, stars: Stars, passes: Mapping[str, PassResult]) -> list[dict[str, Any]]:
        """Write the removal lists; return the results of the spans."""
        if not stars.files:
            return []
        return write_removals(
            stars,
            self._spans,
            spans_folder=self._spans_folder,
            exact_drops=_drops(passes, "exact"),
            url_drops=_drops(passes, "url"),
            folder=self._folder,
            work_folder=self._work("removals"),
            engine=self._engine,
        )


def _drops(passes: Mapping[str, PassResult], *kinds: str) -> Drops:
    """Return the drop lists of some passes, or of all so far."""
    wanted = [passes[kind] for kind in (kinds or tuple(passes)) if kind in passes]
    return Drops(tuple(result.drops_folder for result in wanted if result.drops_folder is not None))


def _statistics(
    sources: Sequence[str],
    passes: Mapping[str, PassResult],
    stars: Stars,
    results: Sequence[Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Return the manifest's counts and details.

    ``details["across_sources"][kind][i][j]`` counts documents of source i that were removed in
    favour of a survivor in source j, in the order of ``details["sources"]``.
    """
    across = {kind: [[0] * len(sources) for _ in sources] for kind in KINDS}
    per_source = {
        source: {"documents": 0, "bytes": 0, **dict.fromkeys(KINDS, 0), "removed": 0, "removed_bytes": 0}
        for source in sources
    }
    for bucket in passes["exact"].counts if "exact" in passes else ():
        for rank, documents in bucket["documents_by_rank"].items():
            per_source[sources[int(rank)]]["documents"] += documents
            per_source[sources[int(rank)]]["bytes"] += bucket["bytes_by_rank"][rank]
    for result in results:
        for kind_index, rank, survivor_rank, documents, num_bytes in result["removed"]:
            kind = KINDS[kind_index]
            across[kind][rank][survivor_rank] += documents
            own = per_source[sources[rank]]
            own[kind] += documents
            own["removed"] += documents
            own["removed_bytes"] += num_bytes
    counts = {
        name: sum(own[name] for own in per_source.values())
        for name in ("documents", *KINDS, "removed", "removed_bytes")
    }
    counts["clusters"] = sum(stars.cluster_sizes.values())
    details = {
        "sources": list(sources),
        "per_source": per_source,
        "across_sources": across,
        "cluster_sizes": {str(size): count for size, count in sorted(stars.cluster_sizes.items())},
    }
    return {"counts": counts, "details": details}
