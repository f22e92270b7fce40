"""The mixtures that ship say what was published, and mark what was not."""

from __future__ import annotations

from fractions import Fraction

import pytest

from dataprep.mixture import Mixture, check_selections, load_mixture, shipped_mixtures
from dataprep.mixture.schema import exact
from dataprep.sources import load_catalog

STABLELM = (
    "stablelm-base-alpha",
    "stablelm-base-alpha-v2",
    "stablelm-3b-4e1t",
    "stablelm-2-1_6b",
    "stablelm-2-12b",
)


def weights(mixture: Mixture, stage: int = 0) -> dict[str, Fraction]:
    return {name: exact(entry.weight or 0) for name, entry in mixture.stages[stage].sources.items()}


@pytest.mark.parametrize("name", shipped_mixtures())
def test_every_mixture_that_ships_names_corpora_and_subsets_of_the_catalogue(name: str) -> None:
    catalog = load_catalog()
    check_selections(load_mixture(name), {corpus: e.selectable for corpus, e in catalog.corpora.items()})


@pytest.mark.parametrize("name", STABLELM)
def test_every_number_of_a_stablelm_mixture_says_whether_it_was_published(name: str) -> None:
    mixture = load_mixture(name)
    entries = [entry for stage in mixture.stages for entry in stage.sources.values()]
    assert all(entry.provenance is not None for entry in entries)
    assert all((entry.provenance == "published") == (name == "stablelm-2-1_6b") for entry in entries)


@pytest.mark.parametrize("name", STABLELM)
def test_books3_is_in_no_mixture(name: str) -> None:
    for source in load_mixture(name).sources.values():
        assert "Books3" not in source.subsets
        assert (source.corpus, source.subsets) != ("pile", "all")


@pytest.mark.parametrize("name", STABLELM)
def test_copies_in_crawls_give_way_to_copies_in_all_other_sources(name: str) -> None:
    mixture = load_mixture(name)
    assert sorted(mixture.priority) == sorted(mixture.sources)
    crawls = {("refinedweb", ("web",)), ("redpajama", ("c4",)), ("redpajama", ("common_crawl",))}
    order = [(mixture.sources[one].corpus, mixture.sources[one].subsets) for one in mixture.survivor_order]
    assert [one in crawls for one in order] == sorted(one in crawls for one in order)


def test_only_stable_lm_2_resets_attention_and_positions_and_uses_arcade100k() -> None:
    for name in STABLELM:
        mixture = load_mixture(name)
        for stage in mixture.stages:
            new = name.startswith("stablelm-2-")
            assert mixture.tokenizer == ("arcade100k" if new else "neox")
            assert stage.boundaries.reset_attention == stage.boundaries.reset_positions == new
            assert stage.boundaries.cross_document_loss


def test_stable_lm_2_is_the_published_table() -> None:
    mixture = load_mixture("stablelm-2-1_6b")
    (stage,) = mixture.stages
    published = {name: entry.published for name, entry in stage.sources.items()}
    assert len(published) == 28
    tokens = {name: row.tokens or 0 for name, row in published.items() if row is not None}
    assert sum(tokens.values()) == stage.tokens == 2_009_831_803_929
    # 27 of the 28 weights are tokens / total to four digits; StackExchange was printed as .0231.
    differing = [
        name
        for name, weight in weights(mixture).items()
        if round(tokens[name] / stage.tokens, 4) != float(weight)
    ]
    assert differing == ["stackexchange"]
    assert sum(weights(mixture).values()) == Fraction("1.0001")
    refinedweb = published["refinedweb"]
    assert refinedweb is not None
    assert (refinedweb.weight, refinedweb.epochs) == (0.3292, 1.15)
    assert (stage.sequence_length, stage.passes) == (4096, 2)


def test_the_12b_model_has_the_same_sources_and_weights() -> None:
    small, large = load_mixture("stablelm-2-1_6b"), load_mixture("stablelm-2-12b")
    assert small.sources == large.sources
    assert weights(small) == weights(large)
    assert (large.stages[0].tokens, large.stages[0].passes) == (2 * 10**12, 2)


def test_alpha_uses_each_of_the_35_published_weights_once() -> None:
    # configs/stablelm-base-alpha-7b.yaml, train-data-weights, in its order.
    published = """0.03 0.02 3.5 13.87 30.88 0.34 0.03 0.1 0.01 0.5 0.25 0.25 0.11 1 0.1 0.5 0.6 0.19 0.05
        2 3.5 4.15 5.75 3.17 3.44 3.49 3 6 0.02 2 0.01 3.95 0.05 1.09 6.05"""
    mixture = load_mixture("stablelm-base-alpha")
    assert sorted(weights(mixture).values()) == sorted(Fraction(number) for number in published.split())
    assert sum(weights(mixture).values()) == 100
    web = weights(mixture)["crawl"] + weights(mixture)["openwebtext2"]
    assert round(float(web)) == 35


def test_alpha_v2_has_web_at_71_and_then_at_55_per_cent() -> None:
    mixture = load_mixture("stablelm-base-alpha-v2")
    first, second = mixture.stages
    for number, web in ((0, 71), (1, 55)):
        share = weights(mixture, number)
        assert sum(share.values()) == 100
        assert share["refinedweb"] + share["c4"] + share["openwebtext2"] == web
    assert (first.tokens, first.sequence_length) == (10**12, 2048)
    assert (second.tokens, second.sequence_length) == (10**11, 4096)
    assert "starcoder" not in first.sources
    assert "starcoder" in second.sources
    assert first.upsample_long is None
    assert second.upsample_long is not None


def test_3b_4e1t_is_one_trillion_tokens_for_four_passes() -> None:
    mixture = load_mixture("stablelm-3b-4e1t")
    (stage,) = mixture.stages
    assert (stage.tokens, stage.passes, stage.sequence_length) == (10**12, 4, 4096)
    assert sum(weights(mixture).values()) == 100
