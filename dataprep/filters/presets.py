"""Presets: which signals a kind of source is measured by, and which filters judge it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from dataprep.errors import ConfigError, nearest
from dataprep.filters.code import Code
from dataprep.filters.models import Perplexity, Quality
from dataprep.filters.prose import C4, FineWeb, GopherQuality, GopherRepetition, Language, NotEmpty
from dataprep.filters.rules import Rule
from dataprep.filters.url import Url
from dataprep.signals import (
    CodeSignals,
    LanguageSignals,
    PerplexitySignals,
    QualitySignals,
    SignalFamily,
    SizeSignals,
    UrlSignals,
    WebTextSignals,
)
from dataprep.yaml_models import Frozen

Filter = Annotated[
    NotEmpty
    | GopherQuality
    | GopherRepetition
    | C4
    | FineWeb
    | Language
    | Code
    | Url
    | Quality
    | Perplexity
    | Rule,
    Field(discriminator="kind"),
]


class Preset(Frozen):
    """Signal families to measure and filters to apply, in order."""

    name: str
    families: tuple[SignalFamily, ...]
    filters: tuple[Filter, ...]

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of all filters, in order."""
        return tuple(rule for one in self.filters for rule in one.rules())

    def with_url_rules(self, lists: UrlSignals, rules: Url) -> Preset:
        """Return this preset with a corpus's own URL lists, which judge first as in RefinedWeb."""
        return self.model_copy(
            update={"families": (*self.families, lists), "filters": (rules, *self.filters)}
        )

    def with_model_rules(
        self, model: QualitySignals | PerplexitySignals, rules: Quality | Perplexity
    ) -> Preset:
        """Return this preset with a user's own model, which judges last: what is plain has its own reason."""
        return self.model_copy(
            update={"families": (*self.families, model), "filters": (*self.filters, rules)}
        )

    def with_own_rules_of(self, other: Preset) -> Preset:
        """Return this preset with the URL lists and the models that another has beyond those that ship."""
        families = tuple(
            one for one in other.families if isinstance(one, UrlSignals | QualitySignals | PerplexitySignals)
        )
        first = tuple(one for one in other.filters if isinstance(one, Url))
        last = tuple(one for one in other.filters if isinstance(one, Quality | Perplexity))
        return self.model_copy(
            update={"families": (*self.families, *families), "filters": (*first, *self.filters, *last)}
        )


_PROSE = (SizeSignals(), WebTextSignals(), LanguageSignals())

_PRESETS = (
    Preset(name="none", families=(SizeSignals(),), filters=(NotEmpty(),)),
    # RefinedWeb's document rules. RefinedWeb, C4 and RedPajama's Common Crawl were filtered by their
    # authors, so that more rules would drop what the StableLM models saw.
    Preset(
        name="web_en",
        families=_PROSE,
        filters=(NotEmpty(), Language(), GopherRepetition(), GopherQuality()),
    ),
    # For a crawl that nobody has filtered: C4's and FineWeb's rules as well.
    Preset(
        name="fineweb",
        families=_PROSE,
        filters=(NotEmpty(), Language(), GopherRepetition(), GopherQuality(), C4(), FineWeb()),
    ),
    Preset(name="web_multilingual", families=_PROSE, filters=(NotEmpty(), Language(min_score=None))),
    Preset(name="curated", families=_PROSE, filters=(NotEmpty(),)),
    Preset(name="books", families=_PROSE, filters=(NotEmpty(),)),
    Preset(
        name="code",
        families=(SizeSignals(), CodeSignals()),
        filters=(NotEmpty(), Code(min_alpha_chars_per_piece=None)),
    ),
)

PRESETS = MappingProxyType({preset.name: preset for preset in _PRESETS})
"""The packaged presets by name."""


def resolve_preset(name: str) -> Preset:
    """Return a packaged preset.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in PRESETS:
        raise ConfigError(f"filter preset {name!r} is not known: {nearest(name, PRESETS)}")
    return PRESETS[name]


def preset_identity(preset: Preset) -> dict[str, object]:
    """Return everything that shapes a preset's signals and verdicts, as JSON values."""
    return preset.model_dump(mode="json")
