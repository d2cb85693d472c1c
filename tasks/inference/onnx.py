"""An ONNX model the way a user of a release runs it: `tokenizers` and `onnxruntime`, nothing else.

Importing this module imports nothing heavier than those two: it is what serving stands on.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf
from tokenizers import Encoding

from infra.errors import ArtifactError
from tasks.formats.model_folder import graph_file
from tasks.formats.onnx_folder import (
    LOGITS,
    OWN_LOGITS,
    read_labels,
    read_rule,
    read_temperature,
    read_tokenizer,
)
from tasks.formats.rust_panics import tokenizing
from tasks.inference.exported import feeds_of
from tasks.inference.int8_products import EXACT

PADDING = ("direction", "pad_id", "pad_type_id", "pad_token")
DAMAGED = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf)


class TextGraph:
    """Tokenizer and session of one ONNX folder. Threads may share it: neither is changed after it is opened."""

    def __init__(self, folder: Path, threads: int | None, spinning: bool, own_logits: bool = False) -> None:
        """With `own_logits` those before rule and temperature can be asked for."""
        self._folder, self._tokenizer = folder, read_tokenizer(folder)
        # Taken out of the tokenizer, so that many texts can be tokenized at once and padded batch by batch.
        padding = self._tokenizer.padding or {}
        self._padding = {name: padding[name] for name in PADDING}
        self._tokenizer.no_padding()
        self._session = open_session(folder, threads, spinning, own_logits)
        self._outputs = [output.name for output in self._session.get_outputs()]

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Token ids of each text, cut to the model's length, not padded; raises ArtifactError where that fails."""
        with tokenizing(self._folder):
            rows: list[Encoding] = self._tokenizer.encode_batch_fast(list(texts))
        return rows

    def logits(self, rows: Sequence[Encoding]) -> np.ndarray:
        """Logits float32 [n, classes] of encoded texts as one batch, padded to its longest row (in place)."""
        return self.run(rows)[LOGITS]

    def run(self, rows: Sequence[Encoding]) -> dict[str, np.ndarray]:
        """Every output of the graph by its name, of a batch as `logits` takes it."""
        longest = max(len(row) for row in rows)
        for row in rows:
            if len(row) < longest:
                row.pad(longest, **self._padding)
        return dict(zip(self._outputs, self._session.run(self._outputs, feeds_of(rows)), strict=True))


class OnnxRunner:
    """An ONNX Runtime session on the CPU. The out-of-scope rule and the temperature are in the graph."""

    # The ranges of dynamic int8 are taken over the whole batch, so a row's logits depend on its neighbours.
    rows_independent = False
    ruled = True

    def __init__(self, folder: Path, threads: int | None = None, spinning: bool = True) -> None:
        self.labels, self.rule = read_labels(folder), read_rule(folder)
        self.temperature: float | None = read_temperature(folder)
        self.runtime = runtime_name()
        self._asked = (folder, threads, spinning)
        self._graph = TextGraph(*self._asked)

    @cached_property
    def _telling_graph(self) -> TextGraph:
        return TextGraph(*self._asked, own_logits=True)

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Logits float32 [n, classes] with the rule in the out-of-scope class."""
        return self._graph.logits(self._graph.encode(texts))

    def logits_and_own(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The same, and the head's own, by a session of the same graph with one output more."""
        found = self._telling_graph.run(self._telling_graph.encode(texts))
        return found[LOGITS], found.get(OWN_LOGITS, found[LOGITS])


def runtime_name() -> str:
    """Library and version."""
    return f"onnxruntime {onnxruntime.__version__}"


def open_session(
    folder: Path, threads: int | None, spinning: bool, own_logits: bool = False
) -> onnxruntime.InferenceSession:
    """A session of the graph in `folder`, with its own logits as an output too where they are asked for and are others.

    Raises ArtifactError when ONNX Runtime does not take the graph.
    """
    path = graph_file(folder)
    options = session_options(threads)
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    try:
        given = _with_own_logits(path) if own_logits else str(path)
        return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    except DAMAGED as error:
        raise ArtifactError(
            f"ONNX Runtime does not take {path} ({error}). Export the model again."
        ) from error


def _with_own_logits(path: Path) -> bytes:
    """The graph with one output more, where a rule or a temperature stands before its output."""
    import onnx  # not above: whoever serves a release has no use for it

    model = onnx.load(path)
    if any(OWN_LOGITS in node.output for node in model.graph.node):
        own = model.graph.output.add()
        own.CopyFrom(next(output for output in model.graph.output if output.name == LOGITS))
        own.name = OWN_LOGITS
    return bytes(model.SerializeToString())


def session_options(threads: int | None) -> onnxruntime.SessionOptions:
    """What every session of ours is opened with: `threads`, None for one a core, and exact products of int8."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors alone: its warnings go to stderr and are of no use to the reader
    options.add_session_config_entry(*EXACT)
    return options
