"""A reader of MDS, written from the description of the format alone."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import zstandard


def read_mds(folder: str | Path) -> list[dict[str, Any]]:
    """Return all samples in order; every size and checksum of the index is compared."""
    root = Path(folder)
    index = json.loads((root / "index.json").read_text())
    assert index["version"] == 2
    samples = []
    for shard in index["shards"]:
        packed = (root / shard["zip_data"]["basename"]).read_bytes()
        raw = zstandard.ZstdDecompressor().decompress(packed)
        for data, info in ((packed, shard["zip_data"]), (raw, shard["raw_data"])):
            assert len(data) == info["bytes"]
            assert hashlib.sha256(data).hexdigest() == info["hashes"]["sha256"]
        assert shard["compression"].startswith("zstd:")
        own = read_shard(raw, shard)
        assert len(own) == shard["samples"]
        samples += own
    return samples


def read_shard(raw: bytes, shard: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the samples of one raw shard."""
    count = int.from_bytes(raw[:4], "little")
    offsets = np.frombuffer(raw, "<u4", count + 1, 4).tolist()
    config = json.loads(raw[4 * (count + 2) : offsets[0]])
    assert offsets[-1] == len(raw)
    assert config["column_names"] == sorted(config["column_names"])
    for name in ("column_encodings", "column_names", "column_sizes", "compression", "format", "hashes"):
        assert config[name] == shard[name]
    return [_decode(raw[start:stop], config) for start, stop in itertools.pairwise(offsets)]


def _decode(data: bytes, config: dict[str, Any]) -> dict[str, Any]:
    sizes, place = [], 0
    for fixed in config["column_sizes"]:
        if fixed is None:
            sizes.append(int.from_bytes(data[place : place + 4], "little"))
            place += 4
        else:
            sizes.append(fixed)
    sample = {}
    for name, encoding, size in zip(config["column_names"], config["column_encodings"], sizes):
        sample[name] = _value(data[place : place + size], encoding)
        place += size
    assert place == len(data)
    return sample


def _value(data: bytes, encoding: str) -> Any:
    if encoding == "str":
        return data.decode()
    _, kind, *shape = encoding.split(":")
    if shape:
        values = np.frombuffer(data, kind)
        assert len(values) == int(shape[0])
        return values.tolist()
    axes, width = data[0] >> 2, 1 << (data[0] & 3)
    assert axes == 1
    count = int.from_bytes(data[1 : 1 + width], "little")
    values = np.frombuffer(data[1 + width :], kind)
    assert len(values) == count
    return values.tolist()
