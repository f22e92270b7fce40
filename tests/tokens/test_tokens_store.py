"""Reading the store: any range of any epoch, with the documents that its tokens are from."""

from __future__ import annotations

import functools
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokens_builder import Document, epoch_documents, made_up_documents, publish_tokens, read_slowly

from dataprep import storage
from dataprep.errors import ArtifactError
from dataprep.tokens import TokenSpan, TokenStore, store

LENGTHS = [3, 1, 9, 40, 2, 2, 5, 17, 1, 1, 6, 4, 30, 8, 2, 7]


def two_bins(lengths: list[int]) -> list[list[Document]]:
    documents = made_up_documents(lengths)
    half = len(documents) // 2
    return [documents[:half], documents[half:]]


@pytest.fixture(scope="module")
def bins() -> list[list[Document]]:
    return two_bins(LENGTHS)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, bins: list[list[Document]]) -> TokenStore:
    root = str(tmp_path_factory.mktemp("store"))
    return TokenStore.open(publish_tokens(root, {"all": bins, "holdout": [[]]}))


def flat(span: TokenSpan) -> list[tuple[int, int, int, int]]:
    """Return (token, document id, epoch, offset in the document) of every token of a span."""
    steps = (
        np.concatenate([np.arange(n) for n in span.length]) if span.num_segments else np.zeros(0, np.int64)
    )
    each = (np.repeat(column, span.length) for column in (span.doc_id, span.epoch, span.offset))
    doc_id, epoch, offset = each
    return list(zip(span.tokens.tolist(), doc_id.tolist(), epoch.tolist(), (offset + steps).tolist()))


def check_segments(span: TokenSpan, documents: dict[int, list[int]]) -> None:
    assert span.length.sum() == len(span.tokens)
    assert (span.length > 0).all()
    for row in range(span.num_segments):
        size = len(documents[int(span.doc_id[row])])
        assert span.starts[row] == (span.offset[row] == 0)
        assert span.ends[row] == (span.offset[row] + span.length[row] == size)


def test_epoch_0_is_the_order_of_the_keys(web):
    span = web.read_tokens("all", 0, 5)
    assert span.tokens.tolist() == [1000, 1001, 0, 0, 3000]
    assert span.doc_id.tolist() == [1, 2, 3]
    assert span.offset.tolist() == [0, 0, 0]
    assert span.length.tolist() == [3, 1, 1]
    assert span.starts.tolist() == [True, True, True]
    assert span.ends.tolist() == [True, True, False]


def test_a_range_inside_one_document(web):
    span = web.read_tokens("all", 15, 20)
    assert span.tokens.tolist() == [4002, 4003, 4004, 4005, 4006]
    assert (span.doc_id.tolist(), span.offset.tolist(), span.length.tolist()) == ([4], [2], [5])
    assert not span.starts[0]
    assert not span.ends[0]


def test_positions_go_on_through_epochs(web, bins):
    total = web.stream("all").num_tokens
    assert total == sum(LENGTHS)
    span = web.read_tokens("all", total - 1, total + 1)
    assert span.epoch.tolist() == [0, 1]
    assert span.ends[0]
    assert span.starts[1]
    first = epoch_documents(bins, 1, class_name="all")[0]
    assert (span.doc_id[1], span.tokens[1]) == (first[1], first[2][0])


@settings(max_examples=100)
@given(data=st.data())
def test_any_range_is_what_the_definition_says(web, bins, data):
    total = web.stream("all").num_tokens
    start = data.draw(st.integers(0, 4 * total))
    stop = data.draw(st.integers(start, start + 2 * total))
    span = web.read_tokens("all", start, stop)
    in_epoch = functools.cache(lambda epoch: epoch_documents(bins, epoch, class_name="all"))
    assert flat(span) == read_slowly(in_epoch, total, start, stop)
    check_segments(span, {doc_id: tokens for part in bins for _, doc_id, tokens in part})


@settings(max_examples=30)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=40),
    dtype=st.sampled_from(["uint16", "uint32"]),
    data=st.data(),
)
def test_adjoining_ranges_give_the_whole(tmp_path_factory, lengths, dtype, data):
    """However an epoch is cut, its documents come once each, whole, and in one order."""
    bins = two_bins(lengths)
    artifact = publish_tokens(str(tmp_path_factory.mktemp("store")), {"all": bins}, dtype=dtype)
    with TokenStore.open(artifact.folder) as opened:
        total = opened.stream("all").num_tokens
        epoch = data.draw(st.integers(0, 3))
        cuts = sorted(data.draw(st.lists(st.integers(0, total), max_size=6)))
        borders = [epoch * total + cut for cut in (0, *cuts, total)]
        spans = [opened.read_tokens("all", a, b) for a, b in pairwise(borders)]
        whole = opened.read_tokens("all", borders[0], borders[-1])
        assert whole.tokens.dtype == dtype
        assert [token for span in spans for token in flat(span)] == flat(whole)
        assert Counter(whole.doc_id.tolist()) == Counter(range(1, len(lengths) + 1))
        assert whole.starts.all()
        assert whole.ends.all()


def test_epochs_have_different_orders(web):
    total = web.stream("all").num_tokens
    orders = [tuple(web.read_tokens("all", e * total, (e + 1) * total).doc_id.tolist()) for e in range(4)]
    assert len(set(orders)) == 4


def test_the_seed_the_source_and_the_class_change_later_epochs_and_not_the_first(tmp_path, bins):
    kinds = {
        "a": (7, "web", "all"),
        "b": (8, "web", "all"),
        "c": (7, "books", "all"),
        "d": (7, "web", "short"),
    }
    first, second = {}, {}
    for folder, (seed, source, class_name) in kinds.items():
        artifact = publish_tokens(str(tmp_path / folder), {class_name: bins}, seed=seed, source=source)
        opened = TokenStore.open(artifact)
        total = opened.stream(class_name).num_tokens
        first[folder] = tuple(opened.read_tokens(class_name, 0, total).doc_id.tolist())
        second[folder] = tuple(opened.read_tokens(class_name, total, 2 * total).doc_id.tolist())
    assert len(set(first.values())) == 1
    assert len(set(second.values())) == 4


def test_only_the_blocks_of_the_range_are_read(web, monkeypatch):
    read: list[tuple[str, int]] = []
    original = store._OpenBin.batch

    def batch(self, number):
        read.append((self._path[-9:], number))
        return original(self, number)

    monkeypatch.setattr(store._OpenBin, "batch", batch)
    fresh = TokenStore.open(web.artifact)
    starts = fresh.stream("all").block_starts
    fresh.read_tokens("all", int(starts[2]), int(starts[3]))
    assert len(read) == 1
    fresh.read_tokens("all", int(starts[2]) + 1, int(starts[3]) + 1)
    assert len(read) == 2


def test_a_block_as_it_is_stored(web):
    block = web.read_block("all", 0)
    assert block.doc_id.tolist() == [1, 2, 3, 4]
    assert np.diff(block.offsets).tolist() == [3, 1, 9, 40]
    assert (np.diff(block.key.astype(object)) > 0).all()


def test_an_empty_range_is_empty(web):
    span = web.read_tokens("holdout", 0, 0)
    assert (len(span.tokens), span.num_segments, span.tokens.dtype) == (0, 0, np.uint32)


def test_an_empty_stream_has_no_tokens_to_give(web):
    with pytest.raises(ArtifactError, match="stream 'holdout' of 'web' is empty"):
        web.read_tokens("holdout", 0, 1)


def test_a_class_that_is_not_there(web):
    with pytest.raises(ArtifactError, match="source 'web' has no class 'hold-out': did you mean 'holdout'"):
        web.stream("hold-out")


def test_many_bins_few_files_open(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_MAX_OPEN_BINS", 2)
    documents = made_up_documents([5] * 12)
    artifact = publish_tokens(str(tmp_path), {"all": [documents[i : i + 2] for i in range(0, 12, 2)]})
    with TokenStore.open(artifact) as opened:
        assert opened.read_tokens("all", 0, 60).doc_id.tolist() == list(range(1, 13))
        assert len(opened._bins._values) == 2


def test_a_store_at_a_url(bins, web):
    artifact = publish_tokens("memory://bucket/out", {"all": bins})
    with TokenStore.open(artifact.folder) as opened:
        assert flat(opened.read_tokens("all", 10, 300)) == flat(web.read_tokens("all", 10, 300))


# --- damage -----------------------------------------------------------------------------------


@pytest.fixture
def damaged(tmp_path: Path, bins: list[list[Document]]) -> Path:
    return Path(publish_tokens(str(tmp_path), {"all": bins}).folder)


def test_a_missing_bin(damaged):
    (damaged / "all" / "bin-00001.arrow").unlink()
    opened = TokenStore.open(str(damaged))
    opened.read_tokens("all", 0, 20)
    with pytest.raises(ArtifactError, match=r"bin-00001\.arrow: missing"):
        opened.read_tokens("all", 0, sum(LENGTHS))


@pytest.mark.parametrize("keep", [0, 10, 600])
def test_a_cut_bin(damaged, keep):
    path = damaged / "all" / "bin-00000.arrow"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ArtifactError, match=r"bin-00000\.arrow: damaged"):
        TokenStore.open(str(damaged)).read_tokens("all", 0, 20)


def test_a_bin_of_another_build(damaged):
    first, second = damaged / "all" / "bin-00000.arrow", damaged / "all" / "bin-00001.arrow"
    first.write_bytes(second.read_bytes())
    with pytest.raises(ArtifactError, match=r"bin-00000\.arrow: block 0 has .* but the index says"):
        TokenStore.open(str(damaged)).read_tokens("all", 0, 20)


def test_what_is_not_published_is_not_opened(damaged):
    (damaged / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match="not a finished artifact"):
        TokenStore.open(str(damaged))


def test_what_is_no_token_store_is_not_opened(tmp_path):
    storage.make_folder(str(tmp_path / "x"))
    with pytest.raises(ArtifactError):
        TokenStore.open(str(tmp_path / "x"))
