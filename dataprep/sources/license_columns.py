"""Where a raw row says which licence it has: what holds for a whole corpus is not the row's own word."""

from __future__ import annotations

_COLUMN = "license"
_STARCODER_SUBSETS = (
    "git-commits-cleaned",
    "jupyter-structured-clean-dedup",
    "jupyter-scripts-dedup-filtered",
)
_REDPAJAMA_SUBSETS = ("github",)


def license_column(adapter: str, subset: str, named: str | None) -> str | None:
    """Return the raw column with each row's own licence; None where the rows of a subset have none.

    Args:
        adapter: The corpus's adapter; some know the columns of their corpus.
        named: What the catalogue names as ``columns.license``.
    """
    if adapter == "starcoder":
        return named or (_COLUMN if subset in _STARCODER_SUBSETS else None)
    if adapter == "redpajama":
        return _COLUMN if subset in _REDPAJAMA_SUBSETS else None
    return None if adapter == "pile" else named
