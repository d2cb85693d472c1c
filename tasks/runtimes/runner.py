"""A trained model in some runtime, from texts to logits: what prediction and the benchmark see of every form.

Opening one imports its runtime and no other, so a process that runs ONNX never pays for torch.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from infra.errors import ArtifactError

if TYPE_CHECKING:
    from tasks.out_of_scope.rule import OutOfScopeRule

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


class Runner(Protocol):
    """A model that is loaded and answers texts."""

    labels: tuple[str, ...]
    runtime: str  # library and version
    rows_independent: bool  # whether a row's logits are the same whatever rows share its batch
    ruled: bool  # whether the logits are after the out-of-scope rule
    rule: "OutOfScopeRule | None"  # that rule; None where the model has none
    temperature: float | None  # what the logits were divided by; None: nothing, they are not calibrated

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Logits float32 [n, classes] of `texts` as one batch."""
        ...


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


def open_runner(
    folder: Path, threads: int | None = None, spinning: bool = True, accelerated: bool = False
) -> Runner:
    """Load the model in `folder` into its runtime.

    Args:
        folder: a baseline, a checkpoint, an ONNX artifact or a release.
        threads: threads within one operation; None leaves the runtime's default.
        spinning: whether ONNX Runtime's idle threads spin for a while before they sleep.
        accelerated: whether PyTorch in float32 answers on accelerate's device. What is timed answers on the CPU.

    Raises:
        ArtifactError: the folder holds no model, or a damaged one.
        ConfigError: its runtime is an extra that is not installed.
    """
    kind = kind_of(folder)
    if kind == "tfidf":
        from tasks.runtimes.tfidf import TfidfRunner

        return TfidfRunner(folder)
    if kind == "fast_text":
        from tasks.runtimes.fast_text import FastTextRunner

        return FastTextRunner(folder)
    if kind == "pytorch":
        from tasks.runtimes.pytorch import PytorchRunner

        return PytorchRunner(folder, threads, accelerated)
    if kind == "pytorch_int8":
        from tasks.runtimes.pytorch_int8 import PytorchInt8Runner

        return PytorchInt8Runner(folder, threads)
    if kind == "openvino":
        from tasks.runtimes.openvino import OpenvinoRunner

        return OpenvinoRunner(folder, threads)
    from tasks.runtimes.onnx import OnnxRunner

    return OnnxRunner(folder, threads, spinning)
