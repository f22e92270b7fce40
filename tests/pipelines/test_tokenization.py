"""Tokenization end to end: every selected document once, in its place, with the reference's ids."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from token_documents import Row, doc_id_of, publish_documents

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact, Manifest, damaged_files
from dataprep.dedup.removals import REMOVAL_SCHEMA, removal_batch, removals_path
from dataprep.errors import ConfigError, ParityError
from dataprep.tokenizers import (
    Tokenizer,
    load_recorded_tokenizer,
    load_tokenizer,
    reference,
    train_demo_vocabulary,
)
from dataprep.tokens import HOLDOUT, LONG, SHORT, TokenStore
from pipelines import token_sources, tokenization
from pipelines.engine import Engine
from pipelines.token_sources import TokenSource
from pipelines.tokenization import tokenize

WORDS = (
    "the",
    "of",
    "and",
    "to",
    "in",
    "is",
    "was",
    "for",
    "on",
    "that",
    "by",
    "with",
    "as",
    "at",
    "from",
    "his",
    "it",
)


def some_text(number: int, *, words: int = 12) -> str:
    """Return a made-up text; every number has its own."""
    picked = [WORDS[(number * 7 + step * (1 + number % 5)) % len(WORDS)] for step in range(words)]
    return f"{number} " + " ".join(picked)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("demo") / "arcade-demo.tiktoken"
    train_demo_vocabulary([some_text(n) for n in range(300)], str(path), 600)
    return load_tokenizer("arcade-demo", vocab_path=str(path))


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> list[Artifact]:
    """Two corpora of 300 and 120 documents in several parts; a few rejected, empty, or of other subsets."""
    root = str(tmp_path_factory.mktemp("documents"))
    web = [
        [
            Row(
                None if n % 10 == 3 else some_text(1000 * part + n, words=4 + n),
                verdict="bad" if n % 10 == 3 else "keep",
            )
            for n in range(100)
        ]
        for part in range(3)
    ]
    subsets = ["ArXiv", "FreeLaw", "Github"]
    pile = [
        [Row(some_text(9000 + 100 * part + n), subset=subsets[n % 3]) for n in range(60)] for part in range(2)
    ]
    return [
        publish_documents(root, web, collection="refinedweb", number=1),
        publish_documents(root, pile, collection="pile", number=2),
    ]


SOURCES = [
    TokenSource("RefinedWeb", "refinedweb", None, min_long_tokens=60),
    TokenSource("Science", "pile", ("ArXiv",)),
    TokenSource("Law", "pile", ("FreeLaw",)),
]


def run(root: Path, documents: Sequence[Artifact], demo: Tokenizer, **changes: Any) -> dict[str, Artifact]:
    arguments: dict[str, Any] = {
        "documents": documents,
        "duplicates": None,
        "sources": SOURCES,
        "tokenizer": demo,
        "seed": 5,
        "holdout_fraction": 0.1,
        "output_root": str(root),
        "engine": Engine(),
    }
    return tokenize(**{**arguments, **changes})


def documents_of(artifact: Artifact) -> dict[str, dict[int, list[int]]]:
    """Return the ids of every document by class and document id, read block by block."""
    found: dict[str, dict[int, list[int]]] = {}
    with TokenStore.open(artifact) as opened:
        for class_name, stream in opened.streams.items():
            own = found.setdefault(class_name, {})
            for number in range(stream.num_blocks):
                block = opened.read_block(class_name, number)
                for row, doc_id in enumerate(block.doc_id.tolist()):
                    assert doc_id not in own
                    own[doc_id] = block.tokens[block.offsets[row] : block.offsets[row + 1]].tolist()
    return found


def merged(classes: dict[str, dict[int, list[int]]]) -> dict[int, list[int]]:
    every = {doc_id: ids for own in classes.values() for doc_id, ids in own.items()}
    assert len(every) == sum(len(own) for own in classes.values()), "a document is in two classes"
    return every


def file_digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, documents: list[Artifact], demo: Tokenizer) -> Path:
    root = tmp_path_factory.mktemp("built")
    run(root, documents, demo)
    return root


@pytest.fixture
def tokens(built: Path, documents: list[Artifact], demo: Tokenizer) -> dict[str, Artifact]:
    return run(built, documents, demo)


def test_every_kept_document_once_with_the_references_ids(tokens, demo):
    found = merged(documents_of(tokens["RefinedWeb"]))
    expected = {
        doc_id_of(part, n): [
            *demo.reference.encode(some_text(1000 * part + n, words=4 + n), allow_tags=False),
            demo.spec.eos_id,
        ]
        for part in range(3)
        for n in range(100)
        if n % 10 != 3
    }
    assert found == expected


def test_a_part_feeds_every_source_that_selects_from_it(tokens):
    for name, remainder in (("Science", 0), ("Law", 1)):
        expected = {
            doc_id_of(part, n, number=2) for part in range(2) for n in range(60) if n % 3 == remainder
        }
        assert set(merged(documents_of(tokens[name]))) == expected


def test_classes_are_by_length_and_the_hold_out_by_key(tokens):
    classes = documents_of(tokens["RefinedWeb"])
    assert set(classes) == {SHORT, LONG, HOLDOUT}
    assert max(len(ids) for ids in classes[SHORT].values()) < 60
    assert min(len(ids) for ids in classes[LONG].values()) >= 60
    assert 10 <= len(classes[HOLDOUT]) <= 50
    with TokenStore.open(tokens["RefinedWeb"]) as opened:
        for name, stream in opened.streams.items():
            keys = np.concatenate([opened.read_block(name, n).key for n in range(stream.num_blocks)])
            assert (np.diff(keys.astype(object)) > 0).all()
            assert ((keys < np.uint64(int(0.1 * 2**64))) == (name == HOLDOUT)).all()


def test_the_manifest_counts_what_is_there(tokens):
    for artifact in tokens.values():
        classes = documents_of(artifact)
        manifest = artifact.manifest
        for name, own in classes.items():
            details = manifest.details["classes"][name]
            assert details["documents"] == len(own) == sum(details["length_histogram"])
            assert details["tokens"] == sum(map(len, own.values()))
        every = merged(classes)
        assert manifest.counts["documents"] == len(every)
        assert manifest.counts["tokens"] == sum(map(len, every.values()))
        assert sum(c["tokens"] for c in manifest.details["collections"].values()) == manifest.counts["tokens"]
        assert manifest.details["license"] == "ODC-By-1.0"
        assert damaged_files(artifact) == []
    web = tokens["RefinedWeb"].manifest
    texts = [some_text(1000 * part + n, words=4 + n) for part in range(3) for n in range(100) if n % 10 != 3]
    assert web.counts["text_bytes"] == sum(len(text.encode()) for text in texts)
    assert list(web.details["collections"]) == ["refinedweb"]


def test_nothing_is_left_but_artifacts_and_the_vocabulary(built):
    assert sorted(path.name for path in built.iterdir()) == ["tokenizers", "tokens"]
    assert sorted(path.name for path in (built / "tokens" / "arcade-demo").iterdir()) == [
        "Law",
        "RefinedWeb",
        "Science",
    ]


def test_the_vocabulary_that_is_kept_decodes_the_tokens(built, tokens):
    recorded = tokens["Law"].manifest.details["tokenizer"]
    kept = load_recorded_tokenizer(recorded, output_root=str(built))
    doc_id = doc_id_of(1, 4, number=2)
    text = kept.decode(merged(documents_of(tokens["Law"]))[doc_id])
    assert text == some_text(9104) + "<|endoftext|>"


# --- the same bytes, however it is done ---------------------------------------------------------


@pytest.mark.parametrize(
    "engine", [Engine(num_workers=2), Engine(exchange="shuffle")], ids=["two processes", "shuffle"]
)
def test_the_same_bytes_on_any_engine(tmp_path, built, documents, demo, engine):
    run(tmp_path, list(reversed(documents)), demo, engine=engine)
    assert file_digests(tmp_path) == file_digests(built)


def test_the_same_bytes_with_any_batch_size(tmp_path, built, documents, demo, monkeypatch):
    monkeypatch.setattr(tokenization, "_BATCH_BYTES", 2000)
    run(tmp_path, documents, demo)
    assert file_digests(tmp_path) == file_digests(built)


def test_many_bins_hold_the_same_stream(tmp_path, tokens, documents, demo, monkeypatch):
    """The size of bins is part of the identity, the order of documents is not."""
    monkeypatch.setattr(token_sources, "TARGET_BIN_BYTES", 4000)
    many = run(tmp_path, documents, demo)["RefinedWeb"]
    assert many.manifest.fingerprint != tokens["RefinedWeb"].manifest.fingerprint
    assert many.manifest.details["classes"][LONG]["bins"] > 5
    with TokenStore.open(many) as one, TokenStore.open(tokens["RefinedWeb"]) as other:
        for name, stream in other.streams.items():
            spans = [opened.read_tokens(name, 0, stream.num_tokens) for opened in (one, other)]
            assert spans[0].tokens.tolist() == spans[1].tokens.tolist()
            assert spans[0].doc_id.tolist() == spans[1].doc_id.tolist()


def test_another_seed_is_another_order_and_another_artifact(tmp_path, tokens, documents, demo):
    other = run(tmp_path, documents, demo, seed=6)
    for name, artifact in tokens.items():
        assert other[name].manifest.fingerprint != artifact.manifest.fingerprint
        assert merged(documents_of(other[name])) == merged(documents_of(artifact))
    orders = []
    for artifact in (other["Law"], tokens["Law"]):
        with TokenStore.open(artifact) as opened:
            orders.append(opened.read_tokens("all", 0, 100).doc_id.tolist())
    assert orders[0] != orders[1]


# --- work that is done is not done again --------------------------------------------------------


def test_what_is_published_is_not_done_again(built, documents, demo, monkeypatch):
    before = file_digests(built)
    monkeypatch.setattr(tokenization, "exchange", lambda *_, **__: pytest.fail("worked again"))
    assert set(run(built, documents, demo)) == {source.name for source in SOURCES}
    assert file_digests(built) == before


def test_only_what_is_missing_is_done(tmp_path, built, documents, demo):
    first = run(tmp_path, documents, demo, sources=SOURCES[1:2])
    stamp = Path(first["Science"].folder, "manifest.json").stat().st_mtime_ns
    run(tmp_path, documents, demo)
    assert Path(first["Science"].folder, "manifest.json").stat().st_mtime_ns == stamp
    assert file_digests(tmp_path) == file_digests(built)


@pytest.mark.parametrize("published_before", [0, 1, 2])
def test_a_build_that_was_stopped_while_it_published_goes_on(
    tmp_path, built, documents, demo, monkeypatch, published_before
):
    original, calls = tokenization.publish_tokens, []

    def stop_at(plan, *arguments):
        if len(calls) == published_before:
            raise KeyboardInterrupt
        calls.append(plan)
        original(plan, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(tokenization, "publish_tokens", stop_at)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, documents, demo)
    # All reductions are done, so no document is encoded again.
    monkeypatch.setattr(tokenization._EncodePart, "__call__", lambda *_: pytest.fail("encoded again"))
    run(tmp_path, documents, demo)
    assert file_digests(tmp_path) == file_digests(built)


# --- what is left out ---------------------------------------------------------------------------


def publish_duplicates(root: Path, removed: dict[tuple[str, str], list[int]]) -> Artifact:
    """Publish a duplicates artifact: collection and part to the ids that it loses."""
    folder, files = str(root / "duplicates" / "x" / "1"), []
    for (collection, part), ids in removed.items():
        relative = removals_path(collection, part)
        batch = removal_batch(
            doc_id=np.array(sorted(ids), np.uint64),
            kind=np.zeros(len(ids), np.int8),
            cluster=np.zeros(len(ids), np.uint64),
        )
        with (
            storage.atomic_output(storage.join(folder, relative)) as sink,
            pa.ipc.new_file(sink, REMOVAL_SCHEMA) as writer,
        ):
            writer.write_batch(batch)
        files.append(artifacts.describe_file(folder, relative))
    manifest = Manifest("duplicates", "x", "d" * 64, {}, {}, None, {}, tuple(files))
    return artifacts.publish(folder, manifest)


def test_duplicates_are_left_out(tmp_path, tokens, documents, demo):
    web, law = [doc_id_of(1, n) for n in (0, 50, 99)], [doc_id_of(0, 1, number=2)]
    duplicates = publish_duplicates(
        tmp_path,
        {("refinedweb", "part-00001-0000.parquet"): web, ("pile", "part-00000-0000.parquet"): law},
    )
    without = run(tmp_path, documents, demo, duplicates=duplicates)
    for name, removed in (("RefinedWeb", web), ("Law", law), ("Science", [])):
        before, after = merged(documents_of(tokens[name])), merged(documents_of(without[name]))
        assert set(before) - set(after) == set(removed)
        assert all(before[doc_id] == ids for doc_id, ids in after.items())
        assert without[name].manifest.inputs["duplicates"] == "d" * 64


def test_a_source_without_documents_has_no_tokens(tmp_path, documents, demo):
    sources = [TokenSource("Books", "pg19", None), TokenSource("Chat", "pile", ("Ubuntu IRC",))]
    for artifact in run(tmp_path, documents, demo, sources=sources).values():
        assert artifact.manifest.counts == {"documents": 0, "tokens": 0, "text_bytes": 0}
        assert TokenStore.open(artifact).stream("all").num_tokens == 0


def test_kept_but_empty_documents_are_an_end_of_text(tmp_path, demo):
    artifact = publish_documents(str(tmp_path), [[Row(""), Row("x"), Row("")]])
    tokens = run(
        tmp_path, [artifact], demo, sources=[TokenSource("w", "refinedweb", None)], holdout_fraction=0.0
    )
    found = documents_of(tokens["w"])["all"]
    assert sorted(map(len, found.values())) == [1, 1, 2]


# --- tags ---------------------------------------------------------------------------------------

TAGGED = "<reponame>a/b<filename>c.py<gh_stars>1-10\nx = 1  # <|endoftext|> <fim_prefix>"


@pytest.mark.parametrize(("corpus", "tags"), [("starcoderdata", 3), ("refinedweb", 0)])
def test_tags_become_ids_in_starcoder_rows_only(tmp_path, demo, corpus, tags):
    artifact = publish_documents(
        str(tmp_path), [[Row(TAGGED, subset="python")]], collection="x/python", corpus=corpus
    )
    tokens = run(tmp_path, [artifact], demo, sources=[TokenSource("c", corpus, None)], holdout_fraction=0.0)
    (ids,) = documents_of(tokens["c"])["all"].values()
    special = Counter(i for i in ids if i in demo.spec.special_tokens.values())
    assert special.pop(demo.spec.eos_id) == 1
    assert ids[-1] == demo.spec.eos_id
    assert sum(special.values()) == tags
    assert demo.decode(ids) == TAGGED + "<|endoftext|>"


@pytest.mark.vocab
@pytest.mark.parametrize(
    ("policy", "corpus", "text"),
    [
        ("keep_text", "starcoderdata", TAGGED),
        ("strip", "starcoderdata", "a/b\nc.py\n1-10\nx = 1  # <|endoftext|> <fim_prefix>"),
        ("strip", "refinedweb", TAGGED),
    ],
)
def test_neox_keeps_tags_as_text_or_strips_them(tmp_path, vocab, policy, corpus, text):
    neox = load_tokenizer("neox", vocab_path=str(vocab))
    artifact = publish_documents(
        str(tmp_path), [[Row(TAGGED, subset="python")]], collection="x/python", corpus=corpus
    )
    tokens = run(
        tmp_path,
        [artifact],
        neox,
        sources=[TokenSource("c", corpus, None)],
        holdout_fraction=0.0,
        tags=policy,
    )
    (ids,) = documents_of(tokens["c"])["all"].values()
    assert ids.count(neox.spec.eos_id) == 1
    assert neox.decode(ids[:-1]) == text


def test_a_tag_policy_that_changes_nothing_is_the_same_artifact(tmp_path, tokens, documents, demo):
    stripped = run(tmp_path, documents, demo, tags="strip")
    assert {n: a.manifest.fingerprint for n, a in stripped.items()} == {
        n: a.manifest.fingerprint for n, a in tokens.items()
    }


# --- what stops a build -------------------------------------------------------------------------


def test_a_difference_from_the_reference_stops_the_build(tmp_path, documents, demo, monkeypatch):
    original = reference.TiktokenReference.encode
    monkeypatch.setattr(reference.TiktokenReference, "encode", lambda *a, **k: [*original(*a, **k)[:-1], 7])
    with pytest.raises(ParityError, match=r"'arcade-demo': document \d+ differs from the reference at token"):
        run(tmp_path, documents, demo)
    assert not list(tmp_path.rglob("manifest.json"))


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (
            [TokenSource("a", "pile", ("ArXiv", "Github")), TokenSource("b", "pile", ("Github",))],
            "'a' and 'b' both select from pile: Github",
        ),
        (
            [TokenSource("a", "pile", None), TokenSource("b", "pile", ("Github",))],
            "one of them takes all subsets",
        ),
        (
            [TokenSource("a", "pile", ("x",)), TokenSource("a", "web", None)],
            "two mixture sources have the name 'a'",
        ),
    ],
)
def test_a_document_belongs_to_one_source(tmp_path, documents, demo, sources, message):
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, documents, demo, sources=sources)


# --- real text ----------------------------------------------------------------------------------


@pytest.mark.corpus
@pytest.mark.vocab
def test_real_documents_come_back_as_their_text(tmp_path, corpus, vocab):
    """German web pages and Python files: every document decodes to its normalised text."""
    german = pq.read_table(corpus / "culturax" / "de" / "de_part_00000.parquet")["text"].to_pylist()
    python = pq.read_table(next((corpus / "starcoderdata" / "python").glob("*.parquet")))[
        "content"
    ].to_pylist()
    german, python = [[text for text in texts if text] for texts in (german, python)]
    documents = [
        publish_documents(
            str(tmp_path), [[Row(t, "de") for t in german]], collection="culturax/de", corpus="culturax"
        ),
        publish_documents(
            str(tmp_path),
            [[Row(t, "python") for t in python]],
            collection="starcoderdata/python",
            corpus="starcoderdata",
            number=2,
        ),
    ]
    arcade = load_tokenizer("arcade100k", vocab_path=str(vocab))
    sources = [TokenSource("German", "culturax", None), TokenSource("Python", "starcoderdata", ("python",))]
    tokens = run(tmp_path, documents, arcade, sources=sources)
    for name, texts, number in (("German", german, 1), ("Python", python, 2)):
        found = merged(documents_of(tokens[name]))
        assert len(found) == len(texts) > 100
        for row, text in enumerate(texts):
            ids = found[doc_id_of(0, row, number=number)]
            assert arcade.decode(ids[:-1]) == unicodedata.normalize("NFC", text)
            assert ids[-1] == arcade.spec.eos_id


def test_an_output_on_an_object_store(tokens, documents, demo):
    """Memory stands for S3 and Google Storage: any file system that fsspec knows."""
    remote = run(Path("unused"), documents, demo, output_root="memory://bucket/out")
    for name, artifact in tokens.items():
        assert remote[name].folder.startswith("memory://bucket/out/tokens/")
        assert merged(documents_of(remote[name])) == merged(documents_of(artifact))
        assert [entry.sha256 for entry in remote[name].manifest.files] == [
            entry.sha256 for entry in artifact.manifest.files
        ]
