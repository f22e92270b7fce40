"""The demo's raw files: published layouts, planted rows, the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import zstandard

from pipelines.demo_corpus import corpora, gather, layouts, material
from pipelines.demo_corpus.gather import Text
from pipelines.demo_corpus.invented import near_duplicate
from pipelines.demo_corpus.material import LANGUAGES, Material


@pytest.fixture(scope="module")
def few_texts() -> Material:
    """Material from a fiftieth of the standard library: every pile has something on it."""
    library = gather.library_files()[::12]
    reference = gather.docstrings(library)
    return Material(
        library=library,
        packages=[Text(f"pkg/{text.name}", text.body + "\n", "pkg") for text in library],
        headers=[Text("a/b.h", "int f(int);\n" * 40, "a")],
        pages=material.pages_of(reference),
        reference=reference,
        scripts=[Text("a.b", "print(1)\n" * 20, "a")],
        topics=gather.language_topics(),
        readmes=[Text("a/README.md", "# A\n\nIt does things.\n", "a")],
        licences=[Text("a/LICENSE", "Permission is granted. " * 30, "a")],
        own={language: gather.own_documents(language) for language in LANGUAGES},
    )


def _jsonl(path: Path) -> list[dict[str, object]]:
    data = path.read_bytes()
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    lines = data.splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def raw(few_texts: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    for corpus in corpora.CORPORA:
        for name, (rows, schema) in corpus(few_texts).items():
            if schema is None:
                layouts.write_jsonl(str(folder / name), rows)
            else:
                layouts.write_parquet(str(folder / name), rows, schema)
    return folder


def test_files_have_the_published_names(raw: Path) -> None:
    names = {str(path.relative_to(raw)) for path in raw.rglob("*") if path.is_file()}
    assert {"pile/train/00.jsonl.zst", "pile/train/01.jsonl.zst", "pile/val.jsonl.zst"} <= names
    assert {f"culturax/{language}/{language}_part_00000.parquet" for language in LANGUAGES} <= names
    assert {name.split("/")[1] for name in names if name.startswith("redpajama/")} == {
        *("common_crawl", "c4", "github", "arxiv", "stackexchange", "wikipedia", "book")
    }
    assert {name.split("/")[1] for name in names if name.startswith("starcoderdata/")} == {
        *("python", "c", "markdown"),
        *("jupyter-scripts-dedup-filtered", "git-commits-cleaned", "github-issues-filtered-structured"),
    }
    assert sum(name.startswith("refinedweb/data/train-") for name in names) == 2


def test_refused_rows_are_planted_where_the_published_corpora_have_them(raw: Path) -> None:
    books = [row["meta"] for row in _jsonl(raw / "redpajama/book/book.jsonl")]
    assert sum("short_book_title" in meta for meta in books) >= 3
    assert sum(list(meta) == ["title"] for meta in books) == 3
    pile = [row["meta"] for name in ("00", "01") for row in _jsonl(raw / f"pile/train/{name}.jsonl.zst")]
    pile += [row["meta"] for row in _jsonl(raw / "pile/val.jsonl.zst")]
    assert pile.count({"pile_set_name": "Books3"}) == 3
    for language in LANGUAGES:
        table = pq.read_table(raw / f"culturax/{language}/{language}_part_00000.parquet")
        sources = table.column("source").to_pylist()
        assert sources.count("mC4") == 8
        assert sum(source.startswith("OSCAR-") for source in sources) >= 14


def test_common_crawl_rows_are_flat_and_the_others_have_meta(raw: Path) -> None:
    (head,) = raw.glob("redpajama/common_crawl/2023-06/en_head_*.zst")
    assert set(_jsonl(head)[0]) == {"pred_label", "pred_label_prob", "wiki_prob", "text", "source"}
    assert set(_jsonl(raw / "redpajama/wikipedia/wiki.jsonl")[0]) == {"text", "meta"}
    assert isinstance(_jsonl(raw / "redpajama/stackexchange/stackexchange.jsonl")[0]["meta"], str)


def test_planted_duplicates_empty_texts_and_special_tokens(raw: Path) -> None:
    tables = [pq.read_table(path) for path in sorted(raw.glob("refinedweb/data/*.parquet"))]
    texts = [text for table in tables for text in table.column("content").to_pylist()]
    assert texts.count("") == 1
    assert sum("<|endoftext|>" in text for text in texts) == 1
    assert len(texts) > len(set(texts))


def test_starcoder_tags_lead_some_rows(few_texts: Material) -> None:
    rows = [row for rows, schema in corpora.starcoderdata(few_texts).values() for row in rows]
    led = [
        row["content"]
        for row in rows
        if row["content"].startswith(("<reponame>", "<filename>", "<gh_stars>"))
    ]
    assert 0 < len(led) < len(rows)


def test_the_same_material_gives_the_same_bytes(few_texts: Material, tmp_path: Path, raw: Path) -> None:
    for name, (rows, schema) in corpora.pile(few_texts).items():
        assert schema is None
        layouts.write_jsonl(str(tmp_path / name), rows)
        assert (tmp_path / name).read_bytes() == (raw / name).read_bytes()


@pytest.mark.parametrize("language", LANGUAGES)
def test_own_documents_are_prose_of_a_useful_length(language: str) -> None:
    texts = gather.own_documents(language)
    assert len(texts) >= 13
    assert len({text.title for text in texts}) == len(texts)
    for text in texts:
        assert 80 <= len(text.body.split()) <= 300, text.title
        assert text.body.endswith((".", "!", "?")), text.title


def test_near_duplicates_keep_most_five_grams() -> None:
    words = [f"w{n}" for n in range(400)]
    edited = near_duplicate(" ".join(words), key="k", rate=0.01).split(" ")

    def grams(sequence: list[str]) -> set[tuple[str, ...]]:
        return {tuple(sequence[i : i + 5]) for i in range(len(sequence) - 4)}

    left, right = grams(words), grams(edited)
    assert 0.8 < len(left & right) / len(left | right) < 1


def test_prose_drops_examples_and_field_lists() -> None:
    docstring = (
        "Return the sum of all values given.\n\n    >>> total([1])\n    1\n\n:param values: what to add"
    )
    assert gather.prose_of(docstring) == "Return the sum of all values given."


def test_packages_that_are_not_installed_are_left_out() -> None:
    assert gather.package_files(".py", ["surely-not-an-installed-package"]) == []
