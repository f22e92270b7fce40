"""Models that documents are measured by: which files, what is in them, how texts are shown to them.

The models are the user's; none is packaged. A path goes from the working folder, or is a URL that
fsspec knows.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import TypeVar

from pydantic import Field

from dataprep import storage
from dataprep.errors import ConfigError
from dataprep.yaml_models import Frozen

MAX_CHARS = 100_000
"""Characters of a text that a model is shown: nearly all documents in full, a book in part."""

_COPIED_BYTES = 16 << 20

Model = TypeVar("Model", bound="ModelFile")


class ModelFile(Frozen):
    """A model's file, and a digest of what is in it.

    The path is left out when a model is dumped: what shapes a result is the content, wherever it lies.
    """

    model: str = Field(default="", exclude=True)
    """Path or URL of the model."""
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    """SHA-256 of the file; a file with another content is refused. Empty: any content."""
    max_chars: int = Field(default=MAX_CHARS, ge=1)
    """Characters of a text, from its begin, that the model is shown."""

    def pinned(self: Model) -> Model:
        """Return this model with the digest of its file: it will not be taken for another.

        Raises:
            ConfigError: the file cannot be read, or is not that of ``sha256``.
        """
        return self.model_copy(update={"sha256": self._digest()})

    def size_bytes(self) -> int:
        """Return the size of the file: what tells, without reading, that it has changed.

        Raises:
            ConfigError: the file is not there.
        """
        try:
            fs, inside = storage.filesystem(self.model)
            return int(fs.size(inside))
        except OSError as error:
            raise self._unreadable(error) from error

    @contextlib.contextmanager
    def local_file(self) -> Iterator[str]:
        """Give the path of the checked file on this machine: itself, or a copy that is removed afterwards.

        Raises:
            ConfigError: the file cannot be read, or is not that of ``sha256``.
        """
        self._digest()
        if storage.is_local(self.model):
            yield storage.local_path(self.model)
            return
        copy, path = tempfile.mkstemp(prefix="dataprep-model-", suffix=os.path.basename(self.model))
        try:
            with os.fdopen(copy, "wb") as sink, storage.open_input(self.model) as stream:
                while piece := stream.read(_COPIED_BYTES):
                    sink.write(piece)
            yield path
        finally:
            os.unlink(path)

    def _digest(self) -> str:
        try:
            digest = storage.sha256_of(self.model)
        except OSError as error:
            raise self._unreadable(error) from error
        if self.sha256 not in ("", digest):
            raise ConfigError(
                f"model {self.model} has the SHA-256 {digest}, and not {self.sha256} as stated: the file was "
                "changed"
            )
        return digest

    def _unreadable(self, error: OSError) -> ConfigError:
        return ConfigError(f"model {self.model!r} cannot be read ({error.strerror or error})")


class QualityModel(ModelFile):
    """A fastText classifier, and which of its labels is the good one."""

    label: str = ""
    """The label whose probability is the score, without ``__label__``."""
    lower_case: bool = False
    """Whether texts are shown in lower case; as the model was trained."""


class PerplexityModel(ModelFile):
    """A KenLM language model of words: an ARPA file, or KenLM's binary format."""

    lower_case: bool = True
    """Whether words are looked up in lower case; as the model was trained."""
