"""A filter for the licences of documents, by the list of those that the user allows."""

from __future__ import annotations

from typing import Literal

from dataprep.filters.rules import Rule
from dataprep.yaml_models import Frozen

LICENSE_REASONS = ("license_unknown", "license_not_allowed")
"""The verdicts of documents that may not be used, whatever they are like."""


class License(Frozen):
    """A document passes when its own licence is known and allowed. It has no thresholds."""

    kind: Literal["license"] = "license"

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of this filter, in order."""
        unknown, not_allowed = LICENSE_REASONS
        return (
            Rule(signal="license_allowed", reason=unknown, minimum=0),
            Rule(signal="license_allowed", reason=not_allowed, minimum=1),
        )
