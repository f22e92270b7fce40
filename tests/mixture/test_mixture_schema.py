"""What a mixture file may say, and what a user reads when it is wrong."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from dataprep.errors import ConfigError
from dataprep.mixture import LONG, SHORT, Mixture, check_selections, load_mixture

RECIPE = """
name: small
tokenizer: neox
sources:
  web: {from: refinedweb, subsets: [web]}
  law: {from: pile, subsets: [FreeLaw]}
  code: {from: starcoderdata, subsets: all}
stages:
  - name: first
    tokens: 3M
    sequence_length: 512
    sources:
      web: {weight: 0.6}
      law: {weight: 0.2}
      code: {weight: 0.2}
"""


def load(folder: Path, text: str) -> Mixture:
    path = folder / "recipe.yaml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return load_mixture(str(path))


def problem(folder: Path, old: str, new: str) -> str:
    """The message for RECIPE with ``old`` replaced by ``new``."""
    assert old in RECIPE
    with pytest.raises(ConfigError) as error:
        load(folder, RECIPE.replace(old, new))
    return str(error.value)


def test_defaults_are_a_plain_concat_stage_without_hold_out(tmp_path: Path) -> None:
    mixture = load(tmp_path, RECIPE)
    stage = mixture.stages[0]
    assert (stage.tokens, stage.packing, stage.passes) == (3_000_000, "concat", 1)
    assert (mixture.holdout_fraction, mixture.max_epochs, mixture.seed) == (0.0, 16, 0)
    assert stage.boundaries.model_dump() == {
        "reset_attention": False,
        "reset_positions": False,
        "cross_document_loss": True,
    }


def test_sources_have_ids_in_file_order_and_survive_in_that_order_after_the_priority(tmp_path: Path) -> None:
    mixture = load(tmp_path, RECIPE.replace("sources:\n  web", "priority: [code]\nsources:\n  web"))
    assert mixture.source_ids == {"web": 0, "law": 1, "code": 2}
    assert mixture.survivor_order == ("code", "web", "law")


def test_a_document_belongs_to_the_source_that_selects_its_subset(tmp_path: Path) -> None:
    mixture = load(tmp_path, RECIPE)
    assert mixture.source_of("pile", "FreeLaw") == "law"
    assert mixture.source_of("pile", "ArXiv") is None
    assert mixture.source_of("starcoderdata", "rust") == "code"
    assert mixture.source_of("starcoderdata", None) == "code"
    assert mixture.source_of("pile", None) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("weight: 0.6", "wieght: 0.6", "did you mean 'weight'"),
        (
            "weight: 0.6",
            "weight: 0.6, epochs: 2",
            "exactly one of weight, epochs and tokens; found weight and epochs",
        ),
        ("{weight: 0.6}", "{note: none}", "exactly one of weight, epochs and tokens; found none of them"),
        ("weight: 0.6", "weight: -1", "greater than 0"),
        ("weight: 0.6", "weight: .nan", "finite"),
        ("      code: {weight", "      cod: {weight", "no source of that name; did you mean 'code'?"),
        ("      code: {weight: 0.2}\n", "", "sources.code: no stage uses it"),
        ("    tokens: 3M\n", "", "source 'web' has a weight, so the stage needs `tokens`"),
        ("tokens: 3M", "tokens: 3X", "is no count: write a number such as 2T"),
        ("tokens: 3M", "tokens: 0", "greater than 0"),
        ("subsets: [FreeLaw]", "subsets: []", "no subset"),
        ("subsets: [FreeLaw]", "subsets: [FreeLaw, FreeLaw]", "'FreeLaw' stands twice"),
        (
            "from: pile, subsets: [FreeLaw]",
            "from: refinedweb, subsets: [web]",
            "belongs to source 'web' as well",
        ),
        (
            "from: pile, subsets: [FreeLaw]",
            "from: starcoderdata, subsets: [c]",
            "belongs to source 'law' as well",
        ),
        ("name: first", "name: validation", "names must differ and not be 'validation'"),
        ("name: small", "name: ../small", "should match pattern"),
        ("tokenizer: neox", "tokenizer: neox\npriority: [webb]", "'webb' is no source; did you mean 'web'?"),
        ("tokenizer: neox", "tokenizer: neox\npriority: [web, web]", "stands twice"),
        ("tokenizer: neox", "tokenizer: neox\ntokenizer: arcade100k", "stands here twice"),
        ("tokenizer: neox", "tokenizer: neox\nmax_epochs: 300", "less than or equal to 255"),
        ("tokenizer: neox", "tokenizer: neox\ndedup: {treshold: 1}", "did you mean 'threshold'?"),
        (
            "    sources:",
            "    upsample_long: {min_tokens: 99, factor: 2, sources: [wep]}\n    sources:",
            "'wep' is no source of the stage; did you mean 'web'?",
        ),
    ],
)
def test_each_mistake_is_named_with_the_file_and_the_way_out(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = problem(tmp_path, old, new)
    assert message in text
    assert text.startswith(str(tmp_path / "recipe.yaml"))


def test_tokens_of_a_stage_without_weights_follow_from_its_sources(tmp_path: Path) -> None:
    only_amounts = RECIPE.replace("weight: 0.6", "epochs: 2").replace("weight: 0.2", "tokens: 1M")
    with pytest.raises(ConfigError, match="`tokens` follows from the sources: remove it"):
        load(tmp_path, only_amounts)
    mixture = load(tmp_path, only_amounts.replace("    tokens: 3M\n", ""))
    assert mixture.stated_tokens is None


TWO_STAGES = (
    RECIPE.replace(
        "    sources:", "    upsample_long: {min_tokens: 512, factor: 2, sources: [web]}\n    sources:"
    )
    + """
  - name: second
    tokens: 1M
    sequence_length: 1024
    upsample_long: {min_tokens: 512, factor: 4, sources: [web, law]}
    sources: {web: {weight: 1}, law: {weight: 1}}
"""
)


def test_a_source_that_any_stage_upsamples_has_a_short_and_a_long_stream_everywhere(tmp_path: Path) -> None:
    mixture = load(tmp_path, TWO_STAGES)
    assert mixture.classes("web") == (SHORT, LONG)
    assert mixture.long_boundary("law") == 512
    assert mixture.classes("code") == ("all",)
    assert mixture.stages[0].long_factor("law") == 1
    assert mixture.stages[1].long_factor("law") == 4


def test_a_source_has_one_length_boundary_in_all_stages(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"source 'web' has the boundaries \[512, 700\]"):
        load(tmp_path, TWO_STAGES.replace("min_tokens: 512, factor: 4", "min_tokens: 700, factor: 4"))


def test_without_a_source_the_others_share_its_weight_and_the_notice_says_so(tmp_path: Path) -> None:
    mixture, notice = load(tmp_path, TWO_STAGES).without(["code", "law"])
    assert list(mixture.sources) == ["web"]
    assert mixture.source_ids == {"web": 0}
    assert [stage.tokens for stage in mixture.stages] == [3_000_000, 1_000_000]
    assert "left out code, law (2 of 3 sources)" in notice
    assert "stage first: weights become web 0.6000 -> 1.0000" in notice
    assert mixture.stages[1].upsample_long is not None
    assert mixture.stages[1].upsample_long.sources == ("web",)
    assert Mixture.model_validate(mixture.model_dump(by_alias=True)) == mixture


def test_evaluation_sets_are_named_with_the_sources_to_search(tmp_path: Path) -> None:
    assert load(tmp_path, RECIPE).decontamination is None
    sets = "decontamination:\n  sets: [{name: quiz, path: quiz.jsonl, fields: [question]}]\n"
    checks = load(tmp_path, RECIPE + sets).decontamination
    assert checks is not None
    assert (checks.ngram, checks.overlap, checks.action, checks.searches("law")) == (13, None, "remove", True)
    mixture = load(tmp_path, RECIPE + sets + "  sources: [web, law]\n")
    smaller = mixture.without(["law"])[0].decontamination
    assert smaller is not None
    assert smaller.sources == ("web",)
    with pytest.raises(ConfigError, match=r"decontamination\.sources: 'lw' is no source; did you mean 'law'"):
        load(tmp_path, RECIPE + sets + "  sources: [lw]\n")


def test_without_nothing_is_the_same_mixture(tmp_path: Path) -> None:
    mixture = load(tmp_path, RECIPE)
    assert mixture.without([]) == (mixture, "")


def test_a_stage_cannot_lose_all_of_its_sources(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="stage second: none of its sources is there"):
        load(tmp_path, TWO_STAGES).without(["web", "law"])
    with pytest.raises(ConfigError, match="no source 'wbe'; did you mean 'web'"):
        load(tmp_path, TWO_STAGES).without(["wbe"])


def test_a_stage_that_loses_its_weights_loses_its_tokens(tmp_path: Path) -> None:
    text = RECIPE.replace("web: {weight: 0.6}", "web: {epochs: 1}").replace(
        "law: {weight: 0.2}", "law: {epochs: 1}"
    )
    mixture, _ = load(tmp_path, text).without(["code"])
    assert mixture.stages[0].tokens is None


def test_corpora_and_subsets_are_checked_against_the_catalogue(tmp_path: Path) -> None:
    mixture = load(tmp_path, RECIPE)
    check_selections(mixture, {"refinedweb": ["web"], "pile": ["FreeLaw", "ArXiv"], "starcoderdata": []})
    with pytest.raises(ConfigError) as error:
        check_selections(mixture, {"refinedwebs": ["web"], "pile": ["Free Law"], "starcoderdata": []})
    assert "sources.web.from: no corpus 'refinedweb' in the catalogue; did you mean 'refinedwebs'?" in str(
        error.value
    )
    assert "sources.law.subsets: corpus pile has no subset 'FreeLaw'; did you mean 'Free Law'?" in str(
        error.value
    )


def test_a_name_that_does_not_ship_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'stablelm-2-12b'"):
        load_mixture("stablelm-2-12")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml: cannot be read"):
        load_mixture(str(tmp_path / "nothing.yaml"))
