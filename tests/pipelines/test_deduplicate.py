"""Deduplication of document tables: the right survivors, the same bytes however the work is cut."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pyarrow as pa
import pytest
from dedup_documents import Row, publish_documents, removals

from dataprep import storage
from dataprep.artifacts import Artifact, damaged_files
from dataprep.dedup import DedupConfig, SignatureConfig
from dataprep.dedup.bands import band_keys
from dataprep.dedup.files import read_arrow
from dataprep.dedup.minhash import minhash
from dataprep.dedup.removals import REMOVAL_SCHEMA
from dataprep.dedup.urls import normalize_urls
from dataprep.documents import document_ids
from dataprep.errors import BuildError, ConfigError
from pipelines import dedup_near
from pipelines.dedup_spans import Sizing
from pipelines.deduplicate import WORK_FOLDER, deduplicate
from pipelines.engine import Engine

TINY = Sizing(documents_per_span=50, keys_per_bucket=500, verify_bucket_bytes=30_000, edges_per_bucket=40)


def ident(collection: int, file: int, row: int) -> int:
    return int(document_ids(collection=collection, file=file, first_row=row, num_rows=1)[0])


def run(root: Path, documents: list[Artifact], ranks, sources, *, name: str = "demo", **settings) -> Artifact:
    engine = settings.pop("engine", Engine())
    sizing = settings.pop("sizing", None)
    return deduplicate(
        name,
        documents=documents,
        ranks=ranks,
        sources=sources,
        config=DedupConfig(**settings),
        output=str(root),
        engine=engine,
        sizing=sizing,
    )


def sentence(seed: int, num_words: int = 40) -> str:
    rng = random.Random(seed)
    return " ".join(f"word{rng.randrange(10_000)}" for _ in range(num_words))


def edited(text: str, *, seed: int, num_words: int = 1) -> str:
    words = text.split()
    rng = random.Random(seed)
    for place in rng.sample(range(len(words)), num_words):
        words[place] = f"edit{rng.randrange(10_000)}"
    return " ".join(words)


@pytest.fixture(scope="module")
def three_collections(tmp_path_factory):
    """Books (rank 0) and web pages (rank 1) with copies of each kind; notes take part in nothing."""
    tmp_path = tmp_path_factory.mktemp("three")
    long = sentence(1, 300)
    books = publish_documents(
        tmp_path, "books", [[Row(sentence(2), "books"), Row(long, "books"), Row(None, "books")]], number=1
    )
    web = publish_documents(
        tmp_path,
        "web",
        [
            [
                Row(sentence(2), url="http://a.org/1"),
                Row(sentence(3), url="https://www.b.org/x/?utm_source=y"),
            ],
            [
                Row(sentence(4) + " and more of it", url="http://b.org/x"),
                Row(edited(long, seed=1), url="http://c.org"),
                Row("too short for shingles"),
                Row(sentence(5), url="http://d.org"),
            ],
        ],
        number=2,
        web=True,
    )
    notes = publish_documents(tmp_path, "notes", [[Row(long, "notes"), Row(sentence(5), "notes")]], number=3)
    return tmp_path, [web, notes, books], {("books", "books"): 0, ("web", "web"): 1}, ["prose", "pages"]


@pytest.fixture(scope="module")
def duplicates(three_collections):
    return run(*three_collections)


def test_each_kind_of_duplicate_goes_and_the_best_document_stays(duplicates):
    assert removals(duplicates) == {
        ident(2, 0, 0): ("exact", ident(1, 0, 0)),
        ident(2, 0, 1): ("url", ident(2, 1, 0)),
        ident(2, 1, 1): ("near", ident(1, 0, 1)),
    }


def test_the_manifest_says_what_was_removed_from_whom(duplicates):
    manifest = duplicates.manifest
    assert manifest.kind == "duplicates"
    assert {k: manifest.counts[k] for k in ("documents", "exact", "url", "near", "removed", "clusters")} == {
        "documents": 8,
        "exact": 1,
        "url": 1,
        "near": 1,
        "removed": 3,
        "clusters": 3,
    }
    assert manifest.details["sources"] == ["prose", "pages"]
    assert manifest.details["across_sources"] == {
        "exact": [[0, 0], [1, 0]],
        "url": [[0, 0], [0, 1]],
        "near": [[0, 0], [1, 0]],
    }
    assert manifest.details["cluster_sizes"] == {"2": 3}
    pages = manifest.details["per_source"]["pages"]
    assert (pages["documents"], pages["removed"]) == (6, 3)
    assert 0 < pages["removed_bytes"] < pages["bytes"]
    assert manifest.counts["removed_bytes"] == pages["removed_bytes"]


def test_files_stand_by_part_and_only_where_something_is_removed(duplicates):
    assert [entry.path for entry in duplicates.manifest.files] == [
        "web/part-00000-0000.arrow",
        "web/part-00001-0000.arrow",
    ]
    for entry in duplicates.manifest.files:
        table = read_arrow(duplicates.path(entry.path))
        assert table.schema == REMOVAL_SCHEMA
        assert (
            entry.counts["rows"] == table.num_rows == sum(entry.counts[k] for k in ("exact", "url", "near"))
        )
        ids = table.column("doc_id").to_pylist()
        assert ids == sorted(ids)
    assert damaged_files(duplicates) == []


def test_nothing_but_the_result_stays_on_disk(duplicates):
    files = {f.path.removeprefix(duplicates.folder + "/") for f in storage.glob(f"{duplicates.folder}/**/*")}
    assert files == {"manifest.json", *(entry.path for entry in duplicates.manifest.files)}


def test_what_is_published_is_not_done_again(three_collections, duplicates, monkeypatch):
    monkeypatch.setattr("pipelines.deduplicate.plan_spans", None)
    assert run(*three_collections).manifest == duplicates.manifest


def test_url_duplicates_stay_where_the_mixture_says_so(three_collections, duplicates):
    without = run(*three_collections, url=False)
    assert {kind for kind, _ in removals(without).values()} == {"exact", "near"}
    assert without.manifest.fingerprint != duplicates.manifest.fingerprint


def test_the_order_of_sources_decides_who_survives(three_collections):
    root, documents, _, _ = three_collections
    ranks = {("books", "books"): 1, ("web", "web"): 0}
    found = removals(run(root, documents, ranks, ["pages", "prose"]))
    assert found[ident(1, 0, 0)] == ("exact", ident(2, 0, 0))
    assert found[ident(1, 0, 1)] == ("near", ident(2, 1, 1))


def test_only_the_subsets_of_the_mixture_take_part(tmp_path):
    rows = [Row(sentence(1), "a"), Row(sentence(1), "b"), Row(sentence(1), "c")]
    table = publish_documents(tmp_path, "pile", [rows], number=4)
    duplicates = run(tmp_path, [table], {("pile", "b"): 0, ("pile", "c"): 0}, ["some"])
    assert removals(duplicates) == {ident(4, 0, 2): ("exact", ident(4, 0, 1))}
    assert duplicates.manifest.counts["documents"] == 2


@pytest.mark.parametrize("ranks", [{}, {("pile", "a"): 0}])
def test_no_duplicates_give_an_artifact_without_files(tmp_path, ranks):
    table = publish_documents(tmp_path, "pile", [[Row(sentence(1), "a"), Row("short", "a")]], number=4)
    duplicates = run(tmp_path, [table], ranks, ["some"])
    assert duplicates.manifest.files == ()
    assert duplicates.manifest.counts["removed"] == 0


def test_documents_that_were_signed_otherwise_are_refused_before_any_work(tmp_path):
    table = publish_documents(
        tmp_path, "pile", [[Row(sentence(1), "a")]], number=4, config=SignatureConfig(ngram=3)
    )
    with pytest.raises(ConfigError, match="pile: its documents were signed with ngram 3"):
        run(tmp_path, [table], {("pile", "a"): 0}, ["some"])
    assert storage.glob(f"{tmp_path}/duplicates/**/*") == []


def test_a_chain_of_near_duplicates_has_one_survivor_and_one_cluster(tmp_path):
    texts = [sentence(1, 200)]
    for step in range(6):
        texts.append(edited(texts[-1], seed=step, num_words=3))
    table = publish_documents(tmp_path, "pile", [[Row(text, "a") for text in texts]], number=4)
    for clusters in ("union_find", "star"):
        found = removals(run(tmp_path, [table], {("pile", "a"): 0}, ["some"], clusters=clusters))
        survivor = ({ident(4, 0, row) for row in range(7)} - set(found)).pop()
        assert len(found) == 6
        assert set(found.values()) == {("near", survivor)}


# Random corpora against the passes in plain Python.


def random_corpus(seed: int) -> list[tuple[str, int, bool, list[list[Row]]]]:
    """Three collections of short texts among which every kind of duplicate is frequent."""
    rng = random.Random(seed)
    originals = [sentence(1000 * seed + i, rng.choice([3, 6, 30, 60])) for i in range(25)]

    def row(subset: str) -> Row:
        text = rng.choice(originals)
        for _ in range(rng.choice([0, 0, 1, 2, 3])):
            text = edited(text, seed=rng.randrange(10**6))
        url = rng.choice([None, f"http://x.org/{rng.randrange(12)}"])
        return Row(None if rng.random() < 0.1 else text, subset, url)

    return [
        ("wiki", 5, False, [[row("wiki") for _ in range(20)]]),
        ("web", 9, True, [[row("web") for _ in range(18)], [row("web") for _ in range(15)]]),
        ("mixed", 2, False, [[row(rng.choice(["good", "bad", "unused"])) for _ in range(25)]]),
    ]


RANKS = {("mixed", "good"): 0, ("wiki", "wiki"): 1, ("web", "web"): 1, ("mixed", "bad"): 2}
SOURCES = ["good", "middle", "bad"]


@dataclasses.dataclass
class Member:
    doc_id: int
    rank: int
    text: str
    url: str | None

    @property
    def order(self):
        return (self.rank, -len(self.text.encode()), self.doc_id)


def reference(corpus, config: DedupConfig) -> dict[int, tuple[str, int]]:
    members = sorted(
        (
            Member(ident(number, file, row), RANKS[name, r.subset], r.text, r.url if web else None)
            for name, number, web, files in corpus
            for file, rows in enumerate(files)
            for row, r in enumerate(rows)
            if r.text is not None and (name, r.subset) in RANKS
        ),
        key=lambda m: m.order,
    )
    edges, kinds = [], {}

    def drop_by(kind, key_of):
        best = {}
        for member in [m for m in members if m.doc_id not in kinds]:
            key = key_of(member)
            if key is None:
                continue
            if key in best:
                kinds[member.doc_id] = kind
                edges.append((best[key], member.doc_id))
            else:
                best[key] = member.doc_id

    drop_by("exact", lambda m: m.text)
    drop_by("url", lambda m: normalize_urls(pa.array([m.url], pa.large_string())).to_pylist()[0])

    left = [m for m in members if m.doc_id not in kinds]
    signed = minhash(pa.array([m.text for m in left], pa.large_string()), num_perm=128, ngram=5, seed=1)
    keys = band_keys(signed.values, num_bands=config.num_bands, rows_per_band=config.rows_per_band)
    buckets: dict[int, list[int]] = {}
    for i in range(len(left)):
        for key in keys[i].tolist() if signed.num_shingles[i] else []:
            buckets.setdefault(key, []).append(i)

    def shingles(i):
        words = left[i].text.split()
        return {tuple(words[j : j + 5]) for j in range(len(words) - 4)}

    def similarity(i, j):
        if config.verify == "exact":
            return len(shingles(i) & shingles(j)) / len(shingles(i) | shingles(j))
        return (signed.values[i] == signed.values[j]).mean()

    for bucket in buckets.values():
        leaders, followers = [], []
        for i in bucket:
            found = next((j for j in leaders + followers if similarity(i, j) >= config.threshold), None)
            if found is None:
                leaders.append(i)
            else:
                followers.append(i)
                edges.append((left[found].doc_id, left[i].doc_id))
                kinds.setdefault(left[i].doc_id, "near")

    root = {m.doc_id: m.doc_id for m in members}

    def find(d):
        while root[d] != d:
            d = root[d]
        return d

    order = {m.doc_id: m.order for m in members}
    for a, b in edges:
        a, b = sorted([find(a), find(b)], key=order.get)
        root[b] = a
    return {d: (kinds.get(d, "near"), find(d)) for d in root if find(d) != d}


def publish_corpus(root: Path, corpus, *, rows_per_part: int = 100_000) -> list[Artifact]:
    return [
        publish_documents(root, name, files, number=number, web=web, rows_per_part=rows_per_part)
        for name, number, web, files in corpus
    ]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    "settings",
    [{}, {"verify": "exact"}, {"num_bands": 20, "rows_per_band": 4, "threshold": 0.6}],
    ids=["default", "exact", "other bands"],
)
def test_random_corpora_equal_the_passes_in_plain_python(tmp_path, seed, settings):
    corpus = random_corpus(seed)
    expected = reference(corpus, DedupConfig(**settings))
    assert {kind for kind, _ in expected.values()} == {"exact", "url", "near"}
    found = run(tmp_path, publish_corpus(tmp_path, corpus), RANKS, SOURCES, **settings)
    assert removals(found) == expected


def files_of(artifact: Artifact) -> dict[str, bytes]:
    return {entry.path: storage.read_bytes(artifact.path(entry.path)) for entry in artifact.manifest.files}


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """A larger corpus in many parts, and the result of deduplicating it in one piece."""
    root = tmp_path_factory.mktemp("usual")
    corpus = [(name, number, web, files * 2) for name, number, web, files in random_corpus(11)]
    documents = publish_corpus(root, corpus, rows_per_part=8)
    return documents, run(root, documents, RANKS, SOURCES)


@pytest.mark.parametrize(
    "settings",
    [
        {"clusters": "star"},
        {"max_edges_one_task": 1, "engine": Engine(exchange="shuffle")},
        {"engine": Engine(beam_options=("--direct_runner_bundle_repeat=1",))},
        pytest.param({"engine": Engine(num_workers=2)}, marks=pytest.mark.slow),
    ],
    ids=["star rounds", "shuffle", "repeated bundles", "two processes"],
)
def test_the_bytes_do_not_depend_on_how_the_work_is_cut(usual, tmp_path, settings):
    documents, expected = usual
    assert len(expected.manifest.files) > 10
    found = run(tmp_path, documents, RANKS, SOURCES, sizing=TINY, **settings)
    assert found.manifest == expected.manifest
    assert files_of(found) == files_of(expected)


def test_exact_verification_does_not_depend_on_it_either(usual, tmp_path):
    documents, _ = usual
    whole = run(tmp_path / "whole", documents, RANKS, SOURCES, verify="exact")
    pieces = run(tmp_path / "pieces", documents, RANKS, SOURCES, verify="exact", sizing=TINY)
    assert files_of(pieces) == files_of(whole)


def stop(*_, **__):
    raise BuildError("stopped by the test")


def stop_in_verification(documents, root, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(dedup_near, "verified_edges", stop)
        with pytest.raises(BuildError, match="stopped by the test"):
            run(root, documents, RANKS, SOURCES, sizing=TINY)


def test_a_stopped_run_continues_and_gives_the_same_bytes(usual, tmp_path, monkeypatch):
    documents, expected = usual
    stop_in_verification(documents, tmp_path, monkeypatch)
    # What was finished is not done again.
    monkeypatch.setattr(dedup_near, "candidate_groups", stop)
    assert files_of(run(tmp_path, documents, RANKS, SOURCES, sizing=TINY)) == files_of(expected)


def test_a_stopped_run_that_goes_on_in_other_pieces_starts_over(usual, tmp_path, monkeypatch):
    documents, expected = usual
    stop_in_verification(documents, tmp_path, monkeypatch)
    assert storage.glob(f"{tmp_path}/duplicates/**/{WORK_FOLDER}/**/*")
    assert files_of(run(tmp_path, documents, RANKS, SOURCES)) == files_of(expected)
