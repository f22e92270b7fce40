"""Planted and natural duplicates: all exact ones go, near ones by the truth's Jaccard."""

from __future__ import annotations

from pathlib import Path

import pytest
from built_tables import Built, read_truth

pytestmark = [pytest.mark.corpus, pytest.mark.vocab]


def candidates(built: Built) -> dict[tuple[str, int], int]:
    """Rows that take part: kept, and of a subset that the mixture tokenises."""
    tokenised = set(built.token_documents.tolist())
    rows = built.documents.values()
    taken = {(row["source"], row["subset"]) for row in rows if row["doc_id"] in tokenised}
    return {
        place: row["doc_id"]
        for place, row in built.documents.items()
        if row["verdict"] == "keep" and (row["source"], row["subset"]) in taken
    }


def test_exact_duplicates_collapse_to_one_survivor(built: Built, corpus: Path):
    places = candidates(built)
    survivors = set(built.token_documents.tolist())
    checked = 0
    for group in read_truth(corpus / "truth" / "exact_dups.jsonl.zst"):
        members = group.get("at") or group["rows"]
        ids = [places[m["file"], m["row"]] for m in members if (m["file"], m["row"]) in places]
        if len(ids) > 1:
            checked += 1
            alive = [doc_id for doc_id in ids if doc_id in survivors]
            # A group can lose all its copies only to a near or URL duplicate outside it.
            outside = {built.removed[d]["cluster"] for d in ids if d in built.removed} - set(ids)
            assert len(alive) == 1 or (not alive and outside), group
    assert checked > 100


def test_near_duplicates_above_nine_tenths_are_found(built: Built, corpus: Path):
    places = candidates(built)
    survivors = set(built.token_documents.tolist())
    found = missed = 0
    for pair in read_truth(corpus / "truth" / "near_dups.jsonl.zst"):
        ids = [places.get((pair[side]["file"], pair[side]["row"])) for side in ("a", "b")]
        if pair["jaccard_w5"] >= 0.9 and None not in ids:
            both_alive = all(doc_id in survivors for doc_id in ids)
            missed += both_alive
            found += not both_alive
    assert found > 20
    assert found / (found + missed) >= 0.99
