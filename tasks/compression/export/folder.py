"""The graph of an ONNX artifact, `model.onnx`, with the rule and temperature that its `config.json` says."""

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto
from onnx.checker import ValidationError

from infra.errors import ArtifactError
from tasks.compression.export.graph import check
from tasks.compression.export.rule_nodes import set_rule
from tasks.formats.onnx_folder import MODEL_FILE, Config, read_config, write_config, write_file
from tasks.formats.out_of_scope import OutOfScopeRule

LARGEST_FILE = 2**31 - 1  # bytes of one protobuf message


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
    write_file(folder / MODEL_FILE, check(model))
    write_config(folder, config, rule, temperature)


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
