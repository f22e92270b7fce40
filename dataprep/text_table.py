"""Tables for terminals: columns as wide as their widest cell."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(lines: Sequence[Sequence[str]], *, left_columns: int = 1, indent: int = 2) -> str:
    """Return lines of cells under each other; the first columns start, the others end together.

    >>> print(aligned([("source", "rows"), ("web", "1,024"), ("code", "7")], indent=0))
    source   rows
    web     1,024
    code        7
    """
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    shown = []
    for line in lines:
        cells = [
            cell.ljust(width) if column < left_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        shown.append(" " * indent + "  ".join(cells).rstrip())
    return "\n".join(shown)
