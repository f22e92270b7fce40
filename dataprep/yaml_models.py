"""YAML files read into frozen pydantic models, with errors that name the YAML path.

PyYAML lets a repeated key win silently and reads the keys ``no`` and ``on`` as booleans; here
the first is an error and keys are always strings (``no`` is the Norwegian subset of a corpus).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from dataprep import storage
from dataprep.errors import ConfigError, nearest


class Frozen(BaseModel):
    """Base of everything that is read from YAML: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Model = TypeVar("Model", bound=BaseModel)


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a repeated key and keeps every key a string."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        self.flatten_mapping(node)
        mapping: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a plain word", key_node.start_mark
                )
            if key_node.value in mapping:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} stands here twice", key_node.start_mark
                )
            mapping[key_node.value] = self.construct_object(value_node, deep=True)
        return mapping


def _construct_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> Iterator[dict[Hashable, Any]]:
    mapping: dict[Hashable, Any] = {}
    yield mapping
    mapping.update(loader.construct_mapping(node))


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)


def read_yaml(path: str) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        ConfigError: the file is missing, is no YAML, repeats a key, or holds no mapping.
    """
    try:
        data = storage.read_bytes(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        value = yaml.load(data, Loader=_StrictLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: expected a mapping (key: value), found {type(value).__name__}")
    return value


def validated(model: type[Model], value: object, *, place: str) -> Model:
    """Return ``value`` as a model.

    Args:
        place: The file's name, which begins every message.

    Raises:
        ConfigError: one line for each problem: YAML path, what is wrong, the value found, and
            for an unknown key the nearest known one.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = [_describe(problem, model) for problem in error.errors(include_url=False)]
        raise ConfigError(f"{place}: " + f"\n{place}: ".join(problems)) from error


def _describe(problem: Any, model: type[BaseModel]) -> str:
    """Return one sentence for one problem that pydantic found."""
    location = [str(part) for part in problem["loc"]]
    where = ".".join(location) or "top level"
    kind = problem["type"]
    if kind == "extra_forbidden":
        return f"{where}: unknown key; {nearest(location[-1], _known_keys(model, location[:-1]))}"
    if kind == "missing":
        return f"{where}: required, but it is not there"
    message = str(problem["msg"]).removeprefix("Value error, ")
    found = problem["input"]
    shown = "" if isinstance(found, dict) else f"; found {found!r}"
    return f"{where}: {message}{shown}"


def _known_keys(model: type[BaseModel], location: list[str]) -> set[str]:
    """Return the keys that are allowed at a YAML path below ``model``."""
    models: list[type[BaseModel]] = [model]
    for part in location:
        below = [inner for one in models for inner in _models_below(one, part)]
        models = below or models
    return {key for one in models for key in one.model_fields}


def _models_below(model: type[BaseModel], part: str) -> list[type[BaseModel]]:
    field = model.model_fields.get(part)
    return [] if field is None else _models_in(field.annotation)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = getattr(annotation, "__args__", ())
    return [model for one in inner for model in _models_in(one)]
