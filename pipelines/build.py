"""Build: the whole chain for one mixture, skipping every step that is published already.

::

    raw files -> documents/ -> duplicates/ -> contamination/ -> tokens/ -> plan/ -> shards/

The record of a build, ``builds/<mixture>.json``, is written last: it names every artifact that
belongs together, and is what ``stats``, ``verify``, ``trace`` and the loader start from.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact
from dataprep.cleaning import CleaningConfig
from dataprep.dedup import SignatureConfig
from dataprep.mixture import ALL, Mixture, load_mixture
from dataprep.plan import plan_text
from dataprep.sources import load_catalog
from dataprep.tokenizers import Tokenizer, load_tokenizer
from pipelines.decontaminate import decontaminate
from pipelines.deduplicate import deduplicate
from pipelines.engine import Engine, ExchangeKind, ProgressSink
from pipelines.ingest import ingest
from pipelines.mix import mix
from pipelines.planning import PublishedPlan, check_some_tokens, empty_sources, publish_plans
from pipelines.progress import TerminalProgress
from pipelines.selection import Selection, select
from pipelines.token_sources import TokenSource
from pipelines.tokenization import tokenize

Announce = Callable[[str], None]

_SMALL_INPUT_BYTES = 16 << 20
"""Below this much raw data, starting worker processes costs more time than it saves."""


@dataclass(frozen=True)
class BuildOptions:
    """What the command line can say about a build; everything else stands in the YAML files."""

    output: str
    data_root: str | None = None
    tokens: int | None = None
    stage: str | None = None
    seed: int | None = None
    vocab: str | None = None
    skip_missing: bool = False
    skip_bad_files: bool = False
    workers: int | None = None
    exchange: ExchangeKind | None = None
    beam_options: tuple[str, ...] = ()
    catalog: str | None = None


@dataclass(frozen=True)
class BuildResult:
    """What a build published: the record that stands in ``builds/<mixture>.json``."""

    output: str
    mixture: Mixture
    record: Mapping[str, Any] = field(repr=False)


def build(mixture_name: str, options: BuildOptions, *, announce: Announce) -> BuildResult:
    """Build a mixture; every step that is published and unchanged is skipped.

    Args:
        mixture_name: a YAML file, or the name of a mixture that ships.
        announce: gets a few lines for a person to read.

    Raises:
        UsageError: recipe, options or raw files are wrong; nothing was started.
        BuildError: a step failed; what was published before it stays and is used again.
    """
    mixture = configured(load_mixture(mixture_name), tokens=options.tokens, seed=options.seed)
    if options.stage is not None:
        mixture.stage(options.stage)
    catalog = load_catalog(options.catalog)
    selection = select(mixture, catalog, data_root=options.data_root, skip_missing=options.skip_missing)
    tokenizer = load_tokenizer(mixture.tokenizer, vocab_path=options.vocab)
    if selection.notice:
        announce(selection.notice)
    engine = _engine(options, selection)
    documents = ingest(
        selection.collections,
        config=CleaningConfig(signature=_signature_of(selection.mixture)),
        skip_bad_files=options.skip_bad_files,
        output=options.output,
        engine=engine,
    )
    return _from_documents(selection, documents, tokenizer, options, engine, announce)


def configured(mixture: Mixture, *, tokens: int | None, seed: int | None) -> Mixture:
    """Return the mixture as the command line changes it."""
    if seed is not None:
        mixture = mixture.model_copy(update={"seed": seed})
    return mixture if tokens is None else mixture.scaled(tokens)


def _signature_of(mixture: Mixture) -> SignatureConfig:
    """Return the part of the mixture's deduplication that document tables depend on."""
    return SignatureConfig(**{name: getattr(mixture.dedup, name) for name in SignatureConfig.model_fields})


def _engine(options: BuildOptions, selection: Selection) -> Engine:
    size_bytes = sum(file.size_bytes for collection, _ in selection.collections for file in collection.files)
    enough = size_bytes > _SMALL_INPUT_BYTES
    workers = options.workers or ((os.cpu_count() or 1) if enough else 1)
    progress: ProgressSink = TerminalProgress()
    return Engine(options.beam_options, workers, progress, options.exchange)


def _from_documents(
    selection: Selection,
    documents: Mapping[str, Artifact],
    tokenizer: Tokenizer,
    options: BuildOptions,
    engine: Engine,
    announce: Announce,
) -> BuildResult:
    """Deduplicate, tokenize, plan and mix what was ingested; write the build's record."""
    mixture = selection.mixture
    ranks = survivor_ranks(mixture, documents)
    duplicates = deduplicate(
        mixture.name,
        documents=list(documents.values()),
        ranks=ranks,
        sources=mixture.survivor_order,
        config=mixture.dedup,
        output=options.output,
        engine=engine,
    )
    contamination = None
    if mixture.decontamination is not None:
        contamination = decontaminate(
            mixture.name,
            documents=list(documents.values()),
            duplicates=duplicates,
            ranks=ranks,
            sources=mixture.survivor_order,
            config=mixture.decontamination,
            output=options.output,
            engine=engine,
        )
    stores = tokenize(
        documents=list(documents.values()),
        duplicates=duplicates,
        sources=[_token_source(mixture, name) for name in mixture.sources],
        tokenizer=tokenizer,
        seed=mixture.seed,
        holdout_fraction=mixture.holdout_fraction,
        tags=mixture.tags,
        contamination=contamination,
        output_root=options.output,
        engine=engine,
    )
    empty = empty_sources(stores)
    mixture, notice = check_some_tokens(empty, mixture, skip_missing=options.skip_missing)
    if notice:
        announce(notice)
    stores = {name: store for name, store in stores.items() if name in mixture.sources}
    plans = publish_plans(mixture, stores, output=options.output)
    announce(plan_text([one.plan for one in plans], mixture))
    shards = {
        one.plan.name: mix(
            plan=one.plan,
            plan_artifact=one.artifact,
            token_stores=stores,
            mixture=mixture,
            tokenizer=tokenizer.spec,
            output_root=options.output,
            engine=engine,
        )
        for one in plans
        if options.stage in (None, one.plan.name)
    }
    lists = {"duplicates": duplicates} | ({"contamination": contamination} if contamination else {})
    record = _record(mixture, selection, documents, lists, stores, plans, shards, tokenizer, options)
    artifacts.write_sealed_json(record_path(options.output, mixture.name), record)
    return BuildResult(options.output, mixture, record)


def survivor_ranks(mixture: Mixture, documents: Mapping[str, Artifact]) -> dict[tuple[str, str], int]:
    """Return the rank of each (collection, subset) that the mixture selects: the lowest survives."""
    rank_of = {source: rank for rank, source in enumerate(mixture.survivor_order)}
    ranks = {}
    for collection, artifact in documents.items():
        details = artifact.manifest.details
        for subset in details["subsets"]:
            source = mixture.source_of(details["corpus"], subset)
            if source is not None:
                ranks[collection, subset] = rank_of[source]
    return ranks


def record_path(output: str, mixture_name: str) -> str:
    """Return where the record of a mixture's last build stands."""
    return storage.join(output, "builds", f"{mixture_name}.json")


def _token_source(mixture: Mixture, name: str) -> TokenSource:
    source = mixture.sources[name]
    subsets = None if source.subsets == ALL else tuple(source.subsets)
    return TokenSource(name, source.corpus, subsets, mixture.long_boundary(name))


def _record(
    mixture: Mixture,
    selection: Selection,
    documents: Mapping[str, Artifact],
    lists: Mapping[str, Artifact],
    stores: Mapping[str, Artifact],
    plans: list[PublishedPlan],
    shards: Mapping[str, Artifact],
    tokenizer: Tokenizer,
    options: BuildOptions,
) -> dict[str, Any]:
    """Return what belongs together, without a path of this machine: outputs can be moved."""

    def relative(artifact: Artifact) -> str:
        return artifact.folder.removeprefix(options.output).lstrip("/")

    left_out = [
        name for name in (*selection.skipped, *selection.mixture.sources) if name not in mixture.sources
    ]
    return {
        "format_version": artifacts.FORMAT_VERSION,
        "mixture": mixture.name,
        "mixture_config": mixture.model_dump(mode="json", by_alias=True),
        "options": {"tokens": options.tokens, "stage": options.stage, "seed": options.seed},
        "tokenizer": tokenizer.spec.name,
        "vocab_sha256": tokenizer.spec.sha256,
        "skipped_sources": left_out,
        "source_index": mixture.source_ids,
        "stages": list(shards),
        "artifacts": {
            "documents": {name: relative(artifact) for name, artifact in documents.items()},
            **{kind: relative(artifact) for kind, artifact in lists.items()},
            "tokens": {name: relative(artifact) for name, artifact in stores.items()},
            "plan": {one.plan.name: relative(one.artifact) for one in plans},
            "shards": {name: relative(artifact) for name, artifact in shards.items()},
        },
    }
