"""An ONNX model the way a user of a release runs it: `tokenizers` and `onnxruntime`, nothing else.

Importing this module imports nothing heavier than those two: it is what serving stands on.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf
from tokenizers import Encoding

from infra.errors import ArtifactError
from tasks.foreign.rust import tokenizing
from tasks.runtimes.exported import feeds_of, read_labels, read_rule, read_temperature, read_tokenizer
from tasks.runtimes.runner import graph_file

PADDING = ("direction", "pad_id", "pad_type_id", "pad_token")
DAMAGED = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf)


class TextGraph:
    """Tokenizer and session of one ONNX folder. Threads may share it: neither is changed after it is opened."""

    def __init__(self, folder: Path, threads: int | None, spinning: bool) -> None:
        self._folder, self._tokenizer = folder, read_tokenizer(folder)
        # Taken out of the tokenizer, so that many texts can be tokenized at once and padded batch by batch.
        padding = self._tokenizer.padding or {}
        self._padding = {name: padding[name] for name in PADDING}
        self._tokenizer.no_padding()
        self._session = open_session(folder, threads, spinning)

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Token ids of each text, cut to the model's length, not padded; raises ArtifactError where that fails."""
        with tokenizing(self._folder):
            rows: list[Encoding] = self._tokenizer.encode_batch_fast(list(texts))
        return rows

    def logits(self, rows: Sequence[Encoding]) -> np.ndarray:
        """Logits float32 [n, classes] of encoded texts as one batch, padded to its longest row (in place)."""
        longest = max(len(row) for row in rows)
        for row in rows:
            if len(row) < longest:
                row.pad(longest, **self._padding)
        logits: np.ndarray = self._session.run(["logits"], feeds_of(rows))[0]
        return logits


class OnnxRunner:
    """An ONNX Runtime session on the CPU. The out-of-scope rule and the temperature are in the graph."""

    # The ranges of dynamic int8 are taken over the whole batch, so a row's logits depend on its neighbours.
    rows_independent = False
    ruled = True

    def __init__(self, folder: Path, threads: int | None = None, spinning: bool = True) -> None:
        self.labels, self.rule = read_labels(folder), read_rule(folder)
        self.temperature: float | None = read_temperature(folder)
        self.runtime = runtime_name()
        self._graph = TextGraph(folder, threads, spinning)

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Logits float32 [n, classes] with the rule in the out-of-scope class."""
        return self._graph.logits(self._graph.encode(texts))


def runtime_name() -> str:
    """Library and version."""
    return f"onnxruntime {onnxruntime.__version__}"


def open_session(folder: Path, threads: int | None, spinning: bool) -> onnxruntime.InferenceSession:
    """A session of the graph in `folder`; raises ArtifactError when ONNX Runtime does not take it."""
    path = graph_file(folder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0  # 0: one for each core
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors alone: its warnings go to stderr and are of no use to the reader
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except DAMAGED as error:
        raise ArtifactError(
            f"ONNX Runtime does not take {path} ({error}). Export the model again."
        ) from error
