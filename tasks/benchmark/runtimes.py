"""The runtimes under test: each opens a model, knows its size, and can be set to a number of threads.

The yardstick is what everybody starts from: PyTorch's BERT-base in float32 behind `transformers.pipeline`.
Its weights are random, for latency and size do not depend on them and a bare machine has no others.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from infra.errors import ArtifactError
from tasks.benchmark.protocol import YARDSTICK, Open, Setting
from tasks.runtimes.files import inference_bytes
from tasks.runtimes.runner import Runner, kind_of, open_runner

POSITIONS = 512  # tokens that BERT-base reads at most


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
        return Yardstick(request)
    return Model(request.folder, request.cores)


class Model:
    """One form of the trained model."""

    def __init__(self, folder: Path, cores: int) -> None:
        self._folder = folder
        self._kind = kind_of(folder)
        self.settings = {
            "tfidf": (Setting(threads=1),),
            "pytorch": tuple(Setting(threads=n) for n in thread_counts(cores)),
            "pytorch_int8": tuple(Setting(threads=n) for n in thread_counts(cores)),
            "openvino": tuple(Setting(threads=n) for n in thread_counts(cores)),
            "onnx": onnx_settings(cores),
        }[self._kind]
        self._runner = self._open(self.settings[0])
        self.runtime = self._runner.runtime
        self.size_bytes = inference_bytes(folder)

    def use(self, setting: Setting) -> None:
        """ONNX Runtime and OpenVINO fix their threads when a model opens, torch can change them, TF-IDF has one."""
        if self._kind in ("onnx", "openvino"):
            self._runner = self._open(setting)
        elif self._kind in ("pytorch", "pytorch_int8"):
            _set_torch_threads(setting.threads)

    def answer(self, texts: Sequence[str]) -> object:
        """Logits of `texts`, tokenizer included."""
        return self._runner.logits(texts)

    def _open(self, setting: Setting) -> Runner:
        return open_runner(self._folder, setting.threads, bool(setting.spinning))


class Yardstick:
    """BERT-base with a head for the data set's labels, and the teacher's tokenizer."""

    def __init__(self, request: Open) -> None:
        import torch
        import transformers

        from tasks.encoder.loading import load_tokenizer

        self._tokenizer = load_tokenizer(request.folder)
        if self._tokenizer.pad_token_id is None:
            raise ArtifactError(
                f"the tokenizer in {request.folder} has no padding token: expected one. Train the model again."
            )
        self._tokenizer.model_max_length = POSITIONS
        config = transformers.BertConfig(num_hidden_layers=request.yardstick_layers)
        config.num_labels = request.classes
        config.vocab_size = max(config.vocab_size, len(self._tokenizer))
        torch.manual_seed(0)
        self._model = transformers.BertForSequenceClassification(config).eval()
        self._pipeline = transformers.pipeline(  # type: ignore[call-overload]  # it lists concrete classes only
            "text-classification", model=self._model, tokenizer=self._tokenizer, device="cpu"
        )
        self.runtime = f"torch {torch.__version__}, transformers {transformers.__version__}"
        self.settings = tuple(Setting(threads=n) for n in thread_counts(request.cores))
        self.size_bytes = self._saved_bytes()

    def use(self, setting: Setting) -> None:
        """Threads of torch, which are this process's."""
        _set_torch_threads(setting.threads)

    def answer(self, texts: Sequence[str]) -> object:
        """The pipeline's labels and scores of `texts`."""
        return self._pipeline(list(texts), batch_size=len(texts), truncation=True)

    def _saved_bytes(self) -> int:
        """Bytes of the files that `save_pretrained` really writes: weights, configuration and tokenizer."""
        from tasks.encoder.loading import quiet_transformers

        with tempfile.TemporaryDirectory(prefix="yardstick-") as name, quiet_transformers():
            self._model.save_pretrained(name)
            self._tokenizer.save_pretrained(name)
            return sum(path.stat().st_size for path in Path(name).rglob("*") if path.is_file())


def thread_counts(cores: int) -> tuple[int, ...]:
    """1, 2, 4, ... and the number of cores: the counts worth trying."""
    return tuple(sorted({2**n for n in range(cores.bit_length())} | {cores}))


def onnx_settings(cores: int) -> tuple[Setting, ...]:
    """One thread, or all cores with and without spinning (one thread waits for nobody)."""
    many = tuple(Setting(threads=cores, spinning=spinning) for spinning in (False, True)) if cores > 1 else ()
    return (Setting(threads=1, spinning=False), *many)


def _set_torch_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
