"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")


def _folder_from_environment(variable: str, what: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set: {what}")
    folder = Path(value)
    assert folder.is_dir(), f"{variable}={value} is no folder"
    return folder


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The test corpus: real text in all five native layouts, with truth files."""
    return _folder_from_environment("DATAPREP_TEST_CORPUS", "the test corpus is not on this machine")


@pytest.fixture(scope="session")
def vocab() -> Path:
    """The folder of the real vocabularies: cl100k_base.tiktoken, gpt-neox-20b.tokenizer.json."""
    return _folder_from_environment("DATAPREP_TEST_VOCAB", "the real vocabularies are not on this machine")


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the marks in a hook of its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share expensive fixtures in one process when pytest-xdist spreads them.

    All tests of a file stay together, where it says nothing else; so do the end-to-end files that read
    one build.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            shared = "built" in getattr(item, "fixturenames", ())
            item.add_marker(pytest.mark.xdist_group("built" if shared else str(item.path)))
