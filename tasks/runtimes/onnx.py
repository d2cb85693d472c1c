"""An ONNX model the way a user of a release runs it: `tokenizers` and `onnxruntime`, nothing else."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf

from infra.errors import ArtifactError
from tasks.runtimes.exported import encode, read_labels, read_rule, read_tokenizer
from tasks.runtimes.runner import ONNX_FILES

DAMAGED = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf)


class OnnxRunner:
    """An ONNX Runtime session on the CPU. The out-of-scope rule is in the graph."""

    # The ranges of dynamic int8 are taken over the whole batch, so a row's logits depend on its neighbours.
    rows_independent = False
    ruled = True

    def __init__(self, folder: Path, threads: int | None = None, spinning: bool = True) -> None:
        self.labels, self.rule = read_labels(folder), read_rule(folder)
        self.runtime = f"onnxruntime {onnxruntime.__version__}"
        self._tokenizer = read_tokenizer(folder)
        self._session = open_session(folder, threads, spinning)

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Logits float32 [n, classes] with the rule in the out-of-scope class."""
        return self._session.run(["logits"], encode(self._tokenizer, texts))[0]


def open_session(folder: Path, threads: int | None, spinning: bool) -> onnxruntime.InferenceSession:
    """A session of the graph in `folder`; raises ArtifactError when ONNX Runtime does not take it."""
    path = folder / next(name for name in ONNX_FILES if (folder / name).is_file())
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
