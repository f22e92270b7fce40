"""Deduplication: which documents say the same as a better one.

::

    texts --sign--> signature files --+-- content hashes --duplicates_by_key--+
                                      +-- URL hashes ------duplicates_by_key--+--> edges
                                      +-- band keys --candidate_groups--+     |
                                      +-- signatures --verified_edges---+-----+
    edges --close_clusters | large_star, small_star--> removal lists

Everything here is a pure function of arrays; ``pipelines.deduplicate`` brings the rows that
belong together to one place and calls them.
"""

from dataprep.dedup.config import DedupConfig, SignatureConfig
from dataprep.dedup.signatures import SIGNATURE_KERNELS, sign, signature_schema

__all__ = ["SIGNATURE_KERNELS", "DedupConfig", "SignatureConfig", "sign", "signature_schema"]
