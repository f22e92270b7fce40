"""The dataset card of an export: what the hub shows, made of the stage's manifest and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence

from dataprep.shards import Boundaries, ShardStage, StageSource

CARD_NAME = "README.md"

_SIZE_CATEGORIES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
    (10**10, "1B<n<10B"),
    (10**11, "10B<n<100B"),
    (10**12, "100B<n<1T"),
)
"""The hub's names for numbers of rows."""

_CARD = """\
---
pretty_name: {quoted_title}
license: other
license_name: licences-of-the-sources
task_categories:
- text-generation
tags:
- pretraining
- tokenized
size_categories:
- {size_category}
configs:
- config_name: default
  data_files:
  - split: {split}
    path: data/{split}-*.parquet
dataset_info:
  splits:
  - name: {split}
    num_bytes: {dataset_bytes}
    num_examples: {num_rows}
  download_size: {download_bytes}
  dataset_size: {dataset_bytes}
---

# {title}

Tokens for pretraining: stage `{stage}` of the mixture `{mixture}`, {num_rows:,} rows of {row_tokens:,}
tokens in the order of training. {tokens:,} tokens to feed, {targets:,} predictions that bear loss.

```python
from datasets import load_dataset

rows = load_dataset("USER/NAME", split="{split}")
```

## Rows

| column | type | meaning |
|---|---|---|
| `input_ids` | list of int32 | {row_tokens:,} ids: feed the first {length:,}, predict the last {length:,} |
| `source` | string | where the row is from, see below |
| `epoch` | int32 | how often the source was read before this row |
| `num_tokens` | int32 | ids that are no padding; padding stands at the end |
| `num_targets` | int32 | predictions that bear loss |
| `segment_lengths` | list of int32 | tokens of each document's part in the row, in order |
| `segment_documents` | list of uint64 | id of each part's document |
| `segment_offsets` | list of int64 | tokens of the document before the part |
| `segment_flags` | list of uint8 | 1 starts its document, 2 ends it, 4 is cut, 8 repeats a row's last token |

Tokenizer: `{tokenizer}`, {vocab_size:,} ids (embeddings have {padded_vocab_size:,} rows), vocabulary sha256
`{tokenizer_sha256}`.
Documents end with id {eos_id}; padding is id {pad_id}, which may be the same: tell padding by `num_tokens`.

Packing: `{packing}`. {boundaries}

## Sources

| source | licence | weight | share | rows | tokens | targets |
|---|---|---:|---:|---:|---:|---:|
{source_lines}

Weight is the share of the tokens that the mixture asks for; share is what the rows hold.

## Licences

The text behind the tokens belongs to its authors and stays under the licences of its sources:

{licence_lines}

Pass this dataset on only where all of them allow it.

## Provenance

Made with dataprep from shards `{shards}` (plan `{plan}`, seed {seed}). A document id names collection, raw
file and row; `dataprep trace` shows them.
"""


def dataset_card(stage: ShardStage, *, split: str, dataset_bytes: int, download_bytes: int) -> str:
    """Return the card: YAML front matter for the hub, then text for people.

    Args:
        stage: what was exported.
        split: name of the split.
        dataset_bytes: size of the rows in memory.
        download_bytes: size of the data files.
    """
    header, counts = stage.header, stage.artifact.manifest.counts
    sources = [source for source in header.sources if source.rows]
    title = f"{header.mixture}, {header.stage}"
    return _CARD.format(
        quoted_title=json.dumps(title),
        title=title,
        size_category=_size_category(stage.num_rows),
        split=split,
        dataset_bytes=dataset_bytes,
        download_bytes=download_bytes,
        num_rows=stage.num_rows,
        stage=header.stage,
        mixture=header.mixture,
        row_tokens=header.layout.row_tokens,
        length=header.sequence_length,
        tokens=counts["tokens"],
        targets=counts["targets"],
        tokenizer=header.tokenizer,
        vocab_size=header.vocab_size,
        padded_vocab_size=header.padded_vocab_size,
        tokenizer_sha256=header.tokenizer_sha256,
        eos_id=header.eos_id,
        pad_id=header.pad_id,
        packing=header.packing,
        boundaries=_boundary_sentence(header.boundaries),
        source_lines="\n".join(_source_lines(sources, num_rows=stage.num_rows)),
        licence_lines="\n".join(_licence_lines(sources)),
        shards=stage.artifact.manifest.fingerprint[:12],
        plan=header.plan[:12],
        seed=header.seed,
    )


def _boundary_sentence(boundaries: Boundaries) -> str:
    attention = "is reset" if boundaries.reset_attention else "goes on"
    positions = "start again at 0" if boundaries.reset_positions else "go on"
    predicted = "is predicted" if boundaries.cross_document_loss else "is not predicted"
    return (
        f"At the end of a document attention {attention}, positions {positions},\n"
        f"and the first token of the next document {predicted}."
    )


def _source_lines(sources: Sequence[StageSource], *, num_rows: int) -> list[str]:
    lines = []
    for source in sources:
        cells = (
            _cell(source.name),
            _cell(source.license or "unknown"),
            f"{source.weight:.4%}",
            f"{source.rows / num_rows:.4%}",
            f"{source.rows:,}",
            f"{source.tokens:,}",
            f"{source.targets:,}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    totals = [sum(getattr(source, name) for source in sources) for name in ("rows", "tokens", "targets")]
    return [*lines, f"| all | | | | {' | '.join(f'{total:,}' for total in totals)} |"]


def _licence_lines(sources: Sequence[StageSource]) -> list[str]:
    licences: dict[str, list[str]] = {}
    for source in sources:
        licences.setdefault(source.license or "unknown", []).append(source.name)
    return [f"- {name}: {', '.join(of)}" for name, of in sorted(licences.items())]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _size_category(num_rows: int) -> str:
    """Return the hub's name for a number of rows.

    >>> _size_category(4883)
    '1K<n<10K'
    """
    return next((name for limit, name in _SIZE_CATEGORIES if num_rows < limit), "n>1T")
