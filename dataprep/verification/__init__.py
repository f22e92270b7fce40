"""Verification: read everything that a build published again, and check that it holds.

``integrity`` compares bytes; ``document_tables``, ``duplicate_lists``, ``token_stores`` and
``stages`` check what each kind of artifact promises, ``corpus`` what they promise each other,
``provenance`` judges again what may not be used, ``samples`` compares rows with texts, ``run``
puts them in order.
"""

from dataprep.verification.report import Check, VerifyReport
from dataprep.verification.run import verify_output

__all__ = ["Check", "VerifyReport", "verify_output"]
