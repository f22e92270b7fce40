"""One small finished build, and copies of it that a test may damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from output_builder import Output, build_output


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Output:
    """The build as it was published; not to be changed."""
    return build_output(tmp_path_factory.mktemp("sound") / "out")


@pytest.fixture
def output(sound: Output, tmp_path: Path) -> Output:
    """A copy of the build."""
    return sound.at(Path(shutil.copytree(sound.root, tmp_path / "out")))
