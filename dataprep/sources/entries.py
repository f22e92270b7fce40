"""What the catalogue says of one corpus: where it lies, how it is read, on what terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from dataprep.documents import MAX_COLLECTION
from dataprep.errors import SourceError, nearest
from dataprep.sources.license_columns import license_column
from dataprep.sources.own_rules import LicenseRules, PerplexityRules, QualityRules, UrlRules
from dataprep.text.edits import Edit
from dataprep.yaml_models import Frozen


class HubFiles(Frozen):
    """The raw files lie under one URL that fsspec can list."""

    kind: Literal["files"]
    root: str
    """e.g. ``hf://datasets/uonlp/CulturaX`` or ``s3://bucket/culturax``; globs are below it."""
    revision: str | None = None
    """Branch, tag or commit of a hub repository."""

    @property
    def url(self) -> str:
        """The root with its revision."""
        return self.root if self.revision is None else f"{self.root}@{self.revision}"


class HubUrlList(Frozen):
    """The raw files are named by text files with one URL a line."""

    kind: Literal["url_list"]
    lists: str
    """Where the list of a subset lies; ``{subset}`` is replaced."""
    base: str
    """What every URL begins with; the rest of a URL is the raw file's origin."""


class HubDataset(Frozen):
    """The rows are streamed by the ``datasets`` library, one raw file for each of its shards."""

    kind: Literal["datasets"]
    path: str
    """Dataset on the hub, or the name of a packaged builder (``csv``, ``json``, ``parquet``...)."""
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    data_files: tuple[str, ...] = ()
    """URLs or paths for a packaged builder, or files inside the hub repository."""


Hub = Annotated[HubFiles | HubUrlList | HubDataset, Field(discriminator="kind")]


class Columns(Frozen):
    """Which raw columns become which document columns; what is not named goes to ``meta``."""

    text: str = "text"
    url: str | None = None
    timestamp: str | None = None
    language: str | None = None
    license: str | None = None
    ignored: tuple[str, ...] = ()
    """Columns that are not even read."""


_LAYOUT_OF = {
    "refinedweb": "whole",
    "pile": "whole",
    "redpajama": "folders",
    "starcoder": "folders",
    "culturax": "folders",
}
_REFUSED_REPOSITORIES = {
    "EleutherAI/the_pile_deduplicated": "its rows have no meta.pile_set_name, so Books3 cannot be removed",
}


def _check_not_refused(hub: HubFiles | HubUrlList | HubDataset | None) -> None:
    """Refuse repositories that may not be read by any adapter."""
    place = hub.root if isinstance(hub, HubFiles) else hub.path if isinstance(hub, HubDataset) else ""
    for repository, reason in _REFUSED_REPOSITORIES.items():
        if repository.lower() in place.lower():
            raise ValueError(f"hub: {repository} is refused: {reason}")


class SubsetEntry(Frozen):
    """What differs for one subset; an absent value is the corpus's."""

    globs: tuple[str, ...] = ()
    filters: str | None = None
    language: str | None = None
    license: str | None = None
    web: bool | None = None
    code: bool | None = None
    columns: Columns | None = None
    licenses: LicenseRules | None = None
    quality: QualityRules | None = None
    perplexity: PerplexityRules | None = None
    edits: tuple[Edit, ...] | None = None
    excluded: str | None = None
    """The exclusion reason of all rows of this subset, e.g. ``excluded_books3``."""
    aliases: tuple[str, ...] = ()
    """Other spellings found in raw rows."""
    notes: str = ""


@dataclass(frozen=True)
class SubsetSettings:
    """Everything that holds for the rows of one subset."""

    name: str
    filters: str
    language: str | None
    license: str
    web: bool
    code: bool
    columns: Columns
    excluded: str | None
    licenses: LicenseRules | None = None
    quality: QualityRules | None = None
    perplexity: PerplexityRules | None = None
    edits: tuple[Edit, ...] | None = None
    """What is done to its texts in place of what the preset does; None: what the preset does."""
    preset: str = ""
    """Name of its filters among those of the corpus: the preset's, and the subset's where it has licences, a
    model or edits of its own."""


class CorpusEntry(Frozen):
    """One corpus of the catalogue."""

    name: str
    number: int = Field(ge=1, le=MAX_COLLECTION)
    reserved: int = Field(default=1, ge=1)
    """How many collection numbers this corpus owns."""
    title: str
    homepage: str
    adapter: Literal["refinedweb", "redpajama", "pile", "starcoder", "culturax", "generic"]
    layout: Literal["whole", "folders"]
    """``folders``: one collection for each subset. ``whole``: one for the corpus."""
    local_name: str
    """The folder under ``--data-root``."""
    hub: Hub | None = None
    no_hub: str = ""
    """Why there is no hub location, and where to get the corpus."""
    globs: tuple[str, ...] = ()
    """Raw files below the root; ``{subset}`` is replaced by the subset's name."""
    held_out: tuple[str, ...] = ()
    """Globs of raw files that are counted and never trained on."""
    columns: Columns = Columns()
    filters: str
    """Filter preset, see ``dataprep.filters.PRESETS``."""
    licenses: LicenseRules | None = None
    """The licences that a document of this corpus may have, by what its own row says; any other, and a row
    that says nothing, is dropped before all other rules."""
    url_lists: UrlRules | None = None
    """Lists of URLs and words that drop documents of this corpus, before its preset's filters."""
    quality: QualityRules | None = None
    """A classifier that judges the documents of this corpus, after its preset's filters."""
    perplexity: PerplexityRules | None = None
    """A language model that judges the documents of this corpus, after its preset's filters."""
    edits: tuple[Edit, ...] | None = None
    """What is done to the texts of this corpus in place of what its preset does; code stays as it is."""
    language: str | None = None
    license: str
    license_url: str = ""
    gating: str = ""
    """What must be accepted before a download works; empty when nothing."""
    web: bool = False
    """URL deduplication applies."""
    code: bool = False
    """The text is program code: normalisation touches only newlines and NUL."""
    allow_tags: bool = False
    """Tags like ``<reponame>`` in the text are StarCoder's own and become special tokens."""
    max_bad_ratio: float = Field(default=0.001, ge=0, le=1)
    """Largest share of unreadable rows over the whole corpus."""
    exclusions: dict[str, str] = Field(default_factory=dict)
    """Exclusion reason to what is excluded and why."""
    subsets: dict[str, SubsetEntry] = Field(min_length=1)
    notes: str = ""

    @field_validator("local_name")
    @classmethod
    def _one_folder(cls, value: str) -> str:
        if not value or "/" in value or value.startswith("."):
            raise ValueError("must be the name of one folder")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> CorpusEntry:
        if self.layout == "folders" and len(self.subsets) > self.reserved:
            raise ValueError(
                f"{len(self.subsets)} subsets but only {self.reserved} collection numbers are reserved"
            )
        if self.number + self.reserved - 1 > MAX_COLLECTION:
            raise ValueError(f"collection numbers end at {MAX_COLLECTION}")
        if self.hub is None and not self.no_hub:
            raise ValueError("give hub, or say in no_hub where to get the corpus")
        if self.adapter in _LAYOUT_OF and self.layout != _LAYOUT_OF[self.adapter]:
            raise ValueError(f"the adapter {self.adapter!r} reads layout {_LAYOUT_OF[self.adapter]!r}")
        if self.layout == "whole" and len(self.subsets) > 1 and self.adapter != "pile":
            raise ValueError(
                "only one subset can be read whole, since nothing in a row tells several apart: use "
                "layout 'folders'"
            )
        has_urls = self.columns.url is not None or any(self.settings(name).web for name in self.subsets)
        if self.url_lists is not None and not has_urls:
            raise ValueError("url_lists: the rows have no URL (no columns.url, and no subset is web)")
        self._check_licenses()
        _check_not_refused(self.hub)
        streamed = isinstance(self.hub, HubDataset)
        for name, subset in self.subsets.items():
            if self.layout == "whole" and subset.globs:
                raise ValueError(f"subsets.{name}.globs: only the corpus has globs with layout 'whole'")
            if self.layout == "folders" and not streamed and not (subset.globs or self.globs):
                raise ValueError(f"subsets.{name}: no globs here nor at the corpus")
            if subset.excluded is not None and subset.excluded not in self.exclusions:
                raise ValueError(f"subsets.{name}.excluded: {subset.excluded!r} is not in exclusions")
        if self.layout == "whole" and not streamed and not self.globs:
            raise ValueError("no globs")
        if self.layout == "folders" and streamed:
            raise ValueError("hub: a corpus that is streamed by datasets has layout 'whole'")
        return self

    def _check_licenses(self) -> None:
        """Refuse an allow-list where no row could say what its licence is: nothing would be left."""
        ruled = [name for name in self.selectable if self.settings(name).licenses is not None]
        mute = [name for name in ruled if self.license_column(name) is None]
        if mute:
            shown = ", ".join(mute[:4]) + (f" and {len(mute) - 4} more" if len(mute) > 4 else "")
            able = ", ".join(name for name in self.selectable if self.license_column(name) is not None)
            advice = (
                f"give licenses only at subsets whose rows do ({able})"
                if able
                else "name the raw column that does as columns.license, or take licenses away"
            )
            raise ValueError(f"licenses: the rows of {shown} do not say which licence they have: {advice}")

    def license_column(self, subset: str) -> str | None:
        """Return the raw column with the licence of each row of a subset; None where rows have none."""
        return license_column(self.adapter, subset, self.settings(subset).columns.license)

    @property
    def selectable(self) -> tuple[str, ...]:
        """The subsets that a mixture may name: all but the excluded ones."""
        return tuple(name for name, subset in self.subsets.items() if subset.excluded is None)

    def settings(self, subset: str) -> SubsetSettings:
        """Return what holds for a subset, its own values before the corpus's.

        Raises:
            SourceError: unknown subset; names the nearest.
        """
        if subset not in self.subsets:
            raise SourceError(
                f"corpus {self.name!r} has no subset {subset!r}: {nearest(subset, self.subsets)}"
            )
        own = self.subsets[subset]
        filters = own.filters or self.filters
        code = self.code if own.code is None else own.code
        differs = (
            any(one is not None for one in (own.licenses, own.quality, own.perplexity, own.edits))
            or code != self.code
        )
        edits: tuple[Edit, ...] | None = () if code else self.edits
        return SubsetSettings(
            name=subset,
            filters=filters,
            language=own.language or self.language,
            license=own.license or self.license,
            web=self.web if own.web is None else own.web,
            code=code,
            columns=own.columns or self.columns,
            excluded=own.excluded,
            licenses=own.licenses or self.licenses,
            quality=own.quality or self.quality,
            perplexity=own.perplexity or self.perplexity,
            edits=edits if own.edits is None else own.edits,
            preset=f"{filters} of {subset}" if differs else filters,
        )

    def globs_of(self, subset: str | None) -> tuple[str, ...]:
        """Return the globs of a collection, below the corpus's root."""
        if subset is None:
            return self.globs
        globs = self.subsets[subset].globs or self.globs
        return tuple(one.replace("{subset}", subset) for one in globs)

    def collections_of(self, subsets: Sequence[str] | None = None) -> tuple[str | None, ...]:
        """Return the collections that hold these subsets (default: all that may be selected).

        Returns: subset names for a corpus of folders, ``(None,)`` for one that is read whole.

        Raises:
            SourceError: an unknown or an excluded subset.
        """
        wanted = self.selectable if subsets is None else tuple(subsets)
        for subset in wanted:
            excluded = self.settings(subset).excluded
            if excluded is not None:
                raise SourceError(
                    f"subset {subset!r} of {self.name!r} is never used ({excluded}): "
                    f"{self.exclusions[excluded]}"
                )
        return tuple(name for name in self.subsets if name in wanted) if self.layout == "folders" else (None,)

    def collection_name(self, subset: str | None) -> str:
        """Return the name of a collection: ``redpajama/arxiv`` or ``pile``."""
        return self.name if subset is None else f"{self.name}/{subset}"

    def collection_number(self, subset: str | None) -> int:
        """Return the number that a collection's document ids begin with."""
        return self.number if subset is None else self.number + list(self.subsets).index(subset)
