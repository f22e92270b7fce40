"""Which raw collections a mixture needs, and whether they are there."""

from __future__ import annotations

from dataclasses import dataclass

from dataprep import storage
from dataprep.errors import SourceError
from dataprep.mixture import ALL, Mixture, check_selections
from dataprep.sources import Catalog, Collection, CorpusEntry, resolve_collections


@dataclass(frozen=True)
class Selection:
    """A mixture whose raw files are there, and the collections that hold them."""

    mixture: Mixture
    """The mixture without what is missing."""
    collections: tuple[tuple[Collection, CorpusEntry], ...]
    skipped: tuple[str, ...]
    """Sources that were left out."""
    notice: str
    """What leaving them out changed; empty when nothing is missing."""


def select(mixture: Mixture, catalog: Catalog, *, data_root: str | None, skip_missing: bool) -> Selection:
    """Find the raw files of every source of a mixture.

    Raises:
        ConfigError: the mixture names a corpus or subset that the catalogue does not have.
        SourceError: raw files are missing and ``skip_missing`` is not set; lists all of them, with
            what was looked for where; or there is no data root.
    """
    check_selections(mixture, {name: entry.selectable for name, entry in catalog.corpora.items()})
    if data_root is not None and storage.is_local(data_root) and not storage.exists(data_root):
        first = next(iter(mixture.sources.values()))
        example = storage.join(data_root, catalog.corpus(first.corpus).local_name)
        raise SourceError(
            f"--data-root {data_root}: no such folder; it holds one for each corpus, like {example}"
        )
    found: dict[str, tuple[Collection, CorpusEntry]] = {}
    missing: dict[str, list[str]] = {}
    for name, source in mixture.sources.items():
        entry = catalog.corpus(source.corpus)
        subsets = None if source.subsets == ALL else list(source.subsets)
        try:
            for collection in resolve_collections(entry, subsets, data_root=data_root):
                found[collection.name] = (collection, entry)
        except SourceError as error:
            missing.setdefault(str(error), []).append(name)
    if missing and not skip_missing:
        lines = "\n".join(f"  {', '.join(names)}: {reason}" for reason, names in missing.items())
        raise SourceError(
            f"{sum(map(len, missing.values()))} of {len(mixture.sources)} sources of mixture {mixture.name} "
            "have no raw files:\n"
            f"{lines}\n"
            "Put them there, or leave them out and renormalise the weights with --missing skip"
        )
    skipped = tuple(name for name in mixture.sources if name in set().union(*missing.values()))
    remaining, notice = mixture.without(skipped)
    needed = {source.corpus for source in remaining.sources.values()}
    return Selection(
        mixture=remaining,
        collections=tuple(found[name] for name in sorted(found) if found[name][1].name in needed),
        skipped=skipped,
        notice=notice,
    )
