"""Rows with random documents, for tests of shards and of what reads them."""

from __future__ import annotations

import numpy as np

from dataprep.shards import ENDS_DOCUMENT, STARTS_DOCUMENT, Rows, StageHeader, StageSource


def random_rows(
    num_rows: int, sequence_length: int, *, vocab_size: int, num_sources: int = 3, seed: int = 0
) -> Rows:
    """Return rows of whole documents; some rows end in padding (id 0)."""
    rng = np.random.default_rng(seed)
    width = sequence_length + 1
    tokens = rng.integers(0, vocab_size, (num_rows, width)).astype(np.uint32)
    n_tok = np.where(rng.random(num_rows) < 0.5, width, rng.integers(1, width + 1, num_rows)).astype(
        np.uint32
    )
    tokens[np.arange(width) >= n_tok[:, None]] = 0
    lengths: list[int] = []
    starts = [0]
    for row_tokens in n_tok.tolist():
        left = row_tokens
        while left:
            lengths.append(int(rng.integers(1, left + 1)))
            left -= lengths[-1]
        starts.append(len(lengths))
    num_segments = len(lengths)
    seg_starts = np.array(starts, dtype=np.int64)
    return Rows(
        tokens=tokens,
        source=rng.integers(0, num_sources, num_rows).astype(np.uint16),
        epoch=rng.integers(0, 4, num_rows).astype(np.uint8),
        n_tok=n_tok,
        n_loss=(n_tok - np.diff(seg_starts)).astype(np.uint32),
        seg_starts=seg_starts,
        seg_len=np.array(lengths, dtype=np.uint32),
        seg_doc=rng.integers(0, 1 << 63, num_segments).astype(np.uint64),
        seg_off=np.zeros(num_segments, dtype=np.uint32),
        seg_flags=np.full(num_segments, STARTS_DOCUMENT | ENDS_DOCUMENT, dtype=np.uint8),
    )


def assert_same_rows(got: Rows, expected: Rows) -> None:
    """Compare two ``Rows`` column by column, types included."""
    for name, wanted in vars(expected).items():
        found = getattr(got, name)
        assert found.dtype == wanted.dtype, name
        np.testing.assert_array_equal(found, wanted, err_msg=name)


def stage_header(*, sequence_length: int = 16, vocab_size: int = 100_289, **changes: object) -> StageHeader:
    """Return a header with two made-up sources."""
    values: dict[str, object] = {
        "mixture": "test",
        "stage": "main",
        "stage_index": 0,
        "sequence_length": sequence_length,
        "vocab_size": vocab_size,
        "padded_vocab_size": vocab_size + 63,
        "eos_id": 0,
        "pad_id": 0,
        "tokenizer": "arcade100k",
        "tokenizer_sha256": "0" * 64,
        "sources": tuple(
            StageSource(id=i, name=f"source-{i}", license="cc-by-4.0", weight=1 / 3) for i in range(3)
        ),
        "plan": "1" * 64,
        "seed": 7,
        "rows_per_shard": 192,
    }
    return StageHeader(**{**values, **changes})  # type: ignore[arg-type]
