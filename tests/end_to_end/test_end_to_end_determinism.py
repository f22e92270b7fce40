"""The same input gives the same bytes: with other workers, another exchange, and after kills."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import VOCABULARY, Builder

pytestmark = [pytest.mark.corpus, pytest.mark.vocab, pytest.mark.slow]

MIXTURE = "stablelm-base-alpha-v2"
TOKENS = "2M"
#: A folder of raw files of every corpus: enough for several parts, bins and both stages.
RAW_FILES = (
    "refinedweb/data/train-00000-of-00004.parquet",
    "refinedweb/data/train-00003-of-00004-f5605b08477d8911.parquet",
    "redpajama/arxiv/*",
    "redpajama/c4/*",
    "redpajama/stackexchange/*",
    "redpajama/wikipedia/*",
    "pile/train/01.jsonl.zst",
    "starcoderdata/python/*",
    "starcoderdata/java/*",
    "starcoderdata/javascript/*",
)


@pytest.fixture(scope="module")
def raw(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root of links to some of the raw files."""
    root = tmp_path_factory.mktemp("raw")
    for pattern in RAW_FILES:
        for file in corpus.glob(pattern):
            link = root / file.relative_to(corpus)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    return root


@pytest.fixture(scope="module")
def small_builder(raw: Path, vocab: Path) -> Builder:
    return Builder(raw, vocab)


@pytest.fixture(scope="module")
def reference(small_builder: Builder, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Checksum of every file of a build with one worker."""
    output = tmp_path_factory.mktemp("one-worker")
    assert small_builder.run(MIXTURE, output, "--workers=1", tokens=TOKENS) == 0
    return checksums(output)


def checksums(output: Path) -> dict[str, str]:
    files = sorted(path for path in output.rglob("*") if path.is_file())
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Return the names of files that are in one build only, or differ."""
    return sorted(name for name in {**found, **expected} if found.get(name) != expected.get(name))


def num_files(output: Path) -> int:
    # os.walk passes over folders that a running build removes, rglob does not.
    return sum(len(names) for _, _, names in os.walk(output))


def test_a_build_that_was_killed_three_times_gives_the_same_bytes(reference, raw, vocab, tmp_path):
    command = [
        sys.executable, "-m", "pipelines.cli", "build", MIXTURE, f"--data-root={raw}", f"--output={tmp_path}",
        f"--vocab={vocab / VOCABULARY[MIXTURE]}", f"--tokens={TOKENS}", "--missing=skip", "--workers=4",
    ]  # fmt: skip
    kills = 0
    for wanted in (0.15, 0.45, 0.8):
        process = subprocess.Popen(
            command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 200
        while process.poll() is None and num_files(tmp_path) < wanted * len(reference):
            assert time.monotonic() < deadline, "the build makes no progress"
            time.sleep(0.01)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        assert not (tmp_path / "builds").exists(), "killed too late to prove anything"
    assert kills == 3
    finished = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert finished.returncode == 0, finished.stderr
    assert differences(checksums(tmp_path), reference) == []


def test_the_shuffle_exchange_gives_the_same_bytes_as_spill_files(reference, small_builder, tmp_path):
    assert small_builder.run(MIXTURE, tmp_path, "--workers=1", "--exchange=shuffle", tokens=TOKENS) == 0
    assert differences(checksums(tmp_path), reference) == []


def test_building_again_changes_no_file(reference, small_builder, tmp_path):
    assert small_builder.run(MIXTURE, tmp_path, "--workers=2", tokens=TOKENS) == 0
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert small_builder.run(MIXTURE, tmp_path, "--workers=2", tokens=TOKENS) == 0
    again = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert {p for p in again if "builds" not in p.parts and again[p] != times.get(p)} == set()
    assert differences(checksums(tmp_path), reference) == []
