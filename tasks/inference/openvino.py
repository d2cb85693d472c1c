"""A model in OpenVINO on the CPU, from texts to logits. OpenVINO is an extra: `pip install 'stillhouse[openvino]'`."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np

from infra.errors import ArtifactError, ConfigError
from tasks.decision.rule import apply_rule
from tasks.decision.temperature import apply_temperature
from tasks.formats.onnx_folder import read_labels, read_rule, read_temperature, read_tokenizer
from tasks.inference.exported import encode

MODEL_FILE = "openvino_model.xml"  # openvino_model.bin lies beside it: the names that optimum-intel gives


class OpenvinoRunner:
    """A compiled model. The rule and the temperature of its `config.json` are applied here."""

    # Ranges are constants, but sums of another length are rounded otherwise, and then to another integer.
    rows_independent = False
    ruled = True

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        openvino = import_openvino()
        self.labels, self.rule = read_labels(folder), read_rule(folder)
        self.temperature: float | None = read_temperature(folder)
        self.runtime = f"openvino {openvino.__version__.split('-')[0]}"
        self._tokenizer = read_tokenizer(folder)
        # What is not int8 would be bfloat16 where the processor has it: no faster here, and further from float32.
        options: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        try:
            self._compiled = openvino.Core().compile_model(str(folder / MODEL_FILE), "CPU", options)
        except RuntimeError as error:
            raise ArtifactError(
                f"OpenVINO does not take {folder / MODEL_FILE} ({str(error)[:300]}): expected a model and its weights. "
                "Quantize the model again."
            ) from error
        self._own = threading.local()  # a request serves one thread at a time

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Logits float32 [n, classes] with the rule in the out-of-scope class."""
        return self.logits_and_own(texts)[0]

    def logits_and_own(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The same, and the graph's own."""
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        own = np.array(self._own.request.infer(encode(self._tokenizer, texts), share_inputs=True)["logits"])
        outside = None if self.rule is None else self.labels.index(self.rule.label)
        ruled = apply_rule(own, self.rule, outside)
        return (ruled if self.temperature is None else apply_temperature(ruled, self.temperature)), own


def import_openvino() -> ModuleType:
    """The library; raises ConfigError where it is not installed."""
    try:
        with without_reports():
            import openvino
    except ImportError as error:
        raise missing_extra(error) from error
    return openvino


def missing_extra(error: ImportError) -> ConfigError:
    """What to say when a library of the extra is not installed."""
    return ConfigError(
        f"OpenVINO is asked for and cannot be imported ({error}): expected the extra openvino. "
        "Run `pip install 'stillhouse[openvino]'`, or choose another method of quantization."
    )


@contextmanager
def without_reports() -> Iterator[None]:
    """While it lasts, OpenVINO and NNCF think they run in CI: elsewhere each import is reported to Google Analytics."""
    wanted = {"CI": "true", "NNCF_CI": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
