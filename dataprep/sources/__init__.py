"""Raw corpora in their native layouts, read into one document table.

::

    catalog.yaml -> load_catalog -> CorpusEntry          what a corpus is
    resolve_collections -> Collection of RawFile         which files there are, on disk or remote
    split_collection -> WorkItem                         layout checked, files cut for the workers
    read_batches -> RecordBatch of documents.RAW_SCHEMA  every raw row once, in order, with its verdict
    check_bad_ratio                                      too many unreadable rows stop the build
"""

from dataprep.sources.catalog import Catalog, load_catalog
from dataprep.sources.damage import FILE_REASONS, DamagedFileError
from dataprep.sources.entries import CorpusEntry, SubsetEntry, SubsetSettings
from dataprep.sources.fields import EXCLUSION_REASONS, HELD_OUT
from dataprep.sources.listing import Collection, RawFile, resolve_collection, resolve_collections
from dataprep.sources.reading import ReadReport, SkippedFile, check_bad_ratio, read_batches
from dataprep.sources.splitting import WorkItem, split_collection

__all__ = [
    "EXCLUSION_REASONS",
    "FILE_REASONS",
    "HELD_OUT",
    "Catalog",
    "Collection",
    "CorpusEntry",
    "DamagedFileError",
    "RawFile",
    "ReadReport",
    "SkippedFile",
    "SubsetEntry",
    "SubsetSettings",
    "WorkItem",
    "check_bad_ratio",
    "load_catalog",
    "read_batches",
    "resolve_collection",
    "resolve_collections",
    "split_collection",
]
