"""The training example: loss falls, a killed run ends on the same curve, documents do not see each other."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dataprep.loader import open_stream
from dataprep.shards import (
    ENDS_DOCUMENT,
    STARTS_DOCUMENT,
    Rows,
    StageHeader,
    StageSource,
    write_stage,
)

torch = pytest.importorskip("torch", reason="the extra 'examples' is not installed")
pytest.importorskip("transformers", reason="the extra 'examples' is not installed")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "train_stablelm.py"
EOS, VOCAB_SIZE = 255, 256
SIZES = ["--hidden-size=32", "--layers=1", "--sequence-length=32", "--batch-rows=4", "--micro-batch-rows=2"]


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_stablelm", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Rows of 64 tokens in documents that count upwards by steps of 3: easy to learn."""
    num_rows, length = 400, 64
    generator = np.random.default_rng(1)
    tokens = np.empty((num_rows, length + 1), dtype=np.uint32)
    lengths = [20, 20, 25]
    for row in tokens:
        starts = generator.integers(0, 255, len(lengths))
        parts = [(start + 3 * np.arange(n)) % 255 for start, n in zip(starts, lengths)]
        for part in parts:
            part[-1] = EOS
        row[:] = np.concatenate(parts)
    segments = num_rows * len(lengths)
    rows = Rows(
        tokens=tokens,
        source=np.zeros(num_rows, dtype=np.uint16),
        epoch=np.zeros(num_rows, dtype=np.uint8),
        n_tok=np.full(num_rows, length + 1, dtype=np.uint32),
        n_loss=np.full(num_rows, length + 1 - len(lengths), dtype=np.uint32),
        seg_starts=np.arange(num_rows + 1, dtype=np.int64) * len(lengths),
        seg_len=np.tile(np.array(lengths, dtype=np.uint32), num_rows),
        seg_doc=np.arange(segments, dtype=np.uint64),
        seg_off=np.zeros(segments, dtype=np.uint32),
        seg_flags=np.full(segments, STARTS_DOCUMENT | ENDS_DOCUMENT, dtype=np.uint8),
    )
    header = StageHeader(
        mixture="counting",
        stage="pretrain",
        stage_index=0,
        sequence_length=length,
        vocab_size=VOCAB_SIZE,
        padded_vocab_size=VOCAB_SIZE,
        eos_id=EOS,
        pad_id=EOS,
        tokenizer="test",
        tokenizer_sha256="0" * 64,
        sources=(StageSource(0, "numbers"),),
        plan="0" * 64,
        seed=1,
    )
    return write_stage(str(tmp_path_factory.mktemp("counting")), header, rows).folder


def start(shards: str, checkpoint: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(EXAMPLE), shards, f"--checkpoint={checkpoint}", *SIZES, *options]
    # One thread: the model is so small that more of them only wait for each other.
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLE.parents[1]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def lines_of(run: subprocess.Popen[str]) -> list[dict[str, Any]]:
    output, problems = run.communicate(timeout=500)
    assert run.returncode == 0, problems
    return [json.loads(line) for line in output.splitlines()]


def kill_at(run: subprocess.Popen[str], step: int) -> list[dict[str, Any]]:
    """Let a run come to a step, then send SIGKILL; return what it had reported."""
    seen: list[dict[str, Any]] = []
    assert run.stdout is not None
    for line in run.stdout:
        seen.append(json.loads(line))
        if seen[-1]["step"] == step:
            run.kill()
            break
    rest, _ = run.communicate()
    assert run.returncode == -signal.SIGKILL
    return seen + [json.loads(line) for line in rest.splitlines() if line.endswith("}")]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_that_is_killed_twice_continues_on_the_identical_curve_and_learns(
    shards: str, tmp_path: Path
) -> None:
    """200 steps: two epochs of 100, the second in another order. Losses are equal to the last bit."""
    steps = ("--steps=200", "--epochs=2")
    whole = lines_of(start(shards, tmp_path / "whole.pt", *steps))
    assert [line["step"] for line in whole] == list(range(1, 201))
    losses = [line["loss"] for line in whole]
    assert np.mean(losses[:5]) > 5
    assert np.mean(losses[95:105]) < 1.5
    assert np.mean(losses[-10:]) < 0.5

    checkpoint, curve = tmp_path / "killed.pt", {}
    for step, workers in ((63, 1), (142, 0)):
        for line in kill_at(start(shards, checkpoint, *steps, f"--workers={workers}"), step):
            assert line == whole[line["step"] - 1], "also where it repeats what was lost"
            curve[line["step"]] = line["loss"]
        assert step <= max(curve) < 200
    resumed = lines_of(start(shards, checkpoint, *steps, "--workers=2"))
    assert 126 <= resumed[0]["step"] <= 151, "from the last checkpoint, all 25 steps"
    curve |= {line["step"]: line["loss"] for line in resumed}
    assert [curve[step] for step in range(1, 201)] == losses


def test_a_documents_loss_does_not_depend_on_its_neighbours(example: ModuleType, shards: str) -> None:
    stream = open_stream(shards)
    torch.manual_seed(1)
    model = example.build_model(stream, hidden_size=32, num_layers=2, length=64).eval()
    dataset = example.TokenDataset(stream, global_batch_rows=2, position_ids=True, segment_ids=True)
    batch = next(iter(dataset))
    changed = {**batch, "input_ids": batch["input_ids"].clone()}
    changed["input_ids"][:, :19] = 7  # The first document, and its neighbour's inputs and labels stay.

    def losses(one: dict[str, Any], *, reset_attention: bool) -> Any:
        with torch.no_grad():
            loss = example.loss_of(model, one, reset_attention=reset_attention, reduction="none")
        return loss.reshape(2, 64)[:, 20:]

    alone = losses(batch, reset_attention=True)
    assert torch.equal(alone, losses(changed, reset_attention=True))
    free = losses(batch, reset_attention=False)
    # Positions that start anew make transformers infer the same mask; give it running ones.
    running = torch.arange(64).expand(2, 64)
    assert not torch.allclose(
        losses({**batch, "position_ids": running}, reset_attention=False),
        losses({**changed, "position_ids": running}, reset_attention=False),
    ), "without the reset the neighbour must matter, or this test shows nothing"
    assert free.shape == alone.shape

    # And the same document in a row of its own has the same loss.
    segment = slice(20, 40)
    own = {
        "input_ids": batch["input_ids"][:1, segment],
        "labels": batch["labels"][:1, segment],
        "position_ids": batch["position_ids"][:1, segment],
        "segment_ids": batch["segment_ids"][:1, segment] * 0,
    }
    with torch.no_grad():
        single = example.loss_of(model, own, reset_attention=True, reduction="none")
    assert torch.allclose(single, alone[0, :20], atol=1e-5)
