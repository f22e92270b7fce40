"""Judge: what a build would keep by other thresholds, for a person or a program to read."""

from __future__ import annotations

import json

import pyarrow.parquet as pq

from dataprep import storage
from dataprep.judging import Rejudgement, SourceChange, load_thresholds, rejudge
from dataprep.output import open_build
from dataprep.text_table import aligned

_MAX_REASONS = 8


def judge_again(
    output: str, *, mixture: str | None, filters: str | None, changes: str | None, as_json: bool
) -> str:
    """Judge the documents of a build by new thresholds; return the difference as text or JSON.

    Args:
        output: output folder of a build.
        mixture: which build, where the folder holds several.
        filters: YAML file of thresholds; None: the presets as this dataprep has them.
        changes: Parquet file that gets the documents whose verdict changed; None: none is written.
        as_json: JSON in place of tables.

    Raises:
        ConfigError: no such build, or thresholds that it cannot be judged by.
        ArtifactError: a document table is damaged.
    """
    thresholds = None if filters is None else load_thresholds(filters)
    found = rejudge(open_build(output, mixture=mixture), thresholds, place=filters or "")
    if changes is not None:
        with storage.atomic_output(changes) as sink:
            pq.write_table(found.changes, sink, compression="zstd")
    if as_json:
        return json.dumps(found.to_json(), indent=2, ensure_ascii=False)
    return _text(found)


def _text(found: Rejudgement) -> str:
    headings: tuple[str, ...] = ("source", "rows", "kept", "kept now", "change", "text MB", "now")
    lines = [headings, *(_cells(one) for one in found.sources)]
    title = (
        f"mixture {found.mixture}: {found.changes.num_rows:,} verdicts change; nothing was written to the "
        "build, and duplicates are not looked at"
    )
    sections = [title, aligned(lines)]
    reasons = [_reason_lines(one) for one in found.sources]
    changed = [line for lines in reasons for line in lines]
    if changed:
        heading = ("source", "reason", "dropped", "now", "change")
        sections.append(aligned([heading, *changed], left_columns=2))
    return "\n\n".join(sections)


def _cells(one: SourceChange) -> tuple[str, ...]:
    (before, bytes_before), (after, bytes_after) = one.kept(after=False), one.kept(after=True)
    return (
        one.source,
        f"{one.documents:,}",
        f"{before:,}",
        f"{after:,}",
        _signed(after - before),
        f"{bytes_before / 1e6:.2f}",
        f"{bytes_after / 1e6:.2f}",
    )


def _reason_lines(one: SourceChange) -> list[tuple[str, ...]]:
    changed = [(reason, *counts) for reason, counts in one.reasons().items() if counts[0] != counts[1]]
    lines: list[tuple[str, ...]] = [
        (one.source, reason, f"{before:,}", f"{after:,}", _signed(after - before))
        for reason, before, after in changed[:_MAX_REASONS]
    ]
    rest = changed[_MAX_REASONS:]
    if rest:
        before, after = sum(row[1] for row in rest), sum(row[2] for row in rest)
        lines.append((one.source, f"{len(rest)} more", f"{before:,}", f"{after:,}", _signed(after - before)))
    return lines


def _signed(number: int) -> str:
    return f"{number:+,}" if number else "-"
