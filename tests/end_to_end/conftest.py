"""One build of the test corpus that all end-to-end tests read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from built_tables import Built

from pipelines.cli import main

VOCABULARY = {
    "stablelm-base-alpha": "gpt-neox-20b.tokenizer.json",
    "stablelm-base-alpha-v2": "gpt-neox-20b.tokenizer.json",
    "stablelm-3b-4e1t": "gpt-neox-20b.tokenizer.json",
    "stablelm-2-1_6b": "cl100k_base.tiktoken",
    "stablelm-2-12b": "cl100k_base.tiktoken",
}


@dataclass(frozen=True)
class Builder:
    """Builds mixtures of the test corpus, as a user does: through the command line."""

    corpus: Path
    vocab: Path

    def run(self, mixture: str, output: Path, *extra: str, tokens: str = "20M") -> int:
        return main(
            [
                "build",
                mixture,
                f"--data-root={self.corpus}",
                f"--output={output}",
                f"--vocab={self.vocab / VOCABULARY[mixture]}",
                f"--tokens={tokens}",
                "--missing=skip",
                *extra,
            ]
        )


@pytest.fixture(scope="session")
def builder(corpus: Path, vocab: Path) -> Builder:
    return Builder(corpus, vocab)


@pytest.fixture(scope="session")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output folder that all mixtures share, as they share document tables."""
    return tmp_path_factory.mktemp("built")


@pytest.fixture(scope="session")
def built(builder: Builder, output: Path) -> Built:
    """Stable LM 2 1.6B at 20 M tokens."""
    assert builder.run("stablelm-2-1_6b", output) == 0
    return Built(output, "stablelm-2-1_6b")
