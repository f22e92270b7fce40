"""Raw files on a hub: URL lists, datasets that are streamed, and errors that say what to do."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa

from dataprep import storage
from dataprep.errors import BuildError, DataprepError, MissingExtraError, SourceError
from dataprep.sources.entries import CorpusEntry, HubDataset, HubUrlList
from dataprep.sources.identity import content_identity
from dataprep.storage import FileInfo

_REFUSED = ("GatedRepoError", "RepositoryNotFoundError", "PermissionError", "Forbidden", "Unauthorized")


@contextlib.contextmanager
def access_explained(entry: CorpusEntry, place: str) -> Iterator[None]:
    """Turn a filesystem's error into one that names the corpus, its gate and the way out.

    Raises:
        MissingExtraError: the package for this kind of URL is not installed.
        SourceError: the place refuses access or cannot be reached.
    """
    try:
        yield
    except DataprepError:
        raise
    except Exception as error:
        if storage.is_local(place) and not isinstance(error, OSError):
            raise
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        if entry.gating and _is_refusal(error):
            raise SourceError(
                f"{place}: access to {entry.name!r} is refused ({first_line}). This corpus is gated: "
                f"{entry.gating} ({entry.homepage}); then log in with 'hf auth login' or set HF_TOKEN, "
                f"or give --data-root a folder with your copy in {entry.local_name}/"
            ) from error
        raise SourceError(
            f"{place}: cannot be listed ({type(error).__name__}: {first_line}). Check the address, the "
            f"network and your credentials, or give --data-root a folder with a copy in {entry.local_name}/"
        ) from error


def _is_refusal(error: BaseException) -> bool:
    """Tell whether an error, or one that it came from, is a refusal of access."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    return any(kind.__name__ in _REFUSED for cause in causes for kind in type(cause).__mro__)


def listed_urls(hub: HubUrlList, subset: str | None, globs: Sequence[str]) -> list[FileInfo]:
    """Return the files of a URL list that a subset's globs match, with their sizes.

    Raises:
        SourceError: a line of the list is not below the declared base.
    """
    path = hub.lists.replace("{subset}", subset or "")
    base = hub.base.rstrip("/") + "/"
    urls = [line.strip() for line in storage.read_bytes(path).decode("utf-8").splitlines() if line.strip()]
    strange = [url for url in urls if not url.startswith(base)]
    if strange:
        raise SourceError(f"{path}: {strange[0]!r} is not below {base}: correct hub.base in the catalogue")
    wanted = [u for u in urls if any(_matches(u.removeprefix(base), glob) for glob in globs)]
    if not wanted:
        return []
    fs, _ = storage.filesystem(wanted[0])
    sizes = fs.sizes([storage.filesystem(url)[1] for url in wanted])
    unknown = [url for url, size in zip(wanted, sizes) if size is None]
    if unknown:
        raise SourceError(f"{unknown[0]}: the server does not tell its size, so it cannot be read in parts")
    return [FileInfo(url, int(size)) for url, size in zip(wanted, sizes)]


def _matches(origin: str, glob: str) -> bool:
    """Match as ``storage.glob`` does: ``*`` stays inside a folder, ``**/`` is any depth."""
    if "**/" in glob:
        head, tail = glob.split("**/", 1)
        return origin.startswith(head) and fnmatchcase(origin.rsplit("/", 1)[-1], tail)
    return origin.count("/") == glob.count("/") and fnmatchcase(origin, glob)


@dataclass(frozen=True)
class DatasetShard:
    """One shard of a streamed dataset, which takes the place of a raw file."""

    path: str
    """Of no file; names the dataset in messages."""
    origin: str
    identity: str


def dataset_shards(entry: CorpusEntry) -> list[DatasetShard]:
    """Return the shards in which ``datasets`` streams this corpus.

    The identity of a shard is that of the data files given in the catalogue, or else of the
    hub repository's commit.

    Raises:
        SourceError: the dataset cannot be opened.
    """
    assert isinstance(entry.hub, HubDataset)
    hub = entry.hub
    with access_explained(entry, hub.path if hub.data_files else f"hf://datasets/{hub.path}"):
        count = open_dataset(hub).num_shards
        version = _version_of(hub)
    names = [f"{hub.config or 'default'}/{hub.split}-{i:05d}-of-{count:05d}" for i in range(count)]
    return [
        DatasetShard(hub.path, name, "dataset:" + hashlib.sha256(f"{version}\0{name}".encode()).hexdigest())
        for name in names
    ]


def open_dataset(hub: HubDataset) -> Any:
    """Return the ``datasets.IterableDataset`` of a hub entry, in Arrow format.

    Raises:
        MissingExtraError: ``datasets`` is not installed.
    """
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError(
            module="datasets", extra="pipeline", purpose=f"streaming {hub.path}"
        ) from error
    return datasets.load_dataset(
        hub.path,
        hub.config,
        split=hub.split,
        revision=hub.revision,
        data_files=list(hub.data_files) or None,
        streaming=True,
    ).with_format("arrow")


def dataset_schema(hub: HubDataset) -> pa.Schema | None:
    """Return the columns of a streamed dataset, ``None`` when it tells them only with its rows."""
    features = open_dataset(hub).features
    return None if features is None else features.arrow_schema


def dataset_batches(
    hub: HubDataset, *, shard: int, num_shards: int, num_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one shard in order, in batches of at most ``num_rows``.

    Raises:
        SourceError: the dataset has another number of shards than when it was listed.
        BuildError: it cannot be read; ``datasets`` has tried again on its own.
    """
    dataset = open_dataset(hub)
    if dataset.num_shards != num_shards:
        raise SourceError(
            f"dataset {hub.path!r} has {dataset.num_shards} shards, but had {num_shards} when it was listed: "
            "it changed; pin hub.revision in the catalogue and build again"
        )
    tables = dataset.shard(num_shards=num_shards, index=shard).iter(batch_size=num_rows)
    while True:
        try:
            table = next(tables, None)
        except Exception as error:  # of the library, of a filesystem, of a damaged file: it wraps them all
            raise BuildError(
                f"dataset {hub.path!r}, shard {shard} of {num_shards}: cannot be read "
                f"({type(error).__name__}: {error})"
            ) from error
        if table is None:
            return
        yield from table.combine_chunks().to_batches(max_chunksize=num_rows)


def _version_of(hub: HubDataset) -> str:
    if hub.data_files:
        files = [file for pattern in hub.data_files for file in storage.glob(pattern)]
        return "\0".join(content_identity(file) for file in files)
    from huggingface_hub import HfApi

    return str(HfApi().dataset_info(hub.path, revision=hub.revision).sha)
