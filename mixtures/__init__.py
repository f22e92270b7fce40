"""Recipes as data: the catalogue of corpora, one mixture for each model, and the demo's own texts."""

from __future__ import annotations

from importlib.resources import files


def packaged_path(name: str) -> str:
    """Return the path of a packaged file, e.g. ``catalog.yaml`` or ``stablelm-2-1_6b.yaml``.

    Raises:
        FileNotFoundError: no such file is packaged.
    """
    path = files(__name__) / name
    if not path.is_file():
        raise FileNotFoundError(f"no packaged file {name!r}; there are: {', '.join(packaged_names())}")
    return str(path)


def packaged_names() -> list[str]:
    """Return the names of the packaged YAML files, sorted."""
    return sorted(entry.name for entry in files(__name__).iterdir() if entry.name.endswith(".yaml"))
