"""Read MDS with MosaicML's own classes: python read_with_streaming.py SAVED FOLDER [write].

Saves the rows in the order in which a StreamingDataset yields them, with every checksum validated. With
``write``, also the checksum of the one raw shard that MosaicML's writer makes of the same rows.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import transformers.feature_extraction_utils  # noqa: F401 - looks for torchvision, before the stand-in

if importlib.util.find_spec("torchvision") is None:
    # streaming imports its datasets of images, too; no part of this script needs them.
    for name in ("torchvision", "torchvision.datasets", "torchvision.transforms"):
        sys.modules[name] = types.ModuleType(name)
    functional = types.ModuleType("torchvision.transforms.functional")
    sys.modules[functional.__name__] = functional
    sys.modules["torchvision.datasets"].VisionDataset = object  # type: ignore[attr-defined]
    functional.to_tensor = None  # type: ignore[attr-defined]

from streaming import MDSWriter, StreamingDataset


def main() -> None:
    saved, folder, *more = sys.argv[1:]
    with tempfile.TemporaryDirectory() as cache:
        dataset = StreamingDataset(
            remote=folder, local=cache, shuffle=False, batch_size=1, validate_hash="sha256"
        )
        rows = list(dataset)
    arrays = {
        "tokens": np.stack([row["tokens"] for row in rows]),
        "source": np.array([row["source"] for row in rows]),
        "num_segments": np.array([len(row["doc_lens"]) for row in rows]),
        "doc_lens": np.concatenate([row["doc_lens"] for row in rows]),
        "seg_doc": np.concatenate([row["seg_doc"] for row in rows]),
    }
    if more:
        line = json.loads(Path(folder, "index.json").read_text())["shards"][0]
        columns = dict(zip(line["column_names"], line["column_encodings"]))
        with tempfile.TemporaryDirectory() as out:
            with MDSWriter(
                out=out, columns=columns, hashes=["sha256"], size_limit=None, compression="zstd:1"
            ) as writer:
                for row in rows:
                    writer.write(row)
            written = json.loads(Path(out, "index.json").read_text())["shards"][0]
        arrays["raw_sha256"] = np.array(written["raw_data"]["hashes"]["sha256"])
    np.savez(saved, **arrays)


if __name__ == "__main__":
    main()
