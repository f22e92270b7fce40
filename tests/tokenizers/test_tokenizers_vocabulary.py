"""Vocabulary files: where they are looked for, and that a wrong one is never used."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest

from dataprep import storage
from dataprep.errors import ConfigError
from dataprep.tokenizers import VOCABULARY_FILES, find_vocabulary, load_tokenizer, vocabulary

RANKS = b"".join(f"line {i}\n".encode() for i in range(100))
"""Stands in for cl100k_base.tiktoken: only its checksum counts here."""


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the user's cache and mirror out of these tests."""
    monkeypatch.setenv(vocabulary.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv(vocabulary.MIRROR_VARIABLE, raising=False)


@pytest.fixture
def ranks(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Make ``RANKS`` the vocabulary of arcade100k, published nowhere."""
    wanted = dataclasses.replace(
        VOCABULARY_FILES["arcade100k"], sha256=hashlib.sha256(RANKS).hexdigest(), urls=()
    )
    monkeypatch.setitem(VOCABULARY_FILES, "arcade100k", wanted)  # type: ignore[arg-type]
    return RANKS


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers from ``bodies`` by path; ``cut`` paths promise more bytes than they send."""

    bodies: ClassVar[dict[str, bytes]] = {}
    cut: ClassVar[set[str]] = set()
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = self.bodies.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) * 2 if self.path in self.cut else len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[str]:
    Answers.bodies, Answers.cut, Answers.asked = {}, set(), []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def published_at(monkeypatch: pytest.MonkeyPatch, *urls: str) -> None:
    wanted = dataclasses.replace(VOCABULARY_FILES["arcade100k"], urls=urls)
    monkeypatch.setitem(VOCABULARY_FILES, "arcade100k", wanted)  # type: ignore[arg-type]


# --- by path ---------------------------------------------------------------------------------


def test_a_file_under_any_name(tmp_path, ranks):
    path = tmp_path / "my own name"
    path.write_bytes(ranks)
    found = find_vocabulary("arcade100k", vocab_path=str(path))
    assert (found.path, found.data, found.sha256) == (str(path), ranks, hashlib.sha256(ranks).hexdigest())


def test_a_folder_is_searched_for_known_names(tmp_path, ranks):
    (tmp_path / "arcade100k.tiktoken").write_bytes(ranks)
    assert find_vocabulary("arcade100k", vocab_path=str(tmp_path)).data == ranks


def test_a_folder_with_a_wrong_and_a_right_file(tmp_path, ranks):
    (tmp_path / "cl100k_base.tiktoken").write_bytes(b"damaged")
    (tmp_path / "arcade100k.tiktoken").write_bytes(ranks)
    assert find_vocabulary("arcade100k", vocab_path=str(tmp_path)).data == ranks


def test_a_wrong_file_is_named_with_both_checksums(tmp_path, ranks):
    path = tmp_path / "cl100k_base.tiktoken"
    path.write_bytes(ranks[:-1])
    with pytest.raises(ConfigError) as error:
        find_vocabulary("arcade100k", vocab_path=str(path))
    message = str(error.value)
    assert str(path) in message
    assert hashlib.sha256(ranks).hexdigest() in message
    assert hashlib.sha256(ranks[:-1]).hexdigest() in message


def test_a_given_path_is_the_only_place(tmp_path, ranks):
    """A damaged file given by the user must not be replaced silently by a cached one."""
    cached = (
        tmp_path / "cache" / "vocabularies" / f"{hashlib.sha256(ranks).hexdigest()[:12]}-cl100k_base.tiktoken"
    )
    cached.parent.mkdir(parents=True)
    cached.write_bytes(ranks)
    assert find_vocabulary("arcade100k").data == ranks
    (tmp_path / "given").write_bytes(b"other")
    with pytest.raises(ConfigError, match="expected SHA-256"):
        find_vocabulary("arcade100k", vocab_path=str(tmp_path / "given"))


def test_nothing_at_the_path(tmp_path):
    with pytest.raises(ConfigError, match="no such file or folder"):
        find_vocabulary("arcade100k", vocab_path=str(tmp_path / "absent"))


def test_a_folder_without_a_vocabulary_lists_what_it_has(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"looked for cl100k_base\.tiktoken, .*found notes\.txt"):
        find_vocabulary("arcade100k", vocab_path=str(tmp_path))


def test_the_other_tokenizers_vocabulary_is_recognised(tmp_path, ranks):
    (tmp_path / "v").write_bytes(ranks)
    with pytest.raises(ConfigError, match="which is the vocabulary of 'arcade100k'"):
        find_vocabulary("neox", vocab_path=str(tmp_path / "v"))


def test_the_demo_vocabulary_is_never_published(tmp_path):
    with pytest.raises(ConfigError, match=r"no file is given.*arcade-demo\.tiktoken"):
        find_vocabulary("arcade-demo")


# --- from the cache and the network ----------------------------------------------------------


def test_offline_and_nowhere(tmp_path, ranks):
    with pytest.raises(ConfigError, match="none is cached in .*--vocab"):
        find_vocabulary("arcade100k", allow_network=False)


def test_a_download_is_verified_and_kept(tmp_path, monkeypatch, ranks, server):
    Answers.bodies = {"/v": ranks}
    published_at(monkeypatch, f"{server}/gone", f"{server}/v")
    assert find_vocabulary("arcade100k").data == ranks
    assert Answers.asked == ["/gone", "/v"]
    again = find_vocabulary("arcade100k", allow_network=False)
    assert again.data == ranks
    assert again.path.startswith(str(tmp_path / "cache"))


def test_a_cache_folder_of_ones_own(tmp_path, monkeypatch, ranks, server):
    Answers.bodies = {"/v": ranks}
    published_at(monkeypatch, f"{server}/v")
    found = find_vocabulary("arcade100k", cache_folder=str(tmp_path / "mine"))
    assert found.path.startswith(str(tmp_path / "mine"))


def test_a_mirror_is_asked_first(monkeypatch, ranks, server):
    Answers.bodies = {"/mirror/cl100k_base.tiktoken": ranks}
    published_at(monkeypatch, f"{server}/v")
    monkeypatch.setenv(vocabulary.MIRROR_VARIABLE, f"{server}/mirror/")
    assert find_vocabulary("arcade100k").data == ranks
    assert Answers.asked == ["/mirror/cl100k_base.tiktoken"]


def test_wrong_cut_and_missing_answers_are_all_named_and_nothing_is_kept(
    tmp_path, monkeypatch, ranks, server
):
    Answers.bodies = {"/wrong": b"<html>please log in</html>", "/cut": ranks[:50]}
    Answers.cut = {"/cut"}
    published_at(monkeypatch, f"{server}/wrong", f"{server}/cut", f"{server}/gone")
    with pytest.raises(ConfigError) as error:
        find_vocabulary("arcade100k")
    message = str(error.value)
    assert "/wrong: not the vocabulary of 'arcade100k'" in message
    assert "/cut:" in message
    assert "/gone: HTTP Error 404" in message
    assert "--vocab" in message
    assert not list(tmp_path.rglob("*.tiktoken"))


def test_a_damaged_cache_is_downloaded_again(tmp_path, monkeypatch, ranks, server):
    Answers.bodies = {"/v": ranks}
    published_at(monkeypatch, f"{server}/v")
    cached = Path(find_vocabulary("arcade100k").path)
    cached.write_bytes(b"damaged")
    assert find_vocabulary("arcade100k").data == ranks
    assert cached.read_bytes() == ranks


def test_a_server_that_is_not_there(monkeypatch, ranks):
    published_at(monkeypatch, "http://127.0.0.1:9/v")
    with pytest.raises(ConfigError, match="could not be downloaded: http://127.0.0.1:9/v"):
        find_vocabulary("arcade100k")


# --- the real files --------------------------------------------------------------------------


@pytest.mark.vocab
def test_the_real_files_have_the_expected_checksums(vocab, tmp_path):
    for name, file_name in (("arcade100k", "cl100k_base.tiktoken"), ("neox", "gpt-neox-20b.tokenizer.json")):
        assert find_vocabulary(name, vocab_path=str(vocab)).path.endswith(file_name)
        (tmp_path / "renamed").write_bytes((vocab / file_name).read_bytes())
        assert (
            find_vocabulary(name, vocab_path=str(tmp_path / "renamed")).sha256
            == VOCABULARY_FILES[name].sha256
        )


@pytest.mark.vocab
def test_a_tokenizer_json_is_recognised_in_any_layout(vocab, tmp_path):
    """The hub's copies are indented, newer writers store merges as pairs and add default fields."""
    value = json.loads((vocab / "gpt-neox-20b.tokenizer.json").read_bytes())
    value["model"]["merges"] = [pair.split(" ") for pair in value["model"]["merges"]]
    value["model"]["byte_fallback"] = False
    value["pre_tokenizer"]["use_regex"] = True
    (tmp_path / "tokenizer.json").write_text(json.dumps(value, indent=2))
    found = find_vocabulary("neox", vocab_path=str(tmp_path))
    assert found.sha256 == VOCABULARY_FILES["neox"].sha256


@pytest.mark.vocab
@pytest.mark.parametrize("change", ["merges", "added", "normalizer"])
def test_a_tokenizer_json_that_would_give_other_ids_is_refused(vocab, tmp_path, change):
    value = json.loads((vocab / "gpt-neox-20b.tokenizer.json").read_bytes())
    if change == "merges":
        value["model"]["merges"][5:7] = value["model"]["merges"][6:4:-1]
    elif change == "added":
        value["added_tokens"].append({**value["added_tokens"][-1], "id": 50277, "content": "assistant"})
    else:
        value["normalizer"] = {"type": "NFKC"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(value))
    with pytest.raises(ConfigError, match="not the vocabulary of 'neox'"):
        find_vocabulary("neox", vocab_path=str(tmp_path))


@pytest.mark.vocab
def test_a_vocabulary_at_a_url(vocab, tmp_path):
    """Any file system fsspec knows: here memory, as an object store would be."""
    url = "memory://vocab/cl100k_base.tiktoken"
    storage.write_bytes(url, (vocab / "cl100k_base.tiktoken").read_bytes())
    tokenizer = load_tokenizer("arcade100k", vocab_path=url, cache_folder=str(tmp_path))
    _, ids = tokenizer.encode_batch(pa.array(["hello world"], pa.large_string()), allow_tags=False)
    assert ids.tolist() == [15339, 1917]
