"""Edits of whole lines: RefinedWeb's line-wise corrections and C4's rules.

Both are for text that comes from a crawl as it was extracted. RefinedWeb, C4 and RedPajama's
Common Crawl were corrected by their authors; a second time only finds what is left by chance.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from dataprep.kernels import KernelFunction
from dataprep.text.c4_kernel import keep_c4_lines
from dataprep.text.c4_lines import c4_phrases
from dataprep.text.characters import character_table
from dataprep.text.edited import Edited, EditInput
from dataprep.text.refinedweb_kernel import correct_lines
from dataprep.yaml_models import Frozen


class RefinedWebLines(Frozen):
    """RefinedWeb's line-wise corrections (Penedo et al. 2023, "The RefinedWeb dataset"), with the numbers of
    DCLM's re-implementation (``dclm_baseline_refinedweb.yaml``).

    In this order: a line goes when too many of its characters are capitals, when it is a number, when
    it is a counter ("3 likes", whatever the case), or when it has too few words. Short lines lose "items
    in cart", "Read more..." at their end and "Sign-in" at their start, each with one white space character
    beside it. A blank line stays; a text from which something went is stripped.

    Words are what stands between white space. Capitals are of category Lu or Lt, digits of Nd.
    """

    KINDS: ClassVar[tuple[str, ...]] = (
        "line_uppercase",
        "line_numeric",
        "line_counter",
        "line_single_word",
        "line_items_in_cart",
        "line_read_more",
        "line_sign_in",
    )
    SIGNALS: ClassVar[tuple[str, ...]] = ("removed_word_ratio",)
    kind: Literal["refinedweb_lines"] = "refinedweb_lines"
    max_upper_ratio: float = Field(default=0.5, ge=0)
    """Capitals among a line's characters. The paper says "mainly composed of capitals"; others take 0.7."""
    max_numeric_ratio: float = Field(default=0.999999, ge=0)
    """Digits among a line's characters."""
    min_words: int = Field(default=2, ge=0)
    """Words that a line needs."""
    short_line_words: int = Field(default=10, ge=0)
    """A line of at most so many words loses phrases; 0: none does."""

    def kernels(self) -> tuple[KernelFunction, ...]:
        """Return the kernels that edit."""
        return (correct_lines,)

    def apply(self, column: pa.LargeStringArray) -> Edited:
        """Return the corrected texts; ``removed_word_ratio`` is the share of words that went."""
        source, table = EditInput.of(column), character_table()
        ratio = np.empty(len(column), np.float32)
        offsets = np.empty(len(column) + 1, np.int64)
        data = np.empty(source.num_bytes, np.uint8)
        # Every piece is a line with something visible, or a phrase of seven bytes or more in one.
        pieces = source.room_for_pieces(source.num_bytes // 2 + source.num_bytes // 7 + len(column) + 1)
        count = correct_lines(
            source.buffers.data,
            source.buffers.offsets,
            source.present,
            self.max_upper_ratio,
            self.max_numeric_ratio,
            self.min_words,
            self.short_line_words,
            table.first,
            table.blocks,
            data,
            offsets,
            pieces,
            ratio,
        )
        ratio[~source.present] = np.nan
        text = source.rebuilt(data, offsets) if count else column
        return Edited(text, self.KINDS, pieces[:count], {self.SIGNALS[0]: ratio})


class C4Lines(Frozen):
    """C4's rules about lines (Raffel et al. 2020, section 2.2), as datatrove 0.10.0 ``C4QualityFilter``
    applies them and ``WebTextSignals`` measures them.

    Of every line, stripped: a word of more than 1,000 characters drops it; citation marks (``[12]``,
    ``[]``, ``[edit]``, ``[citation needed]``) are taken out; without a mark at its end (an option), with
    too few words, or with "javascript" or a policy phrase it goes. Blank lines go uncounted.

    Lines with "lorem ipsum" or ``{`` stay, because they tell against the whole document: the filter C4
    drops it by the signals, which see the edited text.
    """

    KINDS: ClassVar[tuple[str, ...]] = (
        "c4_long_word",
        "c4_no_end_mark",
        "c4_few_words",
        "c4_javascript",
        "c4_policy",
        "c4_citation",
    )
    SIGNALS: ClassVar[tuple[str, ...]] = ()
    kind: Literal["c4_lines"] = "c4_lines"
    terminal_punct: bool = True
    """Whether a line must end in ``. ? ! " '``; False in FineWeb's recipe."""
    min_words: int = Field(default=3, ge=0)
    """Words that a line needs, counted with its citations: 3 in datatrove, 5 in TFDS's code."""

    def kernels(self) -> tuple[KernelFunction, ...]:
        """Return the kernels that edit."""
        return (keep_c4_lines,)

    def apply(self, column: pa.LargeStringArray) -> Edited:
        """Return the texts with the lines that are kept."""
        source, table, phrases = EditInput.of(column), character_table(), c4_phrases()
        offsets = np.empty(len(column) + 1, np.int64)
        data = np.empty(source.num_bytes + len(column) + 1, np.uint8)
        # A piece is a line with something visible, or a citation of two bytes or more.
        pieces = source.room_for_pieces(source.num_bytes // 2 + len(column) + 1)
        count = keep_c4_lines(
            source.buffers.data,
            source.buffers.offsets,
            source.present,
            self.terminal_punct,
            self.min_words,
            phrases.step,
            phrases.found,
            table.first,
            table.blocks,
            data,
            offsets,
            pieces,
        )
        text = source.rebuilt(data, offsets)
        return Edited(column if _equal(text, column) else text, self.KINDS, pieces[:count])


def _equal(one: pa.LargeStringArray, other: pa.LargeStringArray) -> bool:
    same = pc.all(pc.fill_null(pc.equal(one, other), fill_value=True)).as_py()
    return bool(same) or len(one) == 0
