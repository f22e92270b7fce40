"""Small stages of known rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataprep.shards import (
    ENDS_DOCUMENT,
    STARTS_DOCUMENT,
    TRUNCATED,
    Boundaries,
    Rows,
    StageHeader,
    StageSource,
    write_stage,
)

SOURCES = ("web", "code", "books")
VOCAB_SIZE = 100_289
EOS = 100_257


def random_rows(
    num_rows: int, *, length: int, seed: int, padding: bool = False, boundaries: Boundaries | None = None
) -> Rows:
    """Rows of random tokens in one to four segments; token 0 of row r is r, so that order shows."""
    generator = np.random.default_rng(seed)
    policy = boundaries or Boundaries()
    width = length + 1
    tokens = generator.integers(0, VOCAB_SIZE, (num_rows, width), dtype=np.uint32)
    tokens[:, 0] = np.arange(num_rows)
    n_tok = np.full(num_rows, width, dtype=np.uint32)
    if padding:
        n_tok = generator.integers(1, width + 1, num_rows).astype(np.uint32)
        tokens[np.arange(width) >= n_tok[:, np.newaxis]] = EOS
    lengths: list[list[int]] = []
    for total in n_tok.tolist():
        cuts = sorted({0, total, *generator.integers(1, total + 1, 3).tolist()})
        lengths.append([b - a for a, b in itertools.pairwise(cuts)])
    counts = np.array([len(row) for row in lengths], dtype=np.int64)
    seg_len = np.array([n for row in lengths for n in row], dtype=np.uint32)
    pairs = n_tok.astype(np.int64) - (1 if policy.cross_document_loss else counts)
    num_segments = len(seg_len)
    return Rows(
        tokens=tokens,
        source=(np.arange(num_rows) % len(SOURCES)).astype(np.uint16),
        epoch=np.zeros(num_rows, dtype=np.uint8),
        n_tok=n_tok,
        n_loss=pairs.astype(np.uint32),
        seg_starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        seg_len=seg_len,
        seg_doc=generator.integers(0, 2**60, num_segments, dtype=np.uint64),
        seg_off=generator.integers(0, 1000, num_segments, dtype=np.uint32),
        seg_flags=generator.choice(
            np.array([STARTS_DOCUMENT | ENDS_DOCUMENT, TRUNCATED], dtype=np.uint8), num_segments
        ),
    )


def write_test_stage(
    root: str,
    *,
    num_rows: int = 100,
    length: int = 16,
    stage: str = "stage1",
    seed: int = 1,
    padding: bool = False,
    **header: Any,
) -> tuple[str, Rows]:
    """Publish a stage of small shards (16 rows, 4 to a record batch); return its folder and rows."""
    rows = random_rows(
        num_rows, length=length, seed=seed, padding=padding, boundaries=header.get("boundaries")
    )
    fields: dict[str, Any] = {
        "mixture": "test",
        "stage": stage,
        "stage_index": 0,
        "sequence_length": length,
        "vocab_size": VOCAB_SIZE,
        "padded_vocab_size": 100_352,
        "eos_id": EOS,
        "pad_id": EOS,
        "tokenizer": "arcade100k",
        "tokenizer_sha256": "0" * 64,
        "sources": tuple(StageSource(i, name) for i, name in enumerate(SOURCES)),
        "plan": f"{seed:064x}",
        "seed": seed,
        "rows_per_shard": 16,
        "rows_per_batch": 4,
    }
    return write_stage(root, StageHeader(**{**fields, **header}), rows).folder, rows


WriteStage = Callable[..., tuple[str, Rows]]


@pytest.fixture(scope="session")
def write_stage_in() -> WriteStage:
    """Write a stage into a folder that is given."""
    return write_test_stage


@pytest.fixture
def make_stage(tmp_path: Path) -> WriteStage:
    """Write a stage into the test's own folder."""
    return lambda **arguments: write_test_stage(str(tmp_path), **arguments)


@pytest.fixture(scope="session")
def two_stages(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[str, Rows], tuple[str, Rows]]:
    """A stage of 100 rows of 16 tokens, then a padded one of 50 rows of 32."""
    root = str(tmp_path_factory.mktemp("two-stages"))
    return (
        write_test_stage(root),
        write_test_stage(root, stage="stage2", num_rows=50, length=32, seed=2, padding=True),
    )
