"""Train a small StableLM on a build's shards: on a CPU, in minutes, exactly resumable.

    pip install 'dataprep[examples]'
    make demo
    python examples/train_stablelm.py demo-output/builds/demo.json --checkpoint run.pt --steps 300

Stop it at any moment, even with ``kill -9``, and start it again with the same arguments: it goes on
from its last checkpoint, and its losses are those of a run that was never stopped. Under torchrun
every process takes its own part of each global batch.

What a trainer has to do with a batch is in ``loss_of``: labels are shifted already, and where
the stage says so, attention and positions begin anew in each document.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import StableLmConfig, StableLmForCausalLM

from dataprep.loader import TokenStream, open_stream
from dataprep.loader.torch import TokenDataset, data_loader


def build_model(
    stream: TokenStream, *, hidden_size: int, num_layers: int, length: int
) -> StableLmForCausalLM:
    """Return a StableLM 2 of any size, with the vocabulary of the shards."""
    header = stream.stages[0].shards.header
    config = StableLmConfig(
        vocab_size=header.padded_vocab_size,
        hidden_size=hidden_size,
        intermediate_size=hidden_size * 3,
        num_hidden_layers=num_layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=length,
        use_qkv_bias=True,
        bos_token_id=header.eos_id,
        eos_token_id=header.eos_id,
        attn_implementation="sdpa",
        use_cache=False,
    )
    return StableLmForCausalLM(config)


def loss_of(
    model: StableLmForCausalLM, batch: Mapping[str, Any], *, reset_attention: bool, reduction: str = "sum"
) -> torch.Tensor:
    """Return the cross entropy of a batch's labels, summed or for each position.

    With ``reset_attention`` a position attends to those before it in the same document: the mask
    is block diagonal. (A model with varlen attention takes ``cu_seqlens`` instead.)
    """
    mask = None
    if reset_attention:
        segments = batch["segment_ids"]
        length = segments.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        mask = (causal & (segments[:, :, None] == segments[:, None, :]))[:, None]
    output = model(input_ids=batch["input_ids"], attention_mask=mask, position_ids=batch["position_ids"])
    return cross_entropy(output.logits.flatten(0, 1), batch["labels"].flatten(), reduction=reduction)


def train(arguments: argparse.Namespace) -> None:
    """Train until ``arguments.steps``, from the checkpoint if there is one."""
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(mode=True)
    stream = open_stream(arguments.shards, epochs=arguments.epochs)
    model = build_model(
        stream,
        hidden_size=arguments.hidden_size,
        num_layers=arguments.layers,
        length=arguments.sequence_length,
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=arguments.learning_rate)
    state = None
    if os.path.exists(arguments.checkpoint):
        saved = torch.load(arguments.checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        state = saved["data"]
    dataset = TokenDataset(
        stream,
        global_batch_rows=arguments.batch_rows,
        micro_batch_rows=arguments.micro_batch_rows,
        start=state,
        position_ids=True,
        segment_ids=True,
        sequence_lengths=[(0, arguments.sequence_length)],
    )
    summed, targets = 0.0, 0
    for batch in data_loader(dataset, num_workers=arguments.workers):
        header = stream.stages[batch["stage"]].shards.header
        loss = loss_of(model, batch, reset_attention=header.boundaries.reset_attention)
        loss.backward()
        summed += loss.item()
        targets += int((batch["labels"] >= 0).sum())
        if not batch["ends_step"]:
            continue
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad /= max(targets, 1)
        optimizer.step()
        optimizer.zero_grad()
        step = batch["step"] + 1
        print(json.dumps({"step": step, "loss": summed / max(targets, 1), "targets": targets}), flush=True)
        summed, targets = 0.0, 0
        if step % arguments.save_every == 0 or step == arguments.steps:
            save(arguments.checkpoint, model, optimizer, batch["state"])
        if step >= arguments.steps:
            return


def save(path: str, model: StableLmForCausalLM, optimizer: torch.optim.Optimizer, state: str) -> None:
    """Write a checkpoint: whole, or not at all."""
    temporary = f"{path}.tmp"
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "data": state}, temporary)
    os.replace(temporary, path)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's settings."""
    parser = argparse.ArgumentParser(description="Train a small StableLM on a build's shards.")
    parser.add_argument("shards", help="OUTPUT/builds/<mixture>.json, or a folder of shards")
    parser.add_argument("--checkpoint", default="stablelm-demo.pt", help="written, and resumed from")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-rows", type=int, default=8, help="rows of a global batch")
    parser.add_argument("--micro-batch-rows", type=int, default=4)
    parser.add_argument("--sequence-length", type=int, default=128, help="rows are cut to this length")
    parser.add_argument("--hidden-size", type=int, default=64)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--workers", type=int, default=0, help="processes that read")
    parser.add_argument("--save-every", type=int, default=25, help="steps between checkpoints")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    train(parse())
