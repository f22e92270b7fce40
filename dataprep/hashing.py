"""Seeded 64-bit hashes and keyed permutations: the only randomness in dataprep.

Everything random is a pure function of a seed and a position, so that a retry, another
runner or another number of workers gives the same bytes.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

UInt64Array = npt.NDArray[np.uint64]

_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def hash64(*parts: str | int | bytes) -> int:
    """Return a 64-bit hash of a tuple of names and numbers; stable over platforms and versions.

    Parts are length-prefixed and typed, so ("a", "bc") and ("ab", "c") differ, as do 1 and "1".
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        if isinstance(part, bytes):
            kind, data = b"b", part
        elif isinstance(part, str):
            kind, data = b"s", part.encode("utf-8", "surrogatepass")
        else:
            kind, data = b"i", str(part).encode("ascii")
        digest.update(kind + len(data).to_bytes(8, "little") + data)
    return int.from_bytes(digest.digest(), "little")


def mix64(values: UInt64Array, *, key: int) -> UInt64Array:
    """Return the splitmix64 finaliser of ``values`` under ``key``: a bijection of uint64.

    Source of the constants: Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014 (mix13 variant by D. Stafford).
    """
    z = values.astype(np.uint64) ^ np.uint64(key & 0xFFFFFFFFFFFFFFFF)
    with np.errstate(over="ignore"):
        z = z + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _MIX_1
        z = (z ^ (z >> np.uint64(27))) * _MIX_2
        return z ^ (z >> np.uint64(31))


def keyed_permutation(size: int, *, key: int) -> npt.NDArray[np.int64]:
    """Return the permutation of ``range(size)`` that ``key`` names.

    Returns: int64[size]; ``order[i]`` is the element that stands at place i.
    """
    keys = mix64(np.arange(size, dtype=np.uint64), key=key)
    return np.argsort(keys, kind="stable").astype(np.int64)
