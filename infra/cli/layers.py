"""A flow's config from its layers, the strongest first: command line, `--config`, environment, preset, recipe."""

import difflib
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from infra.errors import ConfigError

Config = TypeVar("Config", bound=BaseModel)
Layer = dict[str, JsonValue]
HERE = "{here}"
FLOW, FROM = "flow", "from"
SOURCE = "_source"  # of a field that says where the one before it is from
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


def read_recipe(path: Path, flow: str) -> Layer:
    """A YAML file of config fields that may say whose it is (`flow:`) and which file is below it (`from:`, as it lies).

    Raises ConfigError as `read_layer`, for another flow's, and for a second `from:`.
    """
    layer = read_layer(path)
    whose, below = layer.pop(FLOW, flow), layer.pop(FROM, None)
    if whose != flow:
        raise ConfigError(
            f"{path} is a recipe of the flow {whose}: expected one of {flow}. Run it by `stillhouse run {path}`, or take "
            f"`{FLOW}:` out of a copy."
        )
    if below is None:
        return layer
    lower = path.parent / str(below)
    base = read_layer(lower)
    if FROM in base:
        raise ConfigError(
            f"{path} is from {lower}, which is from {base[FROM]}: expected one `{FROM}:` alone. Name that file itself."
        )
    base.pop(FLOW, None)
    return merge([base, layer])


def recipe_file(recipes: Path, name: str) -> Path:
    """The file of a recipe of a flow. Raises ConfigError with those that there are."""
    known = {path.stem: path for path in sorted(recipes.glob("*.yaml"))}
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    there = ", ".join(repr(one) for one in known)
    raise ConfigError(
        f"{name!r} is no recipe: expected one of {there}.{hint} `stillhouse recipes` says what each is for."
    )


def purpose(path: Path) -> str:
    """What a recipe is for: the first sentence of the comment at its head."""
    head = itertools.takewhile(
        lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines()
    )
    first = " ".join(itertools.takewhile(bool, (line.lstrip("# ") for line in head)))
    return re.split(r"(?<=[.:]) (?=[A-Z])", first, maxsplit=1)[0]


def _too_deep(path: Path) -> ConfigError:
    return ConfigError(
        f"{path} has lists or sections in each other, too deep to be read: expected sections such as `distill:` with fields "
        "below. Correct the file."
    )


def merge(layers: Sequence[Mapping[str, JsonValue]]) -> Layer:
    """Layers from weak to strong as one; mappings are merged field by field, all else is replaced.

    What NAME_source says is of its layer's NAME: it falls where a stronger layer gives NAME alone.
    """
    merged: Layer = {}
    for layer in layers:
        for name, value in layer.items():
            if f"{name}{SOURCE}" not in layer:
                merged.pop(f"{name}{SOURCE}", None)
            below = merged.get(name)
            merged[name] = (
                merge([below, value]) if isinstance(below, dict) and isinstance(value, dict) else value
            )
    return merged


def given(config: type[BaseModel], layer: Mapping[str, Any]) -> dict[str, Any]:
    """What a layer says of `config`: null is "not given", so it covers nothing that a weaker layer gives.

    Nor is a section without a field: its default may be another than that of its class. A section that comes as a model is
    given whole, as its JSON would be. Unknown names stay, to be refused.
    """
    said: dict[str, Any] = {}
    for name, value in layer.items():
        field = config.model_fields.get(name)
        if value is None and field is not None:
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
            if section and not value:
                continue
        said[name] = value
    return said


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model that a field holds; None when it holds something else."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def build(config: type[Config], layer: Mapping[str, JsonValue]) -> Config:
    """Validate what a layer gives. Raises ConfigError with each wrong field: what was found, what was expected."""
    try:
        return config.model_validate(given(config, layer))
    except ValidationError as error:
        lines = "\n".join(f"  {_described(wrong)}" for wrong in error.errors())
        raise ConfigError(f"the config cannot be used:\n{lines}") from None


def _described(wrong: ErrorDetails) -> str:
    field, message = ".".join(str(part) for part in wrong["loc"]), wrong["msg"]
    if wrong["type"] == "not_a_field":  # `Asked` names the closest
        return f"{field} is {message} --help-all lists every field."
    error = wrong.get("ctx", {}).get("error")  # a validator of ours raised it: its sentence is whole
    message = str(error).removesuffix(".") if error else f"{message[0].lower()}{message[1:]}"
    if isinstance(wrong["input"], Mapping):  # said of a whole section, whose fields would hide the sentence
        return f"{field}: {message}".removeprefix(": ") + ". --help-all lists every field with its bounds."
    return f"{field} is {wrong['input']!r}: {message}. --help-all lists every field with its bounds."
