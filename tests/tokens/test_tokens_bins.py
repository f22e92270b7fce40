"""Bins, blocks and the index: what is written is the sorted documents, whatever the order they came in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokens_builder import EOS, made_up_documents, unsorted_batch

from dataprep.documents import document_ids
from dataprep.errors import ArtifactError
from dataprep.tokens import BinSummary, TokenBlock, read_index, token_list, write_bin, write_index
from dataprep.tokens.bins import bin_schema
from dataprep.tokens.ragged import copy_rows, gather_rows, offsets_of

documents_strategy = st.lists(
    st.tuples(
        st.integers(0, 5) | st.integers(0, 2**64 - 1),
        st.integers(0, 2**64 - 1),
        st.lists(st.integers(1, 60_000), max_size=30).map(lambda ids: [*ids, EOS]),
    ),
    max_size=30,
    unique_by=lambda document: document[1],
)


def read_bin(path: str) -> list[list[tuple[int, int, list[int]]]]:
    reader = pa.ipc.open_file(path)
    blocks = []
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        blocks.append(list(zip(*(batch.column(name).to_pylist() for name in ("key", "doc_id", "tokens")))))
    return blocks


def test_documents_are_sorted_by_key_then_id(tmp_path):
    path = str(tmp_path / "bin.arrow")
    batches = [
        unsorted_batch([(9, 1, [5, EOS]), (3, 8, [6, EOS])]),
        unsorted_batch([(3, 2, [7, 8, EOS])]),
    ]
    summary = write_bin(path, batches, dtype="uint32", block_tokens=4)
    assert read_bin(path) == [[(3, 2, [7, 8, EOS]), (3, 8, [6, EOS])], [(9, 1, [5, EOS])]]
    assert (summary.num_docs, summary.num_tokens, summary.first_key) == ([2, 1], [5, 2], [3, 9])
    assert summary.text_bytes == 70


def test_a_document_longer_than_a_block_is_a_block(tmp_path):
    path = str(tmp_path / "bin.arrow")
    documents = made_up_documents([3, 100, 3, 3])
    summary = write_bin(path, [unsorted_batch(documents)], dtype="uint32", block_tokens=10)
    assert summary.num_docs == [2, 2]
    assert summary.num_tokens == [103, 6]


def test_lengths_are_counted_by_powers_of_two(tmp_path):
    documents = made_up_documents([1, 2, 3, 4, 7, 8, 1024])
    summary = write_bin(str(tmp_path / "b"), [unsorted_batch(documents)], dtype="uint32")
    assert summary.length_histogram == [1, 2, 2, 1, 0, 0, 0, 0, 0, 0, 1]


def test_documents_and_tokens_are_counted_by_collection(tmp_path):
    first = int(document_ids(collection=5, file=1, first_row=0, num_rows=1)[0])
    second = int(document_ids(collection=40, file=0, first_row=7, num_rows=1)[0])
    documents = [(1, first, [4, EOS]), (2, second, [4, 4, EOS]), (3, first + 1, [EOS])]
    summary = write_bin(str(tmp_path / "b"), [unsorted_batch(documents)], dtype="uint32")
    assert summary.collections == {"5": [2, 3], "40": [1, 3]}
    assert BinSummary(**summary.to_json()) == summary


def test_no_documents_no_file(tmp_path):
    summary = write_bin(str(tmp_path / "bin.arrow"), [], dtype="uint16")
    assert summary.num_docs == []
    assert list(tmp_path.iterdir()) == []


@given(documents=documents_strategy, dtype=st.sampled_from(["uint16", "uint32"]), data=st.data())
def test_bytes_depend_on_the_set_of_documents_alone(tmp_path_factory, documents, dtype, data):
    folder = tmp_path_factory.mktemp("bins")
    shuffled = data.draw(st.permutations(documents))
    cut = data.draw(st.integers(0, len(documents)))
    one, other = str(folder / "one"), str(folder / "other")
    first = write_bin(one, [unsorted_batch(documents, dtype=dtype)], dtype=dtype, block_tokens=20)
    parts = [unsorted_batch(shuffled[:cut], dtype=dtype), unsorted_batch(shuffled[cut:], dtype=dtype)]
    assert write_bin(other, parts, dtype=dtype, block_tokens=20) == first
    if not documents:
        return
    assert (folder / "one").read_bytes() == (folder / "other").read_bytes()
    blocks = read_bin(one)
    assert [document for block in blocks for document in block] == sorted(documents)
    sizes = [[len(tokens) for _, _, tokens in block] for block in blocks]
    assert all(sum(block) >= 20 for block in sizes[:-1])
    assert all(sum(block[:-1]) < 20 for block in sizes)
    assert pa.ipc.open_file(one).schema == bin_schema(dtype)


def test_a_block_is_read_as_numpy():
    batch = unsorted_batch([(9, 1, [5, EOS]), (3, 8, [6, 7, EOS])], dtype="uint16")
    block = TokenBlock.from_batch(batch.slice(1, 1))
    assert (block.key.tolist(), block.doc_id.tolist()) == ([3], [8])
    assert (block.offsets.tolist(), block.tokens.tolist(), block.tokens.dtype) == (
        [0, 3],
        [6, 7, 0],
        np.uint16,
    )


# --- ragged arrays ----------------------------------------------------------------------------


@given(
    rows=st.lists(st.lists(st.integers(0, 60_000), max_size=8), max_size=12),
    dtypes=st.sampled_from([("uint32", "uint32"), ("uint32", "uint16"), ("uint16", "uint16")]),
    data=st.data(),
)
def test_rows_are_copied_in_any_order(rows, dtypes, data):
    order = np.array(data.draw(st.permutations(range(len(rows)))), np.int64)
    lengths = np.array([len(row) for row in rows], np.int64)
    offsets = offsets_of(lengths)
    values = np.array([value for row in rows for value in row], dtypes[0])
    expected = [value for number in order for value in rows[number]]
    if dtypes[0] == dtypes[1]:
        gathered_offsets, gathered = gather_rows(values, offsets, order)
        assert gathered.tolist() == expected
        assert np.diff(gathered_offsets).tolist() == lengths[order].tolist()
    out = np.zeros(len(values), dtypes[1])
    copy_rows(values, offsets[:-1][order], lengths[order], out, offsets_of(lengths[order])[:-1])
    assert out.tolist() == expected


def test_rows_outside_the_arrays_are_refused():
    values, one = np.zeros(4, np.uint32), np.array([1], np.int64)
    with pytest.raises(AssertionError):
        copy_rows(values, np.array([4], np.int64), one, np.zeros(4, np.uint32), one)
    with pytest.raises(AssertionError):
        copy_rows(values, one, one, np.zeros(1, np.uint32), one)


def test_an_arrow_list_has_no_more_than_its_offsets_can_say():
    with pytest.raises(AssertionError, match="fewer than"):
        token_list(np.array([0, 2**31], np.int64), np.zeros(0, np.uint32), dtype="uint32")


# --- the index --------------------------------------------------------------------------------


def summary_of(docs: list[int], tokens: list[int], keys: list[int]) -> BinSummary:
    return BinSummary(docs, tokens, keys, 0, [], {})


def test_the_index_keeps_classes_bins_and_blocks_in_order(tmp_path):
    path = str(tmp_path / "index.arrow")
    write_index(
        path,
        {
            "short": [summary_of([2, 1], [30, 5], [1, 2]), summary_of([], [], []), summary_of([4], [9], [3])],
            "long": [summary_of([], [], [])],
            "holdout": [summary_of([1], [7], [2**64 - 1])],
        },
    )
    streams = read_index(path)
    assert list(streams) == ["short", "long", "holdout"]
    short = streams["short"]
    assert (short.bin.tolist(), short.batch.tolist()) == ([0, 0, 2], [0, 1, 0])
    assert (short.num_blocks, short.num_docs, short.num_tokens) == (3, 7, 44)
    assert short.block_starts.tolist() == [0, 30, 35, 44]
    assert (streams["long"].num_blocks, streams["long"].num_tokens) == (0, 0)
    assert streams["holdout"].first_key.tolist() == [2**64 - 1]


def test_a_missing_index(tmp_path):
    with pytest.raises(ArtifactError, match="index.arrow: missing"):
        read_index(str(tmp_path / "index.arrow"))


@pytest.mark.parametrize("content", [b"", b"no arrow file at all"])
def test_a_damaged_index(tmp_path, content):
    (tmp_path / "index.arrow").write_bytes(content)
    with pytest.raises(ArtifactError, match="damaged, no token index"):
        read_index(str(tmp_path / "index.arrow"))
