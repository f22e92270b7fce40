"""StarCoderData's tags for vocabularies that lack them."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from dataprep.tokenizers.specs import CODE_TAGS

_TAGS = "(?:" + "|".join(re.escape(tag) for tag in CODE_TAGS) + ")+"


def strip_tags(text: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return texts in which line breaks stand for tags.

    Between two fields a run of tags becomes one line break, so that fields do not run together;
    at the start of the text or of a line, where a break is already, it vanishes.

    >>> strip_tags(pa.array(["<reponame>a/b<filename>c.py<gh_stars>1-10\\nx"], pa.large_string()))[0].as_py()
    'a/b\\nc.py\\n1-10\\nx'
    """
    has_tags = pc.match_substring_regex(text, _TAGS)
    if not pc.any(has_tags).as_py():
        return text
    text = pc.replace_substring_regex(text, rf"(\A|\n){_TAGS}", r"\1")
    return pc.replace_substring_regex(text, _TAGS, "\n")
