"""Compressed streams: every form that occurs is read, and no cut goes unnoticed."""

from __future__ import annotations

import gzip
import io
import lzma

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from dataprep.sources import DamagedFileError
from dataprep.sources.compression import Compression, compression_of, decompressed
from dataprep.sources.damage import DAMAGED, TRUNCATED

TEXT = b"".join(b"line %d of a text that can be compressed\n" % i for i in range(20_000))
SKIPPABLE_FRAME = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"index"


def _zstd(data: bytes, **options: int) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(data)


def _long_window(data: bytes) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=29, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return compressor.compress(data) + compressor.flush()


def _without_size(data: bytes) -> bytes:
    compressor = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return compressor.compress(data) + compressor.flush()


HALF = len(TEXT) // 2
GOOD = {
    "zstd": _zstd(TEXT),
    "zstd with a checksum": _zstd(TEXT, write_checksum=True),
    "zstd without the size": _without_size(TEXT),
    "zstd with a window of 512 MiB": _long_window(TEXT),
    "zstd in two frames": _zstd(TEXT[:HALF]) + _zstd(TEXT[HALF:]),
    "zstd with an empty frame": _zstd(TEXT[:HALF]) + _zstd(b"") + _zstd(TEXT[HALF:]),
    "zstd with skippable frames": SKIPPABLE_FRAME + _zstd(TEXT) + SKIPPABLE_FRAME,
    "gzip": gzip.compress(TEXT),
    "gzip in two members": gzip.compress(TEXT[:HALF]) + gzip.compress(TEXT[HALF:]),
    "gzip with padding": gzip.compress(TEXT) + bytes(1000),
    "xz": lzma.compress(TEXT),
    "xz in two streams": lzma.compress(TEXT[:HALF]) + bytes(8) + lzma.compress(TEXT[HALF:]),
    "none": TEXT,
}


def _read(data: bytes, compression: Compression | None = None) -> bytes:
    kind = compression_of(data[:6]) if compression is None else compression
    return b"".join(decompressed(io.BytesIO(data), kind, path="x.jsonl"))


@pytest.mark.parametrize("name", GOOD)
def test_every_form_is_recognised_by_its_bytes_and_read(name: str) -> None:
    data = GOOD[name]
    assert compression_of(data[:6]) == name.split(" ")[0]
    assert _read(data) == TEXT


@pytest.mark.parametrize("name", [name for name in GOOD if name != "none"])
@pytest.mark.parametrize("lost_bytes", [1, 2, 5, 100])
def test_a_cut_is_an_error(name: str, lost_bytes: int) -> None:
    data = GOOD[name]
    if name == "gzip with padding":
        data = gzip.compress(TEXT)
    with pytest.raises(DamagedFileError, match=r"x.jsonl: .*--skip-bad-files") as caught:
        _read(data[:-lost_bytes])
    assert caught.value.reason == TRUNCATED
    assert "x.jsonl" not in caught.value.detail


@given(st.integers(7, len(GOOD["zstd with a checksum"]) - 1))
def test_no_cut_of_a_frame_goes_unnoticed(length: int) -> None:
    with pytest.raises(DamagedFileError):
        _read(GOOD["zstd with a checksum"][:length])


def test_a_cut_between_frames_cannot_be_known() -> None:
    """The format has no count of frames: what is whole is read."""
    assert _read(_zstd(TEXT[:HALF])) == TEXT[:HALF]


@pytest.mark.parametrize("name", ["zstd with a checksum", "gzip", "xz"])
def test_a_changed_byte_is_an_error(name: str) -> None:
    data = bytearray(GOOD[name])
    data[len(data) // 2] ^= 0x10
    with pytest.raises(DamagedFileError) as caught:
        _read(bytes(data))
    assert caught.value.reason in (DAMAGED, TRUNCATED)


def test_garbage_after_the_end_is_an_error() -> None:
    for name in ("zstd", "gzip", "xz"):
        with pytest.raises(DamagedFileError):
            _read(GOOD[name] + b"garbage, and more of it")


def test_what_was_read_before_the_damage_comes_first() -> None:
    pieces = decompressed(io.BytesIO(_zstd(TEXT) + _zstd(TEXT)[:-3]), "zstd", path="x")
    read: list[bytes] = []
    with pytest.raises(DamagedFileError):
        read.extend(pieces)
    assert b"".join(read).startswith(TEXT)
