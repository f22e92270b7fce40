"""Filters for prose: the published rules of Gopher, C4 and FineWeb, as thresholds on signals.

Every threshold of None switches its rule off. Rules stand in the order in which datatrove
0.10.0 checks them, and their reasons are datatrove's.
"""

from __future__ import annotations

from typing import Literal

from dataprep.filters.rules import Rule, limits
from dataprep.yaml_models import Frozen


class NotEmpty(Frozen):
    """A text must have something to read."""

    kind: Literal["not_empty"] = "not_empty"
    min_visible_chars: float = 1
    """Characters that are no white space. Ours."""

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of this filter, in order."""
        return limits(("num_visible_chars", "empty_text", self.min_visible_chars, None))


class GopherQuality(Frozen):
    """Gopher's quality rules (Rae et al. 2021, "Scaling language models", table A1 and section A1.1)."""

    kind: Literal["gopher_quality"] = "gopher_quality"
    min_words: float | None = 50
    """Words that are not symbols only. Gopher A1.1; datatrove ``min_doc_words``."""
    max_words: float | None = 100_000
    """Gopher A1.1; datatrove ``max_doc_words``."""
    min_mean_word_length: float | None = 3
    """Characters of a word, mean. Gopher A1.1; datatrove ``min_avg_word_length``. dolma takes the median."""
    max_mean_word_length: float | None = 10
    """Gopher A1.1; datatrove ``max_avg_word_length``."""
    max_hash_ratio: float | None = 0.1
    """Hash signs for each word. Gopher A1.1; datatrove ``max_symbol_word_ratio``."""
    max_ellipsis_ratio: float | None = 0.1
    """Ellipses for each word. Gopher A1.1; datatrove ``max_symbol_word_ratio``."""
    max_bullet_line_ratio: float | None = 0.9
    """Lines that start with a bullet. Gopher A1.1; datatrove ``max_bullet_lines_ratio``."""
    max_ellipsis_line_ratio: float | None = 0.3
    """Lines that end with an ellipsis. Gopher A1.1; datatrove ``max_ellipsis_lines_ratio``."""
    min_alpha_word_ratio: float | None = 0.8
    """Words with a letter. Gopher A1.1; datatrove ``max_non_alpha_words_ratio`` (a misnomer)."""
    min_stop_words: float | None = 2
    """Different stop words. Gopher A1.1; datatrove ``min_stop_words``."""

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of this filter, in order."""
        return limits(
            ("num_non_symbol_words", "gopher_short_doc", self.min_words, None),
            ("num_non_symbol_words", "gopher_long_doc", None, self.max_words),
            ("mean_word_length", "gopher_below_avg_threshold", self.min_mean_word_length, None),
            ("mean_word_length", "gopher_above_avg_threshold", None, self.max_mean_word_length),
            ("hash_ratio", "gopher_too_many_hashes", None, self.max_hash_ratio),
            ("ellipsis_ratio", "gopher_too_many_ellipsis", None, self.max_ellipsis_ratio),
            ("bullet_line_ratio", "gopher_too_many_bullets", None, self.max_bullet_line_ratio),
            ("ellipsis_line_ratio", "gopher_too_many_end_ellipsis", None, self.max_ellipsis_line_ratio),
            ("alpha_word_ratio", "gopher_below_alpha_threshold", self.min_alpha_word_ratio, None),
            ("num_stop_words", "gopher_enough_stop_words", self.min_stop_words, None),
        )


class GopherRepetition(Frozen):
    """Gopher's repetition rules (Rae et al. 2021, table A1); all are shares of a text's characters
    or of its paragraphs and lines."""

    kind: Literal["gopher_repetition"] = "gopher_repetition"
    max_dup_para_frac: float | None = 0.30
    """Gopher table A1."""
    max_dup_para_char_frac: float | None = 0.20
    """Gopher table A1."""
    max_dup_line_frac: float | None = 0.30
    """Gopher table A1."""
    max_dup_line_char_frac: float | None = 0.20
    """Gopher table A1."""
    max_top_gram_fracs: tuple[float | None, float | None, float | None] = (0.20, 0.18, 0.16)
    """Of the most frequent 2-, 3- and 4-gram. Gopher table A1."""
    max_dup_gram_fracs: tuple[
        float | None, float | None, float | None, float | None, float | None, float | None
    ] = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)
    """Of all duplicated 5- to 10-grams. Gopher table A1."""

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of this filter, in order."""
        return limits(
            ("dup_para_frac", "dup_para_frac", None, self.max_dup_para_frac),
            ("dup_para_char_frac", "dup_para_char_frac", None, self.max_dup_para_char_frac),
            ("dup_line_frac", "dup_line_frac", None, self.max_dup_line_frac),
            ("dup_line_char_frac", "dup_line_char_frac", None, self.max_dup_line_char_frac),
            *(
                (f"top_{n}_gram_frac", f"top_{n}_gram", None, limit)
                for n, limit in enumerate(self.max_top_gram_fracs, start=2)
            ),
            *(
                (f"dup_{n}_gram_frac", f"duplicated_{n}_n_grams", None, limit)
                for n, limit in enumerate(self.max_dup_gram_fracs, start=5)
            ),
        )


class C4(Frozen):
    """C4's rules about whole documents (Raffel et al. 2020, section 2.2).

    Which lines count is a matter of measuring: see ``WebTextSignals.c4_terminal_punct`` and
    ``c4_min_line_words``.
    """

    kind: Literal["c4"] = "c4"
    lorem_ipsum: bool = True
    """Whether "lorem ipsum" in a line that counts drops the document."""
    curly_bracket: bool = True
    """Whether ``{`` in a line that counts drops the document."""
    min_sentences: float | None = 5
    """Sentences in lines that count: 5 in datatrove 0.10.0, 3 in TFDS's ``clean_page``."""

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of this filter, in order."""
        return limits(
            ("c4_lorem_ipsum", "lorem_ipsum", None, 0.0 if self.lorem_ipsum else None),
            ("c4_curly_bracket", "curly_bracket", None, 0.0 if self.curly_bracket else None),
            ("c4_num_sentences", "too_few_sentences", self.min_sentences, None),
        )


class FineWeb(Frozen):
    """FineWeb's own rules (Penedo et al. 2024, "The FineWeb datasets", section 3.6)."""

    kind: Literal["fineweb"] = "fineweb"
    min_line_punct_ratio: float | None = 0.12
    """Lines that end in a mark. FineWeb 3.6; datatrove ``line_punct_thr``."""
    max_short_line_ratio: float | None = 0.67
    """Lines of at most 30 characters. FineWeb 3.6; datatrove ``short_line_thr``."""
    max_char_dup_ratio: float | None = 0.01
    """Characters in repeated lines. FineWeb 3.6 says 0.1; datatrove ``char_duplicates_ratio`` is 0.01."""
    max_list_ratio: float | None = 0.3
    """Line feeds for each word. datatrove ``new_line_ratio``."""

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of this filter, in order."""
        return limits(
            ("line_punct_ratio", "line_punct_ratio", self.min_line_punct_ratio, None),
            ("short_line_ratio", "short_line_ratio", None, self.max_short_line_ratio),
            ("char_dup_ratio", "char_dup_ratio", None, self.max_char_dup_ratio),
            ("list_ratio", "list_ratio", None, self.max_list_ratio),
        )


class LineCorrections(Frozen):
    """RefinedWeb drops a page that its line-wise corrections took too much of (Penedo et al. 2023, "The
    RefinedWeb dataset"). The signal is left behind by the edit ``RefinedWebLines``."""

    kind: Literal["line_corrections"] = "line_corrections"
    max_removed_word_ratio: float | None = 0.05
    """Words that went. "More than 5 %" in the paper; DCLM ``word_removal_ratio_filter``."""

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of this filter, in order."""
        return limits(("removed_word_ratio", "removed_word_ratio", None, self.max_removed_word_ratio))


class Language(Frozen):
    """A document must be in the language that its corpus declares, and clearly so.

    Where a corpus declares none, only the score counts.
    """

    kind: Literal["language"] = "language"
    min_score: float | None = 0.65
    """The score must be greater (Penedo et al. 2023, "The RefinedWeb dataset", 3.1; datatrove
    ``language_threshold``, also strict)."""
    match: bool = True
    """Whether the predicted language must be the declared one."""

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of this filter, in order."""
        rules = [Rule(signal="language_match", reason="wrong_language", minimum=1)] if self.match else []
        if self.min_score is not None:
            rules.append(Rule(signal="language_score", reason="low_language_score", above=self.min_score))
        return tuple(rules)
