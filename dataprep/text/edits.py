"""The edits that a preset may name, applied one after the other, and what they did to the kept texts.

An edit is a frozen config model with ``apply(column) -> Edited``; it is a pure function of the
texts. What it removed is counted by kind, and a few documents of each subset and kind are kept
as examples: those whose ids hash lowest, whatever the number and order of batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from dataprep.hashing import mix64
from dataprep.text.edited import KIND, ROW, START, STOP, Edited
from dataprep.text.lines import C4Lines, RefinedWebLines
from dataprep.text.pii import PII_KINDS, Pii, placeholder_of

Edit = Annotated[RefinedWebLines | C4Lines | Pii, Field(discriminator="kind")]

EXAMPLES_PER_KIND = 3
"""Examples of each kind of removed piece and subset in a document table."""
_CONTEXT_CHARS = 60
_SHOWN_CHARS = 160
_EXAMPLE_KEY = 1
EDITED, EDITED_BYTES, PIECE_PREFIX = "edited", "edited_bytes", "edit:"
"""Names of counters: documents with a removed piece, bytes of these pieces, pieces of a kind."""


@dataclass(frozen=True)
class EditStep:
    """One edit and what it made of the texts."""

    edit: RefinedWebLines | C4Lines | Pii
    before: pa.LargeStringArray
    edited: Edited


def apply_edits(edits: Sequence[Edit], text: pa.LargeStringArray) -> tuple[EditStep, ...]:
    """Apply edits in order to normalised texts; the last step holds the final texts."""
    steps: list[EditStep] = []
    for edit in edits:
        step = EditStep(edit, text, edit.apply(text))
        steps.append(step)
        text = step.edited.text
    return tuple(steps)


def edit_signal_names(edits: Iterable[Edit]) -> tuple[str, ...]:
    """Return the signals that edits leave behind, in column order."""
    return tuple(name for edit in edits for name in edit.SIGNALS)


@dataclass(frozen=True, order=True)
class EditExample:
    """A text before and after an edit, about one removed piece.

    ``before`` is empty where the piece must not be shown: what was redacted is nowhere in an example.
    """

    subset: str
    kind: str
    rank: int
    """Hash of the document's id: the lowest are kept."""
    doc_id: int
    before: str
    after: str
    removed_bytes: int


@dataclass
class EditTally:
    """What edits removed from the documents that were kept, by subset."""

    _counts: dict[str, dict[str, int]] = field(default_factory=dict)
    _examples: dict[tuple[str, str], list[EditExample]] = field(default_factory=dict)

    def add(
        self,
        steps: Sequence[EditStep],
        *,
        subset: pa.DictionaryArray,
        kept: npt.NDArray[np.bool_],
        doc_ids: npt.NDArray[np.uint64],
    ) -> None:
        """Count the removed pieces of a batch's kept rows, and keep its examples.

        Args:
            steps: what ``apply_edits`` returned for these rows.
            subset: subset of every row.
            kept: bool[num_rows], the rows that every filter kept.
            doc_ids: uint64[num_rows].
        """
        names = [name or "" for name in subset.dictionary.to_pylist()] + [""]
        codes = subset.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False).astype(np.int64)
        touched = np.zeros(len(codes), np.bool_)
        for step in steps:
            pieces = step.edited.pieces
            pieces = pieces[kept[pieces[:, ROW]]]
            if len(pieces) == 0:
                continue
            touched[pieces[:, ROW]] = True
            rows, sizes = codes[pieces[:, ROW]], pieces[:, STOP] - pieces[:, START]
            for code, kind in np.unique(np.stack([rows, pieces[:, KIND]], axis=1), axis=0).tolist():
                own = (rows == code) & (pieces[:, KIND] == kind)
                self._count(names[code], PIECE_PREFIX + step.edited.kinds[kind], int(own.sum()))
                self._count(names[code], EDITED_BYTES, int(sizes[own].sum()))
                self._show(step, pieces[own], names[code], step.edited.kinds[kind], doc_ids)
        for code, number in zip(*np.unique(codes[touched], return_counts=True), strict=True):
            self._count(names[code], EDITED, int(number))

    def _count(self, subset: str, name: str, number: int) -> None:
        own = self._counts.setdefault(subset, {})
        own[name] = own.get(name, 0) + number

    def _show(
        self,
        step: EditStep,
        pieces: npt.NDArray[np.int64],
        subset: str,
        kind: str,
        doc_ids: npt.NDArray[np.uint64],
    ) -> None:
        """Keep the lowest-ranking documents of one subset and kind; the first piece of each."""
        rows, first = np.unique(pieces[:, ROW], return_index=True)
        ranks = mix64(doc_ids[rows], key=_EXAMPLE_KEY)
        found = self._examples.setdefault((subset, kind), [])
        for place in np.argsort(ranks, kind="stable")[:EXAMPLES_PER_KIND]:
            rank = int(ranks[place])
            if len(found) == EXAMPLES_PER_KIND and rank >= found[-1].rank:
                break
            piece = pieces[first[place]]
            before, after = _before_and_after(step, piece)
            size = int(piece[STOP] - piece[START])
            found.append(EditExample(subset, kind, rank, int(doc_ids[rows[place]]), before, after, size))
            found.sort()
            del found[EXAMPLES_PER_KIND:]

    def by_subset(self) -> dict[str, dict[str, int]]:
        """Return the counts of each subset that lost something."""
        return {name: dict(counts) for name, counts in self._counts.items()}

    def examples(self) -> list[dict[str, Any]]:
        """Return the examples as JSON values, by subset, kind and rank."""
        return merge_examples([vars(one) for found in self._examples.values() for one in found])


def merge_examples(examples: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the examples that remain of those of several parts: the lowest-ranking of each kind."""
    merged: list[dict[str, Any]] = []
    seen: dict[tuple[str, str], int] = {}
    for one in sorted(EditExample(**example) for example in examples):
        place = seen.get((one.subset, one.kind), 0)
        if place < EXAMPLES_PER_KIND:
            seen[one.subset, one.kind] = place + 1
            merged.append(dict(vars(one)))
    return merged


def _before_and_after(step: EditStep, piece: npt.NDArray[np.int64]) -> tuple[str, str]:
    """Return what an example shows of a piece; never anything that an edit redacts."""
    row, start, stop = int(piece[ROW]), int(piece[START]), int(piece[STOP])
    if isinstance(step.edit, Pii):
        return "", _context(step.edited, row, start)
    text = step.before[row].as_py().encode()
    line_stop = text.find(b"\n", max(start, stop - 1))
    line = text[text.rfind(b"\n", 0, start) + 1 : len(text) if line_stop < 0 else line_stop]
    column = pa.array([line.decode()], pa.large_string())
    shown = Pii().apply(pa.concat_arrays([column, step.edit.apply(column).text])).text.to_pylist()
    return _cut(shown[0]), _cut(shown[1])


def _context(edited: Edited, row: int, start: int) -> str:
    """Return what stands around the placeholder of a redaction, in the new text."""
    own = edited.pieces[(edited.pieces[:, ROW] == row) & (edited.pieces[:, START] <= start)]
    marks = [len(placeholder_of(PII_KINDS[kind])) for kind in own[:, KIND].tolist()]
    place = start + sum(marks[:-1]) - int((own[:-1, STOP] - own[:-1, START]).sum())
    text = edited.text[row].as_py().encode()
    before = text[max(0, place - 4 * _CONTEXT_CHARS) : place].decode(errors="ignore")[-_CONTEXT_CHARS:]
    end = place + marks[-1]
    after = text[end : end + 4 * _CONTEXT_CHARS].decode(errors="ignore")[:_CONTEXT_CHARS]
    return f"{before}{text[place:end].decode()}{after}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
