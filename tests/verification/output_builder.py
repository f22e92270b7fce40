"""A small finished build of made-up documents, and ways to damage it.

Four collections, one source each. Texts are words of a small list, so that a tiny vocabulary
serves; the tables and removal lists are written by hand, tokens, plans and shards by the
pipelines.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import artifacts, documents, storage
from dataprep.artifacts import Artifact, Manifest
from dataprep.dedup import SignatureConfig, sign, signature_schema
from dataprep.dedup.files import write_arrow
from dataprep.dedup.removals import KINDS, removal_batch, removals_path
from dataprep.mixture import Mixture
from dataprep.shards import Rows, ShardStage, concat_rows, write_shard
from dataprep.tokenizers import load_tokenizer, train_demo_vocabulary
from pipelines.engine import Engine
from pipelines.mix import mix
from pipelines.planning import publish_plans
from pipelines.tokenization import TokenSource, tokenize

WORDS = tuple(
    "river stone light paper window garden music winter train letter house table morning island "  # noqa: SIM905
    "engine copper number simple answer über café naïve 1984 42 end.".split()
)


@dataclass(frozen=True)
class Row:
    """One raw row of a collection."""

    text: str | None
    subset: str
    meta: Mapping[str, Any] | None = None
    verdict: str = "keep"
    url: str | None = None


@dataclass(frozen=True)
class Table:
    """A document table: its corpus and its raw files."""

    corpus: str
    adapter: str
    number: int
    files: tuple[tuple[Row, ...], ...]


def prose(rng: np.random.Generator, num_words: int) -> str:
    """Return some words, a line break now and then."""
    words = rng.choice(WORDS, num_words)
    return "".join(w + ("\n" if rng.random() < 0.1 else " ") for w in words).strip()


def tables() -> dict[str, Table]:
    """Return the document tables by collection."""
    rng = np.random.default_rng(1)

    def texts(count: int) -> list[str]:
        return [prose(rng, int(n)) for n in rng.integers(5, 120, count)]

    pile = [Row(text, "Pile-CC" if i % 3 else "StackExchange") for i, text in enumerate(texts(60))]
    pile[7] = Row(None, "Books3", verdict="excluded_books3")
    pile[9] = replace(pile[9], verdict="gopher_short", text=None)
    pile[11] = Row(None, "Pile-CC", {"raw": 1}, verdict="null_text")
    oscar = [
        Row(t, "en", {"source": "OSCAR-2109"}, url=f"https://a.example/{i}") for i, t in enumerate(texts(40))
    ]
    oscar[3] = Row(None, "en", {"source": "mC4"}, verdict="excluded_mc4")
    oscar[5] = replace(oscar[5], text=pile[0].text)
    books = [Row(t, "book", {"short_book_title": f"Book {i}"}) for i, t in enumerate(texts(6))]
    books[2] = Row(None, "book", {"title": "Other"}, verdict="excluded_books3")
    code = [
        Row(f"<reponame>a/b<filename>c{i}.py\n{text}", "python", {"max_stars_count": i})
        for i, text in enumerate(texts(30))
    ]
    return {
        "pile": Table("pile", "pile", 2, (tuple(pile[:35]), tuple(pile[35:]))),
        "culturax/en": Table("culturax", "culturax", 300, (tuple(oscar),)),
        "redpajama/book": Table("redpajama", "redpajama", 22, (tuple(books),)),
        "starcoderdata/python": Table("starcoderdata", "starcoder", 200, (tuple(code),)),
    }


MIXTURE: dict[str, Any] = {
    "name": "small",
    "tokenizer": "arcade-demo",
    "seed": 3,
    "holdout_fraction": 0.1,
    "sources": {
        "pile": {"from": "pile", "subsets": ["Pile-CC", "StackExchange"]},
        "oscar": {"from": "culturax", "subsets": ["en"]},
        "books": {"from": "redpajama", "subsets": ["book"]},
        "code": {"from": "starcoderdata", "subsets": "all"},
    },
    "stages": [
        {
            "name": "main",
            "tokens": 8000,
            "sequence_length": 32,
            "boundaries": {"reset_attention": True, "reset_positions": True, "cross_document_loss": False},
            "sources": {
                "pile": {"weight": 5},
                "oscar": {"weight": 3},
                "books": {"weight": 0.5},
                "code": {"weight": 2},
            },
        },
        {
            "name": "last",
            "tokens": 3000,
            "sequence_length": 48,
            "packing": "best_fit",
            "sources": {"pile": {"weight": 1}, "code": {"weight": 1}},
        },
    ],
}


@dataclass(frozen=True)
class Output:
    """A finished build in ``root``."""

    root: Path
    record: Mapping[str, Any]

    def folder(self, kind: str, name: str | None = None) -> Path:
        """Return the folder of an artifact, e.g. ("tokens", "pile")."""
        relative = self.record["artifacts"][kind]
        return self.root / (relative if name is None else relative[name])

    def at(self, root: Path) -> Output:
        """Return the same build in another place."""
        return Output(root, self.record)


def build_output(root: Path) -> Output:
    """Write the build."""
    output = str(root)
    documents_of = {name: publish_table(output, name, table) for name, table in tables().items()}
    duplicates = publish_duplicates(output, documents_of)
    kept = [row.text for t in tables().values() for file in t.files for row in file if row.text]
    vocabulary = root / "arcade-demo.tiktoken"
    root.mkdir(exist_ok=True)
    train_demo_vocabulary(kept, str(vocabulary), 400)
    tokenizer = load_tokenizer("arcade-demo", vocab_path=str(vocabulary))
    vocabulary.unlink()
    mixture = Mixture.model_validate(MIXTURE)
    stores = tokenize(
        documents=list(documents_of.values()),
        duplicates=duplicates,
        sources=[
            TokenSource(name, source.corpus, None if source.subsets == "all" else tuple(source.subsets))
            for name, source in mixture.sources.items()
        ],
        tokenizer=tokenizer,
        seed=mixture.seed,
        holdout_fraction=mixture.holdout_fraction,
        output_root=output,
        engine=Engine(),
    )
    plans = publish_plans(mixture, stores, output=output)
    shards = {
        one.plan.name: mix(
            plan=one.plan,
            plan_artifact=one.artifact,
            token_stores=stores,
            mixture=mixture,
            tokenizer=tokenizer.spec,
            output_root=output,
            engine=Engine(),
        )
        for one in plans
    }

    def relative(artifact: Artifact) -> str:
        return artifact.folder.removeprefix(output).lstrip("/")

    record = {
        "mixture": "small",
        "mixture_config": mixture.model_dump(mode="json", by_alias=True),
        "tokenizer": "arcade-demo",
        "source_index": mixture.source_ids,
        "stages": list(shards),
        "artifacts": {
            "documents": {name: relative(a) for name, a in documents_of.items()},
            "duplicates": relative(duplicates),
            "tokens": {name: relative(a) for name, a in stores.items()},
            "plan": {one.plan.name: relative(one.artifact) for one in plans},
            "shards": {name: relative(a) for name, a in shards.items()},
        },
    }
    artifacts.write_sealed_json(storage.join(output, "builds", "small.json"), record)
    return Output(root, record)


def publish_table(output: str, collection: str, table: Table) -> Artifact:
    """Publish a document table with its signatures."""
    folder = artifacts.folder_of(output, "documents", collection, f"{table.number:064d}")
    files, subsets = [], {}
    for number, rows in enumerate(table.files):
        relative = f"part-{number:05d}-0000.parquet"
        storage.make_folder(folder)
        data = document_rows(table, number)
        pq.write_table(data, storage.join(folder, relative), compression="zstd", row_group_size=13)
        own = {}
        for row in rows:
            counts = own.setdefault(row.subset, {"rows": 0, "kept": 0, "text_bytes": 0})
            name = "kept" if row.verdict == "keep" else f"reason:{row.verdict}"
            counts["rows"] += 1
            counts[name] = counts.get(name, 0) + 1
            counts["text_bytes"] += len((row.text or "").encode())
        details = {"file": number, "origin": f"data/{number}.jsonl", "first_row": 0, "subsets": own}
        entry = artifacts.describe_file(folder, relative, **artifacts.sum_counts(own.values()))
        files += [replace(entry, details=details), _write_signatures(folder, relative, data)]
        subsets = {n: artifacts.sum_counts([subsets.get(n, {}), own.get(n, {})]) for n in {*subsets, *own}}
    manifest = Manifest(
        kind="documents",
        name=collection,
        fingerprint=f"{table.number:064d}",
        inputs={},
        config={"adapter": table.adapter},
        seed=None,
        counts=artifacts.sum_counts(entry.counts for entry in files if entry.details),
        files=tuple(files),
        details={
            "corpus": table.corpus,
            "collection": collection,
            "number": table.number,
            "license": f"license of {collection}",
            "subsets": subsets,
        },
    )
    return artifacts.publish(folder, manifest)


def document_rows(table: Table, file_number: int) -> pa.Table:
    """Return the rows of one raw file as a document table."""
    rows = table.files[file_number]
    count = len(rows)
    ids = documents.document_ids(collection=table.number, file=file_number, first_row=0, num_rows=count)
    columns: dict[str, Any] = {
        "doc_id": ids,
        "text": [row.text for row in rows],
        "source": [table.corpus] * count,
        "subset": [row.subset for row in rows],
        "origin": [f"data/{file_number}.jsonl"] * count,
        "origin_row": range(count),
        "url": [row.url for row in rows],
        "language": ["en"] * count,
        "license": ["CC-BY-4.0"] * count,
        "meta": [None if row.meta is None else json.dumps(row.meta) for row in rows],
        "num_bytes": [len((row.text or "").encode()) for row in rows],
        "verdict": [row.verdict for row in rows],
    }
    arrays = []
    for column in documents.document_schema([]):
        values = columns.get(column.name, [None] * count)
        if pa.types.is_dictionary(column.type):
            arrays.append(pa.array(values, pa.string()).dictionary_encode().cast(column.type))
        else:
            arrays.append(pa.array(values, column.type))
    return pa.table(arrays, schema=documents.document_schema([]))


def _write_signatures(folder: str, part: str, data: pa.Table) -> artifacts.FileEntry:
    relative = f"signatures/{part.removesuffix('.parquet')}.arrow"
    kept = data.filter(pa.array([verdict == "keep" for verdict in data["verdict"].to_pylist()]))
    kept = kept.combine_chunks()
    config = SignatureConfig()
    batch = sign(
        kept["text"].combine_chunks(),
        url=None,
        doc_id=kept["doc_id"].to_numpy(),
        subset=kept["subset"].combine_chunks(),
        config=config,
        web=False,
    )
    with (
        storage.atomic_output(storage.join(folder, relative)) as sink,
        pa.ipc.new_file(sink, signature_schema(config)) as writer,
    ):
        writer.write_batch(batch)
    return artifacts.describe_file(folder, relative, rows=kept.num_rows)


def document_id(collection: str, file: int, row: int) -> int:
    """Return the id of a raw row."""
    number = tables()[collection].number
    return int(documents.document_ids(collection=number, file=file, first_row=row, num_rows=1)[0])


def publish_duplicates(output: str, documents_of: Mapping[str, Artifact]) -> Artifact:
    """Publish the one duplicate there is: row 5 of OSCAR is row 0 of the Pile."""
    folder = artifacts.folder_of(output, "duplicates", "small", "5" * 64)
    relative = removals_path("culturax/en", "part-00000-0000.parquet")
    batch = removal_batch(
        doc_id=np.array([document_id("culturax/en", 0, 5)], np.uint64),
        kind=np.zeros(1, np.int8),
        cluster=np.array([document_id("pile", 0, 0)], np.uint64),
    )
    write_arrow(storage.join(folder, relative), batch)
    manifest = Manifest(
        kind="duplicates",
        name="small",
        fingerprint="5" * 64,
        inputs={name: artifact.manifest.fingerprint for name, artifact in documents_of.items()},
        config={},
        seed=1,
        counts={"removed": 1, **dict.fromkeys(KINDS, 0), "exact": 1},
        files=(artifacts.describe_file(folder, relative),),
    )
    return artifacts.publish(folder, manifest)


def reseal(folder: Path, change: Callable[[dict[str, Any]], None] = lambda manifest: None) -> None:
    """Write a manifest that fits the files as they are now, as if they had been published so."""
    artifact = artifacts.open_artifact(str(folder))
    files = tuple(
        replace(artifacts.describe_file(str(folder), entry.path), counts=entry.counts, details=entry.details)
        for entry in artifact.manifest.files
    )
    value = replace(artifact.manifest, files=files).to_json()
    value = json.loads(json.dumps(value))
    change(value)
    artifacts.write_sealed_json(str(folder / "manifest.json"), value)


def rewrite_part(folder: Path, part: str, change: Callable[[dict[str, list[Any]]], None]) -> None:
    """Change the columns of one part of a document table, and seal it again."""
    table = pq.read_table(folder / part)
    columns = {name: table[name].to_pylist() for name in table.schema.names}
    change(columns)
    arrays = []
    for column in table.schema:
        if pa.types.is_dictionary(column.type):
            arrays.append(pa.array(columns[column.name], pa.string()).dictionary_encode().cast(column.type))
        else:
            arrays.append(pa.array(columns[column.name], column.type))
    pq.write_table(pa.table(arrays, schema=table.schema), folder / part)
    reseal(folder)


def rewrite_shard(folder: Path, change: Callable[[Rows], None]) -> None:
    """Change the rows of the first shard of a stage, and seal it again, checksums included."""
    stage = ShardStage.open(str(folder))
    reader = stage.open_shard(0)
    rows = concat_rows([reader.read_rows(batch) for batch in range(reader.num_batches)])
    rows = rows.take(np.arange(len(rows)))  # a copy that can be written to
    change(rows)
    summary = write_shard(
        str(folder / "shard-00000.arrow"),
        [rows],
        layout=stage.header.layout,
        first_row=0,
        num_sources=len(stage.header.sources),
    )

    def put_checksums(manifest: dict[str, Any]) -> None:
        crc32 = np.array(summary.crc32, "<u4").tobytes()
        manifest["files"][0]["details"]["crc32"] = base64.b64encode(crc32).decode()

    reseal(folder, put_checksums)


def rewrite_bin(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the columns of the first block of the first bin of a token store, and seal it again."""
    path = folder / "all" / "bin-00000.arrow"
    table = pa.ipc.open_file(path.read_bytes()).read_all()
    columns = {name: table[name].to_pylist() for name in table.schema.names}
    change(columns)
    batch = pa.record_batch([pa.array(columns[f.name], f.type) for f in table.schema], schema=table.schema)
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_batch(batch)
    reseal(folder)
