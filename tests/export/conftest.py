"""Small builds that the tests of exports share."""

from __future__ import annotations

import pytest
from export_builder import SmallBuild, small_build

#: Scripts for interpreters that have what ours has not.
collect_ignore = ["read_with_megatron.py", "read_with_streaming.py"]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> SmallBuild:
    """Rows of Arcade100k, without padding and with loss everywhere, and held-out documents."""
    return small_build(
        tmp_path_factory.mktemp("build"), stages=[{"boundaries": {"cross_document_loss": True}}]
    )


@pytest.fixture(scope="session")
def masked_build(tmp_path_factory: pytest.TempPathFactory) -> SmallBuild:
    """Rows of GPT-NeoX ids with padding and masked targets; long documents twice as often; no hold-out."""
    stage = {
        "packing": "best_fit",
        "upsample_long": {"min_tokens": 30, "factor": 2},
        "boundaries": {"cross_document_loss": False},
    }
    return small_build(
        tmp_path_factory.mktemp("masked-build"),
        tokenizer="neox",
        stages=[stage],
        holdout=False,
        long_documents=True,
    )
