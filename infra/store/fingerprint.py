"""Identity: canonical JSON of what is asked, and digests of content. What cannot be named exactly is refused."""

import hashlib
import json
import math
from collections.abc import Mapping
from enum import Enum

from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo

from infra.errors import ArtifactError, ConfigError
from infra.files import file_digest
from infra.machine.cpu import precision_of_auto
from infra.store.references import ArtifactRef


def canonical(value: object, where: str = "config") -> JsonValue:
    """`value` as plain JSON, the same for equal values in any process.

    A config field with metadata `{"key": "ignore"}` is left out; one with `{"key": "content"}` is a path, or several, that
    stands for its file's sha256; one with `{"key": "unless_default"}` counts only when it is not at its default, so a field
    that is added to a stage leaves what it computed before valid; one with `{"key": "precision"}` counts as what `auto`
    comes to on this machine. Values that are equal are written alike: a default of 100 in a field of floats and the 100.0 that
    it comes back as from JSON, 0.0 and -0.0. Raises ConfigError for sets, callables and any other type whose identity is
    not certain.
    """
    if value is None or isinstance(value, bool | int | str):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(
                f"{where} is {value}: expected a finite number. Give a finite number or leave it out."
            )
        return value + 0.0  # -0.0 equals 0.0 and is written otherwise
    if isinstance(value, BaseModel):
        return _canonical_model(value, where)
    if isinstance(value, Mapping):
        if wrong := [key for key in value if not isinstance(key, str)]:
            raise ConfigError(f"{where} has keys {wrong!r}: expected strings. Use strings as keys.")
        return {key: canonical(value[key], f"{where}.{key}") for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [canonical(item, f"{where}[{i}]") for i, item in enumerate(value)]
    raise ConfigError(
        f"{where} is a {type(value).__name__}, which has no canonical form: expected a number, text, a list, "
        "a mapping or a frozen model. Change the field's type, or mark it as not part of the key."
    )


def _canonical_model(model: BaseModel, where: str) -> JsonValue:
    fields: dict[str, JsonValue] = {}
    given = dict(model)
    for name, field in sorted(type(model).model_fields.items()):
        value, role = getattr(model, name), _key_role(field)
        if role == "ignore":
            continue
        default = field.get_default(call_default_factory=True, validated_data=given)
        if value == default:
            if role == "unless_default":
                continue
            value = default  # No validation has touched it, and keys were always made of it as it stands.
        if role == "content" and value is not None:
            try:
                fields[name] = [*map(file_digest, value)] if isinstance(value, tuple) else file_digest(value)
            except ArtifactError as error:
                raise ConfigError(f"{where}.{name}: {error}") from None
        elif role == "precision" and value == "auto":
            fields[name] = precision_of_auto()
        else:
            fields[name] = canonical(value, f"{where}.{name}")
    return fields


def _key_role(field: FieldInfo) -> str | None:
    extra = field.json_schema_extra
    return str(extra["key"]) if isinstance(extra, dict) and "key" in extra else None


def stage_key(
    stage: str,
    version: int,
    config: JsonValue,
    inputs: Mapping[str, ArtifactRef],
    machine: JsonValue = None,
) -> str:
    """sha256 of {stage, version, canonical config, digest of each input}: hex, 64 characters.

    `machine` are the facts of what it is computed on, for a stage that measures time.
    """
    digests: JsonValue = {name: inputs[name].digest for name in sorted(inputs)}
    identity: dict[str, JsonValue] = {
        "stage": stage, "version": version, "config": config, "inputs": digests,
        **({} if machine is None else {"machine": machine}),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
