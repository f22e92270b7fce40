"""Which raw collections a mixture needs: what is missing is said once, in one error."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataprep.errors import SourceError
from dataprep.mixture import load_mixture
from dataprep.sources import load_catalog
from pipelines.selection import Selection, select

MIXTURE = """
name: small
seed: 1
tokenizer: arcade100k
sources:
  wiki: {corpus: pile, subsets: ["Wikipedia (en)"]}
  mail: {corpus: pile, subsets: ["Enron Emails"]}
  web: {corpus: refinedweb, subsets: [web]}
stages:
  - name: main
    tokens: 1M
    sequence_length: 512
    packing: concat
    sources: {wiki: {weight: 0.2}, mail: {weight: 0.3}, web: {weight: 0.5}}
"""


def select_small(folder: Path, *, data_root: Path, skip_missing: bool = False) -> Selection:
    (folder / "small.yaml").write_text(MIXTURE)
    mixture = load_mixture(str(folder / "small.yaml"))
    return select(mixture, load_catalog(), data_root=str(data_root), skip_missing=skip_missing)


@pytest.mark.parametrize("skip_missing", [False, True])
def test_a_data_root_that_is_not_there_is_the_whole_error(tmp_path: Path, skip_missing: bool) -> None:
    root = tmp_path / "nowhere"
    with pytest.raises(SourceError) as caught:
        select_small(tmp_path, data_root=root, skip_missing=skip_missing)
    expected = f"--data-root {root}: no such folder; it holds one for each corpus, like {root}/pile"
    assert str(caught.value) == expected


def test_sources_that_lack_the_same_files_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        select_small(tmp_path, data_root=tmp_path)
    first, pile, web, last = str(caught.value).splitlines()
    assert first == "3 of 3 sources of mixture small have no raw files:"
    assert pile.startswith("  wiki, mail: no raw file for pile: looked in ")
    assert web.startswith("  web: no raw file for refinedweb: looked in ")
    assert last.endswith("with --missing skip")


def test_what_is_missing_is_left_out_on_request(tmp_path: Path) -> None:
    parquet = tmp_path / "refinedweb" / "data" / "train-00000-of-00001.parquet"
    parquet.parent.mkdir(parents=True)
    parquet.touch()
    selection = select_small(tmp_path, data_root=tmp_path, skip_missing=True)
    assert selection.skipped == ("wiki", "mail")
    assert list(selection.mixture.sources) == ["web"]
    assert [collection.name for collection, _ in selection.collections] == ["refinedweb"]
