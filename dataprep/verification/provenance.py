"""Which documents must not be trained on, judged again from where they come from.

The verdict is what ingest decided; here the same is decided from the row's own ``subset``, ``meta``
and ``license``, so that a wrong verdict is found.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.licenses import ALLOWED
from dataprep.signals.license import judge_licenses

BoolArray = npt.NDArray[np.bool_]

PROVENANCE_COLUMNS = ("subset", "meta", "license")


def forbidden_rows(adapter: str, subset: pa.Array, meta: pa.Array) -> BoolArray:
    """Return which rows may not be used, whatever their verdict: bool[n].

    Books3 and rows of no known subset in copies of The Pile; in RedPajama's ``book`` all that is
    not known to be PG-19; in CulturaX all that is not from OSCAR.

    Args:
        adapter: the adapter of the corpus in the catalogue.
        subset: subset of each row, a dictionary of strings.
        meta: JSON of what the raw row also had, null where there was nothing.
    """
    subset, meta = subset.cast(pa.string()), meta.cast(pa.string())
    if adapter == "pile":
        books = pc.fill_null(pc.equal(subset, "Books3"), True)
        return _numpy(books) | _by_meta(meta, lambda fields: fields.get("pile_set_name") == "Books3")
    if adapter == "redpajama":
        book = _numpy(pc.fill_null(pc.equal(subset, "book"), True))
        return book & _by_meta(meta, lambda fields: not isinstance(fields.get("short_book_title"), str))
    if adapter == "culturax":
        return _by_meta(meta, lambda fields: not str(fields.get("source")).lower().startswith("oscar"))
    return np.zeros(len(subset), dtype=np.bool_)


def allowed_licenses(config: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the licences that documents of a table may have, by subset; others may have any.

    Args:
        config: of the table's manifest.
    """
    allowed = {}
    for subset, settings in config.get("subsets", {}).items():
        preset = config["presets"][settings.get("preset", settings["filters"])]
        for family in preset["families"]:
            if family["kind"] == "license":
                allowed[subset] = frozenset(family["allowed"])
    return allowed


def unlicensed_rows(allowed: Mapping[str, frozenset[str]], subset: pa.Array, stated: pa.Array) -> BoolArray:
    """Return which rows are of a subset that has a list of licences, and have none of it: bool[n].

    Args:
        allowed: of ``allowed_licenses``.
        subset: subset of each row, a dictionary of strings.
        stated: what the corpus says of each row's licence, strings or a dictionary of them.
    """
    names = subset.cast(pa.string())
    unlicensed = np.zeros(len(names), dtype=np.bool_)
    for name, licenses in allowed.items():
        own = _numpy(pc.fill_null(pc.equal(names, name), False))
        unlicensed |= own & (judge_licenses(stated, licenses) != ALLOWED)
    return unlicensed


def _by_meta(meta: pa.Array, is_forbidden: Callable[[dict[str, object]], bool]) -> BoolArray:
    """Judge every distinct ``meta`` once; a row without, or with one that is no object, has no field."""
    encoded = meta.dictionary_encode(null_encoding="encode")
    judged = [is_forbidden(_fields(text)) for text in encoded.dictionary.to_pylist()]
    codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
    return np.array(judged, dtype=np.bool_)[codes]


def _fields(text: str | None) -> dict[str, object]:
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}


def _numpy(values: pa.BooleanArray) -> BoolArray:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.bool_)
