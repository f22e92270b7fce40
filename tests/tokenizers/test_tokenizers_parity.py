"""The parity guard: what it samples, and that it finds a difference."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tokenizers_texts import TRAINING_TEXTS

from dataprep.errors import ParityError
from dataprep.tokenizers import ParityGuard, Tokenizer, load_tokenizer, train_demo_vocabulary


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("demo") / "arcade-demo.tiktoken"
    train_demo_vocabulary(TRAINING_TEXTS, str(path), 600)
    return load_tokenizer("arcade-demo", vocab_path=str(path))


def batch(demo: Tokenizer, count: int, *, first_id: int = 0):
    text = pa.array([f"document {i} of some words" for i in range(count)], pa.large_string())
    doc_id = np.arange(first_id, first_id + count, dtype=np.uint64)
    offsets, ids = demo.encode_batch(text, allow_tags=False)
    return text, doc_id, offsets, ids.copy()


def test_one_in_a_thousand(demo):
    guard = ParityGuard(demo)
    for first_id in range(0, 20_000, 1000):
        guard.check(*batch(demo, 1000, first_id=first_id), allow_tags=False)
    assert 8 <= guard.num_checked <= 40


def test_the_sample_is_a_function_of_the_ids(demo):
    first, second = ParityGuard(demo, sample_one_in=50), ParityGuard(demo, sample_one_in=50)
    first.check(*batch(demo, 1000), allow_tags=False)
    for start in range(0, 1000, 10):
        text, doc_id, offsets, ids = batch(demo, 10, first_id=start)
        second.check(text, doc_id, offsets, ids, allow_tags=False)
    # A guard checks one document at least, so the second may have one more: its very first batch's.
    assert first.num_checked <= second.num_checked <= first.num_checked + 1


def test_at_least_one_document_of_a_task(demo):
    guard = ParityGuard(demo, sample_one_in=1 << 40)
    for first_id in (0, 10, 20):
        guard.check(*batch(demo, 3, first_id=first_id), allow_tags=False)
    assert guard.num_checked == 1


def test_a_difference_is_named_with_document_and_place(demo):
    text, doc_id, offsets, ids = batch(demo, 5, first_id=700)
    ids[offsets[3] + 4] += 1
    with pytest.raises(ParityError, match=r"'arcade-demo': document 703 differs .* at token 4 of \d+"):
        ParityGuard(demo, sample_one_in=1).check(text, doc_id, offsets, ids, allow_tags=False)


def test_ids_that_are_missing_at_the_end_are_a_difference(demo):
    text, doc_id, _, ids = batch(demo, 1)
    with pytest.raises(ParityError, match=f"at token {len(ids) - 1} of {len(ids)}"):
        ParityGuard(demo).check(text, doc_id, np.array([0, len(ids) - 1]), ids[:-1], allow_tags=False)


def test_a_wrong_tag_policy_is_a_difference(demo):
    text = pa.array(["<filename>a.py"], pa.large_string())
    offsets, ids = demo.encode_batch(text, allow_tags=True)
    with pytest.raises(ParityError, match="document 9"):
        ParityGuard(demo).check(text, np.array([9], np.uint64), offsets, ids, allow_tags=False)


def test_long_documents_are_left_out_and_a_short_one_taken(demo):
    text = pa.array(["long " * 1000, "short"], pa.large_string())
    offsets, ids = demo.encode_batch(text, allow_tags=False)
    ids = ids.copy()
    ids[0] += 1
    guard = ParityGuard(demo, sample_one_in=1, max_text_bytes=100)
    guard.check(text, np.array([1, 2], np.uint64), offsets, ids, allow_tags=False)
    assert guard.num_checked == 1


def test_an_empty_batch_is_fine(demo):
    guard = ParityGuard(demo)
    guard.check(*batch(demo, 0), allow_tags=False)
    assert guard.num_checked == 0
