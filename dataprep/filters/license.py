"""A filter for the licences of documents, by the list of those that the user allows."""

from __future__ import annotations

from typing import Literal

from dataprep.filters.rules import Rule
from dataprep.yaml_models import Frozen


class License(Frozen):
    """A document passes when its own licence is known and allowed. It has no thresholds."""

    kind: Literal["license"] = "license"

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of this filter, in order."""
        return (
            Rule(signal="license_allowed", reason="license_unknown", minimum=0),
            Rule(signal="license_allowed", reason="license_not_allowed", minimum=1),
        )
