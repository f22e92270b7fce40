"""Edits: the only code that changes a document's text."""
