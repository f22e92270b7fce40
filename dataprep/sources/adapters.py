"""Which adapter reads which corpus."""

from __future__ import annotations

from dataprep.sources.culturax import CulturaXAdapter
from dataprep.sources.entries import CorpusEntry
from dataprep.sources.generic import GenericAdapter
from dataprep.sources.pile import PileAdapter
from dataprep.sources.redpajama import RedPajamaAdapter
from dataprep.sources.refinedweb import RefinedWebAdapter
from dataprep.sources.starcoder import StarCoderAdapter

_ADAPTERS: dict[str, type[GenericAdapter]] = {
    "refinedweb": RefinedWebAdapter,
    "redpajama": RedPajamaAdapter,
    "pile": PileAdapter,
    "starcoder": StarCoderAdapter,
    "culturax": CulturaXAdapter,
    "generic": GenericAdapter,
}


def adapter_of(entry: CorpusEntry, subset: str | None) -> GenericAdapter:
    """Return the adapter of a collection; ``subset`` is ``None`` for a corpus that is read whole."""
    return _ADAPTERS[entry.adapter](entry, subset)
