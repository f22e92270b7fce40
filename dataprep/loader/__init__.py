"""The trainer's side: a stream of batches that is exact, resumable and light to import.

::

    from dataprep.loader import open_stream

    stream = open_stream("OUT/builds/stablelm-2-1_6b.json")
    with stream.batches(1024, rank=3, world_size=64, micro_batch_rows=4, labels=True) as batches:
        for batch in batches:
            train(batch.inputs, batch.labels)
            state = batches.state()         # JSON; resume with batches(..., start=state)

The shards fix one order of rows; which of them make up global batch k depends on nothing but the
cursor, so any number of ranks, workers, threads and any micro-batch read the same run. Needs
numpy, pyarrow and fsspec; PyTorch only for ``dataprep.loader.torch``.
"""

from dataprep.loader.batch import Batch
from dataprep.loader.cache import CacheOptions
from dataprep.loader.download import RetryPolicy
from dataprep.loader.opening import open_stream
from dataprep.loader.reader import BatchReader
from dataprep.loader.state import LoaderState, parse_state
from dataprep.loader.stream import TokenStream

__all__ = [
    "Batch",
    "BatchReader",
    "CacheOptions",
    "LoaderState",
    "RetryPolicy",
    "TokenStream",
    "open_stream",
    "parse_state",
]
