"""Find and read mixture files, and check their corpora against the catalogue."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import mixtures
from dataprep.errors import ConfigError, nearest
from dataprep.mixture.model import Mixture
from dataprep.tokens import ALL
from dataprep.yaml_models import read_yaml, validated

CATALOGUE = "catalog.yaml"


def shipped_mixtures() -> tuple[str, ...]:
    """Return the names of the mixtures that come with dataprep."""
    return tuple(name.removesuffix(".yaml") for name in mixtures.packaged_names() if name != CATALOGUE)


def load_mixture(path_or_name: str) -> Mixture:
    """Read a mixture from its file, or one that comes with dataprep by its name.

    Raises:
        ConfigError: no such file or name, or the file does not hold a mixture; one line for
            each problem, with its YAML path.
    """
    path = path_or_name
    if "/" not in path_or_name and not path_or_name.endswith((".yaml", ".yml")):
        shipped = shipped_mixtures()
        if path_or_name not in shipped:
            raise ConfigError(
                f"no mixture {path_or_name!r} comes with dataprep; {nearest(path_or_name, shipped)} "
                "(a path to your own file ends in .yaml)"
            )
        path = mixtures.packaged_path(f"{path_or_name}.yaml")
    return validated(Mixture, read_yaml(path), place=path)


def check_selections(mixture: Mixture, subsets_of: Mapping[str, Collection[str]]) -> None:
    """Check that every corpus and subset that a mixture names is in the catalogue.

    Args:
        subsets_of: Subsets of every corpus of the catalogue; an empty collection: any name goes.

    Raises:
        ConfigError: one line for each unknown corpus or subset, with the nearest known name.
    """
    problems = []
    for name, source in mixture.sources.items():
        place = f"mixture {mixture.name}: sources.{name}"
        if source.corpus not in subsets_of:
            known = nearest(source.corpus, subsets_of)
            problems.append(f"{place}.from: no corpus {source.corpus!r} in the catalogue; {known}")
            continue
        known_subsets = subsets_of[source.corpus]
        if source.subsets == ALL or not known_subsets:
            continue
        problems += [
            f"{place}.subsets: corpus {source.corpus} has no subset {subset!r}; "
            f"{nearest(subset, known_subsets)}"
            for subset in source.subsets
            if subset not in known_subsets
        ]
    if problems:
        raise ConfigError("\n".join(problems))
