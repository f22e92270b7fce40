"""What the name of a file of program code tells, for a whole batch at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.signals.batch import TextBatch
from dataprep.signals.code_extensions import EXTENSIONS
from dataprep.signals.code_kernel import DATA, HTML, MINIFIED, OTHER, SCRIPT
from dataprep.text.buffers import large_strings

_KIND_OF_EXTENSION = {
    **dict.fromkeys(("json", "yaml", "yml"), DATA),
    **dict.fromkeys(("html", "htm", "xhtml"), HTML),
    **dict.fromkeys(("js", "mjs", "cjs", "css"), SCRIPT),
}

_NAME_END = r"(?P<minified>[.-][Mm][Ii][Nn])?\.(?P<extension>[A-Za-z0-9]{1,8})"
_PATH_IN_META = r'"(?:max_stars_repo_path|path)"\s*:\s*"(?:[^"\\]|\\.)*?' + _NAME_END + '"'
_PATH_IN_TEXT = r"^(?:<reponame>[^<\n]*)?<filename>[^<\n]*?" + _NAME_END + r"(?:<gh_stars>|\n)"
_TAGGED_BYTES = 1000
"""StarCoder's tags are looked for in so many bytes of a text."""


@dataclass(frozen=True)
class FileNames:
    """The names of the files of a batch."""

    extension: pa.LargeStringArray
    """In lower case and without its dot; null where none is known."""
    says_minified: npt.NDArray[np.bool_]
    """Whether the name ends in ``.min`` or ``-min`` before its extension."""

    def kinds(self) -> npt.NDArray[np.uint8]:
        """Return uint8[num_files]: DATA, HTML, SCRIPT, MINIFIED or OTHER."""
        known = pa.array(list(_KIND_OF_EXTENSION), pa.large_string())
        places = pc.index_in(self.extension, value_set=known, skip_nulls=True).fill_null(len(known))
        of_place = np.array([*_KIND_OF_EXTENSION.values(), OTHER], np.uint8)
        kinds: npt.NDArray[np.uint8] = of_place[places.to_numpy()]
        kinds[(kinds == SCRIPT) & self.says_minified] = MINIFIED
        return kinds


def file_names(batch: TextBatch) -> FileNames:
    """Return the names of a batch's files: from the raw row's path, else from the ``<filename>`` tag.

    Where neither has an extension, the subset's name (a language folder) stands for one, if there are
    rules for that extension.
    """
    found = _path_in_text(batch)
    extension, minified = (pc.struct_field(found, name) for name in ("extension", "minified"))
    if batch.meta is not None:
        path = pc.extract_regex(large_strings(batch.meta), _PATH_IN_META)
        extension = pc.coalesce(pc.struct_field(path, "extension"), extension)
        minified = pc.coalesce(pc.struct_field(path, "minified"), minified)
    subset = (batch.subset or "").lower()
    if subset in EXTENSIONS or subset in _KIND_OF_EXTENSION:
        extension = pc.fill_null(extension, subset)
    says_minified = pc.greater(pc.binary_length(minified), 0).fill_null(False)
    return FileNames(pc.utf8_lower(extension), says_minified.to_numpy(zero_copy_only=False))


def _path_in_text(batch: TextBatch) -> pa.StructArray:
    head = pc.binary_slice(batch.text.cast(pa.large_binary()), 0, _TAGGED_BYTES)
    # A cut may halve a character; the pattern is ASCII, so bytes that are no text do not matter.
    found = pc.extract_regex(head, _PATH_IN_TEXT)
    return found.cast(pa.struct([(field.name, pa.large_string()) for field in found.type]))
