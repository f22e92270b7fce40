"""Plan: how many rows of each source a stage gets, from the sizes of the token stores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact, Manifest
from dataprep.errors import PlanError
from dataprep.mixture import Mixture, format_count
from dataprep.plan import StagePlan, StreamSize, plan_json, plan_mixture, plan_text

PLAN_FILE = "plan.json"


@dataclass(frozen=True)
class PublishedPlan:
    """A stage's plan and the artifact that holds it."""

    plan: StagePlan
    artifact: Artifact


def available_tokens(stores: Mapping[str, Artifact]) -> dict[tuple[str, str], StreamSize]:
    """Return what the token stores hold, by source and length class."""
    return {
        (source, name): StreamSize(counts["tokens"], counts["documents"])
        for source, artifact in stores.items()
        for name, counts in artifact.manifest.details["classes"].items()
    }


def empty_sources(stores: Mapping[str, Artifact]) -> tuple[str, ...]:
    """Return the sources whose token store has no token to train on."""
    return tuple(name for name, artifact in stores.items() if not artifact.manifest.counts["tokens"])


def publish_plans(mixture: Mixture, stores: Mapping[str, Artifact], *, output: str) -> list[PublishedPlan]:
    """Plan every stage of a mixture and publish the plans.

    Raises:
        PlanError: the mixture cannot be realised with the tokens there are.
    """
    plans = plan_mixture(mixture, available_tokens(stores))
    return [publish_plan(plan, mixture, stores, output=output) for plan in plans]


def publish_plan(
    plan: StagePlan, mixture: Mixture, stores: Mapping[str, Artifact], *, output: str
) -> PublishedPlan:
    """Publish one plan, unless it is published already."""
    value = plan.to_json()
    sources = dict.fromkeys(stream.source for stream in plan.streams)
    inputs = {f"tokens/{name}": stores[name].manifest.fingerprint for name in sources}
    fingerprint = artifacts.fingerprint_of("plan", config=value, inputs=inputs)
    folder = artifacts.folder_of(output, "plan", f"{mixture.name}/{plan.name}", fingerprint)
    if artifacts.is_published(folder):
        return PublishedPlan(plan, artifacts.open_artifact(folder, kind="plan"))
    storage.write_json(storage.join(folder, PLAN_FILE), value)
    manifest = Manifest(
        kind="plan",
        name=f"{mixture.name}/{plan.name}",
        fingerprint=fingerprint,
        inputs=inputs,
        config=value,
        seed=mixture.seed,
        counts={"rows": plan.num_rows, "tokens": plan.num_tokens, "shards": plan.num_shards},
        files=(artifacts.describe_file(folder, PLAN_FILE),),
        packages=artifacts.package_versions(),
    )
    return PublishedPlan(plan, artifacts.publish(folder, manifest))


def preview(mixture: Mixture, *, output: str, as_json: bool) -> str:
    """Return what a build of this mixture would take from each source, as text or JSON.

    The sizes of the sources come from the token stores of an earlier build in ``output``, whatever
    number of tokens that build was for. Where there is none, the table shows what the mixture
    asks for.
    """
    stores = stores_of_build(output, mixture.name)
    if stores is None:
        return _requested(mixture, as_json=as_json)
    missing = tuple(name for name in mixture.sources if name not in stores)
    remaining, notice = mixture.without(missing)
    plans = plan_mixture(remaining, available_tokens(stores))
    if as_json:
        return _json(plan_json(plans, remaining) | {"left_out": list(missing)})
    return (notice + "\n" if notice else "") + plan_text(plans, remaining)


def stores_of_build(output: str, mixture_name: str) -> dict[str, Artifact] | None:
    """Return the token stores of the last build of a mixture by source, or None."""
    record_path = storage.join(output, "builds", f"{mixture_name}.json")
    if not storage.exists(record_path):
        return None
    folders: Mapping[str, str] = artifacts.read_sealed_json(record_path)["artifacts"]["tokens"]
    return {
        name: artifacts.open_artifact(storage.join(output, folder), kind="tokens")
        for name, folder in folders.items()
    }


def _requested(mixture: Mixture, *, as_json: bool) -> str:
    """Show a mixture of which nothing is built yet: what it asks for, and what was published."""
    rows: list[dict[str, Any]] = []
    for stage in mixture.stages:
        total = sum(source.weight or 0.0 for source in stage.sources.values())
        for name, source in stage.sources.items():
            share = None if source.weight is None else source.weight / total
            rows.append(
                {
                    "stage": stage.name,
                    "source": name,
                    "corpus": mixture.sources[name].corpus,
                    "weight_share": share,
                    "epochs": source.epochs,
                    "tokens": source.tokens,
                    "published": source.published.model_dump(exclude_none=True) if source.published else None,
                }
            )
    if as_json:
        return _json({"mixture": mixture.name, "built": False, "requested": rows})
    lines = [mixture.summary(), "nothing is built yet, so this is what the mixture asks for:"]
    for row in rows:
        asked = (
            f"weight {row['weight_share']:.4f}"
            if row["weight_share"] is not None
            else f"{row['epochs']:g} epochs"
            if row["epochs"] is not None
            else f"{format_count(row['tokens'])} tokens"
        )
        published = row["published"] or {}
        epochs = f"  published epochs {published['epochs']:g}" if "epochs" in published else ""
        lines.append(f"  {row['stage']:<12} {row['source']:<20} {row['corpus']:<16} {asked}{epochs}")
    return "\n".join(lines) + "\n"


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def check_some_tokens(sources: Sequence[str], mixture: Mixture, *, skip_missing: bool) -> tuple[Mixture, str]:
    """Deal with sources of which no document is left: leave them out, or stop.

    Raises:
        PlanError: sources are empty and may not be left out.
    """
    if sources and not skip_missing:
        raise PlanError(
            f"mixture {mixture.name}: no document is left of {', '.join(sources)}: their subsets are not in "
            "the raw files or every document was dropped (dataprep stats tells why). Add raw files, take the "
            "sources out of the mixture, or renormalise the weights without them: --missing skip"
        )
    return mixture.without(sources)
