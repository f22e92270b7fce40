"""The loader: tokens a second of CPU time and bytes on disk, beside what trainers read from today.

Every reader gets the same rows of L + 1 tokens of real text and has to hand out int64[8, L + 1]
arrays, once through all rows, in one process without helper processes. Each is measured in a
process of its own: CPU time of several passes, files in the page cache.
"""

from __future__ import annotations

import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from benchmarks import loader_peers
from benchmarks.loader_measuring import Measured, measure
from benchmarks.texts import Texts
from dataprep.artifacts import open_artifact, write_sealed_json
from dataprep.loader import open_stream
from dataprep.shards import ENDS_DOCUMENT, STARTS_DOCUMENT, Rows, StageHeader, StageSource, write_stage
from dataprep.text_table import aligned
from dataprep.tokenizers import ARCADE100K, load_tokenizer

SEQUENCE_LENGTH = 4096
BATCH_ROWS = 8
MANIFEST_SHARDS = 30_000
_SEGMENTS = 5
"""Documents in a row; web documents have 500 to 1,000 tokens."""


@dataclass(frozen=True)
class Reader:
    """One way to keep rows on disk and to read them."""

    name: str
    write: Callable[[npt.NDArray[np.uint32], str], None]
    """(rows, empty folder)."""
    read: Callable[[str], Iterable[npt.NDArray[np.integer]]]
    """Folder -> one pass over batches."""


def text_rows(texts: Texts, *, vocab: str | None) -> npt.NDArray[np.uint32]:
    """Return real text as rows: uint32[n, L+1], cut one after the other."""
    tokenizer = load_tokenizer(ARCADE100K.name, vocab_path=vocab)
    parts = []
    for start in range(0, len(texts), 512):
        offsets, tokens = tokenizer.encode_batch(texts.column[start : start + 512], allow_tags=False)
        parts.append(np.insert(tokens, offsets[1:], ARCADE100K.eos_id).astype(np.uint32))
    stream = np.concatenate(parts)
    width = SEQUENCE_LENGTH + 1
    return stream[: len(stream) // width * width].reshape(-1, width)


def write_shards(rows: npt.NDArray[np.uint32], folder: str) -> None:
    """Write our shards, with documents of one length."""
    num_rows = len(rows)
    lengths = np.full(_SEGMENTS, rows.shape[1] // _SEGMENTS, dtype=np.uint32)
    lengths[-1] += rows.shape[1] % _SEGMENTS
    segments = num_rows * _SEGMENTS
    header = StageHeader(
        mixture="benchmark",
        stage="pretrain",
        stage_index=0,
        sequence_length=rows.shape[1] - 1,
        vocab_size=ARCADE100K.vocab_size,
        padded_vocab_size=ARCADE100K.padded_vocab_size,
        eos_id=ARCADE100K.eos_id,
        pad_id=ARCADE100K.pad_id,
        tokenizer=ARCADE100K.name,
        tokenizer_sha256="",
        sources=(StageSource(0, "text"),),
        plan="",
        seed=1,
    )
    write_stage(
        folder,
        header,
        Rows(
            tokens=rows,
            source=np.zeros(num_rows, dtype=np.uint16),
            epoch=np.zeros(num_rows, dtype=np.uint8),
            n_tok=np.full(num_rows, rows.shape[1], dtype=np.uint32),
            n_loss=np.full(num_rows, rows.shape[1] - _SEGMENTS, dtype=np.uint32),
            seg_starts=np.arange(num_rows + 1, dtype=np.int64) * _SEGMENTS,
            seg_len=np.tile(lengths, num_rows),
            seg_doc=np.arange(segments, dtype=np.uint64),
            seg_off=np.zeros(segments, dtype=np.uint32),
            seg_flags=np.full(segments, STARTS_DOCUMENT | ENDS_DOCUMENT, dtype=np.uint8),
        ),
    )


def read_shards(
    folder: str, *, permuted: bool = False, threads: int = 0, everything: bool = False
) -> Iterable[npt.NDArray[np.integer]]:
    """Yield the batches of our loader; permuted: those of a second epoch."""
    stream = open_stream(_stage_folder(folder), epochs=2)
    start = stream.initial_state().to_json()
    start["epoch"] = int(permuted)
    with stream.batches(
        BATCH_ROWS,
        start=start,
        read_ahead_threads=threads,
        labels=everything,
        position_ids=everything,
        cu_seqlens=everything,
    ) as batches:
        for batch in batches:
            if batch.epoch > int(permuted):
                return
            yield batch.tokens


def _stage_folder(folder: str) -> str:
    (found,) = (path for path, _, files in os.walk(folder) if "manifest.json" in files)
    return found


READERS = (
    Reader("dataprep", write_shards, read_shards),
    Reader("dataprep, permuted epoch", write_shards, functools.partial(read_shards, permuted=True)),
    Reader("dataprep, 2 threads", write_shards, functools.partial(read_shards, threads=2)),
    Reader(
        "dataprep, labels, positions, runs", write_shards, functools.partial(read_shards, everything=True)
    ),
    Reader("mosaicml-streaming", loader_peers.write_mds, loader_peers.read_mds),
    Reader(
        "mosaicml-streaming, zstd",
        functools.partial(loader_peers.write_mds, compression="zstd:3"),
        loader_peers.read_mds,
    ),
    Reader("litdata", loader_peers.write_litdata, loader_peers.read_litdata),
    Reader("Megatron .bin/.idx, mapped", loader_peers.write_megatron, loader_peers.read_megatron),
    Reader("numpy memmap", loader_peers.write_numpy, loader_peers.read_numpy),
)
_OURS, _MDS, _LITDATA = "dataprep", "mosaicml-streaming", "litdata"


def run_loader(texts: Texts, *, vocab: str | None, readers: Sequence[Reader] = READERS) -> list[Measured]:
    """Measure every reader whose packages are installed, on the same rows."""
    with tempfile.TemporaryDirectory(prefix="dataprep-bench-") as folder:
        path = os.path.join(folder, "rows.npy")
        np.save(path, text_rows(texts, vocab=vocab))
        return [
            measure(reader.name, reader.write, reader.read, rows_path=path, folder=f"{folder}/{i}")
            for i, reader in enumerate(readers)
        ]


def loader_text(measured: Sequence[Measured]) -> str:
    """Return the readers as a table, and the ratios that the design promises."""
    lines = [
        (
            "reader",
            "Mtokens/CPU s",
            "(range)",
            "of uint32",
            "first batch ms",
            "peak MB",
            "growth MB",
            "write s",
        )
    ]
    for one in measured:
        if one.problem:
            lines.append((one.name, f"not measured: {one.problem}", *[""] * 6))
            continue
        rates = [one.tokens / seconds / 1e6 for seconds in one.cpu_s]
        lines.append(
            (
                one.name,
                f"{statistics.median(rates):.0f}",
                f"{min(rates):.0f}-{max(rates):.0f}",
                f"{one.size_bytes / one.tokens / 4:.3f}",
                f"{one.first_batch_s * 1e3:.0f}",
                f"{one.peak_mb:,.0f}",
                f"{one.growth_mb:.1f}",
                f"{one.write_s:.1f}",
            )
        )
    rate = {one.name: one.tokens / statistics.median(one.cpu_s) for one in measured if not one.problem}
    ratios = [
        f"  {_OURS} hands out {rate[_OURS] / rate[peer]:.1f} times the tokens of {peer} in a CPU second"
        for peer in (_MDS, _LITDATA)
        if peer in rate and _OURS in rate
    ]
    return "\n".join([aligned(lines, left_columns=1), *ratios, f"  {start_text()}"])


def start_text() -> str:
    """Measure how long it takes to enter a stage of 30,000 shards, at its start and far inside."""
    width = SEQUENCE_LENGTH + 1
    rows = np.random.default_rng(1).integers(0, ARCADE100K.vocab_size, (64, width), dtype=np.uint32)
    with tempfile.TemporaryDirectory(prefix="dataprep-bench-") as root:
        write_shards(rows, root)
        folder = _stage_folder(root)
        small = open_artifact(folder).manifest
        full = replace(small.files[0], counts={**small.files[0].counts, "rows": 8192})
        files = tuple(replace(full, path=f"shard-{i:05d}.arrow") for i in range(MANIFEST_SHARDS))
        details = {**small.details, "num_rows": MANIFEST_SHARDS * 8192}
        write_sealed_json(f"{folder}/manifest.json", replace(small, files=files, details=details).to_json())
        far = MANIFEST_SHARDS * 4 // 5
        os.link(f"{folder}/shard-00000.arrow", f"{folder}/shard-{far:05d}.arrow")
        seconds = []
        for row in (0, far * 8192 + 8):
            started = time.perf_counter()
            stream = open_stream(folder)
            state = {**stream.initial_state().to_json(), "next_row": row}
            with stream.batches(BATCH_ROWS, start=state) as batches:
                next(batches)
            seconds.append(time.perf_counter() - started)
    return (
        f"{MANIFEST_SHARDS:,} shards ({MANIFEST_SHARDS * 8192 * SEQUENCE_LENGTH / 1e12:.1f} T tokens): first "
        f"batch after {seconds[0] * 1e3:.0f} ms, "
        f"resumed at row {far * 8192:,} after {seconds[1] * 1e3:.0f} ms"
    )
