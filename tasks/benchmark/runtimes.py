"""The runtimes under test: each opens a model, knows its size, and can be set to a number of threads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tasks.benchmark.protocol import Open, Setting
from tasks.benchmark.threads import onnx_settings, set_torch_threads, thread_counts
from tasks.results.roles import YARDSTICK
from tasks.runtimes.files import inference_bytes
from tasks.runtimes.runner import Runner, is_release, kind_of, open_runner


class Contestant(Protocol):
    """A loaded model that can be timed."""

    runtime: str
    size_bytes: int
    settings: tuple[Setting, ...]

    def use(self, setting: Setting) -> None:
        """Answer with these threads from now on."""
        ...

    def answer(self, texts: Sequence[str]) -> object:
        """Answer `texts` as one batch, from string to scores."""
        ...


def open_contestant(request: Open) -> Contestant:
    """Load what `request` names; raises ArtifactError when its folder holds no model that can be read."""
    if request.name == YARDSTICK:
        from tasks.benchmark.yardstick import Yardstick

        return Yardstick(request)
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
        from tasks.runtimes.classifier import Classifier

        self._classifier = Classifier(self._folder, setting.threads, bool(setting.spinning))

    def answer(self, texts: Sequence[str]) -> object:
        """Labels with their confidence, checks of the input included."""
        return self._classifier.predict(texts)


class Model:
    """One form of the trained model, or a baseline."""

    def __init__(self, folder: Path, cores: int) -> None:
        self._folder = folder
        self._kind = kind_of(folder)
        self.settings = {
            "tfidf": (Setting(threads=1),),
            "fast_text": (Setting(threads=1),),
            "pytorch": tuple(Setting(threads=n) for n in thread_counts(cores)),
            "pytorch_int8": tuple(Setting(threads=n) for n in thread_counts(cores)),
            "openvino": tuple(Setting(threads=n) for n in thread_counts(cores)),
            "onnx": onnx_settings(cores),
        }[self._kind]
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
