"""The files of an ONNX artifact beside its graph: `tokenizer.json` and `config.json`, the same for every runtime.

Importing this module imports no more than tokenizers: it is a part of what serving stands on.
"""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from infra.errors import ArtifactError, StoreError
from tasks.formats.rust_panics import panics_caught

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tasks.formats.out_of_scope import OutOfScopeRule

MODEL_FILE, TOKENIZER_FILE, CONFIG_FILE = "model.onnx", "tokenizer.json", "config.json"
# Names in the graph: its output, and what goes into the nodes of the rule and the temperature, where it has such.
LOGITS, OWN_LOGITS = "logits", "answer/raw_logits"
Config = dict[str, Any]  # transformers' configuration, with the labels, rule and temperature of the graph


def write_tokenizer(folder: Path, tokenizer: "PreTrainedTokenizerBase", max_length: int) -> None:
    """Write `tokenizer.json` that cuts to `max_length` tokens and pads a batch to its longest row by itself."""
    plain = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    plain.enable_truncation(max_length)
    plain.enable_padding(pad_id=tokenizer.pad_token_id, pad_token=tokenizer.pad_token)
    plain.save(str(folder / TOKENIZER_FILE), pretty=False)


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy `tokenizer.json` of another artifact; raises ArtifactError when it has none."""
    if not (source / TOKENIZER_FILE).is_file():
        raise ArtifactError(
            f"{source} lacks {TOKENIZER_FILE}: expected an ONNX artifact. Export the model again."
        )
    shutil.copyfile(source / TOKENIZER_FILE, target / TOKENIZER_FILE)


def write_config(
    folder: Path, config: Config, rule: "OutOfScopeRule | None", temperature: float = 1.0
) -> None:
    """Write `config.json` that says which rule and temperature the model has.

    Raises StoreError when the disk does not take it.
    """
    said = None if rule is None else rule.model_dump(mode="json")
    config = config | {"out_of_scope": said, "temperature": temperature}
    write_file(folder / CONFIG_FILE, (json.dumps(config, indent=2, sort_keys=True) + "\n").encode())


def write_file(path: Path, content: bytes) -> None:
    """Write a file of the folder. Raises StoreError when the disk does not take it."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise StoreError(
            f"{path.parent} could not be written ({error}). Free some space, then run again."
        ) from error


def read_config(folder: Path) -> Config:
    """`config.json`; raises ArtifactError when it is missing, damaged, or does not name the labels."""
    path = folder / CONFIG_FILE
    try:
        config: Config = json.loads(path.read_text(encoding="utf-8"))
        names = config["id2label"]
        config["id2label"] = {str(i): names[str(i)] for i in range(len(names))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({type(error).__name__}: {error}): expected id2label of a classifier. "
            "Export the model again."
        ) from error
    return config


def read_labels(folder: Path) -> tuple[str, ...]:
    """Class names in the order of the logits; raises ArtifactError when `config.json` has none."""
    return tuple(read_config(folder)["id2label"].values())


def read_rule(folder: Path) -> "OutOfScopeRule | None":
    """The rule of the model in `folder`, as its `config.json` says; None where it has none."""
    # Here and not above: with the rule comes pydantic, for which an answer has no use.
    from pydantic import ValidationError

    from tasks.formats.out_of_scope import OutOfScopeRule

    rule = read_config(folder).get("out_of_scope")
    try:
        return None if rule is None else OutOfScopeRule.model_validate(rule)
    except ValidationError as error:
        raise ArtifactError(
            f"{folder / CONFIG_FILE} says out_of_scope as {rule!r}: expected label, score, threshold and "
            "expected_share, or null. Export the model again."
        ) from error


def read_temperature(folder: Path) -> float:
    """What the logits of the model in `folder` are divided by, as its `config.json` says; 1 where it does not.

    Raises ArtifactError when it is not a number above zero.
    """
    temperature = read_config(folder).get("temperature", 1.0)
    if not isinstance(temperature, int | float) or not 0 < temperature < float("inf"):
        raise ArtifactError(
            f"{folder / CONFIG_FILE} says temperature as {temperature!r}: expected a number above zero. Export the model "
            "again."
        )
    return float(temperature)


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer beside the graph, which cuts and pads by itself; raises ArtifactError if it does not."""
    path = folder / TOKENIZER_FILE
    try:
        with panics_caught():
            tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises a bare Exception
        raise ArtifactError(
            f"{path} cannot be read ({error}): expected a fast tokenizer. Export the model again."
        ) from error
    if tokenizer.padding is None or tokenizer.truncation is None:
        raise ArtifactError(
            f"{path} sets no padding or no truncation: expected both. Export the model again."
        )
    return tokenizer
