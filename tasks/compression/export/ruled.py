"""An exported graph gets the out-of-scope rule and the temperature that suit its own logits."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from onnx import ModelProto
from tqdm import tqdm

from infra.errors import ArtifactError
from tasks.compression.export.folder import write_model
from tasks.compression.export.rule_nodes import set_rule
from tasks.decision.rule import apply_rule, choose_rule
from tasks.decision.temperature import choose_temperature
from tasks.formats.dataset import load_info, load_split
from tasks.formats.onnx_folder import CONFIG_FILE, MODEL_FILE, TOKENIZER_FILE, Config
from tasks.formats.out_of_scope import OutOfScopeRule
from tasks.inference.onnx import OnnxRunner
from tasks.inference.runner import Runner


class OwnRule(NamedTuple):
    """What suits a model's own logits, and the share of validation that it answers right with the rule."""

    rule: OutOfScopeRule | None
    temperature: float
    accuracy: float


def write_ruled(
    folder: Path, model: ModelProto, config: Config, dataset: Path, expected_share: float | None
) -> dict[str, float]:
    """Write the model with the out-of-scope rule and the temperature that suit its own logits on validation.

    Quantization moves the logits, so each graph has numbers of its own. `tokenizer.json` must be in `folder`.
    Returns the size, and the accuracy on validation with the rule.
    """
    write_model(folder, model, config, None)
    own = choose_own(OnnxRunner(folder, threads=1), folder, dataset, expected_share)
    set_rule(model, own.rule, load_info(dataset).out_of_scope_id, own.temperature)
    write_model(folder, model, config, own.rule, own.temperature)
    size = sum((folder / name).stat().st_size for name in (MODEL_FILE, TOKENIZER_FILE, CONFIG_FILE))
    return {"validation_accuracy": own.accuracy, "size_mb": size / 1e6}


def choose_own(runner: Runner, folder: Path, dataset: Path, expected_share: float | None) -> OwnRule:
    """The rule and the temperature for the logits that the model in `folder` gives on validation, without either."""
    info, validation = load_info(dataset), load_split(dataset, "validation")
    logits = answer_alone(runner, validation.texts, folder)
    rule = choose_rule(logits, validation.labels, info, expected_share)
    ruled = apply_rule(logits, rule, info.out_of_scope_id)
    temperature = choose_temperature(ruled, validation.labels, info, expected_share)
    return OwnRule(rule, temperature, float((ruled.argmax(axis=1) == validation.labels).mean()))


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
