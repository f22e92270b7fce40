"""Arrow files of whole tables: written atomically and reproducibly, read column by column."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pyarrow as pa

from dataprep import storage
from dataprep.errors import ArtifactError

_WRITE_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")


def write_arrow(path: str, batch: pa.RecordBatch) -> None:
    """Write one record batch as an Arrow file; the same batch gives the same bytes."""
    with (
        storage.atomic_output(path) as sink,
        pa.ipc.new_file(sink, batch.schema, options=_WRITE_OPTIONS) as writer,
    ):
        writer.write_batch(batch)


@contextlib.contextmanager
def open_arrow(path: str, *, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatchFileReader]:
    """Open an Arrow file; only the bytes of ``columns`` are read, which keep the file's order.

    Raises:
        ArtifactError: no Arrow file, or a column is missing.
    """
    local = storage.is_local(path)
    with pa.memory_map(storage.local_path(path)) if local else storage.open_input(path) as source:
        try:
            reader = pa.ipc.open_file(source)
        except pa.ArrowInvalid as error:
            raise ArtifactError(f"{path}: no Arrow file ({error}); was it cut? Build it again") from error
        if columns is not None:
            missing = [name for name in columns if name not in reader.schema.names]
            if missing:
                raise ArtifactError(f"{path}: has no column {missing[0]!r}, only {reader.schema.names}")
            included = sorted(reader.schema.get_field_index(name) for name in columns)
            source.seek(0)
            reader = pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(included_fields=included))
        yield reader


def read_arrow(path: str, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Read an Arrow file as a table.

    Raises:
        ArtifactError: no Arrow file, or a column is missing.
    """
    with open_arrow(path, columns=columns) as reader:
        return reader.read_all()
