"""What one core of this machine can do at most, to set beside a latency: memory read, int8 multiplied.

A query takes at least as long as its weights take to be read and its multiplications to be made. Measured with one
thread and with what the released model itself runs on: numpy's copy, and ONNX Runtime's integer product.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from tests.benchmarks.work import Work

LARGE = 256 * 2**20  # bytes; no cache holds as much
SIDE = 1024  # rows, columns and inner size of the product that shows the best rate
SHORTEST_S = 0.2  # a rate is the best of the repeats that fit


@dataclass(frozen=True)
class Machine:
    """Rates of one core, the best seen: a limit is what was possible, not what was usual."""

    memory_bytes_per_s: float  # read and written by a copy of 256 MB
    cache_bytes_per_s: float  # the same of a copy as large as the model's weights
    int8_per_s: float  # int8 multiply-adds, 1024 x 1024 x 1024
    int8_at_query_per_s: float  # the same with as many rows as the query has tokens


@dataclass(frozen=True)
class Limit:
    """Milliseconds that a query cannot go below."""

    memory_ms: float
    cache_ms: float
    int8_ms: float
    int8_at_query_ms: float


def limit_of(work: Work, machine: Machine) -> Limit:
    """How long `work` takes `machine` at least, by each of its rates."""
    return Limit(
        memory_ms=1e3 * work.weight_bytes / machine.memory_bytes_per_s,
        cache_ms=1e3 * work.weight_bytes / machine.cache_bytes_per_s,
        int8_ms=1e3 * work.multiply_adds / machine.int8_per_s,
        int8_at_query_ms=1e3 * work.multiply_adds / machine.int8_at_query_per_s,
    )


def measure_machine(weight_bytes: int, tokens: int) -> Machine:
    """Rates of one core of this machine, for a model of `weight_bytes` and a query of `tokens`. Takes two seconds."""
    return Machine(
        memory_bytes_per_s=copy_rate(LARGE),
        cache_bytes_per_s=copy_rate(max(weight_bytes, 4096)),
        int8_per_s=int8_rate(SIDE, SIDE, SIDE),
        int8_at_query_per_s=int8_rate(max(tokens, 1), SIDE, SIDE),
    )


def copy_rate(size: int) -> float:
    """Bytes a second that a copy of `size` bytes reads and writes."""
    source, target = np.ones(size // 8), np.zeros(size // 8)
    return 2 * source.nbytes / best_seconds(lambda: np.copyto(target, source))


def int8_rate(rows: int, inner: int, columns: int) -> float:
    """Multiply-adds a second of ONNX Runtime's product of bytes [rows, inner] with weights int8 [inner, columns]."""
    weights = np.ones((inner, columns), dtype=np.int8)
    values = helper.make_tensor_value_info("values", TensorProto.UINT8, [rows, inner])
    sums = helper.make_tensor_value_info("sums", TensorProto.INT32, [rows, columns])
    node = helper.make_node("MatMulInteger", ["values", "weights"], ["sums"])
    graph = helper.make_graph(
        [node], "product", [values], [sums], [numpy_helper.from_array(weights, "weights")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = {"values": np.ones((rows, inner), dtype=np.uint8)}
    return rows * inner * columns / best_seconds(lambda: session.run(["sums"], feeds))


def best_seconds(call: Callable[[], object]) -> float:
    """The shortest time of `call` over `SHORTEST_S` seconds of repeats, at least three."""
    call()
    best, started, repeats = float("inf"), time.perf_counter(), 0
    while repeats < 3 or time.perf_counter() - started < SHORTEST_S:
        before = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - before)
        repeats += 1
    return best
