"""Quantization as passes: a float32 ONNX folder, a config and an output folder give the quantized folder.

folder/   model.onnx, or openvino_model.xml and .bin; config.json; tokenizer.json
"""

from collections.abc import Sequence
from pathlib import Path

from onnx import ModelProto

from infra.errors import ConfigError
from tasks.compression.export.folder import read_model, write_model
from tasks.compression.export.rule_nodes import set_rule
from tasks.compression.export.ruled import choose_own, write_ruled
from tasks.compression.quantization.answers import subsample_evenly, text_feeds
from tasks.compression.quantization.config import QuantizationConfig
from tasks.compression.quantization.dynamic import to_dynamic_int8
from tasks.compression.quantization.openvino import write_openvino_int8
from tasks.compression.quantization.sensitivity import SensitivityReport, ToInt8, fall_back
from tasks.compression.quantization.static import find_ranges, to_static_int8
from tasks.compression.quantization.weights4bit import to_4bit
from tasks.formats import onnx_folder
from tasks.formats.model_files import inference_bytes
from tasks.formats.value import write_value
from tasks.inference.openvino import MODEL_FILE as OPENVINO_FILE
from tasks.inference.openvino import OpenvinoRunner

SENSITIVITY_FILE = "sensitivity.json"
FALLING_BACK = ("dynamic", "qat", "static")  # methods that take layer by layer


def quantize_with(
    config: QuantizationConfig,
    model_folder: Path,
    calibration_texts: Sequence[str],
    output_dir: Path,
    held_out_texts: Sequence[str] = (),
) -> dict[str, float]:
    """Write the form of the float32 ONNX model in `model_folder` that `config.method` names, to `output_dir`.

    Out-of-scope rule and temperature are those of the input: `choose_own_rule` gives the output some that suit its
    logits.
    `qat` says that the model was trained for int8 before it was exported (`train_for_int8`), and is dynamic from there.

    Args:
        config: the method and its options.
        model_folder: `model.onnx`, `config.json` and `tokenizer.json`, as export writes them.
        calibration_texts: training texts, for the ranges of activations.
        output_dir: takes the same files, of which the graph may be OpenVINO's, and `sensitivity.json` of a fallback.
        held_out_texts: validation texts, for the fallback: of what it was trained on a model is so sure that int8 hurts
            nothing.

    Returns:
        `size_mb`, and with a fallback `agreement` and `kl` (nats) with float32 and `float32_layers`.

    Raises:
        ArtifactError: the model's folder is damaged.
        ConfigError: the method is not one for ONNX, or its library is not installed.
        DataError: there are no texts to calibrate with, or none for the fallback.
    """
    if config.method == "torch_dynamic":
        raise ConfigError(
            "torch_dynamic quantizes a checkpoint, and this is an exported graph. Call quantize_checkpoint "
            "(tasks/compression/quantization/torch_dynamic.py) with the checkpoint, or choose another method."
        )
    model, description = read_model(model_folder)
    rule, temperature = onnx_folder.read_rule(model_folder), onnx_folder.read_temperature(model_folder)
    onnx_folder.copy_tokenizer(model_folder, output_dir)
    metrics: dict[str, float] = {}
    if config.method == "openvino":
        texts = subsample_evenly(calibration_texts, config.calibration.texts)
        write_openvino_int8(model, text_feeds(model_folder, texts), output_dir)
        onnx_folder.write_config(output_dir, description, rule, temperature)
    else:
        to_form = _form(config, model, model_folder, calibration_texts)
        if config.fallback.agreement is None or config.method not in FALLING_BACK:
            quantized = to_form(())
        else:
            feeds = list(text_feeds(model_folder, subsample_evenly(held_out_texts, config.fallback.texts)))
            found = fall_back(model, to_form, config.embeddings, feeds, config.fallback.agreement)
            quantized, metrics = found.model, _write_sensitivity(found.report, output_dir)
        outside = None if rule is None else onnx_folder.read_labels(model_folder).index(rule.label)
        set_rule(quantized, rule, outside, temperature)
        write_model(output_dir, quantized, description, rule, temperature)
    return metrics | {"size_mb": inference_bytes(output_dir) / 1e6}


def choose_own_rule(folder: Path, dataset: Path, expected_share: float | None) -> dict[str, float]:
    """Give a quantized model the out-of-scope rule and the temperature that suit its own logits on validation, in place.

    Returns the size, and the accuracy on validation with the rule.
    """
    if not (folder / OPENVINO_FILE).is_file():
        return write_ruled(folder, *read_model(folder), dataset, expected_share)
    description = onnx_folder.read_config(folder)
    onnx_folder.write_config(folder, description, None)
    own = choose_own(OpenvinoRunner(folder, threads=1), folder, dataset, expected_share)
    onnx_folder.write_config(folder, description, own.rule, own.temperature)
    return {"validation_accuracy": own.accuracy, "size_mb": inference_bytes(folder) / 1e6}


def _form(config: QuantizationConfig, model: ModelProto, folder: Path, texts: Sequence[str]) -> ToInt8:
    """What makes the form of `model` that the config asks for, but for some nodes; static ranges are found once."""
    if config.method == "none":
        return lambda exclude: model
    if config.method == "weights4bit":
        return lambda exclude: to_4bit(model, config.weights4bit, config.embeddings)
    if config.method == "static":
        calibration = text_feeds(folder, subsample_evenly(texts, config.calibration.texts))
        ranges = find_ranges(config.calibration, model, calibration)
        return lambda exclude: to_static_int8(model, ranges, config.embeddings, exclude)
    return lambda exclude: to_dynamic_int8(model, config.embeddings, exclude)


def _write_sensitivity(report: SensitivityReport, output_dir: Path) -> dict[str, float]:
    write_value(output_dir / SENSITIVITY_FILE, report)
    return {"agreement": report.agreement, "kl": report.kl, "float32_layers": len(report.float32)}
