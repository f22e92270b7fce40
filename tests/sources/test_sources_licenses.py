"""Allow-lists of licences in a catalogue, and what the adapters read as a row's own licence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from raw_files import column, json_lines, read_all, write, write_parquet

from dataprep.errors import ConfigError, SourceError
from dataprep.sources import Catalog, load_catalog
from dataprep.sources.adapters import adapter_of
from mixtures import packaged_path

CATALOG = load_catalog()

OWN = """
corpora:
  code:
    number: 2048
    reserved: 4
    title: Files of ours
    homepage: https://example.org
    adapter: generic
    layout: folders
    local_name: code
    no_hub: ours alone
    globs: ["{subset}/*"]
    columns: {text: body, license: terms}
    filters: none
    license: MIT
    licenses: {allowed: [mit]}
    subsets: {a: {}, b: {licenses: {allowed: [Zlib]}}}
"""


def _own(folder: Path, text: str = OWN) -> Catalog:
    path = folder / "own.yaml"
    path.write_text(text)
    return load_catalog(str(path))


def _packaged(folder: Path, corpus: str, *, at_corpus: object = None, **at_subsets: object) -> Catalog:
    """Return the catalogue with ``licenses`` set at a packaged corpus, or at some of its subsets."""
    entry: dict[str, Any] = yaml.safe_load(Path(packaged_path("catalog.yaml")).read_text())["corpora"][corpus]
    if at_corpus is not None:
        entry["licenses"] = at_corpus
    for name, licenses in at_subsets.items():
        entry["subsets"][name.replace("_", "-")]["licenses"] = licenses
    return _own(folder, yaml.safe_dump({"corpora": {corpus: entry}}, sort_keys=False))


def test_a_subset_s_licences_replace_the_corpus_s(tmp_path: Path) -> None:
    entry = _own(tmp_path).corpus("code")
    settings = {name: entry.settings(name) for name in ("a", "b")}
    assert {name: one.licenses.allowed for name, one in settings.items() if one.licenses} == {
        "a": ("MIT",),
        "b": ("Zlib",),
    }
    assert settings["a"].preset == "none"
    assert settings["b"].preset == "none of b"


def test_the_example_of_the_documentation_means_something(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "corpora.md").read_text(encoding="utf-8")
    (block,) = [one.split("```")[0] for one in page.split("```yaml\n")[1:] if "    licenses:\n" in one]
    plain = OWN.replace("    columns: {text: body, license: terms}\n", "").replace(
        "    licenses: {allowed: [mit]}\n", block
    )
    entry = _own(tmp_path, plain).corpus("code")
    assert entry.licenses is not None
    assert len(entry.licenses.allowed) == 4
    assert entry.license_column("a") == "max_stars_repo_licenses"


def test_the_order_and_spelling_of_a_list_make_no_difference(tmp_path: Path) -> None:
    text = "[zlib, Apache-2.0, gpl-2.0 with classpath-exception-2.0, ZLIB]"
    licenses = _own(tmp_path, OWN.replace("[mit]", text)).corpus("code").licenses
    assert licenses is not None
    assert licenses.allowed == ("Apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0", "Zlib")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[mit]",
            "[mit, Apche-2.0]",
            r"own.yaml: corpora.code.licenses.allowed.1: .*did you mean 'Apache-2.0'.*; found 'Apche-2.0'",
        ),
        (
            "[Zlib]",
            "[MIT WITH Classpath]",
            r"corpora.code.subsets.b.licenses.allowed.0: .*did you mean 'Classpath-exception-2.0'",
        ),
        ("[mit]", "[MIT OR Zlib]", r"licenses.allowed.0: name one licence, or one WITH its exception"),
        ("[mit]", "[]", r"corpora.code.licenses.allowed: the list is empty"),
        ("[mit]", "mit", r"corpora.code.licenses.allowed: .*found 'mit'"),
        ("[mit]", "[2]", r"corpora.code.licenses.allowed.0: .*found 2"),
        ("{allowed: [mit]}", "{}", r"corpora.code.licenses.allowed: required"),
        ("{allowed: [mit]}", "{alowed: [mit]}", r"licenses.alowed: unknown key; did you mean 'allowed'"),
        (
            ", license: terms",
            "",
            r"corpora.code: licenses: the rows of a, b do not say .*: name the raw column that does as",
        ),
    ],
)
def test_a_mistake_in_an_allow_list_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in OWN
    with pytest.raises(ConfigError, match=message):
        _own(tmp_path, OWN.replace(old, new))


@pytest.mark.parametrize(
    ("corpus", "who"),
    [
        ("pile", "ArXiv"),
        ("refinedweb", "web"),
        ("culturax", "en"),
        ("redpajama", r"common_crawl, c4, arxiv, stackexchange and 2 more .* \(github\)"),
        ("starcoderdata", r"ada, agda, alloy, antlr and .* \(git-commits-cleaned, jupyter-structured-clean"),
    ],
)
def test_licences_are_refused_where_rows_have_none(tmp_path: Path, corpus: str, who: str) -> None:
    with pytest.raises(ConfigError, match=f"corpora.{corpus}: licenses: the rows of .*{who}"):
        _packaged(tmp_path, corpus, at_corpus={"allowed": ["MIT"]})


def test_licences_are_taken_where_a_corpus_s_own_rows_have_them(tmp_path: Path) -> None:
    mit = {"allowed": ["MIT"]}
    github = _packaged(tmp_path, "redpajama", github=mit).corpus("redpajama")
    assert [name for name in github.subsets if github.settings(name).licenses] == ["github"]
    starcoder = _packaged(
        tmp_path,
        "starcoderdata",
        git_commits_cleaned=mit,
        jupyter_structured_clean_dedup=mit,
        jupyter_scripts_dedup_filtered=mit,
    ).corpus("starcoderdata")
    assert len([name for name in starcoder.subsets if starcoder.settings(name).licenses]) == 3


def test_the_catalogue_knows_the_licence_columns_that_adapters_read() -> None:
    for entry in CATALOG.corpora.values():
        for name in entry.selectable:
            adapter = adapter_of(entry, name if entry.layout == "folders" else None)
            # RedPajama's adapter would read a licence anywhere; only code has one.
            if entry.name != "redpajama":
                assert entry.license_column(name) == adapter.columns.license, (entry.name, name)
    assert CATALOG.corpus("redpajama").license_column("github") == "license"


def test_what_a_row_does_not_say_is_not_filled_in_where_licences_are_judged(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"body": "a", "terms": "mit"},
        {"body": "b", "terms": ["mit", "zlib"]},
        {"body": "c", "terms": None},
        {"body": "d", "terms": ""},
        {"body": "e"},
        {"body": "f", "terms": {"name": "mit"}},
        {"body": "g", "terms": ["mit", None]},
        {"body": "h", "terms": []},
    ]
    write(tmp_path / "code" / "a" / "0.jsonl", json_lines(rows))
    judged = read_all("code", "a", tmp_path, catalog=_own(tmp_path))
    assert column(judged, "license") == ["mit", '["mit","zlib"]', None, None, None, None, None, "[]"]
    assert column(judged, "meta")[5:7] == ['{"terms":{"name":"mit"}}', '{"terms":["mit",null]}']
    plain = _own(tmp_path, OWN.replace("    licenses: {allowed: [mit]}\n", ""))
    filled = read_all("code", "a", tmp_path, catalog=plain)
    assert column(filled, "license") == ["mit", *["MIT"] * 7], "elsewhere the corpus's own stands for it"


def test_lists_and_nulls_of_a_parquet_column_are_what_they_are_in_json(tmp_path: Path) -> None:
    terms = pa.array([["MIT", "Zlib"], None, [], ["MIT", None]], pa.list_(pa.string()))
    write_parquet(tmp_path / "code" / "a" / "0.parquet", {"body": ["a", "b", "c", "d"], "terms": terms})
    rows = read_all("code", "a", tmp_path, catalog=_own(tmp_path))
    assert column(rows, "license") == ['["MIT","Zlib"]', None, "[]", '["MIT",null]']


def test_parquet_without_the_licence_column_is_refused_before_any_work(tmp_path: Path) -> None:
    write_parquet(tmp_path / "code" / "a" / "0.parquet", {"body": ["a"], "term": ["MIT"]})
    with pytest.raises(SourceError, match=r"0.parquet: no licence column 'terms'.*did you mean 'term'"):
        read_all("code", "a", tmp_path, catalog=_own(tmp_path))
    plain = _own(tmp_path, OWN.replace("    licenses: {allowed: [mit]}\n", ""))
    assert column(read_all("code", "a", tmp_path, catalog=plain), "license") == ["MIT"]


@pytest.mark.parametrize("parquet", [False, True])
def test_redpajama_s_files_keep_their_own_licence(tmp_path: Path, parquet: bool) -> None:
    rows = [
        {"text": "x = 1", "meta": '{"license": "apache-2.0", "language": []}'},
        {"text": "x = 2", "meta": '{"language": []}'},
    ]
    folder = tmp_path / "redpajama" / "github"
    entry = _packaged(tmp_path, "redpajama", github={"allowed": ["MIT"]}).corpus("redpajama")
    if parquet:
        github = entry.subsets["github"].model_copy(update={"globs": ("github/*.parquet",)})
        entry = entry.model_copy(update={"subsets": {**entry.subsets, "github": github}})
        write_parquet(folder / "a.parquet", {name: [row[name] for row in rows] for name in ("text", "meta")})
    else:
        write(folder / "a.jsonl", json_lines(rows))
    catalog = CATALOG.model_copy(update={"corpora": {**CATALOG.corpora, "redpajama": entry}})
    found = read_all("redpajama", "github", tmp_path, catalog=catalog)
    assert column(found, "license") == ["apache-2.0", None]
