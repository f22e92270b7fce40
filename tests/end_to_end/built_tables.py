"""What a build published, as plain tables, read without the code that is under test."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard


def read_truth(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a truth file (jsonl.zst)."""
    data = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
    return [json.loads(line) for line in data.decode("utf-8").split("\n") if line]


@dataclass(frozen=True)
class Built:
    """The artifacts of one build."""

    output: Path
    mixture: str

    @functools.cached_property
    def record(self) -> dict[str, Any]:
        """The build's record."""
        value: dict[str, Any] = json.loads((self.output / "builds" / f"{self.mixture}.json").read_text())
        return value

    def manifest(self, relative: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.output / relative / "manifest.json").read_text())
        return value

    @functools.cached_property
    def documents(self) -> dict[tuple[str, int], dict[str, Any]]:
        """Every ingested row without its text, by (raw file below the data root, row)."""
        found = {}
        columns = [
            "doc_id",
            "source",
            "subset",
            "origin",
            "origin_row",
            "verdict",
            "meta",
            "url",
            "num_bytes",
        ]
        for collection, relative in self.record["artifacts"]["documents"].items():
            root = collection.partition("/")[0]
            for part in sorted((self.output / relative).glob("part-*.parquet")):
                for row in pq.read_table(part, columns=columns).to_pylist():
                    row["collection"] = collection
                    found[f"{root}/{row['origin']}", row["origin_row"]] = row
        return found

    @functools.cached_property
    def removed(self) -> dict[int, dict[str, Any]]:
        """Every removed duplicate by document id: kind and cluster (the survivor's id)."""
        folder = self.output / self.record["artifacts"]["duplicates"]
        found = {}
        for part in sorted(folder.rglob("part-*.arrow")):
            with pa.memory_map(str(part)) as source:
                for row in pa.ipc.open_file(source).read_all().to_pylist():
                    found[row["doc_id"]] = row
        return found

    @functools.cached_property
    def token_documents(self) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Ids of all documents in the token stores, sorted."""
        ids = [np.empty(0, np.uint64)]
        for relative in self.record["artifacts"]["tokens"].values():
            for part in sorted((self.output / relative).rglob("bin-*.arrow")):
                with pa.memory_map(str(part)) as source:
                    ids.append(pa.ipc.open_file(source).read_all().column("doc_id").to_numpy())
        return np.sort(np.concatenate(ids))

    @functools.cached_property
    def shard_documents(self) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Ids of all documents in the shards, sorted, once each."""
        ids = [np.empty(0, np.uint64)]
        for relative in self.record["artifacts"]["shards"].values():
            for part in sorted((self.output / relative).glob("shard-*.arrow")):
                with pa.memory_map(str(part)) as source:
                    segments = pa.ipc.open_file(source).read_all().column("seg_doc")
                    ids.append(segments.combine_chunks().values.to_numpy())
        return np.unique(np.concatenate(ids))
