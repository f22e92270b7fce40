"""The demo vocabulary: small, deterministic, and under Arcade100k's rules."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tokenizers_texts import TRAINING_TEXTS

from dataprep.errors import ConfigError
from dataprep.tokenizers import train_demo_vocabulary
from dataprep.tokenizers.formats import parse_ranks


def test_training_gives_the_size_asked_for(tmp_path):
    spec = train_demo_vocabulary(TRAINING_TEXTS, str(tmp_path / "v"), 400)
    assert spec.name == "arcade-demo"
    assert spec.vocab_size == 400
    assert spec.special_tokens["<|endoftext|>"] == spec.eos_id == 368


def test_little_text_gives_fewer_merges_than_asked_for(tmp_path):
    spec = train_demo_vocabulary(["aaaa bbbb"], str(tmp_path / "v"), 4000)
    assert 288 < spec.vocab_size < 310


def test_the_same_text_gives_the_same_file_in_every_process(tmp_path):
    train_demo_vocabulary(TRAINING_TEXTS, str(tmp_path / "a"), 500)
    program = (
        "import sys; from dataprep.tokenizers import train_demo_vocabulary as train;"
        "train(open(sys.argv[1], encoding='utf-8', newline='').read().split('\\0'), sys.argv[2], 500)"
    )
    (tmp_path / "texts").write_text("\0".join(TRAINING_TEXTS), encoding="utf-8", newline="")
    subprocess.run([sys.executable, "-c", program, tmp_path / "texts", tmp_path / "b"], check=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_tokens_hold_no_two_digits_and_no_special_string(tmp_path):
    texts = ["2023 <|endoftext|> <filename>"] * 500
    train_demo_vocabulary(texts, str(tmp_path / "v"), 600)
    tokens = parse_ranks((tmp_path / "v").read_bytes(), place="v")
    assert not any(sum(48 <= byte < 58 for byte in token) > 1 for token in tokens)
    assert b"<|endoftext|>" not in tokens


def test_no_room_for_merges(tmp_path):
    with pytest.raises(ConfigError, match="288 is too small"):
        train_demo_vocabulary(TRAINING_TEXTS, str(tmp_path / "v"), 288)
