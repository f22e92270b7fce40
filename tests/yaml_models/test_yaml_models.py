"""YAML into models: every mistake is named by its path, and nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataprep.errors import ConfigError
from dataprep.yaml_models import Frozen, read_yaml, validated


class _Inner(Frozen):
    size: int
    color: str = "red"


class _Outer(Frozen):
    parts: dict[str, _Inner]
    main: _Inner | None = None


def _read(tmp_path: Path, text: str) -> dict[str, object]:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(str(path))


def test_a_good_file_becomes_a_model(tmp_path: Path) -> None:
    value = _read(tmp_path, "parts: {a: {size: 1}, b: {size: 2, color: blue}}\n")
    model = validated(_Outer, value, place="x.yaml")
    assert model.parts["b"] == _Inner(size=2, color="blue")
    assert model.main is None


def test_keys_stay_words_and_anchors_work(tmp_path: Path) -> None:
    value = _read(tmp_path, "no: &one {size: 1}\non: *one\n12: {<<: *one, color: blue}\n")
    assert value == {"no": {"size": 1}, "on": {"size": 1}, "12": {"size": 1, "color": "blue"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", r"x.yaml: not valid YAML: the key 'a' stands here twice\n.*line 2, column 1"),
        ("a: {b: 1, b: 2}\n", "'b' stands here twice"),
        ("[1]: 2\n", "a key must be a plain word"),
        ("- 1\n", "expected a mapping .*found list"),
        ("", "expected a mapping .*found NoneType"),
        ("a: [1\n", "not valid YAML"),
        ("a: \x07\n", "not valid YAML"),
        ("a: !!python/object:os.system {}\n", "not valid YAML: could not determine a constructor"),
    ],
)
def test_what_is_no_plain_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _read(tmp_path, text)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"a: \xff\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        read_yaml(str(tmp_path / "x.yaml"))


def test_all_problems_are_named_at_once() -> None:
    value = {"parts": {"a": {"size": None}, "b": {"colour": "blue", "size": 1}, "c": {}}, "man": {}}
    with pytest.raises(ConfigError) as caught:
        validated(_Outer, value, place="x.yaml")
    assert str(caught.value).splitlines() == [
        "x.yaml: parts.a.size: Input should be a valid integer; found None",
        "x.yaml: parts.b.colour: unknown key; did you mean 'color'?",
        "x.yaml: parts.c.size: required, but it is not there",
        "x.yaml: man: unknown key; did you mean 'main'?",
    ]
