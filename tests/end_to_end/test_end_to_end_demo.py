"""The demo: from an empty folder to verified shards, offline."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataprep.errors import ConfigError
from dataprep.mixture import load_mixture
from dataprep.report import BuildSummary, summarise
from dataprep.verification import verify_output
from pipelines.demo import prepare_tokenizer, run_demo
from pipelines.demo_corpus import DemoCorpus
from pipelines.demo_corpus.material import LANGUAGES


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Output folder of a demo without network and cache, and what it printed."""
    output = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATAPREP_CACHE", str(output / "no-cache"))
        printed: list[str] = []
        patch.setattr("builtins.print", lambda *parts, **_: printed.append(" ".join(map(str, parts))))
        assert run_demo(str(output), workers=1, allow_network=False) == 0
    return output, "\n".join(printed)


@pytest.fixture(scope="module")
def summary(demo: tuple[Path, str]) -> BuildSummary:
    return summarise(str(demo[0]))


def test_it_says_what_it_did_and_what_to_do_next(demo: tuple[Path, str]) -> None:
    output, printed = demo
    for part in (
        "arcade-demo was trained",
        "documents: raw rows",
        "dropped rows and why",
        "duplicates:",
        "stage main",
        "requested",
        "row 0 of demo, stage main",
        "Next:",
        f"dataprep verify {output}",
    ):
        assert part in printed


def test_its_shards_pass_verification(demo: tuple[Path, str]) -> None:
    report = verify_output(str(demo[0]))
    assert report.ok, report.to_text()


def test_every_source_and_language_has_tokens(summary: BuildSummary) -> None:
    tokens = {source.source: source.tokens for source in summary.sources if source.corpus}
    assert all(tokens.values()), tokens
    assert {f"culturax-{language}" for language in LANGUAGES} <= set(tokens)
    assert summary.tokenizer == "arcade-demo"


def test_filters_keep_most_own_documents_and_not_everything(summary: BuildSummary) -> None:
    by_name = {source.source: source for source in summary.sources}
    for language in LANGUAGES:
        source = by_name[f"culturax-{language}"]
        assert source.kept >= 13
        assert set(source.reasons) == {"excluded_mc4"}
    web = by_name["web"]
    assert 0.3 < web.kept / web.rows < 0.9
    assert len(web.reasons) > 5


def test_refused_books_are_counted(summary: BuildSummary) -> None:
    refused = sum(source.reasons.get("excluded_books3", 0) for source in summary.sources)
    assert refused == 6


def test_duplicates_of_every_kind_are_found(summary: BuildSummary) -> None:
    assert all(summary.duplicates.removed[kind] > 0 for kind in ("exact", "url", "near"))


def test_realised_shares_are_the_requested_ones(summary: BuildSummary) -> None:
    main = summary.stages[0]
    assert main.padding == 0
    assert main.largest_deviation <= 1 / main.rows


def test_a_real_vocabulary_is_used_where_there_is_one(vocab: Path, tmp_path: Path) -> None:
    recipe = str(tmp_path / "demo.yaml")
    nothing = DemoCorpus((), ())
    found = prepare_tokenizer(str(tmp_path), recipe, nothing, str(vocab), allow_network=False)
    assert found == str(vocab)
    assert load_mixture(recipe).tokenizer == "arcade100k"


def test_a_wrong_vocabulary_is_an_error_and_not_replaced(tmp_path: Path) -> None:
    wrong = tmp_path / "cl100k_base.tiktoken"
    wrong.write_bytes(b"IQ== 0\n")
    with pytest.raises(ConfigError, match="not the vocabulary"):
        prepare_tokenizer(
            str(tmp_path), str(tmp_path / "demo.yaml"), DemoCorpus((), ()), str(wrong), allow_network=False
        )


def test_a_remote_output_is_refused() -> None:
    with pytest.raises(ConfigError, match="local folder"):
        run_demo("s3://bucket/demo")
