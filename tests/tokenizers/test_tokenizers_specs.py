"""Specifications: the ids that models were trained with."""

from __future__ import annotations

import json
import pickle

import pytest

from dataprep.errors import ConfigError
from dataprep.tokenizers import ARCADE100K, NEOX, TOKENIZER_NAMES, VOCABULARY_FILES
from dataprep.tokenizers.specs import CODE_TAGS, arcade_demo_spec, check_tokenizer_name

ARCADE_IDS = {
    "<|endoftext|>": 100257,
    "<|fim_prefix|>": 100258,
    "<|fim_middle|>": 100259,
    "<|fim_suffix|>": 100260,
    "<|fim_pad|>": 100261,
    "<gh_stars>": 100262,
    "<filename>": 100263,
    "<issue_start>": 100264,
    "<issue_comment>": 100265,
    "<issue_closed>": 100266,
    "<jupyter_start>": 100267,
    "<jupyter_text>": 100268,
    "<jupyter_code>": 100269,
    "<jupyter_output>": 100270,
    "<empty_output>": 100271,
    "<commit_before>": 100272,
    "<commit_msg>": 100273,
    "<commit_after>": 100274,
    "<reponame>": 100275,
    "<|endofprompt|>": 100276,
    "<|im_start|>": 100277,
    "<|im_end|>": 100278,
    "<|pause|>": 100279,
    **{f"<|reg{i}|>": 100280 + i for i in range(8)},
    "<|extra0|>": 100288,
}


def test_arcade100k_has_the_published_special_tokens():
    assert dict(ARCADE100K.special_tokens) == ARCADE_IDS


def test_arcade100k_sizes():
    assert (ARCADE100K.vocab_size, ARCADE100K.padded_vocab_size) == (100_289, 100_352)
    assert (ARCADE100K.eos_id, ARCADE100K.dtype) == (100_257, "uint32")


def test_neox_sizes_and_type():
    assert (NEOX.vocab_size, NEOX.padded_vocab_size, NEOX.eos_id, NEOX.pad_id) == (50_277, 50_432, 0, 1)
    assert NEOX.dtype == "uint16"


def test_only_code_tags_may_come_from_text():
    assert ARCADE100K.tags == set(CODE_TAGS) == {name for name in ARCADE_IDS if not name.startswith("<|")}
    assert NEOX.tags == frozenset()


def test_the_demo_vocabulary_has_the_same_special_tokens_after_its_own_ranks():
    spec = arcade_demo_spec(num_ranks=1000, sha256="0" * 64)
    assert list(spec.special_tokens) == list(ARCADE_IDS)
    assert list(spec.special_tokens.values()) == list(range(1000, 1032))
    assert (spec.vocab_size, spec.padded_vocab_size, spec.eos_id, spec.dtype) == (1032, 1152, 1000, "uint16")


def test_a_specification_travels_to_workers_and_into_manifests():
    assert pickle.loads(pickle.dumps(ARCADE100K)) == ARCADE100K
    assert json.loads(json.dumps(ARCADE100K.to_json()))["special_tokens"] == ARCADE_IDS


def test_every_tokenizer_has_a_vocabulary_file():
    assert set(VOCABULARY_FILES) == set(TOKENIZER_NAMES)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'arcade100k'"):
        check_tokenizer_name("arcade100")
