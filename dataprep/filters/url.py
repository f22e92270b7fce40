"""A filter for the URLs of web documents, by lists that the user gives."""

from __future__ import annotations

from typing import Literal

from dataprep.filters.rules import Rule, limits
from dataprep.yaml_models import Frozen


class Url(Frozen):
    """RefinedWeb's URL rules (Penedo et al. 2023, "The RefinedWeb dataset", 3.1 and G.1), in the order in
    which datatrove 0.10.0's ``URLFilter`` checks them. A document without a URL passes.
    """

    kind: Literal["url"] = "url"
    domains: bool = True
    """Whether a listed registered domain drops a document. datatrove ``domain``."""
    hosts: bool = True
    """Whether a listed host drops a document. datatrove ``subdomain``."""
    urls: bool = True
    """Whether a listed page is dropped. datatrove ``url``."""
    max_hard_words: float | None = 0
    """Different hard words. RefinedWeb G.1: one is enough; datatrove ``hard_blacklisted``."""
    max_soft_words: float | None = 1
    """Different soft words. RefinedWeb G.1 and datatrove ``soft_word_threshold``: two are too many."""
    max_subwords: float | None = 0
    """Different pieces of words. RefinedWeb G.1: one is enough; datatrove ``blacklisted_subword``."""

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of this filter, in order."""
        return limits(
            ("url_blocked_domain", "url_domain", None, 0.0 if self.domains else None),
            ("url_blocked_host", "url_subdomain", None, 0.0 if self.hosts else None),
            ("url_blocked_url", "url_listed", None, 0.0 if self.urls else None),
            ("url_hard_words", "url_hard_word", None, self.max_hard_words),
            ("url_soft_words", "url_soft_words", None, self.max_soft_words),
            ("url_banned_subwords", "url_subword", None, self.max_subwords),
        )
