"""Listing: which raw files a collection has, in an order that never depends on the place.

The raw files are those below ``<data root>/<corpus>`` when a data root is given, else those at
the corpus's hub location. Their order, and with it every document id, is the order of their
``origin``: the path below the corpus's root, with forward slashes.
"""

from __future__ import annotations

import glob as local_glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from dataprep import storage
from dataprep.errors import MissingSourceError, SourceError, nearest
from dataprep.sources import hub
from dataprep.sources.entries import CorpusEntry, HubDataset, HubFiles, HubUrlList
from dataprep.sources.identity import identities
from dataprep.storage import FileInfo

_MAX_NAMED = 8
"""Names of found files that a message lists."""


@dataclass(frozen=True)
class RawFile:
    """One raw file of a collection."""

    number: int
    """Position in the collection's listing; a part of every document id."""
    path: str
    origin: str
    """Path below the corpus's root, with forward slashes."""
    size_bytes: int
    identity: str
    """Names the content, see ``dataprep.sources.identity``."""
    held_out: bool = False
    """Validation and test files: counted, never trained on."""


@dataclass(frozen=True)
class Collection:
    """What is read as one unit: a folder of a corpus, or a corpus that is read whole."""

    name: str
    number: int
    corpus: str
    subset: str | None
    root: str
    files: tuple[RawFile, ...]
    streamed: bool = False
    """The files are shards of a dataset that the ``datasets`` library streams."""


def resolve_collections(
    entry: CorpusEntry, subsets: Sequence[str] | None, *, data_root: str | None
) -> list[Collection]:
    """Return the collections that hold these subsets, in catalogue order.

    Args:
        subsets: Every folder that is named must be there. ``None`` takes all folders that are
            there, at least one: nobody has all 90 languages of StarCoderData.

    Raises:
        MissingSourceError: a named folder, or all of them, have no raw file.
        SourceError: unknown or excluded subset.
    """
    names = entry.collections_of(subsets)
    if subsets is not None or names == (None,):
        return [resolve_collection(entry, name, data_root=data_root) for name in names]
    found, missing = [], None
    for name in names:
        try:
            found.append(resolve_collection(entry, name, data_root=data_root))
        except MissingSourceError as error:
            missing = missing or error
    if not found and missing is not None:
        raise missing
    return found


def resolve_collection(entry: CorpusEntry, subset: str | None, *, data_root: str | None) -> Collection:
    """List the raw files of one collection.

    Args:
        subset: A folder of the corpus, ``None`` for a corpus that is read whole.
        data_root: Folder (or URL) with one folder for each corpus; ``None`` takes the hub.

    Raises:
        MissingSourceError: no raw file; names what was looked for, what is there, the nearest.
        SourceError: unknown subset, or the place refuses access.
    """
    if (subset is None) != (entry.layout == "whole"):
        raise SourceError(
            f"corpus {entry.name!r} is read whole, it has no collection {subset!r}"
            if subset is not None
            else f"corpus {entry.name!r} has one collection for each subset: {nearest('', entry.subsets)}"
        )
    if subset is not None:
        entry.settings(subset)
    name = entry.collection_name(subset)
    if data_root is None and isinstance(entry.hub, HubDataset):
        shards = hub.dataset_shards(entry)
        files = tuple(RawFile(i, one.path, one.origin, 0, one.identity) for i, one in enumerate(shards))
        return Collection(
            name, entry.collection_number(subset), entry.name, subset, entry.hub.path, files, streamed=True
        )
    root = _root_of(entry, data_root)
    listed = _listed(entry, subset, root, from_hub=data_root is None)
    if not listed:
        raise MissingSourceError(_nothing_found(entry, subset, root, data_root))
    origins = sorted(listed)
    names = identities([listed[origin] for origin in origins])
    files = tuple(
        RawFile(
            number=number,
            path=listed[origin].path,
            origin=origin,
            size_bytes=listed[origin].size_bytes,
            identity=identity,
            held_out=any(fnmatchcase(origin, pattern) for pattern in entry.held_out),
        )
        for number, (origin, identity) in enumerate(zip(origins, names))
    )
    return Collection(name, entry.collection_number(subset), entry.name, subset, root, files)


def _root_of(entry: CorpusEntry, data_root: str | None) -> str:
    if data_root is not None:
        return storage.join(storage.local_path(data_root) or ".", entry.local_name)
    if isinstance(entry.hub, HubFiles):
        return entry.hub.url.rstrip("/")
    if isinstance(entry.hub, HubUrlList):
        return entry.hub.base.rstrip("/")
    raise MissingSourceError(f"corpus {entry.name!r} has no hub location: {entry.no_hub}")


def _listed(entry: CorpusEntry, subset: str | None, root: str, *, from_hub: bool) -> dict[str, FileInfo]:
    """Return the raw files by origin; a file that two globs match is there once."""
    globs = entry.globs_of(subset)
    with hub.access_explained(entry, root):
        if from_hub and isinstance(entry.hub, HubUrlList):
            found = hub.listed_urls(entry.hub, subset, globs)
        else:
            escaped = local_glob.escape(root)
            found = [file for glob in globs for file in storage.glob(storage.join(escaped, glob))]
    return {_origin(file.path, root): file for file in found}


def _origin(path: str, root: str) -> str:
    """Return the part of ``path`` below ``root``, with forward slashes."""
    if storage.is_local(root):
        return os.path.relpath(path, root).replace(os.sep, "/")
    (_, inside), (_, folder) = storage.filesystem(path), storage.filesystem(root)
    # A listing of a hub repository may come back without the revision that was asked for.
    for base in (folder, folder.rsplit("@", 1)[0]):
        if inside.startswith(base.rstrip("/") + "/"):
            return inside.removeprefix(base.rstrip("/") + "/")
    raise SourceError(f"{path}: was listed below {root}, but its path does not begin so")


def _nothing_found(entry: CorpusEntry, subset: str | None, root: str, data_root: str | None) -> str:
    """Say what was looked for, what is there instead, the nearest, and what to do."""
    looked_for = " or ".join(entry.globs_of(subset))
    if data_root is None:
        way_out = f"Give --data-root, or see {entry.homepage}"
    elif entry.hub is not None:
        way_out = "Put the files there, or leave --data-root away to take the hub location"
    else:
        way_out = f"There is no hub location: {entry.no_hub}"
    name, found = entry.collection_name(subset), _what_is_there(entry, subset, root, data_root)
    return f"no raw file for {name}: looked in {root} for {looked_for}; {found}. {way_out}"


def _what_is_there(entry: CorpusEntry, subset: str | None, root: str, data_root: str | None) -> str:
    """Describe the deepest folder on the way to the raw files that is there."""
    wanted = [entry.local_name] if data_root is not None else []
    wanted += (entry.globs_of(subset) or ("",))[0].split("/")[:-1]
    place = data_root if data_root is not None else root
    names = _names_in(place)
    if names is None:
        return f"{place} is not there"
    for name in wanted:
        below = _names_in(storage.join(place, name)) if name in names else None
        if below is None:
            guess = nearest(name, names)
            hint = f" ({guess})" if guess.startswith("did you mean") else ""
            return f"{place} has no folder {name!r}, it holds {_shortened(names)}{hint}"
        place, names = storage.join(place, name), below
    return f"{place} holds {_shortened(names)}"


def _shortened(names: list[str]) -> str:
    rest = len(names) - _MAX_NAMED
    return (", ".join(names[:_MAX_NAMED]) or "nothing") + (f" and {rest:,} more" if rest > 0 else "")


def _names_in(place: str) -> list[str] | None:
    """Return the names in a folder, sorted; ``None`` when it is not there or cannot be listed."""
    try:
        if storage.is_local(place):
            return sorted(n for n in os.listdir(place) if not n.startswith(storage.TEMPORARY_PREFIX))
        fs, inside = storage.filesystem(place)
        return sorted(str(path).rstrip("/").rsplit("/", 1)[-1] for path in fs.ls(inside, detail=False))
    except (OSError, ValueError):
        return None
