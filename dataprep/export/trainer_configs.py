"""Lines for the configs of trainers: which files they read, with which weights and settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataprep.export.gpt_neox import NeoxRun
from dataprep.shards import StageHeader

Blend = list[tuple[str, float]]
"""Paths of pairs, without a suffix, and their weights."""


@dataclass(frozen=True)
class TrainerDocuments:
    """The pairs of documents of an export."""

    training: Blend
    held_out: Blend


def neox_documents_config(header: StageHeader, documents: TrainerDocuments) -> bytes:
    """Return the lines with which GPT-NeoX shuffles documents and mixes sources by weight."""
    comments = _comments(header)
    if not documents.held_out:
        comments.append("No documents are held out, so valid and test are documents of training.")
    settings: dict[str, Any] = {}
    for split in ("train", "valid", "test"):
        blend = documents.training if split == "train" else documents.held_out or documents.training
        settings |= _split_lines(split, blend)
    return _yaml(comments, {**settings, "data-impl": "mmap", "seq-length": header.sequence_length})


def neox_rows_config(
    header: StageHeader,
    *,
    num_rows: int,
    tokens: str,
    labels: str | None,
    held_out: Blend,
    run: NeoxRun,
) -> bytes:
    """Return the lines with which GPT-NeoX replays rows in their order.

    Args:
        header: of the stage.
        num_rows: of the stage.
        tokens: the pair of rows, without a suffix.
        labels: the pair of their labels, if any.
        held_out: documents for validation; where there are none, the splits name the rows, because
            GPT-NeoX wants a path for each.
        run: what the index maps were named for.
    """
    comments = [
        *_comments(header),
        "Sample i is row i. The lines below are part of the names of the index maps that keep this order:",
        "with other values GPT-NeoX does not find them, builds its own and shuffles. It says so in its log:",
        "'could not find index map files'.",
    ]
    iterations = run.iterations(num_rows)
    settings: dict[str, Any] = {}
    for split in ("train", "valid", "test"):
        own = split == "train" or not held_out
        settings |= _split_lines(split, [(tokens, 1.0)] if own else held_out)
        if own and labels is not None:
            settings[f"{split}-label-data-paths"] = [labels]
    if not held_out:
        comments.append("Without held-out documents there is nothing to validate on: as little as it allows.")
        settings["eval-iters"] = 1 if iterations is None else 0
    settings |= {"data-impl": "mmap", "seq-length": header.sequence_length, "seed": run.seed}
    if iterations is None:
        settings |= {"pack-impl": "packed", "allow-chopped": True, "train-epochs": 1}
    else:
        # Versions before 2.0 know neither of the two above, which are the defaults of newer ones.
        settings |= {"train-batch-size": run.batch_rows, "train-iters": iterations}
    return _yaml(comments, settings)


def core_documents_config(documents: TrainerDocuments) -> bytes:
    """Return the JSON that Megatron-core takes with ``--per-split-data-args-path``."""

    def arguments(blend: Blend) -> list[str]:
        return [text for path, weight in blend for text in (repr(weight), path)]

    held_out = arguments(documents.held_out) or None
    splits = {"train": arguments(documents.training), "valid": held_out, "test": held_out}
    return (json.dumps(splits, indent=2, ensure_ascii=False) + "\n").encode()


def _split_lines(split: str, blend: Blend) -> dict[str, Any]:
    return {
        f"{split}-data-paths": [path for path, _ in blend],
        f"{split}-data-weights": [weight for _, weight in blend],
    }


def _comments(header: StageHeader) -> list[str]:
    lines = [
        f"Mixture {header.mixture}, stage {header.stage}; written by dataprep export.",
        "Paths are where the export was written: run it again after moving the folder.",
        f"Tokenizer {header.tokenizer}: {header.vocab_size:,} ids, documents end with id {header.eos_id};",
        f"embeddings have {header.padded_vocab_size:,} rows.",
    ]
    resets = {
        "attention": header.boundaries.reset_attention,
        "positions": header.boundaries.reset_positions,
    }
    named = " and ".join(name for name, is_reset in resets.items() if is_reset)
    if named:
        lines += [
            f"The mixture resets {named} where a document ends. GPT-NeoX itself has no setting for that;",
            "forks that have one call it reset-attention-mask and reset-position-ids.",
        ]
    return lines


def _yaml(comments: Sequence[str], settings: Mapping[str, Any]) -> bytes:
    """Return comments, then one setting a line, each value as JSON, which is YAML as well."""

    def lines() -> Iterator[str]:
        yield from (f"# {line}" for line in comments)
        for key, value in settings.items():
            if isinstance(value, list) and len(value) > 1:
                items = ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in value)
                yield f"{json.dumps(key)}: [\n  {items}\n]"
            else:
                yield f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"

    return ("\n".join(lines()) + "\n").encode()
