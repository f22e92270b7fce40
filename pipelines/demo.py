"""The demo: raw corpora from what is on this machine, then the same build as for real ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from dataprep import storage
from dataprep.errors import ConfigError
from dataprep.report import summarise
from dataprep.text_table import aligned
from dataprep.tokenizers import ARCADE100K, find_vocabulary, train_demo_vocabulary
from dataprep.tracing import trace_row
from mixtures import packaged_path
from pipelines.build import BuildOptions, build
from pipelines.demo_corpus import DemoCorpus, write_demo_corpus

DEMO_VOCABULARY_SIZE = 8192
"""Ids of the vocabulary that is trained offline; small, so that training takes seconds."""

_NETWORK_TIMEOUT_S = 5.0
_SHOWN_LINES = 24


def run_demo(
    output: str,
    *,
    vocab: str | None = None,
    workers: int | None = None,
    beam_options: Sequence[str] = (),
    allow_network: bool = True,
) -> int:
    """Write raw files of five corpora, build the demo mixture from them, and show the result.

    Args:
        output: local folder; raw files go to ``<output>/raw``, the build to ``<output>``.
        vocab: vocabulary file of Arcade100k, or a folder with it; without it, the cache and the
            network are asked for a few seconds before a small vocabulary is trained.
        workers: local worker processes; one for each core by default.
        beam_options: passed on to Beam.
        allow_network: whether to look for the real vocabulary on the network.

    Returns: the exit status.
    """
    if not storage.is_local(output):
        raise ConfigError(f"--output {output}: the demo writes to a local folder")
    raw = storage.join(output, "raw")
    print(f"Writing raw files of five corpora to {raw}, from Python's library and installed packages ...")
    corpus = write_demo_corpus(raw)
    print(_sizes_text(corpus))
    mixture = storage.join(output, "demo.yaml")
    vocab_path = prepare_tokenizer(output, mixture, corpus, vocab, allow_network=allow_network)
    print(f"\nBuilding {mixture}, as `dataprep build` does for real corpora ...", flush=True)
    options = BuildOptions(
        output=output, data_root=raw, vocab=vocab_path, workers=workers, beam_options=tuple(beam_options)
    )
    result = build(mixture, options, announce=lambda text: print(f"\n{text}", flush=True))
    print(f"\n{summarise(output, result.mixture.name).to_text()}")
    print(f"\nThe first row, traced back to its documents:\n{_first_row(output, result.mixture.name)}")
    print(f"\nNext:\n{_next_commands(output)}")
    return 0


def _sizes_text(corpus: DemoCorpus) -> str:
    lines = [("corpus", "files", "rows", "text")]
    lines += [
        (one.corpus, str(one.num_files), f"{one.num_rows:,}", f"{one.text_bytes / 1e6:.1f} MB")
        for one in corpus.sizes
    ]
    return aligned(lines)


def prepare_tokenizer(
    output: str, mixture: str, corpus: DemoCorpus, vocab: str | None, *, allow_network: bool
) -> str | None:
    """Write the mixture's file with the best tokenizer there is; return where its vocabulary lies."""
    recipe = storage.read_bytes(packaged_path("demo.yaml")).decode()
    try:
        found = find_vocabulary(
            ARCADE100K.name, vocab_path=vocab, allow_network=allow_network, timeout_s=_NETWORK_TIMEOUT_S
        )
    except ConfigError:
        if vocab is not None:
            raise
        path = storage.join(output, "arcade-demo.tiktoken")
        spec = train_demo_vocabulary(corpus.training_texts, path, DEMO_VOCABULARY_SIZE)
        own = f"tokenizer: {spec.name}"
        assert f"tokenizer: {ARCADE100K.name}" in recipe
        storage.write_bytes(mixture, recipe.replace(f"tokenizer: {ARCADE100K.name}", own).encode())
        print(
            f"\nNo vocabulary of {ARCADE100K.name} is here or on the network, so {spec.name} was trained on "
            f"these texts:\n  {spec.vocab_size:,} ids with the same split pattern, special tokens and digit "
            f"rule, in {path}.\n  It is a stand-in for trying things out; the real one: "
            "dataprep demo --vocab PATH/cl100k_base.tiktoken"
        )
        return path
    storage.write_bytes(mixture, recipe.encode())
    print(f"\nTokenizer {ARCADE100K.name}: {ARCADE100K.vocab_size:,} ids, from {found.path}")
    return vocab


def _first_row(output: str, mixture: str) -> str:
    lines = trace_row(output, 0, stage=None, mixture=mixture).to_text().splitlines()
    return "\n".join(lines[:_SHOWN_LINES] + (["    ..."] if len(lines) > _SHOWN_LINES else []))


def _next_commands(output: str) -> str:
    command = _own_command()
    lines = [
        (f"{command} verify {output}", "read everything again and check it"),
        (f"{command} trace {output} --row 7", "which raw documents a row is made of"),
        (
            f"{command} plan {storage.join(output, 'demo.yaml')} --output {output} --tokens 4M",
            "what another size would take from each source",
        ),
    ]
    return aligned(lines, left_columns=2)


def _own_command() -> str:
    """Return how this program was called, so that the shown commands can be copied."""
    called = sys.argv[0]
    if os.path.basename(called) != "dataprep":
        return "dataprep"
    relative = os.path.relpath(called)
    return called if relative.startswith("..") else relative
