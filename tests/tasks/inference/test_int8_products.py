"""Products of int8 on processors with and without dot products for them."""

import logging
import platform
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tasks.inference.classifier import Classifier
from tasks.inference.int8_products import CPUINFO, lacks_dot_products, say_if_slower
from tasks.inference.onnx import open_session
from tests.tasks.serving.release.tiny_release import make_onnx_artifact

AVX2 = "processor\t: 0\nflags\t\t: fpu sse4_2 avx2 fma\n"


def test_the_largest_bytes_are_added_without_loss_on_this_processor(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.full((64, 8), 127, np.int8), "weights")
    given = helper.make_tensor_value_info("bytes", TensorProto.UINT8, [1, 64])
    sums = helper.make_tensor_value_info("sums", TensorProto.INT32, [1, 8])
    node = helper.make_node("MatMulInteger", ["bytes", "weights"], ["sums"])
    graph = helper.make_graph([node], "products", [given], [sums], [weights])
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), tmp_path / "model.onnx")
    session = open_session(tmp_path, threads=1, spinning=False)
    (found,) = session.run(None, {"bytes": np.full((1, 64), 255, np.uint8)})
    assert found.tolist() == [[64 * 255 * 127] * 8]


def test_a_processor_is_known_by_its_flags() -> None:
    assert lacks_dot_products(AVX2)
    for extension in ("avx512_vnni", "avx_vnni", "amx_int8"):
        assert not lacks_dot_products(AVX2.replace("fma", extension))
    assert not lacks_dot_products("Features\t: fp asimd\n")  # an ARM processor does not saturate


def test_a_classifier_says_once_that_it_is_slower_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    say_if_slower.cache_clear()
    make_onnx_artifact(tmp_path)
    with caplog.at_level(logging.INFO, logger="tasks.inference.int8_products"):
        Classifier(tmp_path)
        Classifier(tmp_path)
    slower = platform.machine() == "x86_64" and lacks_dot_products(CPUINFO.read_text())
    assert caplog.text.count("no dot products of int8 (VNNI)") == slower
