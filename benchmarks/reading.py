"""Reading: raw files in native layouts to the document table, beside what users have today."""

from __future__ import annotations

import os
import tempfile

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from benchmarks.measuring import Amount, Case, Run
from benchmarks.texts import Texts
from dataprep.sources import load_catalog, read_batches, resolve_collection, split_collection

_META = {
    "url": "https://example.org/page",
    "timestamp": "2020-01-12T09:37:46Z",
    "language": "en",
    "source": "c4",
}


def _json_lines(texts: Texts) -> bytes:
    return b"".join(orjson.dumps({"text": text, "meta": _META}) + b"\n" for text in texts.column.to_pylist())


def _written(corpus: str, name: str, data: bytes) -> str:
    root = tempfile.mkdtemp(prefix="dataprep-bench-")
    path = os.path.join(root, corpus, name)
    os.makedirs(os.path.dirname(path))
    with open(path, "wb") as sink:
        sink.write(data)
    return root


def _plain(texts: Texts) -> str:
    return _written("redpajama", "c4/c4-train.00000-of-01024.jsonl", _json_lines(texts))


def _compressed(texts: Texts) -> str:
    data = zstandard.ZstdCompressor(level=3).compress(_json_lines(texts))
    return _written("redpajama", "common_crawl/2023-06/en_head_0000.jsonl.zst", data)


def parquet_pages(texts: Texts) -> str:
    """Write texts as a RefinedWeb of one file; return the data root."""
    root = _written("refinedweb", "data/readme", b"")
    count = len(texts)
    table = pa.table(
        {
            "content": texts.column.cast(pa.string()),
            "url": [f"https://example.org/{i}" for i in range(count)],
            "timestamp": pa.array([1_400_000_000] * count, pa.int64()).cast(pa.timestamp("s")),
            "dump": ["CC-MAIN-2014-01"] * count,
            "segment": ["1562540649588"] * count,
        }
    )
    path = os.path.join(root, "refinedweb", "data", "train-00000-of-00001.parquet")
    pq.write_table(table, path, row_group_size=1000, compression="snappy")
    return root


def plain(texts: Texts) -> Run:
    """Plain JSON lines."""
    return _reader("redpajama", "c4", _plain(texts), texts)


def compressed(texts: Texts) -> Run:
    """JSON lines in one zstd frame."""
    return _reader("redpajama", "common_crawl", _compressed(texts), texts)


def parquet(texts: Texts) -> Run:
    """Parquet with snappy, as RefinedWeb is published."""
    return _reader("refinedweb", None, parquet_pages(texts), texts)


def _reader(corpus: str, subset: str | None, root: str, texts: Texts) -> Run:
    entry = load_catalog().corpus(corpus)
    items = split_collection(resolve_collection(entry, subset, data_root=root), entry)
    next(read_batches(items[0], entry, batch_bytes=1 << 16))  # imports what Arrow imports late

    def run() -> Amount:
        rows = sum(batch.num_rows for item in items for batch in read_batches(item, entry))
        return Amount(text_bytes=texts.text_bytes, documents=rows)

    return run


def streamed_json(texts: Texts) -> Run:
    """The ``datasets`` library, streaming the compressed file."""
    path = os.path.join(_compressed(texts), "redpajama", "common_crawl", "2023-06", "en_head_0000.jsonl.zst")
    return _streamed("json", path, texts)


def streamed_parquet(texts: Texts) -> Run:
    """The ``datasets`` library, streaming the Parquet file."""
    path = os.path.join(parquet_pages(texts), "refinedweb", "data", "train-00000-of-00001.parquet")
    return _streamed("parquet", path, texts)


def _streamed(builder: str, path: str, texts: Texts) -> Run:
    import datasets

    def run() -> Amount:
        stream = datasets.load_dataset(builder, data_files=path, split="train", streaming=True)
        return Amount(text_bytes=texts.text_bytes, documents=sum(1 for _ in stream))

    return run


CASES = (
    Case("jsonl", plain),
    Case("jsonl.zst", compressed),
    Case("jsonl.zst: datasets, streaming", streamed_json, peer_of="jsonl.zst"),
    Case("parquet", parquet),
    Case("parquet: datasets, streaming", streamed_parquet, peer_of="parquet"),
)
