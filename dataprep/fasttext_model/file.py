"""Read the files of fastText models, ``.ftz`` and ``.bin``, into arrays."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dataprep.errors import ConfigError
from dataprep.fasttext_model.features import LANES

_MAGIC = 793712314
_VERSION = 12
_SUPERVISED = 3
_LOSSES = {1: "hs", 2: "ns", 3: "softmax", 4: "ova"}
_COVERED_LOSSES = ("hs", "softmax")
_NUM_CENTROIDS = 256
_LEAF_COUNT = 10**15
"""What a node of the tree of labels counts before it has children."""
_MAX_BUCKETS = 1 << 28

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


class _DamagedError(Exception):
    """The bytes are not those of a whole model; the message says why."""


class _NotCoveredError(Exception):
    """The model is whole and of a kind that is not read here; the message says which."""


@dataclass(frozen=True)
class ModelFile:
    """What a file holds, as fastText names and orders it, with both matrices in full precision."""

    labels: tuple[str, ...]
    label_counts: tuple[int, ...]
    words: tuple[bytes, ...]
    """All entries of the dictionary: words, then labels."""
    num_words: int
    loss: str
    min_chars: int
    max_chars: int
    num_buckets: int
    buckets: Integers
    """int64[num_rows - num_words], ascending: the bucket of each row of n-grams."""
    rows: Floats
    """float32[num_rows, padded]: of words, then of the buckets in order."""
    output: Floats
    """float32[num_labels, padded]."""


class _Reader:
    """Little-endian values one after the other; every array is checked against the end of the file."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._place = 0

    def values(self, layout: str) -> tuple[Any, ...]:
        """Return values of a struct layout, without padding."""
        start = self._advance(struct.calcsize("<" + layout))
        return struct.unpack_from("<" + layout, self._data, start)

    def array(self, dtype: npt.DTypeLike, count: int) -> npt.NDArray[Any]:
        """Return a copy of ``count`` numbers."""
        if count < 0:
            raise _DamagedError(f"a table of {count} numbers at byte {self._place}")
        dtype = np.dtype(dtype).newbyteorder("<")
        start = self._advance(count * dtype.itemsize)
        return np.frombuffer(self._data, dtype, count, start).copy()

    def text(self) -> bytes:
        """Return the bytes up to the next zero byte."""
        end = self._data.find(b"\0", self._place)
        if end < 0:
            raise _DamagedError(f"a word without an end at byte {self._place}")
        start, self._place = self._place, end + 1
        return self._data[start:end]

    def finish(self) -> None:
        """Check that nothing is left."""
        if self._place != len(self._data):
            raise _DamagedError(f"{len(self._data) - self._place} bytes too many")

    def _advance(self, size: int) -> int:
        start = self._place
        if start + size > len(self._data):
            raise _DamagedError(f"it ends at byte {len(self._data)}, in the middle of a table")
        self._place += size
        return start


def read_model_file(path: str) -> ModelFile:
    """Read a supervised model with n-grams of characters, quantised or not.

    Raises:
        ConfigError: the file is not there, is no fastText model, is damaged, or is a model of a kind that
            is not covered: n-grams of words, a quantised output matrix, or another loss than hs or softmax.
    """
    if not os.path.isfile(path):
        raise ConfigError(f"language model {path!r} is no file: give the path of a fastText model")
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size < 8 or struct.unpack("<i", file.read(4))[0] != _MAGIC:
            raise ConfigError(f"language model {path!r} is no fastText model: it begins with other bytes")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return _read(_Reader(data))
            except _DamagedError as error:
                raise ConfigError(
                    f"language model {path!r} is damaged ({error}): get the file again from where it came"
                ) from error
            except _NotCoveredError as error:
                raise ConfigError(
                    f"language model {path!r} has {error}, which only fastText itself predicts: "
                    f"set `engine: fasttext`, which takes more than ten times as long"
                ) from error


def _read(reader: _Reader) -> ModelFile:
    _, version = reader.values("ii")
    if version != _VERSION:
        raise _NotCoveredError(f"format version {version} (not {_VERSION})")
    dim, _, _, _, _, word_ngrams, loss, model, num_buckets, min_chars, max_chars, _, _ = reader.values("12id")
    if model != _SUPERVISED:
        raise _NotCoveredError("no labels (it was trained without supervision)")
    if _LOSSES.get(loss) not in _COVERED_LOSSES:
        raise _NotCoveredError(f"the loss {_LOSSES.get(loss, loss)!r} (not {' or '.join(_COVERED_LOSSES)})")
    if word_ngrams > 1:
        raise _NotCoveredError(f"n-grams of {word_ngrams} words")
    if not (0 < dim < 1 << 20 and 0 <= max_chars < 1 << 8 and 0 <= num_buckets < _MAX_BUCKETS):
        raise _DamagedError(f"dim {dim}, {num_buckets} buckets, n-grams of up to {max_chars} characters")
    if max_chars and not num_buckets:
        raise _DamagedError("n-grams, but no bucket")
    num_entries, num_words, num_labels, _, num_pruned = reader.values("iiiqq")
    if num_labels < 1 or num_words < 0 or num_words + num_labels != num_entries:
        raise _DamagedError(f"{num_entries} entries, of these {num_words} words and {num_labels} labels")
    entries = [(reader.text(), *reader.values("qb")) for _ in range(num_entries)]
    if [kind for _, _, kind in entries] != [0] * num_words + [1] * num_labels:
        raise _DamagedError("words and labels are mixed")
    if len({word for word, _, _ in entries}) != num_entries:
        raise _DamagedError("a word that is there twice")
    label_counts = tuple(count for _, count, _ in entries[num_words:])
    if list(label_counts) != sorted(label_counts, reverse=True) or not 0 <= sum(label_counts) < _LEAF_COUNT:
        raise _DamagedError("labels that are not in the order of their counts")
    pruned = reader.array(np.int32, 2 * max(num_pruned, 0)).reshape(-1, 2)
    (quantised,) = reader.values("?")
    if num_pruned >= 0 and not quantised:
        raise _NotCoveredError("n-grams that were pruned, but no quantised matrix")
    rows = _read_quantised(reader) if quantised else _read_dense(reader)
    (quantised_output,) = reader.values("?")
    if quantised and quantised_output:
        raise _NotCoveredError("a quantised output matrix")
    output = _read_dense(reader)
    reader.finish()
    if output.shape != (num_labels, dim) or rows.shape[1] != dim:
        raise _DamagedError(f"matrices of {rows.shape} and {output.shape} for dim {dim}, {num_labels} labels")
    if num_pruned < 0:
        buckets, places = np.arange(num_buckets), np.arange(num_buckets)
    else:
        order = np.argsort(pruned[:, 0])
        buckets, places = pruned[order].astype(np.int64).T
    _check_buckets(buckets, places, num_buckets, len(rows) - num_words)
    if num_pruned >= 0:
        rows = rows[np.concatenate([np.arange(num_words), num_words + places])]
    try:
        labels = tuple(word.decode() for word, _, _ in entries[num_words:])
    except UnicodeDecodeError as error:
        raise _DamagedError("a label is not UTF-8") from error
    return ModelFile(
        labels=labels,
        label_counts=label_counts,
        words=tuple(word for word, _, _ in entries),
        num_words=num_words,
        loss=_LOSSES[loss],
        min_chars=min_chars,
        max_chars=max_chars,
        num_buckets=num_buckets,
        buckets=buckets,
        rows=_padded(rows),
        output=_padded(output),
    )


def _read_dense(reader: _Reader) -> Floats:
    height, width = reader.values("qq")
    if height < 0 or width < 0:
        raise _DamagedError(f"a matrix of {height} rows of {width} numbers")
    return _finite(reader.array(np.float32, height * width)).reshape(height, width)


def _read_quantised(reader: _Reader) -> Floats:
    """Return float32[num_rows, dim]: the centroids of each row, times its norm."""
    has_norms, height, width, num_codes = reader.values("?qqi")
    codes = reader.array(np.uint8, num_codes)
    dim, num_parts, part, last_part = reader.values("4i")
    if height < 0 or dim != width or part < 1 or num_codes != height * num_parts:
        raise _DamagedError(f"{num_codes} codes of {height} rows, {num_parts} for each")
    if (num_parts - 1) * part + last_part != dim or not 0 < last_part <= part:
        raise _DamagedError(
            f"{num_parts} parts of {part} numbers, the last of {last_part}, in a row of {dim}"
        )
    centroids = _finite(reader.array(np.float32, dim * _NUM_CENTROIDS))
    codes = codes.reshape(height, num_parts)
    rows = np.empty((height, dim), np.float32)
    for k in range(num_parts):
        size = last_part if k == num_parts - 1 else part
        begin = k * _NUM_CENTROIDS * part
        table = centroids[begin : begin + _NUM_CENTROIDS * size].reshape(_NUM_CENTROIDS, size)
        rows[:, k * part : k * part + size] = table[codes[:, k]]
    if has_norms:
        norm_codes = reader.array(np.uint8, height)
        if reader.values("4i") != (1, 1, 1, 1):
            raise _DamagedError("norms of more than one number")
        norms = _finite(reader.array(np.float32, _NUM_CENTROIDS))
        rows *= norms[norm_codes][:, None]
    return rows


def _finite(numbers: Floats) -> Floats:
    if not np.isfinite(numbers).all():
        raise _DamagedError("a matrix with numbers that are not finite")
    return numbers


def _check_buckets(buckets: Integers, places: Integers, num_buckets: int, num_rows: int) -> None:
    if num_rows < 0:
        raise _DamagedError("fewer rows than words")
    outside = (buckets < 0) | (buckets >= max(num_buckets, 1)) | (places < 0) | (places >= num_rows)
    if outside.any() or (np.diff(buckets) <= 0).any():
        raise _DamagedError("n-grams that point to no row, or twice to one bucket")


def _padded(matrix: Floats) -> Floats:
    """Return a matrix with rows of a multiple of ``LANES`` numbers."""
    missing = -matrix.shape[1] % LANES
    return np.ascontiguousarray(np.pad(matrix, ((0, 0), (0, missing))) if missing else matrix)


def tree_of_labels(counts: Sequence[int]) -> npt.NDArray[np.int32]:
    """Return int32[2 * num_labels - 1, 2]: left and right of every node, -1 of a leaf; the last is the root.

    fastText's way to build a Huffman tree, which relies on counts that do not increase.
    """
    num_labels = len(counts)
    weights = [*counts, *[_LEAF_COUNT] * (num_labels - 1)]
    children = np.full((2 * num_labels - 1, 2), -1, np.int32)
    leaf, node = num_labels - 1, num_labels
    for parent in range(num_labels, 2 * num_labels - 1):
        for side in range(2):
            if leaf >= 0 and weights[leaf] < weights[node]:
                children[parent, side], leaf = leaf, leaf - 1
            else:
                children[parent, side], node = node, node + 1
        weights[parent] = sum(weights[child] for child in children[parent])
    return children
