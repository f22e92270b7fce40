"""The file of new thresholds: which filters judge which documents instead of those of the build.

::

    filters:
      refinedweb: fineweb                  # all of a corpus, by a preset that ships
      redpajama/c4: none                   # one collection or subset goes before its corpus
      pile/Pile-CC:
        filters:                           # of the thresholds so far, this filter becomes...
          - {kind: gopher_quality, min_words: 30, max_mean_word_length: 12}
        without: [language]                # ...and this one goes

What the file does not name is judged as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field

from dataprep.errors import ConfigError, nearest
from dataprep.filters import Filter, Preset, resolve_preset
from dataprep.yaml_models import Frozen, read_yaml, validated


class Override(Frozen):
    """Thresholds in place of those that a build applied."""

    preset: str | None = None
    """A packaged preset to start from; None: the filters that judged the documents before."""
    filters: tuple[Filter, ...] = ()
    """Each takes the place of the filter of its kind; where there is none, it comes last."""
    without: tuple[str, ...] = ()
    """Kinds of filters to leave out."""

    def applied_to(self, recorded: Preset) -> Preset:
        """Return the preset that now judges documents which ``recorded`` judged.

        Raises:
            ConfigError: the named preset is not known, or a filter to leave out is not there.
        """
        start = recorded if self.preset is None else resolve_preset(self.preset).with_own_rules_of(recorded)
        filters = list(start.filters)
        for kind in self.without:
            kinds = [one.kind for one in filters]
            if kind not in kinds:
                raise ConfigError(
                    f"without: preset {start.name!r} has no filter {kind!r}; {nearest(kind, kinds)}"
                )
            filters = [one for one in filters if one.kind != kind]
        for new in self.filters:
            places = [i for i, one in enumerate(filters) if one.kind == new.kind and new.kind != "rule"]
            if places:
                filters[places[0]] = new
            else:
                filters.append(new)
        return start.model_copy(update={"filters": tuple(filters)})


def _from_name(value: object) -> object:
    return {"preset": value} if isinstance(value, str) else value


class Thresholds(Frozen):
    """What a file of thresholds says."""

    filters: dict[str, Annotated[Override, BeforeValidator(_from_name)]] = Field(min_length=1)
    """By corpus, or by ``corpus/subset``, which goes first."""

    def override_for(self, corpus: str, subset: str) -> Override | None:
        """Return what judges a subset now; None: what judged it before."""
        return self.filters.get(f"{corpus}/{subset}", self.filters.get(corpus))

    def check_names(self, subsets: Mapping[str, Iterable[str]], *, place: str) -> None:
        """Refuse names that no document has, which would change nothing without a word.

        Args:
            subsets: the subsets of each corpus that was ingested.
            place: the file's name, which begins the message.

        Raises:
            ConfigError: a name is neither a corpus nor one of its subsets.
        """
        known = {*subsets, *(f"{corpus}/{name}" for corpus, names in subsets.items() for name in names)}
        for name in self.filters:
            if name not in known:
                raise ConfigError(
                    f"{place}: filters.{name}: nothing of that name was ingested; {nearest(name, known)}"
                )


def load_thresholds(path: str) -> Thresholds:
    """Read a file of thresholds.

    Raises:
        ConfigError: the file cannot be read or means nothing.
    """
    return validated(Thresholds, read_yaml(path), place=path)
