"""The catalogue: what is declared, and what a mistake in it is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.documents import MAX_COLLECTION
from dataprep.errors import ConfigError, SourceError
from dataprep.filters import PRESETS
from dataprep.sources import EXCLUSION_REASONS, load_catalog
from dataprep.sources.catalog import FIRST_OWN_NUMBER

CATALOG = load_catalog()

OWN = """
corpora:
  minutes:
    number: 2048
    title: Minutes of our meetings
    homepage: https://example.org
    adapter: generic
    layout: whole
    local_name: minutes
    no_hub: ours alone
    globs: ["*.jsonl"]
    columns: {text: body}
    filters: curated
    license: ours
    subsets: {all: {}}
"""


def _own(tmp_path: Path, text: str = OWN) -> str:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    return str(path)


def test_the_five_corpora_and_those_of_stable_lm_2_are_declared() -> None:
    assert {"refinedweb", "redpajama", "pile", "starcoderdata", "culturax"} <= set(CATALOG.corpora)
    assert {"peS2o", "pg19", "bookcorpusopen", "fanfics", "openwebmath", "amps"} <= set(CATALOG.corpora)
    assert {"europarl", "pileoflaw", "restruct"} <= set(CATALOG.corpora)


def test_numbers_are_what_document_ids_of_published_tables_begin_with() -> None:
    """These never change: a changed number would give every document another id."""
    numbers = {name: entry.number for name, entry in CATALOG.corpora.items()}
    assert numbers["refinedweb"] == 1
    assert numbers["pile"] == 2
    assert numbers["redpajama"] == 16
    assert numbers["starcoderdata"] == 128
    assert numbers["culturax"] == 256
    assert CATALOG.corpus("redpajama").collection_number("book") == 22
    assert CATALOG.corpus("starcoderdata").collection_number("ada") == 128
    assert CATALOG.corpus("culturax").collection_number("pt") == 262
    assert max(numbers.values()) < FIRST_OWN_NUMBER


def test_every_collection_has_a_number_of_its_own_and_is_found_by_it() -> None:
    seen = {}
    for entry in CATALOG.corpora.values():
        for subset in entry.collections_of():
            number = entry.collection_number(subset)
            assert 0 < number <= MAX_COLLECTION
            assert number not in seen, (entry.name, subset, seen[number])
            seen[number] = (entry.name, subset)
            assert CATALOG.by_number(number) == (entry, subset)
            assert CATALOG.collection(entry.collection_name(subset)) == (entry, subset)
    assert len(seen) > 100


def test_every_corpus_states_its_license_its_homepage_and_where_to_get_it() -> None:
    for entry in CATALOG.corpora.values():
        assert entry.license
        assert entry.homepage.startswith("https://")
        assert entry.hub is not None or entry.no_hub


def test_every_filter_preset_exists() -> None:
    for entry in CATALOG.corpora.values():
        for subset in entry.subsets:
            assert entry.settings(subset).filters in PRESETS, (entry.name, subset)


def test_every_exclusion_is_explained_and_known_to_the_readers() -> None:
    reasons = {reason for entry in CATALOG.corpora.values() for reason in entry.exclusions}
    assert reasons == set(EXCLUSION_REASONS)


def test_books3_cannot_be_selected() -> None:
    pile = CATALOG.corpus("pile")
    assert len(pile.subsets) == 22
    assert "Books3" not in pile.selectable
    with pytest.raises(SourceError, match="excluded_books3"):
        pile.collections_of(["Pile-CC", "Books3"])


def test_a_subset_s_own_value_comes_before_the_corpus_s() -> None:
    pile = CATALOG.corpus("pile")
    assert pile.settings("ArXiv").filters == "curated"
    assert pile.settings("Github").filters == "code"
    assert pile.settings("Github").code
    assert not pile.settings("ArXiv").code
    redpajama = CATALOG.corpus("redpajama")
    assert redpajama.settings("c4").web
    assert not redpajama.settings("common_crawl").web  # its rows carry no URL
    assert redpajama.settings("stackexchange").license == "CC-BY-SA-4.0"


def test_tags_become_special_tokens_in_starcoder_alone() -> None:
    assert [entry.name for entry in CATALOG.corpora.values() if entry.allow_tags] == ["starcoderdata"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("redpyjama", "did you mean 'redpajama'"),
        ("redpajama/arxvi", "did you mean 'arxiv'"),
        ("pile/ArXiv", "read whole"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(name: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        CATALOG.collection(name)


def test_a_catalogue_of_one_s_own_adds_corpora(tmp_path: Path) -> None:
    catalog = load_catalog(_own(tmp_path))
    assert catalog.corpus("minutes").settings("all").columns.text == "body"
    assert set(CATALOG.corpora) < set(catalog.corpora)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("globs:", "glob:", r"own.yaml: corpora.minutes.glob: unknown key; did you mean 'globs'"),
        ("{text: body}", "{txet: body}", r"corpora.minutes.columns.txet: unknown key; did you mean 'text'"),
        ("number: 2048", "number: 5000", r"corpora.minutes.number: .*4095; found 5000"),
        ("number: 2048", "number: 300", r"corpora.minutes.number: 300 is kept for the packaged catalogue"),
        ("    license: ours\n", "", r"corpora.minutes.license: required"),
        ("    no_hub: ours alone\n", "", r"corpora.minutes: give hub, or say in no_hub"),
        (
            "local_name: minutes",
            "local_name: pile",
            r"corpora.minutes.local_name: 'pile' is the folder of 'pile'",
        ),
        (
            "local_name: minutes",
            "local_name: a/b",
            r"corpora.minutes.local_name: must be the name of one folder",
        ),
        ("adapter: generic", "adapter: genric", r"corpora.minutes.adapter: .*'generic'.*found 'genric'"),
        (
            "    filters: curated\n",
            "    filters: curated\n    filters: code\n",
            r"'filters' stands here twice",
        ),
        ("corpora:", "corpus:", r"expected one key 'corpora'"),
        (
            "{all: {}}",
            "{all: {excluded: excluded_all}}",
            r"subsets.all.excluded: 'excluded_all' is not in exclusions",
        ),
        ("{all: {}}", "{all: {}", r"not valid YAML"),
        (
            "filters: curated",
            "filters: curated\n    url_lists: {domains: [a.txt]}",
            r"corpora.minutes: url_lists: the rows have no URL",
        ),
        (
            "{text: body}",
            "{text: body, url: link}\n    url_lists: {max_soft_words: 2}",
            r"corpora.minutes.url_lists: names no list",
        ),
        (
            "{text: body}",
            "{text: body, url: link}\n    url_lists: {domain: [a.txt]}",
            r"corpora.minutes.url_lists.domain: unknown key; did you mean 'domains'",
        ),
        ("{all: {}}", "{all: {}, more: {}}", r"corpora.minutes: only one subset can be read whole"),
        (
            "adapter: generic",
            "adapter: culturax",
            r"corpora.minutes: the adapter 'culturax' reads layout 'folders'",
        ),
        (
            "no_hub: ours alone",
            "hub: {kind: file, root: x}",
            r"corpora.minutes.hub: .*'files', 'url_list', 'datasets'",
        ),
        (
            "no_hub: ours alone",
            "hub: {kind: files, rot: x}",
            r"hub.files.rot: unknown key; did you mean 'root'",
        ),
    ],
)
def test_a_mistake_is_named_with_its_yaml_path(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in OWN
    with pytest.raises(ConfigError, match=message):
        load_catalog(_own(tmp_path, OWN.replace(old, new)))


@pytest.mark.parametrize(
    "hub",
    [
        "{kind: files, root: 'hf://datasets/EleutherAI/the_pile_deduplicated'}",
        "{kind: datasets, path: eleutherai/the_pile_deduplicated}",
    ],
)
def test_a_copy_of_the_pile_in_which_books3_hides_is_refused_for_any_adapter(
    tmp_path: Path, hub: str
) -> None:
    with pytest.raises(ConfigError, match="the_pile_deduplicated is refused: .*Books3 cannot be removed"):
        load_catalog(_own(tmp_path, OWN.replace("no_hub: ours alone", f"hub: {hub}")))


def test_a_packaged_corpus_can_be_pointed_elsewhere_but_not_share_numbers(tmp_path: Path) -> None:
    moved = OWN.replace("minutes:", "pg19:").replace("2048", "1025")
    assert load_catalog(_own(tmp_path, moved)).corpus("pg19").columns.text == "body"
    two = OWN + OWN.replace("corpora:\n", "").replace("minutes", "notes")
    with pytest.raises(ConfigError, match=r"corpora.notes.number: 2048 is reserved for 'minutes'"):
        load_catalog(_own(tmp_path, two))


def test_the_key_no_is_a_language_and_not_a_boolean(tmp_path: Path) -> None:
    text = OWN.replace("{all: {}}", "{no: {}, on: {}}").replace("whole", "folders\n    reserved: 9")
    assert list(load_catalog(_own(tmp_path, text)).corpus("minutes").subsets) == ["no", "on"]


def test_the_catalogue_of_the_documentation_loads(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "corpora.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in page.split("```yaml\n")[1:]]
    (block,) = [block for block in blocks if block.startswith("corpora:")]
    catalog = load_catalog(_own(tmp_path, block))
    assert catalog.corpus("minutes").settings("club").filters == "none"
    assert catalog.corpus("notes").hub is not None
    for name in CATALOG.corpora:
        assert f"`{name}`" in page or name == "pile-uncopyrighted"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.yaml: cannot be read"):
        load_catalog(str(tmp_path / "nowhere.yaml"))


@given(st.lists(st.sampled_from(CATALOG.corpus("redpajama").selectable), unique=True))
def test_collections_come_in_the_order_of_the_catalogue(subsets: list[str]) -> None:
    entry = CATALOG.corpus("redpajama")
    assert list(entry.collections_of(subsets)) == [name for name in entry.subsets if name in subsets]
