"""Vocabulary files: find one by path, in the cache or on the network, and prove that it is the right one.

A file is accepted for what it says, never for its name. Rank files are compared by SHA-256.
A Hugging Face tokenizer.json circulates in several layouts (compact, indented, merges as
pairs), so it is compared by the SHA-256 of its content in canonical form.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import logging
import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataprep import storage
from dataprep.errors import ConfigError
from dataprep.tokenizers.specs import (
    ARCADE100K,
    ARCADE_DEMO_NAME,
    NEOX,
    check_tokenizer_name,
)

logger = logging.getLogger(__name__)

CACHE_VARIABLE = "DATAPREP_CACHE"
"""Environment variable: folder that keeps downloads; default ``~/.cache/dataprep``."""

MIRROR_VARIABLE = "DATAPREP_VOCAB_MIRROR"
"""Environment variable: base URL that is asked for ``<base>/<file name>`` before the published URLs."""

DOWNLOAD_TIMEOUT_S = 30.0
_MAX_VOCABULARY_BYTES = 64 << 20


@dataclass(frozen=True)
class VocabularyFile:
    """How the vocabulary file of a tokenizer is recognised and where it is published."""

    tokenizer: str
    file_names: tuple[str, ...]
    """Names to look for in a folder; the first names the file in the cache."""
    sha256: str | None
    """Of the file as published; None for a vocabulary that users train themselves."""
    content_sha256: str | None
    """Of the canonical content, for formats with several layouts."""
    urls: tuple[str, ...]


VOCABULARY_FILES: Mapping[str, VocabularyFile] = {
    ARCADE100K.name: VocabularyFile(
        tokenizer=ARCADE100K.name,
        # Stability AI publishes the same ranks under the second name.
        file_names=("cl100k_base.tiktoken", "arcade100k.tiktoken"),
        sha256=ARCADE100K.sha256,
        content_sha256=None,
        urls=(
            "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken",
            "https://huggingface.co/stabilityai/stablelm-2-1_6b/resolve/main/arcade100k.tiktoken",
        ),
    ),
    NEOX.name: VocabularyFile(
        tokenizer=NEOX.name,
        file_names=("gpt-neox-20b.tokenizer.json", "20B_tokenizer.json", "tokenizer.json"),
        sha256=NEOX.sha256,
        content_sha256="55b5b759d7dc50be1fd9b8bd929ccd40229e879ce94db51b55373e7869d97198",
        urls=("https://huggingface.co/EleutherAI/gpt-neox-20b/resolve/main/tokenizer.json",),
    ),
    ARCADE_DEMO_NAME: VocabularyFile(
        tokenizer=ARCADE_DEMO_NAME,
        file_names=("arcade-demo.tiktoken",),
        sha256=None,
        content_sha256=None,
        urls=(),
    ),
}


@dataclass(frozen=True)
class Vocabulary:
    """A vocabulary file that was found and verified."""

    tokenizer: str
    path: str
    """Where it was found; a URL is possible."""
    data: bytes

    @property
    def sha256(self) -> str:
        """Checksum of the published file; of this file for a vocabulary that is not published."""
        return VOCABULARY_FILES[self.tokenizer].sha256 or hashlib.sha256(self.data).hexdigest()


def default_cache_folder() -> str:
    """Return the folder for downloads: ``$DATAPREP_CACHE``, else ``~/.cache/dataprep``."""
    return os.environ.get(CACHE_VARIABLE) or os.path.join(os.path.expanduser("~"), ".cache", "dataprep")


def find_vocabulary(
    name: str,
    *,
    vocab_path: str | None = None,
    cache_folder: str | None = None,
    allow_network: bool = True,
    timeout_s: float = DOWNLOAD_TIMEOUT_S,
) -> Vocabulary:
    """Return the vocabulary of a tokenizer from ``vocab_path``, else the cache, else the network.

    Args:
        name: a tokenizer name of ``specs.TOKENIZER_NAMES``.
        vocab_path: the file, or a folder that is searched for its known names. When given, it
            is the only place: a wrong file is an error, never a reason to look elsewhere.
        cache_folder: where downloads are kept; ``default_cache_folder()`` if None.
        allow_network: whether to download what is nowhere else.
        timeout_s: how long a server may be silent.

    Raises:
        ConfigError: nothing was found, or what was found is another vocabulary.
    """
    check_tokenizer_name(name)
    wanted = VOCABULARY_FILES[name]
    if vocab_path is not None:
        return _from_path(wanted, vocab_path)
    cached = _cached_path(wanted, cache_folder or default_cache_folder())
    if cached is not None and os.path.exists(cached):
        data = storage.read_bytes(cached)
        problem = _mismatch(wanted, data)
        if problem is None:
            return Vocabulary(name, cached, data)
        logger.warning("%s: %s; it is not used", cached, problem)
    if cached is not None and allow_network:
        return _download(wanted, cached, timeout_s)
    looked = f"no file is given and none is cached in {cached}" if cached else "no file is given"
    raise ConfigError(
        f"the vocabulary of {name!r} is not here: {looked}. Give the file or its folder with --vocab "
        f"(names looked for: {', '.join(wanted.file_names)})"
    )


def _from_path(wanted: VocabularyFile, vocab_path: str) -> Vocabulary:
    candidates = [storage.join(vocab_path, name) for name in wanted.file_names]
    candidates = [path for path in candidates if storage.exists(path)]
    is_folder = bool(candidates) or (
        storage.is_local(vocab_path) and os.path.isdir(storage.local_path(vocab_path))
    )
    if not is_folder:
        if not storage.exists(vocab_path):
            raise ConfigError(
                f"--vocab {vocab_path}: no such file or folder; the vocabulary of {wanted.tokenizer!r} is "
                f"a file like {wanted.file_names[0]}"
            )
        candidates = [vocab_path]
    if not candidates:
        raise ConfigError(
            f"--vocab {vocab_path}: the folder has no vocabulary of {wanted.tokenizer!r}; "
            f"looked for {', '.join(wanted.file_names)}, found {_listing(vocab_path)}"
        )
    problems = []
    for path in candidates:
        data = storage.read_bytes(path)
        problem = _mismatch(wanted, data)
        if problem is None:
            return Vocabulary(wanted.tokenizer, path, data)
        problems.append(f"{path}: {problem}")
    raise ConfigError("; ".join(problems))


def _listing(folder: str) -> str:
    names = [info.path.rsplit("/", 1)[-1] for info in storage.glob(storage.join(folder, "*"))]
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return shown or "no file"


def _cached_path(wanted: VocabularyFile, cache_folder: str) -> str | None:
    if wanted.sha256 is None:
        return None
    return storage.join(cache_folder, "vocabularies", f"{wanted.sha256[:12]}-{wanted.file_names[0]}")


def _mismatch(wanted: VocabularyFile, data: bytes) -> str | None:
    """Return why ``data`` is not the wanted vocabulary, or None when it is."""
    if wanted.sha256 is None:
        return None
    found = hashlib.sha256(data).hexdigest()
    if found == wanted.sha256:
        return None
    if wanted.content_sha256 is not None and content_sha256(data) == wanted.content_sha256:
        return None
    owner = next((other.tokenizer for other in VOCABULARY_FILES.values() if other.sha256 == found), None)
    hint = f", which is the vocabulary of {owner!r}" if owner else ""
    return (
        f"not the vocabulary of {wanted.tokenizer!r}: expected SHA-256 {wanted.sha256}, "
        f"found {found} ({len(data):,} bytes){hint}"
    )


def content_sha256(data: bytes) -> str | None:
    """Return the SHA-256 of what a tokenizer.json says, whatever its layout; None if it is none.

    Covers the vocabulary, the merges, the added tokens, the normaliser and the pre-tokenizer:
    everything that decides which ids a text has.
    """
    try:
        value = json.loads(data)
        model = value["model"]
        merges = [pair.split(" ", 1) if isinstance(pair, str) else list(pair) for pair in model["merges"]]
        added = sorted(value["added_tokens"], key=lambda token: int(token["id"]))
        pre_tokenizer = value["pre_tokenizer"]
        canonical = {
            "vocab": model["vocab"],
            "merges": merges,
            "ignore_merges": bool(model.get("ignore_merges", False)),
            "added_tokens": [
                {key: token[key] for key in ("id", "content", "special", "normalized", "lstrip", "rstrip")}
                for token in added
            ],
            "normalizer": _kind(value["normalizer"]),
            "pre_tokenizer": [
                _kind(pre_tokenizer),
                pre_tokenizer.get("add_prefix_space"),
                pre_tokenizer.get("use_regex", True),
            ],
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _kind(component: Mapping[str, Any] | None) -> str | None:
    return None if component is None else str(component["type"])


def _download(wanted: VocabularyFile, target: str, timeout_s: float) -> Vocabulary:
    """Fetch a vocabulary, verify it and keep it in the cache."""
    mirror = os.environ.get(MIRROR_VARIABLE)
    urls = ((storage.join(mirror, wanted.file_names[0]),) if mirror else ()) + wanted.urls
    problems = []
    for url in urls:
        logger.info("downloading the vocabulary of %s from %s", wanted.tokenizer, url)
        try:
            data = _fetch(url, timeout_s=timeout_s)
        except (OSError, ValueError, http.client.HTTPException) as error:
            problems.append(f"{url}: {error}")
            continue
        problem = _mismatch(wanted, data)
        if problem is None:
            storage.write_bytes(target, data)
            return Vocabulary(wanted.tokenizer, target, data)
        problems.append(f"{url}: {problem}")
    raise ConfigError(
        f"the vocabulary of {wanted.tokenizer!r} could not be downloaded: {'; '.join(problems)}. "
        f"Give the file or its folder with --vocab (names looked for: {', '.join(wanted.file_names)})"
    )


def _fetch(url: str, *, timeout_s: float) -> bytes:
    """Return the body of an HTTP answer; OSError on any failure, a cut or oversized body included."""
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"not an http(s) URL; set {MIRROR_VARIABLE} to one, or give the file with --vocab")
    request = urllib.request.Request(url, headers={"User-Agent": "dataprep"})
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:
        data: bytes = answer.read(_MAX_VOCABULARY_BYTES + 1)
        declared = answer.headers.get("Content-Length")
    if len(data) > _MAX_VOCABULARY_BYTES:
        raise OSError(f"more than {_MAX_VOCABULARY_BYTES:,} bytes, so no vocabulary")
    if declared is not None and int(declared) != len(data):
        raise OSError(f"the answer was cut: {len(data):,} of {int(declared):,} bytes")
    return data
