"""Presets: how the texts of a kind of source are edited, what is measured of them, and what judges them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from dataprep.errors import ConfigError, nearest
from dataprep.filters.code import Code
from dataprep.filters.license import License
from dataprep.filters.models import Perplexity, Quality
from dataprep.filters.notebook import Notebook
from dataprep.filters.prose import (
    C4,
    FineWeb,
    GopherQuality,
    GopherRepetition,
    Language,
    LineCorrections,
    NotEmpty,
)
from dataprep.filters.rules import Rule
from dataprep.filters.url import Url
from dataprep.signals import (
    CodeSignals,
    LanguageSignals,
    LicenseSignals,
    NotebookSignals,
    PerplexitySignals,
    QualitySignals,
    SignalFamily,
    SizeSignals,
    UrlSignals,
    WebTextSignals,
    signal_names,
)
from dataprep.text.edits import Edit, edit_signal_names
from dataprep.text.lines import C4Lines, RefinedWebLines
from dataprep.text.pii import Pii
from dataprep.yaml_models import Frozen

Filter = Annotated[
    NotEmpty
    | GopherQuality
    | GopherRepetition
    | C4
    | FineWeb
    | LineCorrections
    | Language
    | Code
    | Notebook
    | License
    | Url
    | Quality
    | Perplexity
    | Rule,
    Field(discriminator="kind"),
]


class Preset(Frozen):
    """Edits, signal families to measure of the edited text, and filters to apply, each in order."""

    name: str
    families: tuple[SignalFamily, ...]
    filters: tuple[Filter, ...]
    edits: tuple[Edit, ...] = ()

    def signal_names(self) -> tuple[str, ...]:
        """Return the names of all signals, in column order: the families', then what edits leave behind."""
        return (*signal_names(self.families), *edit_signal_names(self.edits))

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of all filters, in order."""
        return tuple(rule for one in self.filters for rule in one.rules())

    def with_licenses(self, allowed: LicenseSignals) -> Preset:
        """Return this preset with the licences that are allowed, which judge before everything else."""
        return self.model_copy(
            update={"families": (*self.families, allowed), "filters": (License(), *self.filters)}
        )

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

    def with_edits(self, edits: tuple[Edit, ...]) -> Preset:
        """Return this preset with other edits.

        Raises:
            ConfigError: two edits are of a kind, or a filter needs what an edit that is gone left behind.
        """
        kinds = [edit.kind for edit in edits]
        if len(set(kinds)) < len(kinds):
            raise ConfigError(f"edits: {kinds}: name each kind once")
        changed = self.model_copy(update={"edits": edits})
        for name in (name for rule in self.rules() for name in rule.signals()):
            if name in self.signal_names() and name not in changed.signal_names():
                needed = next(edit.kind for edit in self.edits if name in edit.SIGNALS)
                raise ConfigError(
                    f"edits: preset {self.name!r} judges by {name!r}, which the edit {needed!r} leaves"
                    " behind: keep that edit, or take another preset"
                )
        return changed

    def with_own_rules_of(self, other: Preset) -> Preset:
        """Return this preset with what is another's own: licences, URL lists, models, the edits that were
        made."""
        own = LicenseSignals | UrlSignals | QualitySignals | PerplexitySignals
        families = tuple(one for one in other.families if isinstance(one, own))
        first = tuple(one for one in other.filters if isinstance(one, License | Url))
        last = tuple(one for one in other.filters if isinstance(one, Quality | Perplexity))
        return self.model_copy(
            update={
                "families": (*self.families, *families),
                "filters": (*first, *self.filters, *last),
                "edits": other.edits,
            }
        )


_PROSE = (SizeSignals(), WebTextSignals(), LanguageSignals())

_PRESETS = (
    Preset(name="none", families=(SizeSignals(),), filters=(NotEmpty(),)),
    # RefinedWeb's document rules. RefinedWeb, C4 and RedPajama's Common Crawl were filtered, and their
    # lines corrected, by their authors, so that more rules would drop what the StableLM models saw.
    Preset(
        name="web_en",
        families=_PROSE,
        filters=(NotEmpty(), Language(), GopherRepetition(), GopherQuality()),
        edits=(Pii(),),
    ),
    # For a crawl that nobody has filtered: RefinedWeb's recipe...
    Preset(
        name="refinedweb",
        families=_PROSE,
        filters=(NotEmpty(), Language(), GopherRepetition(), GopherQuality(), LineCorrections()),
        edits=(RefinedWebLines(), Pii()),
    ),
    # ...C4's...
    Preset(
        name="c4",
        families=(SizeSignals(), WebTextSignals(c4_terminal_punct=True), LanguageSignals()),
        filters=(NotEmpty(), Language(), C4()),
        edits=(C4Lines(), Pii()),
    ),
    # ...and FineWeb's, which takes C4's rules but the one about line ends.
    Preset(
        name="fineweb",
        families=_PROSE,
        filters=(NotEmpty(), Language(), GopherRepetition(), GopherQuality(), C4(), FineWeb()),
        edits=(C4Lines(terminal_punct=False), Pii()),
    ),
    Preset(
        name="web_multilingual",
        families=_PROSE,
        filters=(NotEmpty(), Language(min_score=None)),
        edits=(Pii(),),
    ),
    Preset(name="curated", families=_PROSE, filters=(NotEmpty(),), edits=(Pii(),)),
    # As curated, for notebooks that StarCoder's tags take apart.
    Preset(
        name="notebooks",
        families=(*_PROSE, NotebookSignals()),
        filters=(NotEmpty(), Notebook()),
        edits=(Pii(),),
    ),
    # Books in the public domain name nobody's address, and StarCoder's code is redacted already.
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
    """Return everything that shapes a preset's texts, signals and verdicts, as JSON values."""
    return preset.model_dump(mode="json")
