"""Mixtures: what a model is trained on, as a YAML file says it.

``model`` and ``schema`` are the model of the file, ``loading`` reads it, ``counts`` the way numbers of tokens
are written (``20M``, ``1.5B``, ``2T``).
"""

from dataprep.mixture.counts import format_count, parse_count
from dataprep.mixture.loading import check_selections, load_mixture, shipped_mixtures
from dataprep.mixture.model import Mixture
from dataprep.mixture.schema import (
    VALIDATION,
    Boundaries,
    MixtureSource,
    Published,
    Stage,
    StageSource,
    UpsampleLong,
)
from dataprep.tokens import ALL, HOLDOUT, LONG, SHORT

__all__ = [
    "ALL",
    "HOLDOUT",
    "LONG",
    "SHORT",
    "VALIDATION",
    "Boundaries",
    "Mixture",
    "MixtureSource",
    "Published",
    "Stage",
    "StageSource",
    "UpsampleLong",
    "check_selections",
    "format_count",
    "load_mixture",
    "parse_count",
    "shipped_mixtures",
]
