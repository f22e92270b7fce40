"""Corpora on a hub: repositories, URL lists, streamed datasets, and refusals that say what to do.

The hub's library takes its address from the environment when it is imported, so what needs it
runs in a process of its own, as a user's build does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback_servers import FileServer, serving
from raw_files import CATALOG, column, json_lines, read_all, write, write_parquet

from dataprep.errors import BuildError, MissingSourceError, SourceError
from dataprep.sources import load_catalog, resolve_collection, split_collection
from dataprep.sources.entries import HubUrlList

REPOSITORY = Path(__file__).parents[2]

READ = """
import json, sys
from dataprep.errors import DataprepError
from dataprep.sources import load_catalog, read_batches, resolve_collections, split_collection
catalog, corpus, subsets = json.loads(sys.argv[1])
entry = load_catalog(catalog).corpus(corpus)
try:
    rows, files = [], []
    for collection in resolve_collections(entry, subsets, data_root=None):
        files += [(file.origin, file.size_bytes, file.identity) for file in collection.files]
        for item in split_collection(collection, entry):
            for batch in read_batches(item, entry):
                rows += batch.to_pylist()
    print(json.dumps({"rows": rows, "files": files}))
except DataprepError as error:
    print(json.dumps({"error": type(error).__name__, "message": str(error)}))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    root = tmp_path / "served"
    root.mkdir()
    with serving(root) as running:
        yield running


def _read_from_hub(
    server: FileServer, tmp_path: Path, corpus: str, subsets: list[str] | None, catalog: Path | None = None
) -> dict[str, Any]:
    arguments = json.dumps([None if catalog is None else str(catalog), corpus, subsets])
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    environment |= {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"), "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", READ, arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_a_repository_is_read_like_a_local_copy(server: FileServer, tmp_path: Path) -> None:
    for language, source in (("de", "OSCAR-2301"), ("fr", "mC4")):
        columns = {"text": ["a", "b"], "url": ["u", None], "source": [source] * 2}
        for root in (server.root / "datasets" / "uonlp" / "CulturaX", tmp_path / "local" / "culturax"):
            write_parquet(root / language / f"{language}_part_00000.parquet", columns)
    answer = _read_from_hub(server, tmp_path, "culturax", ["de", "fr"])
    local = read_all("culturax", "de", tmp_path / "local") + read_all("culturax", "fr", tmp_path / "local")
    assert answer["rows"] == local
    assert column(local, "verdict") == ["keep"] * 2 + ["excluded_mc4"] * 2
    entry = CATALOG.corpus("culturax")
    files = resolve_collection(entry, "de", data_root=str(tmp_path / "local")).files
    assert answer["files"][0] == [files[0].origin, files[0].size_bytes, files[0].identity]


def test_all_folders_of_a_repository_are_those_that_are_there(server: FileServer, tmp_path: Path) -> None:
    root = server.root / "datasets" / "bigcode" / "starcoderdata"
    for language in ("c", "python"):
        write_parquet(root / language / "train-00000-of-00001.parquet", {"content": [language]})
    answer = _read_from_hub(server, tmp_path, "starcoderdata", None)
    assert column(answer["rows"], "text") == ["c", "python"]


def test_a_gated_repository_says_how_to_get_in(server: FileServer, tmp_path: Path) -> None:
    write_parquet(server.root / "datasets" / "uonlp" / "CulturaX" / "de" / "x.parquet", {"text": ["a"]})
    server.gated = True
    answer = _read_from_hub(server, tmp_path, "culturax", ["de"])
    assert answer["error"] == "SourceError"
    for part in (
        "gated",
        "contact details must be shared",
        "hf auth login",
        "HF_TOKEN",
        "--data-root",
        "culturax/",
    ):
        assert part in answer["message"]


def test_a_repository_that_is_not_there_is_named(server: FileServer, tmp_path: Path) -> None:
    answer = _read_from_hub(server, tmp_path, "refinedweb", None)
    assert answer["error"] in ("MissingSourceError", "SourceError")
    assert "hf://datasets/tiiuae/falcon-refinedweb@main" in answer["message"]
    assert "--data-root" in answer["message"]


# URL lists


def _listed(server: FileServer, lines: str) -> Any:
    write(server.root / "urls" / "arxiv.txt", lines.encode())
    hub = HubUrlList(kind="url_list", lists=f"{server.url}/urls/{{subset}}.txt", base=f"{server.url}/v1.0.0")
    return CATALOG.corpus("redpajama").model_copy(update={"hub": hub})


def test_files_of_a_url_list_are_read_by_ranges(server: FileServer) -> None:
    rows = [{"text": str(i) * 100, "meta": {"url": "u"}} for i in range(1000)]
    write(server.root / "v1.0.0" / "arxiv" / "b.jsonl", json_lines(rows))
    write(server.root / "v1.0.0" / "arxiv" / "a.jsonl", json_lines(rows[:3]))
    lines = "\n".join(
        f"{server.url}/v1.0.0/{name}" for name in ("arxiv/b.jsonl", "book/book.jsonl", "arxiv/a.jsonl")
    )
    entry = _listed(server, lines + "\n\n")
    collection = resolve_collection(entry, "arxiv", data_root=None)
    assert [(file.number, file.origin) for file in collection.files] == [
        (0, "arxiv/a.jsonl"),
        (1, "arxiv/b.jsonl"),
    ]
    items = split_collection(collection, entry, max_split_bytes=100_000)
    assert [item.first_row for item in items[:2]] == [0, 0]
    assert len(items) > 3
    from dataprep.sources import read_batches

    texts = [t for item in items for batch in read_batches(item, entry) for t in batch["text"].to_pylist()]
    assert texts == [row["text"] for row in rows[:3] + rows]


def test_a_url_list_that_points_elsewhere_is_refused(server: FileServer) -> None:
    entry = _listed(server, "https://elsewhere.example/arxiv/a.jsonl\n")
    with pytest.raises(SourceError, match=r"'https://elsewhere.example/arxiv/a.jsonl' is not below"):
        resolve_collection(entry, "arxiv", data_root=None)


def test_a_url_list_without_a_matching_file_is_an_empty_source(server: FileServer) -> None:
    entry = _listed(server, f"{server.url}/v1.0.0/wikipedia/wiki.jsonl\n")
    with pytest.raises(MissingSourceError, match="no raw file for redpajama/arxiv"):
        resolve_collection(entry, "arxiv", data_root=None)


def test_a_server_that_cannot_be_reached_is_no_traceback() -> None:
    hub = HubUrlList(kind="url_list", lists="http://127.0.0.1:9/{subset}.txt", base="http://127.0.0.1:9/v1")
    entry = CATALOG.corpus("redpajama").model_copy(update={"hub": hub})
    with pytest.raises(SourceError, match=r"http://127.0.0.1:9/v1: cannot be listed .*--data-root"):
        resolve_collection(entry, "arxiv", data_root=None)


# streamed datasets


OWN = """
corpora:
  notes:
    number: 2048
    title: Notes
    homepage: https://example.org
    adapter: generic
    layout: whole
    local_name: notes
    hub: {kind: datasets, HUB}
    columns: {text: body}
    filters: curated
    license: ours
    subsets: {all: {}}
"""


def test_a_dataset_on_the_hub_is_streamed_shard_by_shard(server: FileServer, tmp_path: Path) -> None:
    root = server.root / "datasets" / "ours" / "notes"
    for shard in range(3):
        texts = [f"{shard}-{i}" for i in range(1500)]
        write_parquet(
            root / "data" / f"train-{shard:05d}-of-00003.parquet", {"body": texts, "n": list(range(1500))}
        )
    catalog = tmp_path / "own.yaml"
    catalog.write_text(OWN.replace("HUB", "path: ours/notes"))
    answer = _read_from_hub(server, tmp_path, "notes", None, catalog)
    assert "error" not in answer, answer
    assert [file[0] for file in answer["files"]] == [f"default/train-{i:05d}-of-00003" for i in range(3)]
    assert column(answer["rows"], "text") == [f"{shard}-{i}" for shard in range(3) for i in range(1500)]
    assert [row["doc_id"] & 0xFFFFFFF for row in answer["rows"]] == list(range(1500)) * 3
    assert json.loads(answer["rows"][7]["meta"]) == {"n": 7}


def test_any_builder_of_datasets_is_read_from_files_of_one_s_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("body,score\n" + "".join(f"{name}{i},{i}\n" for i in range(3)))
    own = OWN.replace("HUB", f'path: csv, data_files: ["{tmp_path}/a.csv", "{tmp_path}/b.csv"]')
    (tmp_path / "own.yaml").write_text(own)
    catalog = load_catalog(str(tmp_path / "own.yaml"))
    rows = _stream("notes", catalog)
    assert column(rows, "text") == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert [json.loads(meta) for meta in column(rows, "meta")] == [{"score": i} for i in (0, 1, 2)] * 2
    before = [
        file.identity for file in resolve_collection(catalog.corpus("notes"), None, data_root=None).files
    ]
    (tmp_path / "b.csv").write_text("body,score\nother,1\n")
    after = [
        file.identity for file in resolve_collection(catalog.corpus("notes"), None, data_root=None).files
    ]
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_a_streamed_dataset_without_the_text_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,score\nx,1\n")
    (tmp_path / "own.yaml").write_text(OWN.replace("HUB", f'path: csv, data_files: ["{tmp_path}/a.csv"]'))
    with pytest.raises(SourceError, match=r"no text column 'body'; found 'score', 'text'"):
        _stream("notes", load_catalog(str(tmp_path / "own.yaml")))


def test_a_streamed_dataset_whose_text_is_no_string_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("body,score\n1,x\n")
    (tmp_path / "own.yaml").write_text(OWN.replace("HUB", f'path: csv, data_files: ["{tmp_path}/a.csv"]'))
    with pytest.raises(SourceError, match=r"'body' holds int64, not strings; columns with strings: 'score'"):
        _stream("notes", load_catalog(str(tmp_path / "own.yaml")))


def test_a_streamed_dataset_that_breaks_off_is_no_traceback(tmp_path: Path) -> None:
    lines = json_lines({"body": "a" * 100} for _ in range(300_000))
    path = write(tmp_path / "x.jsonl.gz", lines)
    path.write_bytes(path.read_bytes()[:-50])
    (tmp_path / "own.yaml").write_text(OWN.replace("HUB", f'path: json, data_files: ["{path}"]'))
    with pytest.raises(BuildError, match=r"dataset 'json', shard 0 of 1: cannot be read") as caught:
        _stream("notes", load_catalog(str(tmp_path / "own.yaml")))
    assert caught.value.__cause__ is not None


def _stream(corpus: str, catalog: Any) -> list[dict[str, Any]]:
    from dataprep.sources import read_batches

    entry = catalog.corpus(corpus)
    collection = resolve_collection(entry, None, data_root=None)
    items = split_collection(collection, entry)
    return [row for item in items for batch in read_batches(item, entry) for row in batch.to_pylist()]
