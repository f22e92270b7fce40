"""Examples of two classes: lines without copies, in an order and a split that their content decides."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import mmap
import os
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.hashing import mix64
from dataprep.text.normalize import normalize
from dataprep.text.single_line import single_line

UInt64Array = npt.NDArray[np.uint64]

_BATCH_TEXTS = 256


@dataclass(frozen=True)
class Counts:
    """What became of the texts of one class; all but ``texts`` and the last two were left out."""

    texts: int
    """Rows, with and without a text."""
    null: int
    """Rows without a text."""
    empty: int
    """Texts without a visible character."""
    copies: int
    """Repetitions of a line of the same class."""
    in_both: int
    """Lines that the other class has too: they teach nothing."""
    train: int
    held_out: int


class Examples:
    """Lines of both classes in one file, and which of them are trained on, in which order.

    ``path`` holds the lines one after the other; the arrays say of each distinct line where it is:
    about 40 bytes of memory for each, whatever its length.
    """

    def __init__(self, path: str, counts: tuple[Counts, Counts], train: _Lines, held_out: _Lines) -> None:
        self._path = path
        self.counts = counts
        """Of the positive and of the negative class."""
        self._train, self._held_out = train, held_out

    def train(self) -> Iterator[tuple[bool, bytes]]:
        """Yield (is positive, line) of what is trained on: the classes mixed, in the order of a hash."""
        return self._read(self._train)

    def held_out(self) -> Iterator[tuple[bool, bytes]]:
        """Yield (is positive, line) of what is only judged."""
        return self._read(self._held_out)

    def _read(self, lines: _Lines) -> Iterator[tuple[bool, bytes]]:
        if not len(lines.starts):
            return
        with (
            open(self._path, "rb") as stream,
            contextlib.closing(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)) as data,
        ):
            for positive, start, stop in zip(
                lines.positive.tolist(), lines.starts.tolist(), lines.stops.tolist(), strict=True
            ):
                yield positive, data[start:stop]


@dataclass(frozen=True)
class _Lines:
    """Some lines of the file: bool[n] and two uint64[n]."""

    positive: npt.NDArray[np.bool_]
    starts: UInt64Array
    stops: UInt64Array


def collect_examples(
    positive: Iterable[str | None],
    negative: Iterable[str | None],
    *,
    folder: str,
    held_out: float,
    seed: int,
    max_chars: int,
    lower_case: bool,
) -> Examples:
    """Write the lines of both classes to a file in ``folder``; choose and order them by content.

    The same lines always fall on the same side, in the same order, in whatever order and however
    often they come: two texts that are equal as the model sees them never stand on both sides.

    Args:
        positive: texts of the wanted class; None counts as a row without text.
        negative: texts of the other class.
        folder: a local folder for the lines, with room for all of them.
        held_out: share of the distinct lines that are judged and not trained on.
        seed: another seed, another split and order.
        max_chars: characters of a text that are looked at, from its begin.
        lower_case: see ``single_line``.
    """
    path = os.path.join(folder, "lines")
    with open(path, "wb") as sink:
        classes = [
            _Class.read(texts, sink, max_chars, lower_case=lower_case) for texts in (positive, negative)
        ]
    both = np.intersect1d(classes[0].content, classes[1].content)
    chosen = [one.distinct(without=both) for one in classes]
    numbers = np.concatenate([one.keys[rows] for one, rows in zip(classes, chosen, strict=True)])
    lines = _Lines(
        np.repeat([True, False], [len(rows) for rows in chosen]),
        np.concatenate([one.starts[rows] for one, rows in zip(classes, chosen, strict=True)]),
        np.concatenate([one.stops[rows] for one, rows in zip(classes, chosen, strict=True)]),
    )
    is_held_out = mix64(numbers, key=2 * seed) < np.uint64(min(int(held_out * 2.0**64), 2**64 - 1))
    order = np.argsort(mix64(numbers, key=2 * seed + 1), kind="stable")
    sides = [_taken(lines, order[is_held_out[order] == side]) for side in (False, True)]
    counts = [
        one.counts(len(rows), both, *(int((side.positive == positive).sum()) for side in sides))
        for one, rows, positive in zip(classes, chosen, (True, False), strict=True)
    ]
    return Examples(path, (counts[0], counts[1]), *sides)


def _normalised(texts: Iterable[str | None]) -> Iterator[str | None]:
    """Yield texts as documents are before a model judges them."""
    stream = iter(texts)
    while some := list(itertools.islice(stream, _BATCH_TEXTS)):
        yield from normalize(pa.array(some, pa.large_string()), code=False).to_pylist()


def _taken(lines: _Lines, rows: npt.NDArray[np.int64]) -> _Lines:
    return _Lines(lines.positive[rows], lines.starts[rows], lines.stops[rows])


@dataclass(frozen=True)
class _Class:
    """The lines of one class as they came."""

    texts: int
    null: int
    empty: int
    content: npt.NDArray[np.void]
    """void16[lines]: hash of each."""
    starts: UInt64Array
    stops: UInt64Array

    @classmethod
    def read(
        cls, texts: Iterable[str | None], sink: IO[bytes], max_chars: int, *, lower_case: bool
    ) -> _Class:
        """Write the lines of a class and note where they are."""
        num_texts = num_null = num_empty = 0
        hashes, starts, stops = bytearray(), array("Q"), array("Q")
        place = sink.tell()
        for text in _normalised(texts):
            num_texts += 1
            if text is None:
                num_null += 1
                continue
            line = single_line(text[:max_chars], lower_case=lower_case).encode("utf-8")
            if not line:
                num_empty += 1
                continue
            hashes += hashlib.blake2b(line, digest_size=16).digest()
            starts.append(place)
            place += sink.write(line)
            stops.append(place)
        return cls(
            num_texts,
            num_null,
            num_empty,
            np.frombuffer(bytes(hashes), np.dtype("V16")),
            np.array(starts, np.uint64),
            np.array(stops, np.uint64),
        )

    @property
    def keys(self) -> UInt64Array:
        """uint64[lines]: what the split and the order are drawn from."""
        return self.content.view(np.uint64)[::2]

    def distinct(self, *, without: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
        """Return the first of each distinct line, by place, but for those of ``without``: int64[n]."""
        _, first = np.unique(self.content, return_index=True)
        rows = np.sort(first)
        return rows[~np.isin(self.content[rows], without)].astype(np.int64)

    def counts(self, num_kept: int, both: npt.NDArray[np.void], train: int, held_out: int) -> Counts:
        """Return what became of the class."""
        num_both = int(np.isin(self.content, both).sum())
        copies = len(self.content) - num_kept - num_both
        return Counts(self.texts, self.null, self.empty, copies, num_both, train, held_out)
