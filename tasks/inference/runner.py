"""A trained model in some runtime, from texts to logits: what prediction and the benchmark see of every form.

Opening one imports its runtime and no other, so a process that runs ONNX never pays for torch.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tasks.formats.model_folder import kind_of

if TYPE_CHECKING:
    from tasks.formats.out_of_scope import OutOfScopeRule


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

    def logits_and_own(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The same, and what they were before rule and temperature: the same array where the model has neither."""


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
        from tasks.inference.tfidf import open_tfidf

        return open_tfidf(folder)
    if kind == "fast_text":
        from tasks.inference.fast_text import open_fast_text

        return open_fast_text(folder)
    if kind == "pytorch":
        from tasks.inference.pytorch import PytorchRunner

        return PytorchRunner(folder, threads, accelerated)
    if kind == "pytorch_int8":
        from tasks.inference.pytorch_int8 import PytorchInt8Runner

        return PytorchInt8Runner(folder, threads)
    if kind == "openvino":
        from tasks.inference.openvino import OpenvinoRunner

        return OpenvinoRunner(folder, threads)
    from tasks.inference.onnx import OnnxRunner

    return OnnxRunner(folder, threads, spinning)
