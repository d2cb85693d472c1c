"""JSON beside a model's weights, read without trust: how large, how deep, and what it asks transformers to do.

transformers does what a model's config.json asks for, trust_remote_code or not. Some of that is to fetch other code or
other files than were looked at, and none of it is part of an encoder.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import JsonValue

from infra.errors import ArtifactError

LARGEST = 100_000_000  # bytes; the longest list of tokens that is known has a third of it
# What transformers takes for the name of code in a package or on the Hub unless it is one of its own.
IMPLEMENTATIONS: dict[str, tuple[str, ...]] = {
    "attn_implementation": ("eager", "sdpa"),
    "experts_implementation": ("eager", "batched_mm", "grouped_mm"),
}


def read_object(path: Path) -> dict[str, JsonValue]:
    """The JSON object in a file; raises ArtifactError for anything else, and for one that is too large or too deep."""
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise ArtifactError(
                f"{path} has {size:,} bytes: expected at most {LARGEST:,} of JSON. Fetch the model again."
            )
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}): expected a JSON object. Fetch the model again."
        ) from error
    if not isinstance(values, dict):
        raise ArtifactError(
            f"{path} cannot be read (it holds a {type(values).__name__}): expected a JSON object. Fetch the model again."
        )
    return values


def check_asks_for_no_code(path: Path, config: JsonValue) -> None:
    """Raise ArtifactError when the config of `path`, or one within it, names code or weights from elsewhere."""
    for values in _objects(config):
        for field, known in IMPLEMENTATIONS.items():
            for name in (field, f"_{field}"):
                if wrong := [asked for asked in _asked(values.get(name)) if asked not in known]:
                    raise ArtifactError(
                        f"{path} asks for {name} {wrong[0]!r}, which transformers would look for in other packages or "
                        f"on the Hub: expected one of its own ({', '.join(known)}). Delete the field, where you "
                        "trust the rest of the model."
                    )
        if values.get("quantization_config") is not None:
            raise ArtifactError(
                f"{path} says how its weights are quantized, and other packages and kernels would be looked for to "
                "read them: expected weights as they were trained. Take the model that this one was made from."
            )


# Without recursion: a value may be as deep as the JSON library reads it.


def _objects(config: JsonValue) -> Iterator[dict[str, JsonValue]]:
    """Every object of a JSON value, itself included."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _asked(field: JsonValue) -> Iterator[JsonValue]:
    """The implementations that a field names: one for all, or one for each part of the model, at any depth."""
    waiting = [field]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif value is not None:
            yield value
