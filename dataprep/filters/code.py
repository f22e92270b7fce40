"""Filters for program code, as StarCoder, RedPajama and The Stack used them."""

from __future__ import annotations

from typing import Literal

from dataprep.filters.rules import Rule, limits
from dataprep.yaml_models import Frozen


class Code(Frozen):
    """Rules for one file of program code."""

    kind: Literal["code"] = "code"
    by_extension: bool = True
    """Whether what is usual in files of an extension is allowed there, as StarCoder's preprocessing does (see
    ``dataprep.signals.code_extensions``): long lines, few letters, an XML declaration. It also asks more
    letters of some extensions, and takes no file of some others. False: the same limits for all files."""
    minified: bool = True
    """Whether minified JavaScript and CSS is dropped: by the file's name, or a mean line of more than 110
    characters. linguist lib/linguist/vendor.yml and generated.rb."""
    max_line_chars: float | None = 1000
    """Longest line. RedPajama-Data rp_v1 github_run_filter.py; Li et al. 2023, "StarCoder", 3.3."""
    max_mean_line_chars: float | None = 100
    """Mean line. RedPajama-Data rp_v1 github_run_filter.py; "StarCoder", 3.3."""
    min_alnum_frac: float | None = 0.25
    """Letters and digits among all characters. RedPajama-Data rp_v1 github_run_filter.py."""
    min_alpha_chars_per_piece: float | None = 1.5
    """Letters for each token. RedPajama-Data rp_v1 counts the tokens of Pythia's tokenizer, we estimate
    them (see ``dataprep.signals.code_kernel``); the two disagree about 3 % of files."""
    min_alpha_frac: float | None = None
    """Letters among all characters, of every file; what is asked of an extension holds besides."""
    max_literal_frac: float | None = 0.9
    """Visible characters in lines that hold only literals: data in a source file. Ours."""
    auto_generated: bool = True
    """Whether generated files are dropped. "StarCoder" and RedPajama go by marks in the first lines."""
    licence_only: bool = True
    """Whether files of nothing but comments that speak of a licence are dropped. Ours."""
    xml_document: bool = True
    """Whether files with an XML declaration in their first 100 characters are dropped ("StarCoder", 3.3)."""
    min_html_visible_frac: float | None = 0.2
    """Visible text of an HTML file: the share must be greater... "StarCoder", 3.3."""
    min_html_visible_chars: float | None = 100
    """...and the number too. "StarCoder", 3.3."""
    min_data_chars: float | None = 100
    """Size of a JSON or YAML file. bigcode-dataset preprocessing, ``min_size``."""
    max_data_chars: float | None = 5000
    """Size of a JSON or YAML file. bigcode-dataset preprocessing, ``max_size``."""

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of this filter, in order."""
        html = (
            ("code_html_visible_frac", self.min_html_visible_frac),
            ("code_html_visible_chars", self.min_html_visible_chars),
        )
        long_lines, few_letters, xml = (
            ("code_long_lines_usual", "code_few_letters_usual", "code_xml_usual")
            if self.by_extension
            else (None, None, None)
        )
        return (
            *limits(
                ("code_extension_excluded", "code_extension", None, 0.0 if self.by_extension else None),
                ("code_minified", "code_minified", None, 0.0 if self.minified else None),
            ),
            *limits(
                ("code_max_line_chars", "code_long_line", None, self.max_line_chars),
                ("code_mean_line_chars", "code_long_lines", None, self.max_mean_line_chars),
                unless=long_lines,
            ),
            *limits(
                ("code_auto_generated", "code_auto_generated", None, 0.0 if self.auto_generated else None),
                ("code_licence_only", "code_licence_only", None, 0.0 if self.licence_only else None),
                ("code_data_chars", "code_data_file_size", self.min_data_chars, self.max_data_chars),
                ("code_literal_frac", "code_data_file", None, self.max_literal_frac),
            ),
            *limits(("code_alnum_frac", "code_low_alnum", self.min_alnum_frac, None), unless=few_letters),
            *limits(
                ("code_alpha_chars_per_piece", "code_low_alpha", self.min_alpha_chars_per_piece, None),
                ("code_alpha_frac", "code_low_alpha", self.min_alpha_frac, None),
                ("code_alpha_frac_over_asked", "code_low_alpha", 0.0 if self.by_extension else None, None),
            ),
            *limits(
                ("code_xml_document", "code_xml_document", None, 0.0 if self.xml_document else None),
                unless=xml,
            ),
            *(
                Rule(signal=signal, reason="code_little_html_text", above=limit)
                for signal, limit in html
                if limit is not None
            ),
        )
