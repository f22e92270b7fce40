"""RefinedWeb: ``data/*.parquet`` with content, url, timestamp, dump, segment, image_urls.

All that is peculiar to it, the text column's name and the unread ``image_urls``, stands in the
catalogue. Dump and segment, the Common Crawl file a page comes from, go to ``meta``.
"""

from __future__ import annotations

from dataprep.sources.generic import GenericAdapter


class RefinedWebAdapter(GenericAdapter):
    """Reads RefinedWeb."""
