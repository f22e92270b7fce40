"""Statistics of a build: every number is one of its manifests'."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dataprep import artifacts, storage
from dataprep.artifacts import FileEntry, Manifest
from dataprep.errors import ArtifactError, ConfigError
from dataprep.mixture import Mixture
from dataprep.plan import StreamSize, plan_mixture
from dataprep.report import summarise
from dataprep.report.statistics import UNSELECTED

MIXTURE = {
    "name": "tiny",
    "tokenizer": "arcade-demo",
    "sources": {
        "web": {"from": "refinedweb", "subsets": "all"},
        "wiki": {"from": "pile", "subsets": ["Wikipedia (en)"]},
    },
    "stages": [
        {
            "name": "main",
            "tokens": 640,
            "sequence_length": 10,
            "sources": {"web": {"weight": 3}, "wiki": {"weight": 1}},
        }
    ],
}


EXAMPLES = [
    {
        "subset": "web",
        "kind": kind,
        "rank": rank,
        "doc_id": 70 + rank,
        "before": before,
        "after": after,
        "removed_bytes": size,
    }
    for kind, rank, before, after, size in [
        ("line_uppercase", 5, "BUY NOW AND HERE", "", 16),
        ("pii_email", 3, "", "Write to\n<EMAIL> today", 18),
        ("pii_email", 9, "", "or <EMAIL>", 7),
    ]
]


def _publish(root: Path, kind: str, name: str, **fields: Any) -> str:
    fingerprint = artifacts.fingerprint_of(kind, config={"name": name}, inputs={})
    folder = artifacts.folder_of(str(root), kind, name, fingerprint)
    storage.make_folder(folder)
    values = {"inputs": {}, "config": {}, "seed": 0, "counts": {}, "files": (), "details": {}} | fields
    artifacts.publish(folder, Manifest(kind=kind, name=name, fingerprint=fingerprint, **values))
    return folder


def _table(root: Path, corpus: str, subsets: dict[str, dict[str, int]], skipped: list[Any]) -> str:
    details = {"corpus": corpus, "subsets": subsets, "skipped_files": skipped, "edit_examples": EXAMPLES}
    return _publish(root, "documents", corpus, counts=artifacts.sum_counts(subsets.values()), details=details)


def _tokens(root: Path, source: str, *, documents: int, tokens: int, text_bytes: int) -> str:
    counts = {"documents": documents, "tokens": tokens, "text_bytes": text_bytes}
    details = {"classes": {"all": counts}, "license": "CC0"}
    return _publish(root, "tokens", f"arcade-demo/{source}", counts=counts, details=details)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A build of two sources: 640 tokens, three quarters web, one quarter wiki."""
    mixture = Mixture.model_validate(MIXTURE)
    sizes = {("web", "all"): StreamSize(1000, 6), ("wiki", "all"): StreamSize(81, 2)}
    (plan,) = plan_mixture(mixture, sizes)
    web = {"rows": 10, "kept": 8, "text_bytes": 5000, "reason:too_short": 1, "reason:empty_text": 1}
    web |= {"edited": 2, "edited_bytes": 41, "edit:line_uppercase": 1, "edit:pii_email": 2}
    wiki = {"rows": 3, "kept": 3, "text_bytes": 400}
    books = {"rows": 4, "kept": 0, "text_bytes": 0, "reason:excluded_books3": 4}
    per_source = {
        "web": {"exact": 1, "url": 1, "near": 0, "removed": 2},
        "wiki": {"exact": 0, "url": 0, "near": 1, "removed": 1},
    }
    duplicates = {
        "sources": ["web", "wiki"],
        "per_source": per_source,
        "across_sources": {"exact": [[1, 0], [0, 0]], "url": [[1, 0], [0, 0]], "near": [[0, 0], [1, 0]]},
        "cluster_sizes": {"2": 1, "3": 1},
    }
    plan_folder = artifacts.folder_of(
        str(tmp_path),
        "plan",
        "tiny/main",
        artifacts.fingerprint_of("plan", config={"name": "tiny/main"}, inputs={}),
    )
    storage.write_json(f"{plan_folder}/plan.json", plan.to_json())
    rows = plan.source_rows
    held = [
        {"id": i, "name": name, "rows": count, "tokens": count * 10, "targets": count * 10}
        for i, (name, count) in enumerate(rows.items())
    ]
    shards_fingerprint = artifacts.fingerprint_of("shards", config={"name": "tiny/main"}, inputs={})
    shards_folder = artifacts.folder_of(str(tmp_path), "shards", "tiny/main", shards_fingerprint)
    storage.write_bytes(f"{shards_folder}/shard-00000.arrow", b"x" * 100)
    folders = {
        "documents": {
            "refinedweb": _table(tmp_path, "refinedweb", {"web": web}, []),
            "pile": _table(
                tmp_path,
                "pile",
                {"Wikipedia (en)": wiki, "Books3": books},
                [{"origin": "train/02.jsonl.zst", "reason": "truncated"}],
            ),
        },
        "duplicates": _publish(
            tmp_path,
            "duplicates",
            "tiny",
            counts={"exact": 1, "url": 1, "near": 1, "removed": 3, "removed_bytes": 900, "clusters": 2},
            details=duplicates,
        ),
        "tokens": {
            "web": _tokens(tmp_path, "web", documents=6, tokens=1000, text_bytes=4200),
            "wiki": _tokens(tmp_path, "wiki", documents=2, tokens=81, text_bytes=300),
        },
        "plan": {"main": _publish(tmp_path, "plan", "tiny/main")},
        "shards": {
            "main": _publish(
                tmp_path,
                "shards",
                "tiny/main",
                counts={"rows": 64, "tokens": 640, "targets": 640},
                files=(FileEntry("shard-00000.arrow", 100, "0" * 64),),
                details={"sources": held},
            )
        },
    }

    def relative(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: relative(one) for name, one in value.items()}
        return value.removeprefix(str(tmp_path)).lstrip("/")

    record = {
        "format_version": 1,
        "mixture": "tiny",
        "mixture_config": mixture.model_dump(mode="json", by_alias=True),
        "options": {},
        "tokenizer": "arcade-demo",
        "source_index": mixture.source_ids,
        "stages": ["main"],
        "artifacts": relative(folders),
    }
    artifacts.write_sealed_json(str(tmp_path / "builds" / "tiny.json"), record)
    return tmp_path


def test_rows_are_kept_or_have_a_reason(output: Path) -> None:
    statistics = summarise(str(output))
    web, wiki, unselected = statistics.sources
    assert (web.rows, web.kept, dict(web.reasons)) == (10, 8, {"empty_text": 1, "too_short": 1})
    assert (wiki.rows, wiki.kept, dict(wiki.reasons)) == (3, 3, {})
    for source in statistics.sources:
        assert source.rows == source.kept + sum(source.reasons.values())
    assert unselected.source == UNSELECTED
    assert dict(unselected.reasons) == {"excluded_books3": 4}


def test_edits_are_counted_and_shown_before_and_after(output: Path) -> None:
    statistics = summarise(str(output))
    web, wiki, _ = statistics.sources
    assert wiki.edits is None
    assert web.edits is not None
    assert (web.edits.documents, web.edits.removed_bytes) == (2, 41)
    assert list(web.edits.pieces.items()) == [("pii_email", 2), ("line_uppercase", 1)]
    assert [one["doc_id"] for one in web.edits.examples] == [75, 73, 79]
    text = statistics.to_text()
    assert "web  2  41B  pii_email 2, line_uppercase 1" in text
    assert "line_uppercase (16 bytes): BUY NOW AND HERE -> (nothing)" in text
    assert "pii_email (18 bytes): Write to / <EMAIL> today" in text
    assert text.count("pii_email (") == 1
    assert json.loads(json.dumps(statistics.to_json()))["sources"][0]["edits"]["examples"][0]["before"]


def test_documents_are_kept_rows_without_copies(output: Path) -> None:
    web, wiki, _ = summarise(str(output)).sources
    assert web.duplicates == {"exact": 1, "url": 1, "near": 0}
    assert web.documents == web.kept - sum(web.duplicates.values())
    assert wiki.documents == wiki.kept - sum(wiki.duplicates.values())
    assert web.bytes_per_token == 4.2


def test_duplicates_name_losers_and_survivors(output: Path) -> None:
    duplicates = summarise(str(output)).duplicates
    assert duplicates.across == {"web": {"web": 2}, "wiki": {"web": 1}}
    assert (duplicates.clusters, duplicates.largest_cluster, duplicates.removed_bytes) == (2, 3, 900)


def test_stages_compare_requested_with_realised_shares(output: Path) -> None:
    (stage,) = summarise(str(output)).stages
    assert (stage.rows, stage.tokens, stage.padding, stage.size_bytes) == (64, 640, 0, 100)
    web, wiki = stage.sources
    assert (web.requested, web.realised, web.rows) == (0.75, 0.75, 48)
    assert (wiki.requested, wiki.realised, wiki.rows) == (0.25, 0.25, 16)
    assert stage.largest_deviation == 0
    assert wiki.epochs == pytest.approx(160 / 81)


def test_the_text_shows_every_source_reason_and_skipped_file(output: Path) -> None:
    text = summarise(str(output)).to_text()
    for part in ("web", "wiki", "excluded_books3 4", "too_short 1", "exact 1, url 1, near 1", "no padding"):
        assert part in text
    assert "pile: train/02.jsonl.zst: truncated" in text


def test_json_holds_what_the_text_shows(output: Path) -> None:
    value = json.loads(json.dumps(summarise(str(output), "tiny").to_json()))
    assert value["sources"][0]["source"] == "web"
    assert value["stages"][0]["sources"][1]["rows"] == 16


def test_evaluation_items_are_counted_by_set_and_source(output: Path) -> None:
    assert "evaluation items" not in summarise(str(output)).to_text()
    details = {
        "action": "remove",
        "sets": {"quiz": {"items": 30, "too_short": 2, "items_found": 5, "documents": 7}},
        "per_source": {"web": {"documents": 6, "contaminated": 7}},
    }
    counts = {"documents": 9, "contaminated": 7, "contaminated_bytes": 70}
    folder = _publish(output, "contamination", "tiny", counts=counts, details=details)
    record = artifacts.read_sealed_json(f"{output}/builds/tiny.json")
    record["artifacts"]["contamination"] = folder.removeprefix(str(output)).lstrip("/")
    artifacts.write_sealed_json(f"{output}/builds/tiny.json", record)
    summary = summarise(str(output))
    web, wiki, _ = summary.sources
    assert (web.duplicates["contaminated"], wiki.duplicates["contaminated"]) == (7, 0)
    assert "7 of 9 documents hold one (removed)" in summary.to_text()
    assert "quiz     30          2      5          7" in summary.to_text()


def test_a_missing_artifact_is_named(output: Path) -> None:
    folder = next(output.glob("duplicates/tiny/*"))
    (folder / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match="duplicates/tiny"):
        summarise(str(output))


def test_an_output_without_a_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no finished build"):
        summarise(str(tmp_path))
