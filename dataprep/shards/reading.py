"""Reading one shard: random access to its record batches, each checked before it is decoded."""

from __future__ import annotations

import mmap
import struct
import threading
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep import storage
from dataprep.errors import ArtifactError
from dataprep.shards.layout import decode_rows
from dataprep.shards.rows import Rows
from dataprep.shards.writing import MAGIC_BYTES, ROWS_PER_BATCH

_READ_OPTIONS = pa.ipc.IpcReadOptions(use_threads=False)
ReadRange = Callable[[int, int], memoryview]
"""(first byte, bytes) -> those bytes of a file; fewer only at the end of the file."""

_MAGIC = b"ARROW1"
_TAIL = struct.Struct("<i6s")
_FOOTER_GUESS_BYTES = 64 * 1024
"""Read at first from the end of a file: a footer of 128 record batches takes about 6 KiB."""
_BLOCK = np.dtype(
    {
        "names": ["offset", "header", "body"],
        "formats": ["<i8", "<i4", "<i8"],
        "offsets": [0, 8, 16],
        "itemsize": 24,
    }
)
"""``Block`` of Arrow's File.fbs."""
_RECORD_BATCHES_SLOT = 3
"""Number of the field ``recordBatches`` in the table ``Footer`` of Arrow's File.fbs."""


class ShardReader:
    """Random access to the record batches of one shard, each checked before it is decoded.

    Safe to use from several threads at once: it holds no position.

    Args:
        source: the path of a local file, which is mapped into memory; the URL of a remote one, of
            which only the two ends and the batches asked for are fetched; or the whole file as bytes.
        crc32: checksum of each piece of the file (head, record batches, tail), from the stage's
            manifest; None: nothing is checked.
        name: what messages call the shard; default: ``source``.
        first_row: number of the shard's first row in its stage, for messages.
        rows_per_batch: rows in each record batch but the last, for messages.

    Raises:
        ArtifactError: not an Arrow file, or its head or tail is damaged.
    """

    def __init__(
        self,
        source: str | bytes | memoryview | pa.Buffer,
        *,
        crc32: npt.NDArray[np.uint32] | Sequence[int] | None = None,
        name: str | None = None,
        first_row: int = 0,
        rows_per_batch: int = ROWS_PER_BATCH,
    ) -> None:
        self.name = name or (source if isinstance(source, str) else "a shard in memory")
        self._crc32 = crc32
        self._first_row = first_row
        self._rows_per_batch = rows_per_batch
        try:
            whole = _map(source) if isinstance(source, str) and storage.is_local(source) else source
            self._whole = None if isinstance(whole, str) else pa.py_buffer(whole)
            size_bytes, self._read_range = _open(whole)
        except (FileNotFoundError, ValueError) as error:
            raise ArtifactError(
                f"{self.name}: missing or empty ({error}): fetch or build it again"
            ) from error
        self._spans = read_batch_spans(self._read_range, size_bytes, name=self.name)
        if crc32 is not None and len(crc32) != len(self._spans) + 2:
            raise ArtifactError(
                f"{self.name}: holds {len(self._spans)} record batches, but the manifest lists "
                f"{len(crc32) - 2}; the file is damaged or of another build: fetch or build it again"
            )
        head_bytes = int(self._spans[0, 0])
        tail_start = int(self._spans[-1].sum())
        head = self._checked(0, 0, head_bytes)
        self._checked(len(self._spans) + 1, tail_start, size_bytes - tail_start)
        self._schema_message = bytes(head[MAGIC_BYTES:])
        self._of_thread = threading.local()
        self._options: dict[tuple[str, ...] | None, pa.ipc.IpcReadOptions] = {None: _READ_OPTIONS}

    @property
    def num_batches(self) -> int:
        """Record batches in the shard."""
        return len(self._spans)

    def batch_span(self, batch: int) -> tuple[int, int]:
        """Return (first byte, bytes) of a record batch in the file."""
        first_byte, num_bytes = self._spans[batch]
        return int(first_byte), int(num_bytes)

    def read_batch(self, batch: int, columns: Sequence[str] | None = None) -> pa.RecordBatch:
        """Return one record batch, or only some of its columns; no other batch is read.

        Raises:
            ArtifactError: its bytes differ from what was written.
        """
        message = self._checked(batch + 1, *self.batch_span(batch))
        try:
            options = self._options_for(None if columns is None else tuple(columns))
            # pa.ipc.read_record_batch hands each buffer to a thread pool, which measured 15 % more
            # CPU time.
            if self._whole is not None:
                return self._file(options).get_batch(batch)
            stream = pa.BufferReader(b"".join((self._schema_message, message)))
            return pa.ipc.open_stream(stream, options=options).read_next_batch()
        except (pa.ArrowException, OSError, StopIteration) as error:
            raise ArtifactError(f"{self._place(batch + 1)}: cannot be decoded ({error})") from error

    def read_rows(self, batch: int, out: npt.NDArray[np.uint32] | None = None) -> Rows:
        """Return the rows of one record batch, decoded (into ``out``, uint32[n, L+1], if given).

        Raises:
            ArtifactError: its bytes differ from what was written.
        """
        return decode_rows(self.read_batch(batch), out)

    def _file(self, options: pa.ipc.IpcReadOptions) -> pa.ipc.RecordBatchFileReader:
        """Return Arrow's reader of the file: one for each thread, since it is not said to be shared."""
        if not hasattr(self._of_thread, "files"):
            self._of_thread.files = {}
        files: dict[int, pa.ipc.RecordBatchFileReader] = self._of_thread.files
        if id(options) not in files:
            files[id(options)] = pa.ipc.open_file(self._whole, options=options)
        return files[id(options)]

    def _options_for(self, columns: tuple[str, ...] | None) -> pa.ipc.IpcReadOptions:
        if columns not in self._options:
            schema = pa.ipc.read_schema(pa.py_buffer(self._schema_message))
            fields = [schema.get_field_index(column) for column in columns or ()]
            self._options[columns] = pa.ipc.IpcReadOptions(use_threads=False, included_fields=fields)
        return self._options[columns]

    def _checked(self, piece: int, first_byte: int, num_bytes: int) -> memoryview:
        """Return a piece of the file (0: head, n + 1: tail) after its checksum was compared."""
        data = self._read_range(first_byte, num_bytes)
        if self._crc32 is not None:
            expected, found = int(self._crc32[piece]), zlib.crc32(data)
            if found != expected:
                raise ArtifactError(
                    f"{self._place(piece)}: damaged, its crc32 is {found:08x} and the manifest says "
                    f"{expected:08x}: fetch the file again, or build this shard again"
                )
        return data

    def _place(self, piece: int) -> str:
        if piece == 0:
            return f"{self.name}: the head of the file"
        if piece > len(self._spans):
            return f"{self.name}: the footer of the file"
        first = self._first_row + (piece - 1) * self._rows_per_batch
        last = first + self._rows_per_batch - 1
        return f"{self.name}: record batch {piece - 1} (rows {first} to {last} of the stage)"


def read_batch_spans(read_range: ReadRange, size_bytes: int, *, name: str) -> npt.NDArray[np.int64]:
    """Return int64[batches, 2]: first byte and number of bytes of each record batch of a file.

    pyarrow does not tell these, hence the reading of the footer (Arrow's File.fbs) here. The
    batches follow each other without a gap; there is at least one.

    Raises:
        ArtifactError: no Arrow file, or a damaged footer.
    """
    try:
        tail = read_range(max(0, size_bytes - _FOOTER_GUESS_BYTES), min(size_bytes, _FOOTER_GUESS_BYTES))
        footer_bytes, magic = _TAIL.unpack_from(tail, len(tail) - _TAIL.size)
        footer_start = size_bytes - _TAIL.size - footer_bytes
        if magic != _MAGIC or footer_bytes <= 0 or footer_start < MAGIC_BYTES:
            raise ValueError("no Arrow file ends here")
        if footer_bytes + _TAIL.size > len(tail):
            tail = read_range(footer_start, size_bytes - footer_start)
        blocks = _record_batch_blocks(tail[len(tail) - _TAIL.size - footer_bytes : len(tail) - _TAIL.size])
        spans = np.stack([blocks["offset"], blocks["header"] + blocks["body"]], axis=1)
        ends = np.concatenate([[MAGIC_BYTES], spans.sum(axis=1)])
        if len(spans) == 0 or bool((spans <= 0).any()) or int(ends[-1]) > footer_start:
            raise ValueError("its footer is damaged")
        if spans[0, 0] < MAGIC_BYTES or bool((spans[1:, 0] != ends[1:-1]).any()):
            raise ValueError("its record batches do not follow each other")
    except (ValueError, struct.error) as error:
        raise ArtifactError(
            f"{name}: damaged or cut ({error}; {size_bytes:,} bytes): fetch the file again, or build it again"
        ) from error
    return spans


def _record_batch_blocks(footer: memoryview) -> npt.NDArray[np.void]:
    """Return the vector ``recordBatches`` of a footer, a structured array of ``_BLOCK``."""
    (table,) = struct.unpack_from("<I", footer, 0)
    (to_slots,) = struct.unpack_from("<i", footer, table)
    slots = table - to_slots
    if not 0 <= slots < len(footer):
        raise ValueError("the footer is damaged")
    (slots_bytes,) = struct.unpack_from("<H", footer, slots)
    slot = 4 + 2 * _RECORD_BATCHES_SLOT
    if slots_bytes < slot + 2:
        return np.empty(0, dtype=_BLOCK)
    (to_field,) = struct.unpack_from("<H", footer, slots + slot)
    if to_field == 0:
        return np.empty(0, dtype=_BLOCK)
    (to_vector,) = struct.unpack_from("<I", footer, table + to_field)
    vector = table + to_field + to_vector
    (length,) = struct.unpack_from("<I", footer, vector)
    return np.frombuffer(footer, dtype=_BLOCK, count=length, offset=vector + 4)


def _map(path: str) -> mmap.mmap:
    with open(storage.local_path(path), "rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def _open(source: str | bytes | memoryview | mmap.mmap | pa.Buffer) -> tuple[int, ReadRange]:
    """Return the size of a file in memory or at a URL, and a function that reads a range of it."""
    if isinstance(source, str):
        fs, inside = storage.filesystem(source)
        size_bytes = int(fs.size(inside))
        return size_bytes, lambda first, count: memoryview(
            fs.cat_file(inside, start=first, end=first + count)
        )
    view = memoryview(source).cast("B")
    return len(view), lambda first, count: view[first : first + count]
