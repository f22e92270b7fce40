"""Recipes as data: the catalogue of corpora, one mixture for each model, and the demo's own texts."""
