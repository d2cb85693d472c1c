"""The runtimes under test: each opens a model, knows its size, and can be set to a number of threads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tasks.evaluation.latency.protocol import Open, Setting
from tasks.evaluation.latency.threads import onnx_settings, set_torch_threads, torch_settings
from tasks.formats.model_files import inference_bytes
from tasks.formats.model_folder import is_release, kind_of
from tasks.formats.roles import YARDSTICK
from tasks.inference.runner import Runner, open_runner


class RunnerUnderTest(Protocol):
    """A loaded model that can be timed."""

    runtime: str
    size_bytes: int
    settings: tuple[Setting, ...]

    def use(self, setting: Setting) -> None:
        """Answer with these threads from now on."""

    def answer(self, texts: Sequence[str]) -> object:
        """Answer `texts` as one batch, from string to scores."""


def open_runner_under_test(request: Open) -> RunnerUnderTest:
    """Load what `request` names; raises ArtifactError when its folder holds no model that can be read."""
    if request.name == YARDSTICK:
        from tasks.evaluation.latency.reference_model import ReferenceModel

        return ReferenceModel(request)
    if is_release(request.folder):
        return Release(request.folder, request.cores)
    return Model(request.folder, request.cores)


class Release:
    """A release as a service runs it: the class that users are told to use, from strings to labels."""

    def __init__(self, folder: Path, cores: int) -> None:
        self._folder = folder
        self.settings = onnx_settings(cores)
        self.use(self.settings[0])
        self.runtime = self._classifier.runtime
        self.size_bytes = inference_bytes(folder)

    def use(self, setting: Setting) -> None:
        """ONNX Runtime fixes its threads when a session opens: open another."""
        from tasks.inference.classifier import Classifier

        self._classifier = Classifier(self._folder, setting.threads, bool(setting.spinning))

    def answer(self, texts: Sequence[str]) -> object:
        """Labels with their confidence, checks of the input included."""
        return self._classifier.predict(texts)


class Model:
    """One form of the trained model, or a baseline."""

    def __init__(self, folder: Path, cores: int) -> None:
        self._folder = folder
        self._kind = kind_of(folder)
        self.settings = onnx_settings(cores) if self._kind == "onnx" else torch_settings(cores)
        if self._kind in ("tfidf", "fast_text"):
            self.settings = torch_settings(1)
        self._runner = self._open(self.settings[0])
        self.runtime = self._runner.runtime
        self.size_bytes = inference_bytes(folder)

    def use(self, setting: Setting) -> None:
        """ONNX Runtime and OpenVINO fix their threads when a model opens, torch can change them, the rest has one."""
        if self._kind in ("onnx", "openvino"):
            self._runner = self._open(setting)
        elif self._kind in ("pytorch", "pytorch_int8"):
            set_torch_threads(setting.threads)

    def answer(self, texts: Sequence[str]) -> object:
        """Logits of `texts`, tokenizer included."""
        return self._runner.logits(texts)

    def _open(self, setting: Setting) -> Runner:
        return open_runner(self._folder, setting.threads, bool(setting.spinning))
