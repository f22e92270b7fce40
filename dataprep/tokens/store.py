"""Read the token store: any range of a stream's tokens, with the documents that they are from."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep import storage
from dataprep.artifacts import Artifact, open_artifact
from dataprep.errors import ArtifactError, nearest
from dataprep.tokens.bins import TokenBlock
from dataprep.tokens.index import INDEX_NAME, StreamIndex, bin_path, read_index
from dataprep.tokens.order import EpochOrder, document_order, epoch_order
from dataprep.tokens.ragged import gather_rows

_MAX_OPEN_BINS = 32
_MAX_CACHED_BLOCKS = 16
_MAX_CACHED_ORDERS = 8

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class TokenSpan:
    """Consecutive tokens of a stream, cut into segments where the document changes.

    ``tokens`` has the store's type; the other arrays have one element per segment.
    """

    tokens: npt.NDArray[Any]
    doc_id: npt.NDArray[np.uint64]
    epoch: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]
    """Position of the segment's first token in its document."""
    length: npt.NDArray[np.int64]
    """Tokens of the segment; together ``len(tokens)``."""
    starts: npt.NDArray[np.bool_]
    """Whether the segment begins with its document's first token."""
    ends: npt.NDArray[np.bool_]
    """Whether the segment ends with its document's end-of-text."""

    @property
    def num_segments(self) -> int:
        """Number of segments."""
        return len(self.doc_id)


class TokenStore:
    """A published token artifact.

    Positions are virtual: position p of a stream with T tokens is token ``p % T`` of epoch
    ``p // T``. Reading is sequential or random; only the blocks that hold the range are read.
    Not for use by several threads at once.
    """

    def __init__(self, artifact: Artifact) -> None:
        manifest = artifact.manifest
        self.artifact = artifact
        self.source: str = manifest.details["source"]
        self.seed: int = manifest.config["seed"]
        self.numpy_dtype = np.dtype(manifest.details["tokenizer"]["dtype"])
        self._streams = read_index(artifact.path(INDEX_NAME))
        self._bins: _Recent[_OpenBin] = _Recent(_MAX_OPEN_BINS, drop=_OpenBin.close)
        self._blocks: _Recent[TokenBlock] = _Recent(_MAX_CACHED_BLOCKS)
        self._orders: _Recent[EpochOrder] = _Recent(_MAX_CACHED_ORDERS)

    @classmethod
    def open(cls, artifact: Artifact | str) -> TokenStore:
        """Open a token artifact, or the folder of one.

        Raises:
            ArtifactError: it is not published, of another kind or format version, or damaged.
        """
        return cls(open_artifact(artifact, kind="tokens") if isinstance(artifact, str) else artifact)

    def __enter__(self) -> TokenStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all files."""
        self._bins.clear()
        self._blocks.clear()

    @property
    def streams(self) -> Mapping[str, StreamIndex]:
        """The stream of each class, empty ones included."""
        return self._streams

    def stream(self, class_name: str) -> StreamIndex:
        """Return the stream of a class.

        Raises:
            ArtifactError: the source has no such class.
        """
        if class_name not in self._streams:
            raise ArtifactError(
                f"{self.artifact.folder}: source {self.source!r} has no class {class_name!r}: "
                f"{nearest(class_name, self._streams)}"
            )
        return self._streams[class_name]

    def read_tokens(self, class_name: str, start: int, stop: int) -> TokenSpan:
        """Return the tokens at the virtual positions [start, stop) of a stream.

        Raises:
            ArtifactError: the stream is unknown or empty, or a bin is missing or damaged.
        """
        index = self.stream(class_name)
        assert 0 <= start <= stop, f"no range: {start} to {stop}"
        if start == stop:
            return _join([], self.numpy_dtype)
        if index.num_tokens == 0:
            raise ArtifactError(f"{self.artifact.folder}: stream {class_name!r} of {self.source!r} is empty")
        spans: list[TokenSpan] = []
        position = start
        while position < stop:
            epoch, offset = divmod(position, index.num_tokens)
            size = min(stop - position, index.num_tokens - offset)
            spans += self._read_epoch(index, epoch, offset, offset + size)
            position += size
        return _join(spans, self.numpy_dtype)

    def read_block(self, class_name: str, block: int) -> TokenBlock:
        """Return block number ``block`` of a stream as it is stored, in the order of the keys."""
        return self._block(self.stream(class_name), 0, block)

    def _read_epoch(self, index: StreamIndex, epoch: int, start: int, stop: int) -> Iterator[TokenSpan]:
        order = self._orders.get(
            (index.class_name, epoch),
            lambda: epoch_order(index, seed=self.seed, source=self.source, epoch=epoch),
        )
        for place in order.places(start, stop):
            block = self._block(index, epoch, int(order.blocks[place]))
            first = int(order.starts[place])
            yield _cut(block, epoch, max(start - first, 0), min(stop - first, len(block.tokens)))

    def _block(self, index: StreamIndex, epoch: int, number: int) -> TokenBlock:
        return self._blocks.get(
            (index.class_name, epoch, number), lambda: self._load_block(index, epoch, number)
        )

    def _load_block(self, index: StreamIndex, epoch: int, number: int) -> TokenBlock:
        path = self.artifact.path(bin_path(index.class_name, int(index.bin[number])))
        open_bin = self._bins.get(path, lambda: _OpenBin(path))
        block = TokenBlock.from_batch(open_bin.batch(int(index.batch[number])))
        if (len(block.doc_id), len(block.tokens)) != (index.block_docs[number], index.block_tokens[number]):
            raise ArtifactError(
                f"{path}: block {int(index.batch[number])} has {len(block.doc_id)} documents and "
                f"{len(block.tokens)} tokens, but the index says {index.block_docs[number]} and "
                f"{index.block_tokens[number]}; build these tokens again"
            )
        if epoch == 0:
            return block
        order = document_order(
            len(block.doc_id),
            seed=self.seed,
            source=self.source,
            class_name=index.class_name,
            epoch=epoch,
            block=number,
        )
        offsets, tokens = gather_rows(block.tokens, block.offsets, order)
        return TokenBlock(block.key[order], block.doc_id[order], offsets, tokens)


class _OpenBin:
    """A bin that is open: its footer is read once, its batches on demand."""

    def __init__(self, path: str) -> None:
        self._path = path
        if not storage.exists(path):
            raise ArtifactError(f"{path}: missing; build these tokens again")
        self._file = (
            pa.memory_map(storage.local_path(path)) if storage.is_local(path) else storage.open_input(path)
        )
        with self._damage_named():
            self._reader = pa.ipc.open_file(self._file, options=pa.ipc.IpcReadOptions(use_threads=False))

    def batch(self, number: int) -> pa.RecordBatch:
        """Return a record batch."""
        with self._damage_named():
            return self._reader.get_batch(number)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @contextlib.contextmanager
    def _damage_named(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ArtifactError(
                f"{self._path}: damaged ({error}); run verify, then build these tokens again"
            ) from error


class _Recent(Generic[_Value]):
    """The values that were asked for last, at most ``size`` of them."""

    def __init__(self, size: int, *, drop: Callable[[_Value], None] | None = None) -> None:
        self._size = size
        self._drop = drop
        self._values: OrderedDict[Hashable, _Value] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """Return the value of ``key``, made now if it is not there."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = make()
        self._values[key] = value
        if len(self._values) > self._size:
            self._release(self._values.popitem(last=False)[1])
        return value

    def clear(self) -> None:
        """Forget everything."""
        while self._values:
            self._release(self._values.popitem()[1])

    def _release(self, value: _Value) -> None:
        if self._drop is not None:
            self._drop(value)


def _cut(block: TokenBlock, epoch: int, start: int, stop: int) -> TokenSpan:
    """Return the tokens [start, stop) of a block, not empty, as a span."""
    first = int(np.searchsorted(block.offsets, start, side="right")) - 1
    last = int(np.searchsorted(block.offsets, stop, side="left"))
    begins, finishes = block.offsets[first:last], block.offsets[first + 1 : last + 1]
    segment_starts, segment_stops = np.maximum(begins, start), np.minimum(finishes, stop)
    return TokenSpan(
        tokens=block.tokens[start:stop],
        doc_id=block.doc_id[first:last],
        epoch=np.full(last - first, epoch, dtype=np.int64),
        offset=segment_starts - begins,
        length=segment_stops - segment_starts,
        starts=segment_starts == begins,
        ends=segment_stops == finishes,
    )


def _join(spans: list[TokenSpan], dtype: np.dtype[Any]) -> TokenSpan:
    if not spans:
        count, flag = np.zeros(0, np.int64), np.zeros(0, np.bool_)
        return TokenSpan(np.zeros(0, dtype), np.zeros(0, np.uint64), count, count, count, flag, flag)
    columns = {
        field.name: np.concatenate([getattr(span, field.name) for span in spans])
        for field in fields(TokenSpan)
    }
    return TokenSpan(**columns)
