"""What form of a model a folder holds, and which files that is."""

from pathlib import Path
from typing import Literal

from infra.errors import ArtifactError

Kind = Literal["tfidf", "fast_text", "pytorch", "pytorch_int8", "onnx", "openvino"]
ONNX_FILES = ("onnx/model_quantized.onnx", "model.onnx")  # of a release, of an ONNX artifact


def graph_file(folder: Path) -> Path:
    """The ONNX graph in `folder`; raises ArtifactError when there is none."""
    for name in ONNX_FILES:
        if (folder / name).is_file():
            return folder / name
    raise ArtifactError(
        f"{folder} holds no ONNX graph: expected {' or '.join(ONNX_FILES)}. Run the stage that makes it again."
    )


def is_release(folder: Path) -> bool:
    """Whether `folder` is laid out as a release, and not as an artifact of a stage."""
    return (folder / ONNX_FILES[0]).is_file()


def kind_of(folder: Path) -> Kind:
    """The runtime that a model's folder is for; raises ArtifactError when the folder holds no model."""
    if (folder / "baseline.json").is_file():
        return "tfidf"
    if (folder / "fasttext.json").is_file():
        return "fast_text"
    if (folder / "classifier.json").is_file():
        return "pytorch_int8" if (folder / "int8.safetensors").is_file() else "pytorch"
    if (folder / "openvino_model.xml").is_file():
        return "openvino"
    if any((folder / name).is_file() for name in ONNX_FILES):
        return "onnx"
    raise ArtifactError(
        f"{folder} holds no model: expected baseline.json (TF-IDF), fasttext.json, classifier.json (PyTorch), "
        f"openvino_model.xml or one of {', '.join(ONNX_FILES)}. Run the stage that makes the model again."
    )
