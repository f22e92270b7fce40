"""Finding the stages of a stream: from the record of a build, or from folders of shards."""

from __future__ import annotations

from collections.abc import Sequence

from dataprep import artifacts, storage
from dataprep.errors import UsageError, nearest
from dataprep.loader.order import WINDOW_SHARDS
from dataprep.loader.stream import TokenStream

VALIDATION_STAGE = "validation"
"""The stage of held-out documents: a part of a build, but of a training stream only if named."""


def open_stream(
    source: str | Sequence[str],
    *,
    stages: Sequence[str] | None = None,
    epochs: int | Sequence[int] = 1,
    window_shards: int = WINDOW_SHARDS,
) -> TokenStream:
    """Open the stages of a mixture as one stream.

    Args:
        source: ``OUT/builds/<mixture>.json`` of a build, or the folder of one stage's shards, or
            such folders in the order of the stages. Paths may be local or URLs (s3://, gs://,
            hf://, https://).
        stages: names of the stages to take from a build; default: all but "validation".
        epochs: how often each stage is read before the next begins; one number for all, or one
            for each. Epochs that the mixture already holds are in the shards and not meant here.
        window_shards: how many shards later epochs mix with each other; part of the order, so it
            must stay the same over a run.

    Raises:
        UsageError: nothing of the kind is there, or the stages do not fit together.
        ArtifactError: a stage is unfinished or damaged.
    """
    if isinstance(source, str):
        folders = _folders_of_build(source, stages) if source.endswith(".json") else [source]
    else:
        folders = list(source)
    if stages is not None and not (isinstance(source, str) and source.endswith(".json")):
        raise UsageError("stages= chooses from a build's JSON file; with folders, give those of the stages")
    if not folders:
        raise UsageError("a stream needs at least one stage")
    each = [epochs] * len(folders) if isinstance(epochs, int) else list(epochs)
    if len(each) != len(folders) or any(n < 1 for n in each):
        raise UsageError(
            f"epochs={epochs!r}: give one number of at least 1, or one for each of {len(folders)} stages"
        )
    if window_shards < 1:
        raise UsageError(f"window_shards={window_shards} must be at least 1")
    return TokenStream(folders, epochs=each, window_shards=window_shards)


def _folders_of_build(path: str, stages: Sequence[str] | None) -> list[str]:
    if not storage.exists(path):
        raise UsageError(f"{path}: no such file; `dataprep build` writes OUTPUT/builds/<mixture>.json")
    build = artifacts.read_sealed_json(path)
    try:
        order, folders = list(build["stages"]), dict(build["artifacts"]["shards"])
    except (KeyError, TypeError) as error:
        raise UsageError(f"{path}: not the record of a build (it has no {error})") from error
    chosen = [name for name in order if name != VALIDATION_STAGE] if stages is None else list(stages)
    for name in chosen:
        if name not in folders:
            raise UsageError(f"{path}: no shards of a stage {name!r}; {nearest(name, folders)}")
    builds = path.rpartition("/")[0]
    root = builds.rpartition("/")[0] or ("/" if builds.startswith("/") else "." if builds else "..")
    return [storage.join(root, folders[name]) for name in chosen]
