"""Arrow columns to JSON text, without a Python object for each row.

The ``meta`` of a Parquet row is the JSON object of its columns that have no place of their own
in the document table. Strings, numbers, booleans and times are written by Arrow kernels; only
nested columns and strings with control characters go through Python.
"""

from __future__ import annotations

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

_QUOTE, _BACKSLASH, _FIRST_PRINTABLE = ord('"'), ord("\\"), 0x20


def json_objects(columns: pa.RecordBatch) -> pa.StringArray | None:
    """Return one JSON object for each row, null where all columns are null.

    A null value's key is left out; ``None`` is returned when there is no column at all.
    """
    members = []
    for name, column in zip(columns.schema.names, columns.columns):
        values = _json_values(column)
        if values is not None:
            key = orjson.dumps(name).decode() + ":"
            members.append(pc.binary_join_element_wise(key, values, "", null_handling="emit_null"))
    if not members:
        return None
    # The empty first element keeps every row: Arrow 25 loses a row whose elements are all skipped.
    joined = pc.binary_join_element_wise("", *members, ",", null_handling="skip")
    objects = pc.binary_join_element_wise(pc.binary_replace_slice(joined, 0, 1, "{"), "}", "")
    empty = pc.equal(pc.binary_length(joined), 0)
    return pc.if_else(empty, pa.scalar(None, pa.string()), objects)


def time_text(column: pa.Array) -> pa.StringArray:
    """Return a time column as text: ``2019-06-26T12:34:56``, seconds are the last unit.

    A string column stays as it is, so that what a corpus wrote is what is kept.
    """
    kind = column.type
    if pa.types.is_timestamp(kind):
        # Through whole seconds without a zone: the zone is UTC in every corpus, and a cast of a
        # zoned time to text would need the machine's zone database.
        seconds = (
            column.cast(pa.timestamp("s", tz=kind.tz), safe=False).cast(pa.int64()).cast(pa.timestamp("s"))
        )
        return pc.replace_substring(seconds.cast(pa.string()), " ", "T")
    return as_strings(column)


def as_strings(column: pa.Array) -> pa.StringArray:
    """Return a column as text; of what Arrow cannot write as text, its JSON."""
    if pa.types.is_nested(column.type):
        return _through_python(column)
    if pa.types.is_floating(column.type):
        return _numbers(column)
    return column.cast(pa.string())


def _json_values(column: pa.Array) -> pa.StringArray | None:
    kind = column.type
    if pa.types.is_null(kind):
        return None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _quoted(column.cast(pa.string()))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.string())
    if pa.types.is_floating(kind):
        return _numbers(column)
    if pa.types.is_timestamp(kind):
        return _quoted(time_text(column))
    if pa.types.is_date(kind) or pa.types.is_time(kind):
        return _quoted(column.cast(pa.string()))
    return _through_python(column)


def _numbers(column: pa.Array) -> pa.StringArray:
    """Return floating-point numbers as JSON numbers; JSON has no NaN and no infinity: null."""
    return pc.if_else(pc.is_finite(column), column.cast(pa.string()), pa.scalar(None, pa.string()))


def _quoted(column: pa.StringArray) -> pa.StringArray:
    data = _utf8_bytes(column)
    if (data < _FIRST_PRINTABLE).any():
        return _through_python(column)
    if (data == _BACKSLASH).any():
        column = pc.replace_substring(column, "\\", "\\\\")
    if (data == _QUOTE).any():
        column = pc.replace_substring(column, '"', '\\"')
    return pc.binary_join_element_wise('"', column, '"', "")


def _utf8_bytes(column: pa.StringArray) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Return the bytes of all values of a string column: uint8[...], without a copy."""
    _, offsets, data = column.buffers()
    if data is None or not len(column):
        return np.empty(0, np.uint8)
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data, np.uint8)[places[0] : places[-1]]


def _through_python(column: pa.Array) -> pa.StringArray:
    texts = []
    for value in column:
        try:
            one = value.as_py()
        except UnicodeDecodeError:
            one = "not valid UTF-8"
        texts.append(None if one is None else orjson.dumps(one, default=str))
    return pa.array(texts, pa.string())
