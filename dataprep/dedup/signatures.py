"""Signature files: what deduplication needs to know of a document instead of its text.

One Arrow file stands beside each part of a document table, with a row for each document that
is kept, in row order. The metadata of its schema says how it was signed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.dedup.bands import BAND_KERNELS, band_keys
from dataprep.dedup.config import DedupConfig, SignatureConfig
from dataprep.dedup.content import CONTENT_KERNELS, content_hashes
from dataprep.dedup.files import open_arrow, read_arrow
from dataprep.dedup.minhash import minhash
from dataprep.dedup.shingle_kernels import sign_texts
from dataprep.dedup.urls import NO_URL, url_hashes
from dataprep.errors import ArtifactError, ConfigError
from dataprep.kernels import KernelFunction

UInt64Array = npt.NDArray[np.uint64]

_METADATA_KEY = b"dataprep.signatures"


SIGNATURE_KERNELS: tuple[KernelFunction, ...] = (sign_texts, *CONTENT_KERNELS, *BAND_KERNELS)
"""What :func:`sign` calls."""


def signature_schema(config: SignatureConfig) -> pa.Schema:
    """Return the schema of a signature file; its metadata says how the documents were signed."""
    num_bands, rows_per_band = config.stored_bands
    signed = config.signing_identity() | {"num_bands": num_bands, "rows_per_band": rows_per_band}
    return pa.schema(
        [
            pa.field("doc_id", pa.uint64(), nullable=False),
            # Not a dictionary: an Arrow file has one for all its batches, which a writer of a
            # stream of batches does not know in advance.
            pa.field("subset", pa.string()),
            pa.field("num_bytes", pa.uint32(), nullable=False),
            pa.field("content_hi", pa.uint64(), nullable=False),
            pa.field("content_lo", pa.uint64(), nullable=False),
            pa.field("url_hash", pa.uint64(), nullable=False),
            pa.field("bands", _fixed_list(pa.uint64(), num_bands), nullable=False),
            pa.field("signature", _fixed_list(pa.uint32(), config.num_perm), nullable=False),
            pa.field("num_shingles", pa.uint32(), nullable=False),
        ],
        metadata={_METADATA_KEY: json.dumps(signed, sort_keys=True)},
    )


def _fixed_list(value_type: pa.DataType, length: int) -> pa.DataType:
    return pa.list_(pa.field("item", value_type, nullable=False), length)


def sign(
    text: pa.LargeStringArray,
    *,
    url: pa.StringArray | pa.LargeStringArray | None,
    doc_id: UInt64Array,
    subset: pa.DictionaryArray | pa.StringArray,
    config: SignatureConfig,
    web: bool,
) -> pa.RecordBatch:
    """Return the signatures of documents, in their order, as ``signature_schema(config)``.

    Args:
        text: normalised texts of the documents that are kept, without nulls.
        url: their URLs, or None; used only where ``web`` is set.
        doc_id: uint64[n].
        subset: their subsets; mixtures select documents by it.
        web: whether the corpus takes part in deduplication by URL.
    """
    assert text.null_count == 0, "only documents that are kept are signed, and they have text"
    signatures = minhash(text, num_perm=config.num_perm, ngram=config.ngram, seed=config.seed)
    num_bands, rows_per_band = config.stored_bands
    bands = band_keys(signatures.values, num_bands=num_bands, rows_per_band=rows_per_band)
    content_hi, content_lo = content_hashes(text)
    if web and url is not None:
        url_hash = url_hashes(url)
    else:
        url_hash = np.full(len(text), NO_URL, dtype=np.uint64)
    schema = signature_schema(config)
    return pa.record_batch(
        [
            pa.array(doc_id, pa.uint64()),
            subset.cast(pa.string()),
            pc.binary_length(text).cast(pa.uint32()),
            pa.array(content_hi),
            pa.array(content_lo),
            pa.array(url_hash),
            pa.FixedSizeListArray.from_arrays(pa.array(bands.reshape(-1)), type=schema.field("bands").type),
            pa.FixedSizeListArray.from_arrays(
                pa.array(signatures.values.reshape(-1)), type=schema.field("signature").type
            ),
            pa.array(signatures.num_shingles),
        ],
        schema=schema,
    )


def read_signatures(path: str, columns: Sequence[str], *, config: DedupConfig) -> pa.Table:
    """Read columns of a signature file; ``bands`` are those of ``config``, stored or recomputed.

    Raises:
        ConfigError: the documents were signed in another way than ``config`` says.
        ArtifactError: no signature file.
    """
    signed = read_identity(path)
    check_identity(signed, config=config, where=path)
    stored_bands = (signed["num_bands"], signed["rows_per_band"])
    if "bands" not in columns or stored_bands == (config.num_bands, config.rows_per_band):
        return read_arrow(path, columns=columns)
    stored = [name for name in columns if name != "bands"]
    table = read_arrow(path, columns=[*dict.fromkeys([*stored, "signature"])])
    signatures = fixed_lists(table.column("signature"))
    keys = band_keys(signatures, num_bands=config.num_bands, rows_per_band=config.rows_per_band)
    bands = pa.FixedSizeListArray.from_arrays(
        pa.array(keys.reshape(-1)), type=_fixed_list(pa.uint64(), config.num_bands)
    )
    return table.append_column("bands", bands).select(list(columns))


def read_identity(path: str) -> dict[str, Any]:
    """Return how the documents of a signature file were signed.

    Raises:
        ArtifactError: no signature file.
    """
    with open_arrow(path) as reader:
        metadata = reader.schema.metadata or {}
    if _METADATA_KEY not in metadata:
        raise ArtifactError(f"{path}: no signature file: its schema lacks {_METADATA_KEY.decode()!r}")
    signed: dict[str, Any] = json.loads(metadata[_METADATA_KEY])
    return signed


def check_identity(signed: dict[str, Any], *, config: SignatureConfig, where: str) -> None:
    """Raise unless signatures can be compared under ``config``.

    Raises:
        ConfigError: a setting that shapes signatures differs.
    """
    for name, wanted in config.signing_identity().items():
        if signed.get(name) != wanted:
            raise ConfigError(
                f"{where}: its documents were signed with {name} {signed.get(name)!r}, but the mixture's "
                f"dedup settings ask for {wanted!r}: use {signed.get(name)!r}, or ingest the corpus again"
            )


def fixed_lists(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[Any]:
    """Return a column of fixed-size lists as a matrix [rows, list length]."""
    length = column.type.list_size
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    # flatten, unlike values, leaves out what lies before and behind a slice.
    return np.asarray(column.flatten()).reshape(-1, length)
