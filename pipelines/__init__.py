"""Beam pipelines and the command line: thin shells around the library ``dataprep``."""
