"""Static int8 for OpenVINO, by NNCF: a second backend beside ONNX, for processors and sizes where it is faster.

A student of 2 layers of 384 is not of such a size (0.60 ms against 0.30 of ONNX Runtime, one thread), DistilBERT is.
"""

import contextlib
import io
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from onnx import ModelProto

from infra.errors import DataError
from tasks.inference.exported import Feeds
from tasks.inference.openvino import MODEL_FILE, import_openvino, missing_extra, without_reports


def write_openvino_int8(model: ModelProto, feeds: Iterable[Feeds], output_dir: Path) -> None:
    """Write the static int8 form of a float32 graph without its out-of-scope rule: `openvino_model.xml` and `.bin`.

    Weights of matrices are signed with a scale for each row, activations have the ranges of `feeds`, embeddings are
    bytes; what that shifts is put into the biases (NNCF's fast bias correction).

    Raises:
        ConfigError: the extra is not installed.
        DataError: there are no feeds.
    """
    openvino, calibration = import_openvino(), list(feeds)
    if not calibration:
        raise DataError("there are no texts to calibrate with: expected at least one. Give some.")
    quantized = _quantized(openvino.Core().read_model(model.SerializeToString()), calibration)
    # Names that OpenVINO makes up count on through the process, and would be other bytes the second time.
    for place, node in enumerate(quantized.get_ordered_ops()):
        node.set_friendly_name(f"{node.get_type_name()}_{place}")
    openvino.save_model(quantized, str(output_dir / MODEL_FILE), compress_to_fp16=False)


def _quantized(graph: Any, calibration: list[Feeds]) -> Any:
    """NNCF draws progress bars and says its steps on stdout: nothing to act upon."""
    try:
        with without_reports():
            import nncf
    except ImportError as error:
        raise missing_extra(error) from error
    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):
        return nncf.quantize(
            graph,
            nncf.Dataset(calibration),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(calibration),
        )
