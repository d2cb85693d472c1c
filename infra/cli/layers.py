"""A flow's config from its layers, the strongest first: command line, `--config`, environment, preset, recipe."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from infra.errors import ConfigError

Config = TypeVar("Config", bound=BaseModel)
Layer = dict[str, JsonValue]
HERE = "{here}"
DEEPEST = 100  # names to a value that can still be shown


def read_layer(path: Path) -> Layer:
    """A YAML file of config fields, `{here}` in it standing for its folder.

    Raises ConfigError naming the line when it is not one.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8").replace(HERE, str(path.resolve().parent)))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}): expected a YAML file. Check the path."
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(
            f"{path} is not YAML: {error}. Correct the file; flows/recipes/ has examples."
        ) from None
    except RecursionError:
        raise _too_deep(path) from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise ConfigError(
            f"{path} holds a {type(content).__name__}: expected sections such as `distill:` with fields below."
        )
    try:
        return TypeAdapter(Layer).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        if len(first["loc"]) > DEEPEST:
            raise _too_deep(path) from None
        field = ".".join(str(part) for part in first["loc"] if part not in ("dict", "list"))
        raise ConfigError(
            f"{path}, {field} is {first['input']!r}: expected text, a number, true, false, null, or lists and sections of "
            "these. Put quotes around a date or a word that YAML takes for something else."
        ) from None


def _too_deep(path: Path) -> ConfigError:
    return ConfigError(
        f"{path} has lists or sections in each other, too deep to be read: expected sections such as `distill:` with fields "
        "below. Correct the file."
    )


def merge(layers: Sequence[Mapping[str, JsonValue]]) -> Layer:
    """Layers from weak to strong as one; mappings are merged field by field, all else is replaced."""
    merged: Layer = {}
    for layer in layers:
        for name, value in layer.items():
            below = merged.get(name)
            merged[name] = (
                merge([below, value]) if isinstance(below, dict) and isinstance(value, dict) else value
            )
    return merged


def given(config: type[BaseModel], layer: Mapping[str, Any]) -> dict[str, Any]:
    """What a layer says of `config`: null is "not given", so it covers nothing that a weaker layer gives.

    A field that takes null and has another default is the exception: there null means something of its own. A section
    that comes as a model is given whole, as its JSON would be. Unknown names stay, to be refused.
    """
    said: dict[str, Any] = {}
    for name, value in layer.items():
        field = config.model_fields.get(name)
        if value is None and field is not None and not _means_something(field):
            continue
        if isinstance(value, BaseModel):
            value = value.model_dump()
        if isinstance(value, Mapping) and field is not None:
            section = section_of(field)
            value = (
                given(section, value)
                if section
                else {key: value[key] for key in value if value[key] is not None}
            )
        said[name] = value
    return said


def _means_something(field: FieldInfo) -> bool:
    """Whether null is a value of this field like any other."""
    return NoneType in get_args(field.annotation) and field.get_default(call_default_factory=True) is not None


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model that a field holds; None when it holds something else."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def build(config: type[Config], layer: Mapping[str, JsonValue]) -> Config:
    """Validate what a layer gives. Raises ConfigError with each wrong field: what was found, what was expected."""
    try:
        return config.model_validate(given(config, layer))
    except ValidationError as error:
        lines = [
            _describe(config, detail["type"], detail["loc"], detail["msg"], detail["input"])
            for detail in error.errors()
        ]
        raise ConfigError("the config cannot be used:\n" + "\n".join(f"  {line}" for line in lines)) from None


def _describe(
    config: type[BaseModel], kind: str, where: tuple[int | str, ...], message: str, found: object
) -> str:
    field = ".".join(str(part) for part in where)
    if kind != "extra_forbidden":
        return f"{field} is {found!r}: {message[0].lower()}{message[1:]}. --help lists every field with its bounds."
    known = _fields_at(config, where[:-1])
    close = difflib.get_close_matches(str(where[-1]), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}."
    return f"{field} is not a field: {hint} --help lists every field."


def _fields_at(config: type[BaseModel], where: tuple[int | str, ...]) -> list[str]:
    for part in where:
        section = section_of(config.model_fields[str(part)]) if str(part) in config.model_fields else None
        if section is None:
            return []
        config = section
    return list(config.model_fields)
