"""The parts of a summary as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dataprep.mixture import format_count
from dataprep.report.statistics import (
    ContaminationStatistics,
    DuplicateStatistics,
    SourceStatistics,
    StageStatistics,
)
from dataprep.text_table import aligned

_MAX_REASONS = 4
_MAX_ACROSS = 8


def documents_text(sources: Iterable[SourceStatistics]) -> str:
    """Return the waterfall: raw rows, what filters keep, what is no copy, tokens."""
    every = list(sources)
    kinds = list(dict.fromkeys(kind for source in every for kind in source.duplicates))
    headings = (
        "source",
        "rows",
        "kept",
        *(f"-{kind}" for kind in kinds),
        "documents",
        "tokens",
        "bytes/token",
    )
    lines = [headings, *(_document_cells(source, kinds) for source in every)]
    totals = [sum(source.rows for source in every), sum(source.kept for source in every)]
    totals += [sum(source.duplicates.get(kind, 0) for source in every) for kind in kinds]
    totals.append(sum(source.documents for source in every))
    tokens = sum(source.tokens for source in every)
    size_bytes = sum(source.tokenized_bytes for source in every)
    ratio = f"{size_bytes / tokens:.2f}" if tokens else ""
    lines.append(("all", *(f"{number:,}" for number in totals), format_count(tokens), ratio))
    return "documents: raw rows -> kept by the filters -> copies removed -> tokenized\n" + aligned(lines)


def _document_cells(source: SourceStatistics, kinds: Iterable[str]) -> tuple[str, ...]:
    copies = [_or_dash(source.duplicates.get(kind, 0)) for kind in kinds]
    ratio = f"{source.bytes_per_token:.2f}" if source.tokens else "-"
    tokens = format_count(source.tokens) if source.tokens else "-"
    return (
        source.source,
        f"{source.rows:,}",
        f"{source.kept:,}",
        *copies,
        _or_dash(source.documents),
        tokens,
        ratio,
    )


def reasons_text(sources: Iterable[SourceStatistics]) -> str:
    """Return why rows were dropped: the most frequent reasons of each source."""
    lines = [
        (source.source, f"{source.rows - source.kept:,}", _most_frequent(source.reasons))
        for source in sources
        if source.reasons
    ]
    if not lines:
        return ""
    name_width = max(len(line[0]) for line in lines)
    count_width = max(len(line[1]) for line in lines)
    shown = [f"  {name:<{name_width}}  {count:>{count_width}}  {why}" for name, count, why in lines]
    return "dropped rows and why\n" + "\n".join(shown)


def edits_text(sources: Iterable[SourceStatistics]) -> str:
    """Return what edits removed from the kept texts of each source."""
    lines = [
        (
            source.source,
            f"{source.edits.documents:,}",
            format_count(source.edits.removed_bytes),
            _most_frequent(source.edits.pieces),
        )
        for source in sources
        if source.edits is not None
    ]
    if not lines:
        return ""
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    shown = [
        f"  {name:<{widths[0]}}  {count:>{widths[1]}}  {size:>{widths[2]}}B  {what}"
        for name, count, size, what in lines
    ]
    return "edited documents, bytes that went, and what they were\n" + "\n".join(shown)


def edit_examples_text(sources: Iterable[SourceStatistics]) -> str:
    """Return one text before and after for each kind of removed piece."""
    shown: dict[str, str] = {}
    for source in sources:
        for example in source.edits.examples if source.edits is not None else ():
            before = " / ".join(str(example["before"]).split("\n"))
            after = " / ".join(str(example["after"]).split("\n"))
            text = f"{before} -> {after or '(nothing)'}" if before else after
            shown.setdefault(
                str(example["kind"]), f"  {example['kind']} ({example['removed_bytes']} bytes): {text}"
            )
    return "\n".join(["edits, one example each", *shown.values()]) if shown else ""


def _most_frequent(reasons: Mapping[str, int]) -> str:
    shown = [f"{reason} {number:,}" for reason, number in list(reasons.items())[:_MAX_REASONS]]
    if len(reasons) > _MAX_REASONS:
        rest = sum(list(reasons.values())[_MAX_REASONS:])
        shown.append(f"{len(reasons) - _MAX_REASONS} more reasons {rest:,}")
    return ", ".join(shown)


def duplicates_text(found: DuplicateStatistics) -> str:
    """Return what deduplication removed, and between which sources the copies lay."""
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in found.removed.items())
    text = (
        f"duplicates: {sum(found.removed.values()):,} documents, {format_count(found.removed_bytes)} bytes "
        f"({kinds}), in {found.clusters:,} clusters of up to {found.largest_cluster}"
    )
    pairs = [
        (number, loser, survivor) for loser, own in found.across.items() for survivor, number in own.items()
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    lines = [
        (
            f"{loser} lost" if loser != survivor else f"inside {loser}",
            f"{number:,}" + ("" if loser == survivor else f" to {survivor}"),
        )
        for number, loser, survivor in pairs[:_MAX_ACROSS]
    ]
    if len(pairs) > _MAX_ACROSS:
        rest = sum(number for number, _, _ in pairs[_MAX_ACROSS:])
        lines.append((f"{len(pairs) - _MAX_ACROSS} more pairs", f"{rest:,}"))
    return text + ("\n" + aligned(lines, left_columns=2) if lines else "")


def contamination_text(found: ContaminationStatistics) -> str:
    """Return which evaluation sets were found in how many documents."""
    done = "removed" if found.action == "remove" else "reported only, nothing was removed"
    if found.action == "cut":
        removed = found.contaminated - found.cut
        done = f"{found.cut_bytes:,} bytes cut out of {found.cut:,} of them, {removed:,} removed"
    lines = [("set", "items", "too short", "found", "documents")]
    lines += [
        (
            name,
            f"{one['items']:,}",
            _or_dash(one["too_short"]),
            _or_dash(one["items_found"]),
            _or_dash(one["documents"]),
        )
        for name, one in found.sets.items()
    ]
    return (
        f"evaluation items: {found.contaminated:,} of {found.documents:,} documents hold one ({done}); "
        f"hits in {found.folder}\n{aligned(lines)}"
    )


def stage_text(stage: StageStatistics) -> str:
    """Return what a stage's shards hold, and the requested against the realised mixture."""
    share = stage.padding / max(1, stage.rows * stage.sequence_length)
    padding = f", {share:.2%} padding" if stage.padding else ", no padding"
    title = (
        f"stage {stage.stage}: {format_count(stage.tokens)} tokens in {stage.rows:,} rows of "
        f"{stage.sequence_length} ({stage.packing}{padding}), {stage.shards:,} shard(s), "
        f"{stage.size_bytes / 1e6:.1f} MB"
    )
    held = [source for source in stage.sources if source.rows or source.requested]
    lines = [("source", "requested", "realised", "tokens", "rows", "epochs", "so far")]
    lines += [
        (
            source.source,
            f"{source.requested:.4f}",
            f"{source.realised:.4f}",
            format_count(source.tokens),
            f"{source.rows:,}",
            f"{source.epochs:.2f}",
            f"{source.epochs_so_far:.2f}",
        )
        for source in held
    ]
    return f"{title}\n{aligned(lines)}\n  largest difference of a share: {stage.largest_deviation:.5f}"


def list_text(title: str, items: Iterable[str]) -> str:
    """Return lines under a title; nothing where there is no line."""
    lines = [f"  {item}" for item in items]
    return "\n".join([f"{title}:", *lines]) if lines else ""


def _or_dash(number: int) -> str:
    return f"{number:,}" if number else "-"
