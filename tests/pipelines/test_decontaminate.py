"""Decontamination in the chain: searched once, reported by item, and never tokenized."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from token_documents import Row, doc_id_of, publish_documents

from dataprep.artifacts import Artifact
from dataprep.decontamination import DecontaminationConfig, cut_batch
from dataprep.dedup.files import read_arrow, write_arrow
from dataprep.errors import SourceError
from dataprep.tokenizers import load_tokenizer, train_demo_vocabulary
from dataprep.verification import verify_output
from dataprep.verification.contamination import check_contamination
from dataprep.verification.report import Findings
from pipelines.decontaminate import decontaminate
from pipelines.engine import Engine
from pipelines.token_sources import TokenSource
from pipelines.tokenization import tokenize

ITEM = "The keeper polishes the brass lens on every third evening unless the tide bell rings twice"
SHORT = "Which of the seven jars stays empty tonight"
OTHER = "Nobody who reads this sentence will ever find it in one of the documents of this test"

PARTS = [
    [
        Row("Nothing to see here."),
        Row(f"Before. {ITEM.upper()}? After."),
        Row(f"Dropped: {ITEM}", verdict="too_short"),
        Row(f"Of no source: {ITEM}", subset="mail"),
    ],
    [Row(f"{SHORT}? {ITEM}."), Row(f"A book: {ITEM}", subset="books"), Row("Clean.", subset="books")],
]


@pytest.fixture
def documents(tmp_path: Path) -> Artifact:
    return publish_documents(str(tmp_path / "out"), PARTS)


def _config(tmp_path: Path, **options: Any) -> DecontaminationConfig:
    path = tmp_path / "quiz.jsonl"
    rows = [
        {"id": f"q{number}", "text": text} for number, text in enumerate((ITEM, SHORT, OTHER, "too short"))
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    sets = [{"name": "quiz", "path": str(path), "fields": ["text"], "id_field": "id"}]
    return DecontaminationConfig.model_validate({"sets": sets, **options})


def _search(tmp_path: Path, documents: Artifact, config: DecontaminationConfig) -> Artifact:
    return decontaminate(
        "tiny",
        documents=[documents],
        duplicates=None,
        ranks={("refinedweb", "web"): 0, ("refinedweb", "books"): 1},
        sources=("web", "books"),
        config=config,
        output=str(tmp_path / "out"),
        engine=Engine(),
    )


def test_documents_are_removed_and_reported_by_item(tmp_path: Path, documents: Artifact) -> None:
    found = _search(tmp_path, documents, _config(tmp_path))
    manifest = found.manifest
    sizes = [len(row.text or "") for row in (PARTS[0][1], PARTS[1][0], PARTS[1][1])]
    assert manifest.counts == {
        "bytes": sum(sizes) + len("Nothing to see here.") + len("Clean."),
        "contaminated": 3,
        "contaminated_bytes": sum(sizes),
        "documents": 5,
        "hits": 4,
        "removed": 3,
        "removed_bytes": sum(sizes),
    }
    assert manifest.details["sets"] == {
        "quiz": {"items": 4, "too_short": 1, "items_found": 2, "documents": 3}
    }
    assert manifest.details["per_source"]["books"]["contaminated"] == 1
    removed = [read_arrow(found.path(f"refinedweb/part-0000{n}-0000.arrow")).to_pydict() for n in (0, 1)]
    assert [table["doc_id"] for table in removed] == [
        [doc_id_of(0, 1)],
        [doc_id_of(1, 0), doc_id_of(1, 1)],
    ]
    assert removed[0]["kind"] == ["contaminated"]
    assert removed[0]["cluster"] == removed[0]["doc_id"], "nothing survives in its place"
    items = pq.read_table(found.path("items.parquet")).to_pylist()
    assert [(item["item"], item["searched"], item["documents"]) for item in items] == [
        ("q0", True, 3),
        ("q1", True, 1),
        ("q2", True, 0),
        ("q3", False, 0),
    ]


def test_hits_say_which_words_of_which_raw_row(tmp_path: Path, documents: Artifact) -> None:
    found = _search(tmp_path, documents, _config(tmp_path))
    hits = pq.read_table(found.path("hits/refinedweb/part-00001-0000.parquet")).to_pylist()
    assert [(hit["item"], hit["source"], hit["origin_row"]) for hit in hits] == [
        ("q0", "web", 0),
        ("q1", "web", 0),
        ("q0", "books", 1),
    ]
    text = (PARTS[1][0].text or "").encode()
    assert [text[hit["starts"][0] : hit["stops"][0]].decode() for hit in hits[:2]] == [ITEM, SHORT]
    assert (hits[0]["num_runs"], hits[0]["of_runs"], hits[0]["set"]) == (4, 4, "quiz")


def test_a_search_is_published_once_and_verifies(tmp_path: Path, documents: Artifact) -> None:
    config = _config(tmp_path)
    first = _search(tmp_path, documents, config)
    assert _search(tmp_path, documents, config).folder == first.folder
    assert not (Path(first.folder) / "_work").exists()
    assert verify_output(first.folder).ok
    moved = (tmp_path / "quiz.jsonl").rename(tmp_path / "moved.jsonl")
    elsewhere = config.sets[0].model_copy(update={"path": str(moved)})
    again = _search(tmp_path, documents, config.model_copy(update={"sets": (elsewhere,)}))
    assert again.folder == first.folder, "where a set lies changes nothing"
    with pytest.raises(SourceError, match="no such file"):
        _search(tmp_path, documents, config)


def test_verify_sees_a_removal_without_a_hit(tmp_path: Path, documents: Artifact) -> None:
    found = _search(tmp_path, documents, _config(tmp_path))
    first, second = (Path(found.path(f"refinedweb/part-0000{n}-0000.arrow")) for n in (0, 1))
    first.write_bytes(second.read_bytes())
    assert not verify_output(found.folder).ok


def test_a_report_removes_nothing(tmp_path: Path, documents: Artifact) -> None:
    found = _search(tmp_path, documents, _config(tmp_path, action="report"))
    assert (found.manifest.counts["contaminated"], found.manifest.counts["removed"]) == (3, 0)
    assert not [entry.path for entry in found.manifest.files if entry.path.endswith(".arrow")]
    assert verify_output(found.folder).ok


def test_only_named_sources_are_searched(tmp_path: Path, documents: Artifact) -> None:
    found = _search(tmp_path, documents, _config(tmp_path, sources=["books"]))
    assert found.manifest.counts["documents"] == 2
    assert list(found.manifest.details["per_source"]) == ["books"]


@pytest.mark.parametrize("action", ["remove", "report"])
def test_what_is_removed_is_not_tokenized(tmp_path: Path, documents: Artifact, action: str) -> None:
    found = _search(tmp_path, documents, _config(tmp_path, action=action, sources=["web"]))
    vocabulary = str(tmp_path / "arcade-demo.tiktoken")
    train_demo_vocabulary([f"{ITEM} {SHORT} {OTHER} {n}" for n in range(300)], vocabulary, 400)
    sources = [TokenSource(name, "refinedweb", (name,)) for name in ("web", "books")]
    arguments: dict[str, Any] = {
        "documents": [documents],
        "duplicates": None,
        "sources": sources,
        "tokenizer": load_tokenizer("arcade-demo", vocab_path=vocabulary),
        "seed": 1,
        "holdout_fraction": 0.0,
        "output_root": str(tmp_path / "out"),
        "engine": Engine(),
    }
    stores = tokenize(**arguments, contamination=found)
    assert stores["web"].manifest.counts["documents"] == (1 if action == "remove" else 3)
    assert stores["books"].manifest.counts["documents"] == 2
    before = tokenize(**arguments)
    same = {name: stores[name].folder == before[name].folder for name in stores}
    assert same == {"web": action == "report", "books": True}, "what was not searched stays as it was"


def test_what_is_cut_out_is_not_tokenized_and_the_rest_is(tmp_path: Path) -> None:
    filler = " ".join(f"word{n}" for n in range(60))
    table = publish_documents(
        str(tmp_path / "out"), [[Row(f"{filler} {ITEM} {filler}"), Row(f"Too little: {ITEM}"), Row("Clean.")]]
    )
    cut = {"window_chars": 0, "min_piece_chars": 50}
    found = _search(tmp_path, table, _config(tmp_path, action="cut", cut=cut))
    counts = found.manifest.counts
    assert [counts[name] for name in ("contaminated", "cut", "removed")] == [2, 1, 1]
    assert counts["cut_bytes"] == len(f" {ITEM} ")
    assert counts["removed_bytes"] == len(f"Too little: {ITEM}")
    (row,) = read_arrow(found.path("cuts/refinedweb/part-00000-0000.arrow")).to_pylist()
    assert row["doc_id"] == doc_id_of(0, 0)
    assert list(zip(row["starts"], row["stops"], strict=True)) == [
        (0, len(filler)),
        (len(f"{filler} {ITEM} "), len(f"{filler} {ITEM} {filler}")),
    ]
    assert verify_output(found.folder).ok
    vocabulary = str(tmp_path / "arcade-demo.tiktoken")
    train_demo_vocabulary([f"{ITEM} {filler} {n}" for n in range(300)], vocabulary, 400)
    tokenizer = load_tokenizer("arcade-demo", vocab_path=vocabulary)
    stores = tokenize(
        documents=[table],
        duplicates=None,
        contamination=found,
        sources=[TokenSource("web", "refinedweb", ("web",))],
        tokenizer=tokenizer,
        seed=1,
        holdout_fraction=0.0,
        output_root=str(tmp_path / "out"),
        engine=Engine(),
    )
    rows = read_arrow(stores["web"].path("all/bin-00000.arrow")).to_pylist()
    texts = {row["doc_id"]: tokenizer.decode(row["tokens"][:-1]) for row in rows}
    assert texts == {doc_id_of(0, 0): f"{filler}\n\n{filler}", doc_id_of(0, 2): "Clean."}


@pytest.mark.parametrize("change", ["another piece", "another document", "none"])
def test_verify_sees_a_cut_that_is_none(tmp_path: Path, change: str) -> None:
    filler = " ".join(f"word{n}" for n in range(60))
    rows = [Row(f"{filler} {ITEM}"), Row(f"{ITEM} {filler}")]
    table = publish_documents(str(tmp_path / "out"), [rows])
    found = _search(tmp_path, table, _config(tmp_path, action="cut", cut={"min_piece_chars": 50}))
    assert verify_output(found.folder).ok
    path = found.path("cuts/refinedweb/part-00000-0000.arrow")
    cuts = read_arrow(path).to_pydict()
    pieces = [list(zip(*both, strict=True)) for both in zip(cuts["starts"], cuts["stops"], strict=True)]
    ids = cuts["doc_id"]
    if change == "another piece":
        pieces[0] = [(0, len(rows[0].text or ""))]
    elif change == "another document":
        ids[1] = doc_id_of(0, 9)
    else:
        del ids[1], pieces[1]
    write_arrow(path, cut_batch(ids, pieces))
    findings = Findings("contamination", "content")
    check_contamination(found, findings, damaged=(), corpus=None)
    assert not findings.to_check().ok


def test_duplicates_are_not_searched(tmp_path: Path, documents: Artifact) -> None:
    config = _config(tmp_path)
    lists = _search(tmp_path, documents, config)  # a list of removals like that of duplicates
    found = decontaminate(
        "tiny",
        documents=[documents],
        duplicates=lists,
        ranks={("refinedweb", "web"): 0, ("refinedweb", "books"): 1},
        sources=("web", "books"),
        config=config,
        output=str(tmp_path / "out"),
        engine=Engine(),
    )
    assert found.manifest.counts["documents"] == 2
    assert found.manifest.counts["contaminated"] == 0
    assert np.array_equal(pq.read_table(found.path("items.parquet"))["documents"], [0, 0, 0, 0])
