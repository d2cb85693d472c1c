"""The files of an ONNX artifact: `model.onnx`, `tokenizer.json` and `config.json`, all that inference needs."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto
from onnx.checker import ValidationError
from pydantic import JsonValue
from tokenizers import Tokenizer
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from infra.errors import ArtifactError, StoreError
from tasks.labelled_text.dataset import load_info, load_split
from tasks.onnx_model.graph import check
from tasks.onnx_model.rule_nodes import set_rule
from tasks.out_of_scope.rule import OutOfScopeRule, apply_rule, choose_rule
from tasks.out_of_scope.temperature import choose_temperature
from tasks.runtimes.onnx import OnnxRunner
from tasks.runtimes.runner import Runner

MODEL_FILE, TOKENIZER_FILE, CONFIG_FILE = "model.onnx", "tokenizer.json", "config.json"
LARGEST_FILE = 2**31 - 1  # bytes of one protobuf message
Config = dict[str, JsonValue]


def write_tokenizer(folder: Path, tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
    """Write `tokenizer.json` that cuts to `max_length` tokens and pads a batch to its longest row by itself."""
    plain = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    plain.enable_truncation(max_length)
    plain.enable_padding(pad_id=tokenizer.pad_token_id, pad_token=tokenizer.pad_token)
    plain.save(str(folder / TOKENIZER_FILE), pretty=False)


def write_model(
    folder: Path, model: ModelProto, config: Config, rule: OutOfScopeRule | None, temperature: float = 1.0
) -> None:
    """Write `model.onnx` and `config.json` that says which rule and temperature the graph holds.

    Raises ArtifactError for a model too large for one file, StoreError when the disk does not take it.
    """
    if model.ByteSize() > LARGEST_FILE:
        raise ArtifactError(
            f"the graph is {model.ByteSize() / 1e9:.1f} GB: expected less than 2 GB, the most that one ONNX file "
            "holds. Distil a smaller student."
        )
    try:
        (folder / MODEL_FILE).write_bytes(check(model))
    except OSError as error:
        raise _unwritable(folder, error) from error
    write_config(folder, config, rule, temperature)


def write_config(folder: Path, config: Config, rule: OutOfScopeRule | None, temperature: float = 1.0) -> None:
    """Write `config.json` that says which rule and temperature the model has.

    Raises StoreError when the disk does not take it.
    """
    said = None if rule is None else rule.model_dump(mode="json")
    config = config | {"out_of_scope": said, "temperature": temperature}
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    try:
        (folder / CONFIG_FILE).write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> StoreError:
    return StoreError(f"{folder} could not be written ({error}). Free some space, then run again.")


def read_model(folder: Path) -> tuple[ModelProto, Config]:
    """The graph without its rule and temperature, and the configuration.

    Raises ArtifactError when either is missing or damaged, and when weights of the graph lie outside of the folder.
    """
    try:
        model = onnx.load(folder / MODEL_FILE)
    except (OSError, DecodeError, ValidationError) as error:
        raise ArtifactError(
            f"{folder / MODEL_FILE} cannot be read ({type(error).__name__}: {error}): expected an ONNX graph. "
            "Export the model again."
        ) from error
    set_rule(model, None, None)
    return model, read_config(folder)


def read_config(folder: Path) -> Config:
    """`config.json` of an ONNX artifact; raises ArtifactError when it is missing or damaged."""
    path = folder / CONFIG_FILE
    try:
        config: Config = json.loads(path.read_text(encoding="utf-8"))
        config["out_of_scope"], config["id2label"]
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({type(error).__name__}: {error}): expected id2label and out_of_scope of a "
            "classifier. Export the model again."
        ) from error
    return config


def read_rule(folder: Path) -> OutOfScopeRule | None:
    """The rule that the graph in `folder` holds, as its `config.json` says."""
    rule = read_config(folder)["out_of_scope"]
    return None if rule is None else OutOfScopeRule.model_validate(rule)


def require_labels(model: Path, labels: Sequence[str], dataset: Path) -> None:
    """Raise ArtifactError when `model` answers other labels than the data set has."""
    expected = load_info(dataset).labels
    if tuple(labels) != expected:
        raise ArtifactError(
            f"{model} answers {len(labels)} labels, {labels[0]!r} first, and the data set has {len(expected)}, "
            f"{expected[0]!r} first: expected the same ones. Train on this data set."
        )


def write_ruled(
    folder: Path, model: ModelProto, config: Config, dataset: Path, expected_share: float | None
) -> dict[str, float]:
    """Write the model with the out-of-scope rule and the temperature that suit its own logits on validation.

    Quantization moves the logits, so each graph has numbers of its own. `tokenizer.json` must be in `folder`.
    Returns the size, and the accuracy on validation with the rule.
    """
    write_model(folder, model, config, None)
    info, validation = load_info(dataset), load_split(dataset, "validation")
    logits = answer_alone(OnnxRunner(folder, threads=1), validation.texts, folder)
    rule = choose_rule(logits, validation.labels, info, expected_share, validation.weights)
    ruled = apply_rule(logits, rule, info.out_of_scope_id)
    temperature = choose_temperature(ruled, validation.labels, info, expected_share, validation.weights)
    set_rule(model, rule, info.out_of_scope_id, temperature)
    write_model(folder, model, config, rule, temperature)
    answers = ruled.argmax(axis=1)
    size = sum((folder / name).stat().st_size for name in (MODEL_FILE, TOKENIZER_FILE, CONFIG_FILE))
    return {"validation_accuracy": float((answers == validation.labels).mean()), "size_mb": size / 1e6}


def answer_alone(runner: Runner, texts: list[str], folder: Path) -> np.ndarray:
    """Logits float32 [n, classes] of each text by itself, as it is served: an int8 row depends on its batch.

    Raises ArtifactError when a logit is NaN or infinite.
    """
    logits = np.concatenate(
        [runner.logits([text]) for text in tqdm(texts, "validate", leave=False, disable=None)]
    )
    if not np.isfinite(logits).all():
        raise ArtifactError(
            f"{folder} answers with NaN or infinity: expected finite logits. The checkpoint's weights are damaged or "
            "its training diverged: train again."
        )
    return logits
