"""Continue: other weights from some row of a stage on, for a run that has trained on the rows before.

::

    parent   rows 0 ........ N ........ end        the stage that the run was started on
    child    rows 0 ........ N ~~~~~~~~ end        the parent's first N rows, then the new weights

The child's manifest lists the parent's files for the whole shards before row N. From N on every
stream goes on with what those rows left out, so that no row comes twice. The stages after it are
planned and written anew, since they go on where the child stops. The record of the build then
names the child: the loader takes a state of the parent up to row N there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact
from dataprep.errors import ConfigError, nearest
from dataprep.mixture import VALIDATION, Mixture, load_mixture
from dataprep.output import list_builds, output_of
from dataprep.plan import StagePlan, check_fork_row, plan_rest, plan_text
from dataprep.shards import ShardStage
from dataprep.tokenizers import load_recorded_tokenizer
from pipelines.build import Announce, BuildResult, configured, record_path
from pipelines.engine import Engine
from pipelines.mix import mix
from pipelines.planning import PLAN_FILE, available_tokens, publish_plan
from pipelines.progress import TerminalProgress

_MAY_DIFFER = ("name", "description", "seed", "max_epochs", "stages", "scale_to")
"""Parts of the mixture on which neither the token stores nor the numbers of the sources depend."""
_SAME_IN_STAGE = ("sequence_length", "packing", "boundaries")


@dataclass(frozen=True)
class ContinueOptions:
    """What the command line can say."""

    shards: str
    """Folder of the stage that the run was started on."""
    at_row: int
    tokens: int | None = None
    workers: int = 1
    beam_options: tuple[str, ...] = ()


def continue_stage(mixture_name: str, options: ContinueOptions, *, announce: Announce) -> BuildResult:
    """Write a stage that begins with rows of another one and goes on with other weights.

    Args:
        mixture_name: a YAML file, or the name of a mixture that ships: that of the build with
            other amounts in this stage or in later ones. Its seed does not matter, the order of
            the streams is fixed by the build's.
        announce: gets a few lines for a person to read.

    Raises:
        UsageError: the mixture is not one for these shards, or the weights cannot change there.
        BuildError: a step failed; the same command goes on where it stopped.
    """
    parent = ShardStage.open(options.shards.rstrip("/"))
    output, header = output_of(parent.artifact), parent.header
    parent_plan = _plan_of(parent, output)
    _check_row(parent, parent_plan, options.at_row)
    record = _record_naming(parent, output)
    mixture = configured(load_mixture(mixture_name), tokens=options.tokens, seed=header.seed)
    skipped = set(record.get("skipped_sources", ())) & set(mixture.sources)
    mixture, notice = mixture.without([name for name in mixture.sources if name in skipped])
    if notice:
        announce(notice)
    mixture = _checked(mixture, parent, record)
    stores = {
        name: artifacts.open_artifact(storage.join(output, folder), kind="tokens")
        for name, folder in record["artifacts"]["tokens"].items()
    }
    names = [name for name in record["artifacts"]["plan"] if name != VALIDATION]
    order = [stage.name for stage in mixture.stages]
    before = [name for name in order[: order.index(header.stage)] if name in names]
    plans = plan_rest(
        mixture,
        before=[_read_plan(storage.join(output, record["artifacts"]["plan"][name])) for name in before],
        parent=parent_plan,
        row=options.at_row,
        available=available_tokens(stores),
    )
    announce(plan_text(plans, mixture))
    engine = Engine(options.beam_options, options.workers, TerminalProgress(), None)
    recorded = next(iter(stores.values())).manifest.details["tokenizer"]
    tokenizer = load_recorded_tokenizer(recorded, output_root=output)
    made_plans, made_shards = {}, {}
    for plan in plans:
        published = publish_plan(plan, mixture, stores, output=output)
        made_plans[plan.name] = published.artifact
        made_shards[plan.name] = mix(
            plan=plan,
            plan_artifact=published.artifact,
            token_stores=stores,
            mixture=mixture,
            tokenizer=tokenizer.spec,
            output_root=output,
            engine=engine,
            parent=parent if plan.fork_row else None,
        )
    new = _record(record, mixture, before, made_plans, made_shards, output)
    artifacts.write_sealed_json(record_path(output, mixture.name), new)
    return BuildResult(output, mixture, new)


def _plan_of(stage: ShardStage, output: str) -> StagePlan:
    """Return the plan that a stage was made from."""
    manifest = stage.artifact.manifest
    fingerprint = manifest.inputs.get("plan", "")
    return _read_plan(artifacts.folder_of(output, "plan", manifest.name, fingerprint))


def _read_plan(folder: str) -> StagePlan:
    artifact = artifacts.open_artifact(folder, kind="plan")
    return StagePlan.from_json(storage.read_json(artifact.path(PLAN_FILE)))


def _check_row(parent: ShardStage, plan: StagePlan, row: int) -> None:
    forks = parent.header.forks
    if forks and row < forks[0].row:
        raise ConfigError(
            f"row {row:,} of {parent.artifact.folder} is one that it has from {forks[0].folder}, which it "
            f"left at row {forks[0].row:,}: continue from those shards"
        )
    check_fork_row(plan, row)


def _record_naming(parent: ShardStage, output: str) -> dict[str, Any]:
    """Return the record of the build that a stage belongs to, or of one that went on from it.

    Raises:
        ConfigError: there is none, so the token stores are not known.
    """
    own = parent.artifact.folder.removeprefix(output).lstrip("/")
    for path in list_builds(output):
        record = artifacts.read_sealed_json(path)
        folder = record["artifacts"]["shards"].get(parent.header.stage)
        if folder is None:
            continue
        known = {folder, *(f.folder for f in ShardStage.open(storage.join(output, folder)).header.forks)}
        if own in known:
            return record
    raise ConfigError(
        f"{parent.artifact.folder}: no build in {output} names these shards; give the folder that stands "
        f"under artifacts.shards in builds/{parent.header.mixture}.json"
    )


def _checked(mixture: Mixture, parent: ShardStage, record: Mapping[str, Any]) -> Mixture:
    """Return the mixture with its sources in the order of their numbers in the rows.

    Raises:
        ConfigError: it is not the build's mixture but for amounts.
    """
    header = parent.header
    place = f"mixture {mixture.name} does not continue {parent.artifact.folder}"
    built = Mixture.model_validate(record["mixture_config"])
    names = parent.source_names
    for name in mixture.sources:
        if name not in names:
            raise ConfigError(f"{place}: its source {name!r} is not in the shards; {nearest(name, names)}")
    for name in names:
        if name not in mixture.sources:
            raise ConfigError(
                f"{place}: it lacks their source {name!r}; keep it, in a later stage or with a small weight"
            )
    for field in sorted(Mixture.model_fields.keys() - set(_MAY_DIFFER)):
        if getattr(mixture, field) != getattr(built, field):
            raise ConfigError(f"{place}: it differs in `{field}`, but only amounts of stages may change")
    for name in names:
        if mixture.long_boundary(name) != built.long_boundary(name):
            raise ConfigError(
                f"{place}: upsample_long of {name!r} has min_tokens that its token store has not"
            )
    order = [stage.name for stage in mixture.stages]
    built_order = [stage.name for stage in built.stages]
    mixture.stage(header.stage)
    until = built_order.index(header.stage) + 1
    if order[:until] != built_order[:until]:
        raise ConfigError(
            f"{place}: its stages begin with {order[:until]}, the build's {built_order[:until]}"
        )
    stage, built_stage = mixture.stage(header.stage), built.stage(header.stage)
    for field in _SAME_IN_STAGE:
        if getattr(stage, field) != getattr(built_stage, field):
            raise ConfigError(
                f"{place}: stage {stage.name} differs in `{field}`, which cannot change inside a stage"
            )
    return mixture.model_copy(update={"sources": {name: mixture.sources[name] for name in names}})


def _record(
    old: Mapping[str, Any],
    mixture: Mixture,
    before: Sequence[str],
    plans: Mapping[str, Artifact],
    shards: Mapping[str, Artifact],
    output: str,
) -> dict[str, Any]:
    """Return the record of the build as it goes on: stages before and validation are the old ones."""

    def merged(kind: str, made: Mapping[str, Artifact]) -> dict[str, str]:
        kept = {
            name: folder for name, folder in old["artifacts"][kind].items() if name in (*before, VALIDATION)
        }
        return kept | {name: a.folder.removeprefix(output).lstrip("/") for name, a in made.items()}

    groups = {"plan": merged("plan", plans), "shards": merged("shards", shards)}
    order = (*before, *shards, VALIDATION)
    return {
        **old,
        "mixture": mixture.name,
        "mixture_config": mixture.model_dump(mode="json", by_alias=True),
        "options": {**old.get("options", {}), "tokens": mixture.scale_to},
        "stages": [name for name in order if name in groups["shards"]],
        "artifacts": {**old["artifacts"], **groups},
    }
