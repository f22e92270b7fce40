"""The buffers of texts that are signed."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dataprep.text.buffers import Utf8Buffers, utf8_buffers


def filled_buffers(text: pa.LargeStringArray) -> Utf8Buffers:
    """Return the buffers of texts, slices included; a null is an empty text, whatever its bytes are."""
    assert text.type == pa.large_string(), f"expected large_string, got {text.type}"
    return utf8_buffers(pc.fill_null(text, "") if text.null_count else text)
