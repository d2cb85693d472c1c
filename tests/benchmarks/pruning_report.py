"""What pruning really does: zeros, bytes and milliseconds, each measured.

A zero in a dense matrix is stored and multiplied like any other number. Bytes are saved only by a file that is compressed
or by a sparse format, and time only by kernels for that format, which ONNX Runtime does not have.
"""

import gzip
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import scipy.sparse
from pydantic import Field
from transformers import PreTrainedModel

from tasks.compression.pruning.blocks import Block
from tasks.compression.pruning.sparsity import sparsity_of, weights_of
from tasks.formats.model_files import inference_bytes
from tasks.formats.value import Value
from tasks.inference.onnx import OnnxRunner

LEVEL = 9  # of gzip and zstd: a release is compressed once
WARM_UP, ROUNDS, CALLS = 5, 60, 5  # rounds, rounds, calls in each


class StoredBytes(Value):
    """Bytes of the layers' matrices in each form."""

    dense: int = Field(description="every number written out")
    gzip: int
    zstd: int
    sparse: int = Field(description="compressed sparse rows: each non-zero and its column")
    block_sparse: int = Field(
        description="the same of blocks: each block with a non-zero in it, and its column"
    )

    def __str__(self) -> str:
        return (
            f"{_mb(self.dense)} MB ({_mb(self.gzip)} by gzip, {_mb(self.zstd)} by zstd, {_mb(self.sparse)} in a sparse "
            f"format, {_mb(self.block_sparse)} in one of blocks)"
        )


class Spread(Value):
    """Median and quartiles of repeated measurements."""

    median: float
    lower_quartile: float
    upper_quartile: float

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.lower_quartile:.3f} to {self.upper_quartile:.3f})"


class PruningReport(Value):
    """A pruned model beside the one that it was made from."""

    sparsity: float = Field(description="share of zeros over all matrices of the layers")
    matrices: dict[str, float] = Field(description="the same of each matrix")
    float32: StoredBytes
    int8: StoredBytes = Field(
        description="the same of the weights as signed bytes, a scale for each row apart"
    )
    dense_bytes: int = Field(description="of all files that answering with the dense model takes")
    pruned_bytes: int = Field(description="the same of the pruned model")
    dense_latency: Spread = Field(description="milliseconds of one query in ONNX Runtime on one thread")
    pruned_latency: Spread
    latency_ratio: Spread = Field(
        description="pruned over dense, of rounds that were timed one after the other"
    )

    def text(self) -> str:
        """What was found, in sentences."""
        ratio = self.latency_ratio
        apart = ratio.upper_quartile < 1 or ratio.lower_quartile > 1
        verdict = "a difference" if apart else "no difference, for ONNX Runtime multiplies the zeros too"
        return (
            f"{self.sparsity:.1%} of the weights of the layers' matrices are zero. One query takes "
            f"{self.pruned_latency} ms where the dense model takes {self.dense_latency}, a ratio of {ratio}: {verdict}. "
            f"The files of the pruned model have {_mb(self.pruned_bytes)} MB, those of the dense one "
            f"{_mb(self.dense_bytes)}. Its matrices alone have {self.int8} in int8 and {self.float32} in float32; ONNX "
            "Runtime runs them dense only."
        )


def report_pruning(
    body: PreTrainedModel, block: Block, graphs: tuple[Path, Path], texts: Sequence[str]
) -> PruningReport:
    """Report on `body`, pruned in blocks of `block`; `graphs` are ONNX artifacts of the dense and of the pruned model.

    `texts` are the queries that both are timed on. Raises ArtifactError when an artifact is damaged.
    """
    matrices = weights_of(body)
    dense, pruned = time_in_turns(graphs, texts)
    return PruningReport(
        sparsity=sparsity_of(body),
        matrices={name: float((weight == 0).mean()) for name, weight in matrices.items()},
        float32=stored(list(matrices.values()), block),
        int8=stored([as_int8(weight) for weight in matrices.values()], block),
        dense_bytes=inference_bytes(graphs[0]),
        pruned_bytes=inference_bytes(graphs[1]),
        dense_latency=_spread(dense),
        pruned_latency=_spread(pruned),
        latency_ratio=_spread(pruned / dense),
    )


def as_int8(weight: np.ndarray) -> np.ndarray:
    """Symmetric int8 of `weight` float [outputs, inputs] with a scale for each output; zeros stay zeros."""
    scale = np.maximum(np.abs(weight).max(axis=1, keepdims=True), np.finfo(np.float32).tiny) / 127
    return np.rint(weight / scale).astype(np.int8)


def stored(weights: Sequence[np.ndarray], block: Block) -> StoredBytes:
    """Bytes of `weights` [rows, columns], one after the other, in each form; blocks fill each of them."""
    content = b"".join(np.ascontiguousarray(weight).tobytes() for weight in weights)
    sparse = [scipy.sparse.csr_array(weight) for weight in weights]
    return StoredBytes(
        dense=len(content),
        gzip=len(gzip.compress(content, LEVEL, mtime=0)),
        zstd=pa.Codec("zstd", LEVEL).compress(content).size,
        sparse=sum(_sparse_bytes(each) for each in sparse),
        block_sparse=sum(_sparse_bytes(each.tobsr(blocksize=block)) for each in sparse),
    )


def time_in_turns(graphs: Sequence[Path], texts: Sequence[str]) -> np.ndarray:
    """Milliseconds of one text at a time on one thread, float64 [graphs, rounds], of ONNX artifacts.

    They take turns, so that the machine's moods meet all of them, and of a round's calls the fastest counts, which was
    not interrupted: a round's ratio means something on a busy machine too.
    Nothing spins between calls, so sessions in one process do not disturb each other.
    """
    runners = [OnnxRunner(folder, threads=1, spinning=False) for folder in graphs]
    found = np.empty((len(runners), ROUNDS))
    for round_ in range(-WARM_UP, ROUNDS):
        # Now the one goes first, now the other.
        for number in sorted(range(len(runners)), reverse=round_ % 2 == 1):
            text = texts[round_ % len(texts)]
            fastest = min(_milliseconds(runners[number], text) for _ in range(CALLS))
            if round_ >= 0:
                found[number, round_] = fastest
    return found


def _milliseconds(runner: OnnxRunner, text: str) -> float:
    begin = time.perf_counter()
    runner.logits([text])
    return (time.perf_counter() - begin) * 1e3


def _spread(values: np.ndarray) -> Spread:
    lower, median, upper = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return Spread(median=median, lower_quartile=lower, upper_quartile=upper)


def _sparse_bytes(matrix: scipy.sparse.sparray) -> int:
    """Values, a column of two bytes for each entry, and an offset of four for each row."""
    return int(matrix.data.nbytes + 2 * matrix.indices.size + 4 * matrix.indptr.size)


def _mb(count: int) -> str:
    return f"{count / 1e6:.2f}"
