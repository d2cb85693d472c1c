"""An ONNX model the way a user of a release runs it: `tokenizers` and `onnxruntime`, nothing else."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf
from pydantic import ValidationError
from tokenizers import Tokenizer

from infra.errors import ArtifactError
from tasks.out_of_scope.rule import OutOfScopeRule
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
        encoded = self._tokenizer.encode_batch_fast(list(texts))
        feeds = {
            "input_ids": np.array([row.ids for row in encoded], dtype=np.int64),
            "attention_mask": np.array([row.attention_mask for row in encoded], dtype=np.int64),
        }
        return self._session.run(["logits"], feeds)[0]


def read_labels(folder: Path) -> tuple[str, ...]:
    """Class names of `config.json` in the order of the logits; raises ArtifactError when it has none."""
    try:
        names = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"]
        return tuple(names[str(i)] for i in range(len(names)))
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(
            f"{folder}/config.json does not name the labels ({type(error).__name__}: {error}): expected "
            "id2label. Export the model again."
        ) from error


def read_rule(folder: Path) -> OutOfScopeRule | None:
    """The rule that the graph in `folder` holds, as its `config.json` says; None where it holds none."""
    rule = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("out_of_scope")
    try:
        return None if rule is None else OutOfScopeRule.model_validate(rule)
    except ValidationError as error:
        raise ArtifactError(
            f"{folder}/config.json says out_of_scope as {rule!r}: expected label, score, threshold and "
            "expected_share, or null. Export the model again."
        ) from error


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer beside the graph, which cuts and pads by itself; raises ArtifactError if it does not."""
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises a bare Exception
        raise ArtifactError(
            f"{path} cannot be read ({error}): expected a fast tokenizer. Export the model again."
        ) from error
    if tokenizer.padding is None or tokenizer.truncation is None:
        raise ArtifactError(
            f"{path} sets no padding or no truncation: expected both. Export the model again."
        )
    return tokenizer


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
