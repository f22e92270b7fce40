"""dataprep: from raw corpora to a trainer's batches, by one recipe."""

__version__ = "0.1.0"
