"""The identity of a raw file depends on its bytes alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dataprep.sources import identity
from dataprep.sources.identity import NUM_PROBES, PROBE_BYTES, WHOLE_FILE_BYTES, content_identity, identities
from dataprep.storage import FileInfo


def _info(path: Path) -> FileInfo:
    return FileInfo(str(path), path.stat().st_size)


def test_a_small_file_is_hashed_whole(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"abc")
    assert content_identity(_info(path)) == "sha256:" + hashlib.sha256(b"abc").hexdigest()


def test_an_empty_file_has_an_identity(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"")
    assert content_identity(_info(path)) == "sha256:" + hashlib.sha256(b"").hexdigest()


def test_a_large_file_is_probed_from_its_first_to_its_last_byte(tmp_path: Path) -> None:
    data = bytearray(hashlib.shake_128(b"seed").digest(WHOLE_FILE_BYTES + 1))
    path = tmp_path / "large"
    path.write_bytes(data)
    before = content_identity(_info(path))
    last = len(data) - PROBE_BYTES
    starts = [last * i // (NUM_PROBES - 1) for i in range(NUM_PROBES)]
    expected = hashlib.sha256(len(data).to_bytes(8, "little"))
    for start in starts:
        expected.update(data[start : start + PROBE_BYTES])
    assert before == "probes:" + expected.hexdigest()

    for changed, is_noticed in ((0, True), (len(data) - 1, True), (starts[7], True), (starts[7] - 1, False)):
        other = bytearray(data)
        other[changed] ^= 1
        path.write_bytes(other)
        assert (content_identity(_info(path)) != before) is is_noticed, changed


def test_the_size_counts_even_if_all_probes_are_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "WHOLE_FILE_BYTES", PROBE_BYTES)
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(bytes(PROBE_BYTES * 3))
    second.write_bytes(bytes(PROBE_BYTES * 4))
    assert content_identity(_info(first)) != content_identity(_info(second))


def test_identities_keep_the_order_of_the_files(tmp_path: Path) -> None:
    files = []
    for i in range(40):
        path = tmp_path / f"{i:02d}"
        path.write_bytes(bytes([i]))
        files.append(_info(path))
    assert identities(files) == [content_identity(file) for file in files]
    assert identities([]) == []
