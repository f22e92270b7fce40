"""What tokenizing the sources of a mixture means, before any work: identities, bins, inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dataprep import artifacts
from dataprep.artifacts import Artifact
from dataprep.errors import ConfigError
from dataprep.tokenizers import TAGGED_CORPORA, TagPolicy, TokenizerSpec
from dataprep.tokens import BLOCK_TOKENS, EVERY_SUBSET, Layout

TARGET_BIN_BYTES = 96 << 20
"""Size of the ids of a bin before compression; a reduction needs about three times as much memory."""

TEXT_BYTES_PER_TOKEN = 3.5
"""To guess a source's size before it is tokenized: about 4.4 in English prose, 3 in code or Italian."""


@dataclass(frozen=True)
class TokenSource:
    """A mixture source as tokenization sees it."""

    name: str
    corpus: str
    subsets: tuple[str, ...] | None
    """None: all of the corpus."""
    min_long_tokens: int | None = None
    """Documents of at least so many tokens form a stream of their own."""

    def selects(self, subset: str) -> bool:
        """Tell whether documents of this subset belong to the source."""
        return self.subsets is None or subset in self.subsets

    def routed_subsets(self) -> tuple[str, ...]:
        """Return the subsets as ``Routes`` names them."""
        return (EVERY_SUBSET,) if self.subsets is None else self.subsets


@dataclass(frozen=True)
class SourcePlan:
    """The tokens of one source: what they are made of, and where they go."""

    source: TokenSource
    documents: tuple[Artifact, ...]
    """Document tables with documents of the source."""
    layout: Layout
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    fingerprint: str
    folder: str

    @property
    def is_published(self) -> bool:
        """Whether there is nothing to do."""
        return artifacts.is_published(self.folder)


def plan_sources(
    sources: Sequence[TokenSource],
    *,
    documents: Sequence[Artifact],
    duplicates: Artifact | None,
    contamination: Artifact | None = None,
    spec: TokenizerSpec,
    seed: int,
    holdout_fraction: float,
    tags: TagPolicy,
    output_root: str,
) -> list[SourcePlan]:
    """Return the plan of every source; only manifests are read.

    The number of bins follows from the documents' manifests, so it does not depend on how the
    work is done.

    Raises:
        ConfigError: two sources select the same subset, or a number is out of range.
    """
    _check_disjoint(sources)
    plans = []
    for source in sources:
        own = tuple(
            artifact
            for artifact in documents
            if artifact.manifest.details["corpus"] == source.corpus
            and count(artifact.manifest.details, source, "kept")
        )
        text_bytes = sum(count(artifact.manifest.details, source, "text_bytes") for artifact in own)
        layout = _layout(
            text_bytes / TEXT_BYTES_PER_TOKEN * spec.numpy_dtype.itemsize,
            holdout_fraction=holdout_fraction,
            min_long_tokens=source.min_long_tokens,
        )
        strips = tags == "strip" and source.corpus in TAGGED_CORPORA and not spec.tags
        config = {
            "tokenizer": spec.name,
            "vocabulary_sha256": spec.sha256,
            "source": source.name,
            "corpus": source.corpus,
            "subsets": None if source.subsets is None else sorted(source.subsets),
            "seed": seed,
            "tags": "strip" if strips else "keep_text",
            "block_tokens": BLOCK_TOKENS,
            **asdict(layout),
        }
        inputs = {f"documents/{artifact.manifest.name}": artifact.manifest.fingerprint for artifact in own}
        if duplicates is not None:
            inputs["duplicates"] = duplicates.manifest.fingerprint
        if contamination is not None and _takes_from(contamination, source):
            inputs["contamination"] = contamination.manifest.fingerprint
        fingerprint = artifacts.fingerprint_of("tokens", config=config, inputs=inputs)
        folder = artifacts.folder_of(output_root, "tokens", f"{spec.name}/{source.name}", fingerprint)
        plans.append(SourcePlan(source, own, layout, config, inputs, fingerprint, folder))
    return plans


def _takes_from(contamination: Artifact, source: TokenSource) -> bool:
    """Tell whether a search for evaluation items may have removed or cut documents of a source."""
    details = contamination.manifest.details
    return details["action"] != "report" and source.name in details["sources"]


def count(details: Mapping[str, Any], source: TokenSource, name: str) -> int:
    """Return a counter of the documents that a source selects.

    Args:
        details: of a documents manifest or of one of its parts.
        source: the source; the caller has compared the corpus.
        name: ``kept``, ``text_bytes``, ...
    """
    return sum(
        int(counts.get(name, 0)) for subset, counts in details["subsets"].items() if source.selects(subset)
    )


def _layout(id_bytes: float, *, holdout_fraction: float, min_long_tokens: int | None) -> Layout:
    return Layout(
        holdout_fraction=holdout_fraction,
        min_long_tokens=min_long_tokens,
        num_bins=max(1, math.ceil(id_bytes * (1 - holdout_fraction) / TARGET_BIN_BYTES)),
        num_holdout_bins=max(1, math.ceil(id_bytes * holdout_fraction / TARGET_BIN_BYTES)),
    )


def _check_disjoint(sources: Sequence[TokenSource]) -> None:
    """Refuse mixtures in which a document would belong to two sources."""
    for position, source in enumerate(sources):
        for other in sources[:position]:
            if other.name == source.name:
                raise ConfigError(f"two mixture sources have the name {source.name!r}")
            if other.corpus != source.corpus:
                continue
            if source.subsets is None or other.subsets is None:
                shared = "one of them takes all subsets"
            else:
                common = sorted(set(source.subsets) & set(other.subsets))
                if not common:
                    continue
                shared = ", ".join(common)
            raise ConfigError(
                f"mixture sources {other.name!r} and {source.name!r} both select from {source.corpus}: "
                f"{shared}; a document must belong to one source"
            )
